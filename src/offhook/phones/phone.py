"""The telephone: sockets and a clock around `offhook.sip.Agent`, an account, and calls."""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sipmessage import Response

from offhook.phones.calls import PATIENCE, CallRefuses, CallState, PhoneCall
from offhook.phones.media import MediaPort
from offhook.phones.negotiation import Negotiation
from offhook.phones.offers import ALL_CODECS
from offhook.phones.registration import Account, Registration
from offhook.phones.sources import Silence, Source
from offhook.phones.srtp import Secrecy
from offhook.phones.trace import Trace
from offhook.phones.waiting import News, NotInTime
from offhook.phones.wires import Wire, open_wire
from offhook.sip import digest, facts
from offhook.sip.addresses import Address, bracketed
from offhook.sip.agent import Agent, SessionRefuses
from offhook.sip.session_timers import SessionTimers
from offhook.sip.timers import Timers

_MOST_CALLS_REMEMBERED = 20  # each keeps up to two minutes of sound, 2 MB
_MOST_FRESH = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a telephone does by itself with a call that comes; `answers_after` and `answers_with_redirect` build one."""

    rings: bool = True
    answers_after: float | None = None
    refuses_with: int | None = None
    redirects_to: tuple[str, ...] = ()


RINGS = Policy()
BUSY = Policy(refuses_with=486)
DECLINES = Policy(refuses_with=603)
IGNORES = Policy(rings=False)


def answers_after(seconds: float) -> Policy:
    """Ring, and answer after so many seconds."""
    return Policy(answers_after=seconds)


def answers_with_redirect(status: int, contacts: Sequence[str]) -> Policy:
    """Send every caller elsewhere with this 3xx: to these sip: URIs, the first one first."""
    return Policy(refuses_with=status, redirects_to=tuple(contacts))


class Phone:
    """A telephone on one address, with or without an account. Use it as `async with Phone(...) as anna`, or `start` and `stop`."""

    def __init__(
        self,
        name: str,
        *,
        account: Account | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        transport: str | None = None,
        authority: Path | None = None,
        codecs: Sequence[str] = ALL_CODECS,
        policy: Policy = RINGS,
        srtp: Literal["offered", "required"] | None = None,
        says: Callable[[], Source] = Silence,
        report_every: float = 5.0,
        keep_seconds: float = 120.0,
        user_agent: str = "Offhook phone",
        timers: Timers | None = None,
        session_timers: SessionTimers | None = None,
    ) -> None:
        """`host` is numeric; `transport`: "udp", "tcp", "tls", else that of the account's edge; RTCP goes every `report_every` seconds.

        `authority` is the file of whom TLS trusts, in PEM; nobody's certificate is checked without it.

        `codecs`: of "PCMU", "PCMA", "telephone-event", best first. `srtp`: whether sound is secure, see `srtp.Secrecy`. `says` makes what
        is said in each call from its beginning: `says=lambda: Tone(440)` gives a telephone a voice of its own.
        """
        self.name, self.account, self.codecs, self.policy = name, account, tuple(codecs), policy
        self._bind = (host, port, transport or (account.edge.transport if account else "udp"))
        self._authority = authority
        self._says = says
        self._secrecy = Secrecy(srtp) if srtp else None
        self._report_every, self._keep_seconds = report_every, keep_seconds
        self._user_agent, self._timers = user_agent, timers or Timers()
        self._session_timers = session_timers
        self.ignores: set[str] = set()
        self.trace = Trace()
        self.calls: list[PhoneCall] = []
        self.on_call: Callable[[PhoneCall], Awaitable[None]] | None = None
        self.registration: Registration | None = None
        self.agent: Agent
        self._wire: Wire | None = None
        self._sessions: dict[str, PhoneCall] = {}
        self._fresh: deque[PhoneCall] = deque(maxlen=_MOST_FRESH)
        self._meanwhile: dict[str, list[Any]] = {}  # what happens to a call while its media port is being opened
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = News()
        self._nonces: dict[str, int] = {}

    async def __aenter__(self) -> "Phone":
        await self.start()
        return self

    async def __aexit__(self, *problem: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the socket. Raises OSError."""
        host, port, transport = self._bind
        self._loop = asyncio.get_running_loop()
        self._wire = await open_wire(Address(host, port, transport), self._received, self._lost, self._authority)
        self.agent = Agent(
            local=self.address,
            user_agent=self._user_agent,
            tokens=lambda: secrets.token_hex(8),
            timers=self._timers,
            reliable=transport != "udp",
            contact_user=self.account.username if self.account else "",
            session_timers=self._session_timers,
        )
        if self.account is not None:
            self.registration = Registration(self, self.account)

    async def stop(self) -> None:
        """Hang up, take the registration back as far as two seconds allow, and free the sockets."""
        for task in list(self._tasks):
            task.cancel()
        if self._wire is None:
            return
        farewells = [call.hangs_up(2) for call in self.calls if call.state is not CallState.ENDED]
        if self.registration is not None:
            farewells.append(self.registration.unregister(2))  # type: ignore[arg-type]
        await asyncio.gather(*farewells, return_exceptions=True)
        await self.vanish()

    async def vanish(self) -> None:
        """Be gone without a word, as a telephone that lost its power."""
        wire, self._wire = self._wire, None
        for task in list(self._tasks):
            task.cancel()
        if self.registration is not None:
            self.registration.stop()
        if self._timer is not None:
            self._timer.cancel()
        for call in self.calls:
            call.media.close()
        if wire is not None:
            await wire.close()

    def goes_deaf(self, *methods: str) -> None:
        """From now on hear none of these requests, as a telephone that has hung: `goes_deaf("BYE")`. One that is dead has vanished."""
        self.ignores.update(methods)

    @property
    def address(self) -> Address:
        """Where this telephone listens."""
        assert self._wire is not None, f"{self.name} was not started"
        return self._wire.local

    @property
    def contact(self) -> str:
        """The telephone's own address, as Contact writes it."""
        user = f"{self.account.username}@" if self.account else ""
        over = "" if self.address.transport == "udp" else f";transport={self.address.transport}"
        return f"<sip:{user}{bracketed(self.address.host)}:{self.address.port}{over}>"

    @property
    def own_uri(self) -> str:
        """The telephone's own name, as others call it."""
        if self.account is not None:
            return f"sip:{self.account.username}@{self.account.domain}"
        return f"sip:{self.name}@{bracketed(self.address.host)}:{self.address.port}"

    def story(self) -> str:
        """The SIP messages seen, for errors."""
        return self.trace.told()

    def now(self) -> float:
        return self._loop.time()

    async def register(self, expires: int = 600, patience: float = PATIENCE) -> "Phone":
        """Register, and stay registered. Raises RegistrationRefused or NotInTime."""
        await self._registration().register(expires, patience)
        return self

    async def unregister(self, patience: float = PATIENCE) -> None:
        """Be registered no more."""
        await self._registration().unregister(patience)

    def _registration(self) -> Registration:
        if self.registration is None:
            raise CallRefuses(f"{self.name} has no account to register")
        return self.registration

    async def dials(
        self,
        target: str,
        *,
        via: Address | None = None,
        caller: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        offerless: bool = False,
        requires_100rel: bool = False,
    ) -> PhoneCall:
        """Call a number, a name or a whole sip: URI; done when the INVITE is sent. `await (await anna.dials("102")).answered()`.

        `via` is where the INVITE goes (the account's edge), `caller` the From (the account's); `offerless` leaves the offer to the
        others and answers it in the ACK; `requires_100rel` has every provisional response acknowledged (RFC 3262).
        """
        to = via or (self.account.edge if self.account else _address_in(target))
        domain = self.account.domain if self.account else to.host
        uri = target if target.startswith("sip:") else f"sip:{target}@{bracketed(domain)}"
        ours = caller or (self.account.header if self.account else f"<sip:{self.name}@{bracketed(self.address.host)}>")
        negotiation = await self._negotiation()
        session, call_id = secrets.token_hex(8), f"{secrets.token_hex(12)}@{self.address.host}"
        call = PhoneCall(self, session, negotiation, uri=uri, call_id=call_id, asked_for_offer=offerless)
        self._remember(session, call)
        outputs = self.agent.invite(
            session,
            request_uri=uri,
            from_header=ours,
            to_header=f"<{uri}>",
            destination=to,
            sdp=None if offerless else negotiation.offer(),
            headers=(*headers, ("Require", "100rel")) if requires_100rel else headers,
            call_id=call_id,
            now=self.now(),
        )
        self.do(outputs)
        return call

    async def rings(self, patience: float = PATIENCE) -> PhoneCall:
        """Wait for the next call that comes and is not refused by policy; those that came before and were not asked for come first."""
        await self._news.until(lambda: bool(self._fresh), f"{self.name}: a call coming in", patience, self.story)
        return self._fresh.popleft()

    async def _negotiation(self) -> Negotiation:
        media = await MediaPort.open(self._bind[0], report_every=self._report_every, keep_seconds=self._keep_seconds)
        media.source = self._says()
        return Negotiation(media, self.codecs, self._secrecy)

    def _remember(self, session: str, call: PhoneCall) -> None:
        self._sessions[session] = call
        self.calls.append(call)
        for old in [each for each in self.calls if each.state is CallState.ENDED][: max(len(self.calls) - _MOST_CALLS_REMEMBERED, 0)]:
            self.calls.remove(old)

    # -- the agent's outputs

    def do(self, outputs: list[facts.Output]) -> None:
        """Send and heed what the agent gave out, and set the clock for its next timer."""
        for output in outputs:
            match output:
                case facts.Send():
                    self.trace.sent(output.data, self.now())
                    if self._wire is not None:
                        self._wire.send(output.data, output.to)
                case facts.Heard():
                    self.trace.heard(output.data, self.now())
                case facts.InviteReceived():
                    self._meanwhile[output.session] = []
                    self._start(self._called(output))
                case facts.RequestReceived():
                    status = 200 if output.request.method in ("OPTIONS", "NOTIFY") else 405
                    self.do(self.agent.respond(output.key, status=status, now=self.now()))
                case facts.ResponseReceived():
                    if self.registration is not None:
                        self.registration.heard(output)
                case _:
                    self._tell(output)
        self._wind()

    def _tell(self, fact: Any) -> None:
        if fact.session in self._meanwhile:
            self._meanwhile[fact.session].append(fact)
            return
        call = self._sessions.get(fact.session)
        if call is not None:
            call.happened(fact)

    def over(self, session: str) -> None:
        self._sessions.pop(session, None)
        self.agent.forget(session)

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.agent.next_due()
        if due is not None and self._wire is not None:
            self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self.do(self.agent.tick(self.now()))

    def _received(self, data: bytes, source: Address) -> None:
        if self._wire is not None and data.partition(b" ")[0].decode("latin-1") not in self.ignores:
            self.do(self.agent.receive(data, source, self.now()))

    def _lost(self, peer: Address) -> None:
        self.do(self.agent.undeliverable(peer, self.now()))
        if self.registration is not None and self.account is not None and peer == self.account.edge:
            self.registration.refresh()

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s: a call that came in was not taken as planned", self.name, exc_info=task.exception())

    async def _called(self, fact: facts.InviteReceived) -> None:
        try:
            negotiation = await self._negotiation()
        except OSError as reason:
            log.error("%s: a call that came in is refused, there is no port for its sound: %s", self.name, reason)
            del self._meanwhile[fact.session]
            with contextlib.suppress(SessionRefuses):  # its caller gave up meanwhile
                self.do(self.agent.refuse(fact.session, status=500, now=self.now()))
            self.agent.forget(fact.session)
            return
        call_id = fact.request.headers.get("Call-ID") or ""
        call = PhoneCall(
            self, fact.session, negotiation, uri=str(fact.request.uri), call_id=call_id, invite=fact.request, their_offer=fact.sdp
        )
        self._remember(fact.session, call)
        for happened in self._meanwhile.pop(fact.session):
            self._tell(happened)
        if call.state is CallState.RINGING and fact.sdp and not negotiation.is_as_secure_as_we(fact.sdp):
            call.declines(488)
        elif call.state is CallState.RINGING and self.on_call is not None:
            await self.on_call(call)
        elif call.state is CallState.RINGING:
            await self._follow(self.policy, call)

    async def _follow(self, policy: Policy, call: PhoneCall) -> None:
        if policy.redirects_to:
            call.redirects(policy.redirects_to, policy.refuses_with or 302)
            return
        if policy.refuses_with is not None:
            call.declines(policy.refuses_with)
            return
        if policy.rings:
            call.rings()
        self._fresh.append(call)
        self._news.tell()
        if policy.answers_after is not None:
            await _answer_after(call, policy.answers_after)

    # -- digest

    def challenged(self, refusal: facts.RefusalReceived, uri: str) -> tuple[str, str] | None:
        return self.credentials(refusal.response, "INVITE", uri) if refusal.response is not None else None

    def credentials(self, response: Response, method: str, uri: str) -> tuple[str, str] | None:
        """The header that answers the challenge in a 401 or 407, None without account or without a challenge we know."""
        challenge = digest.challenge_in(response)
        if challenge is None or self.account is None:
            return None
        count = self._nonces[challenge.nonce] = self._nonces.pop(challenge.nonce, 0) + 1
        while len(self._nonces) > 20:
            del self._nonces[next(iter(self._nonces))]
        name = self.account.sign_in_name or self.account.username
        hashed = digest.ha1(name, challenge.realm, self.account.password, challenge.algorithm)
        return digest.credentials(challenge, method=method, uri=uri, username=name, hashed=hashed, cnonce=secrets.token_hex(8), count=count)


async def _answer_after(call: PhoneCall, seconds: float) -> None:
    try:
        await call.until(lambda: call.state is not CallState.RINGING, "the caller giving up", seconds)
    except NotInTime:  # nobody gave up and nobody answered by hand: the phone does
        await call.answers()


def _address_in(uri: str) -> Address:
    """Host, port and transport of a numeric sip: URI, for telephones without an edge. Raises CallRefuses."""
    where, _, parameters = uri.partition("@")[2].partition(";")
    host, _, port = where.rpartition(":")
    if not host or not port.isdigit():
        raise CallRefuses(f"{uri!r} names no host and port, and there is no edge to send it to")
    return Address(host.strip("[]"), int(port), "tcp" if "transport=tcp" in parameters.lower() else "udp")
