"""A telephone's registration: REGISTER with digest, again before it expires, and again after failures (RFC 3261 section 10)."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Protocol

from sipmessage import Response

from offhook.phones.waiting import News
from offhook.sip import facts
from offhook.sip.addresses import Address, bracketed
from offhook.sip.agent import Agent
from offhook.sip.reading import parameter, split_name_addr, split_values

_RETRY_FIRST, _RETRY_LONGEST = 1.0, 30.0


class RegistrationRefused(Exception):
    """The registrar said no, or nothing; `status` is its answer (408: none)."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(explanation)
        self.status = status


@dataclass(frozen=True, slots=True)
class Account:
    """Who a telephone is: name and password at a domain, and where that domain's edge listens.

    `sign_in_name` is the name that it answers challenges with; empty: the username.
    """

    username: str
    domain: str
    edge: Address
    password: str = ""
    display: str = ""
    sign_in_name: str = ""

    @property
    def uri(self) -> str:
        return f"sip:{self.username}@{bracketed(self.domain)}"

    @property
    def header(self) -> str:
        """The account as From and To write it."""
        name = self.display.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{self.uri}>' if name else f"<{self.uri}>"


class Registering(Protocol):
    """What a registration needs of its telephone."""

    name: str
    agent: Agent

    def now(self) -> float:
        """The telephone's clock, in seconds."""

    def do(self, outputs: list[facts.Output]) -> None:
        """Send and heed what the agent gave out."""

    def credentials(self, response: Response, method: str, uri: str) -> tuple[str, str] | None:
        """The header that answers a challenge."""

    def story(self) -> str:
        """What happened, for errors."""

    @property
    def contact(self) -> str:
        """The telephone's own address, as Contact writes it."""


class Registration:
    """One account's registration. `until` is when it ends by the telephone's clock, None while there is none."""

    def __init__(self, phone: Registering, account: Account) -> None:
        self._phone, self._account = phone, account
        self._call_id, self._cseq = f"{secrets.token_hex(8)}@{account.domain}", 0
        self._wanted = 0
        self.until: float | None = None
        self.registered = 0
        self._answer: tuple[int, Response | None] | None = None
        self._key = ""
        self._timer: asyncio.TimerHandle | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._news = News()
        self._turn = asyncio.Lock()

    async def register(self, expires: int, patience: float) -> None:
        """Be registered for `expires` seconds and stay so. Raises RegistrationRefused, NotInTime."""
        self._stop()
        self._wanted = expires
        await self._once(expires, patience)
        self._again_in(self._before_expiry())

    async def unregister(self, patience: float) -> None:
        """Take the registration back. Raises RegistrationRefused, NotInTime."""
        self._stop()
        if self.until is not None:
            await self._once(0, patience)
            self.until = None

    def refresh(self) -> None:
        """Register anew at once: the connection was lost."""
        if self._wanted and self.until is not None:
            self._again_in(0)

    def stop(self) -> None:
        """Register no more; what the registrar has runs out."""
        self._stop()

    def heard(self, fact: facts.ResponseReceived) -> bool:
        """Heed the answer to our REGISTER; False if it is to something else."""
        if fact.key != self._key:
            return False
        self._answer = (fact.status, fact.response)
        self._news.tell()
        return True

    def _stop(self) -> None:
        self._wanted = 0
        if self._timer is not None:
            self._timer.cancel()
        if self._refreshing is not None:
            self._refreshing.cancel()

    def _before_expiry(self) -> float:
        left = (self.until or 0) - self._phone.now()
        return max(left * 0.8, left - 30, 0.5)

    def _again_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._start_refreshing)

    def _start_refreshing(self) -> None:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        pause = _RETRY_FIRST
        while self._wanted:
            try:
                await self._once(self._wanted, 35)
                self._again_in(self._before_expiry())
                return
            except Exception:  # an edge that is away answers nothing, 503, or anything: stay at it
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_LONGEST)

    async def _once(self, expires: int, patience: float) -> None:
        async with self._turn:
            headers: list[tuple[str, str]] = []
            for _ in range(3):
                status, response = await self._ask(expires, headers, patience)
                if status not in (401, 407) or response is None:
                    break
                answer = self._phone.credentials(response, "REGISTER", self._uri)
                if answer is None or (headers and "stale=true" not in str(response.headers).lower()):
                    break
                headers = [answer]
            if status >= 300:
                raise RegistrationRefused(status, f"{self._phone.name} cannot register: {status}. {self._phone.story()}")
            self.registered += 1
            self.until = self._phone.now() + _granted(response, self._phone.contact, expires)

    @property
    def _uri(self) -> str:
        return f"sip:{bracketed(self._account.domain)}"

    async def _ask(self, expires: int, headers: list[tuple[str, str]], patience: float) -> tuple[int, Response | None]:
        phone, account = self._phone, self._account
        self._cseq += 1
        self._key, self._answer = f"REGISTER {self._call_id} {self._cseq}", None
        outputs = phone.agent.request(
            self._key,
            method="REGISTER",
            request_uri=self._uri,
            from_header=account.header,
            to_header=account.header,
            destination=account.edge,
            headers=[("Contact", f"{phone.contact};expires={expires}"), ("Expires", str(expires)), *headers],
            call_id=self._call_id,
            cseq=self._cseq,
            now=phone.now(),
        )
        phone.do(outputs)
        await self._news.until(lambda: self._answer is not None, f"{phone.name}: the answer to REGISTER", patience, phone.story)
        assert self._answer is not None
        return self._answer


def _granted(response: Response | None, contact: str, asked: int) -> float:
    """How many seconds the registrar gave our contact (RFC 3261 section 10.2.4): its own, else the header's, else what was asked."""
    if response is None:
        return asked
    ours = split_name_addr(contact)[1]
    for line in response.headers.getlist("Contact"):
        for value in split_values(line):
            _, uri, parameters = split_name_addr(value)
            granted = parameter(parameters, "expires")
            if uri.partition(";")[0] == ours.partition(";")[0] and granted and granted.isascii() and granted.isdigit():
                return int(granted[:9])
    header = response.headers.get("Expires") or ""
    return int(header[:9]) if header.isascii() and header.isdigit() else asked
