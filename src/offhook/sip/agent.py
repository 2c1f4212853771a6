"""The user agent: sans-I/O, used by the switch (UDP) and by the software telephone (UDP or TCP)."""

from collections.abc import Callable, Sequence

from offhook.sip.addresses import Address
from offhook.sip.facts import Output, SessionId
from offhook.sip.sessions import SessionRefuses, SessionState
from offhook.sip.timers import Timers

__all__ = ["Agent", "SessionRefuses", "SessionState"]

Headers = Sequence[tuple[str, str]]


class Agent:
    """A SIP user agent without sockets and clocks: give it messages, orders and the time; send what it says."""

    def __init__(
        self,
        *,
        local: Address,
        user_agent: str,
        tokens: Callable[[], str],
        timers: Timers = Timers(),  # noqa: B008 - frozen
        reliable: bool = False,
        contact_user: str = "",
    ) -> None:
        raise NotImplementedError

    def receive(self, data: bytes, source: Address, now: float) -> list[Output]:
        raise NotImplementedError

    def tick(self, now: float) -> list[Output]:
        raise NotImplementedError

    def next_due(self) -> float | None:
        raise NotImplementedError

    def undeliverable(self, to: Address, now: float) -> list[Output]:
        """Nothing can be sent to this address (connection closed, ICMP): its pending requests end with 503."""
        raise NotImplementedError

    def invite(
        self,
        session: SessionId,
        *,
        request_uri: str,
        from_header: str,
        to_header: str,
        destination: Address,
        sdp: str | None,
        now: float,
        routes: Sequence[str] = (),
        headers: Headers = (),
        call_id: str | None = None,
    ) -> list[Output]:
        raise NotImplementedError

    def invite_again(self, session: SessionId, *, headers: Headers, now: float) -> list[Output]:
        raise NotImplementedError

    def ring(
        self, session: SessionId, *, now: float, status: int = 180, reason: str = "", sdp: str | None = None, headers: Headers = ()
    ) -> list[Output]:
        raise NotImplementedError

    def answer(self, session: SessionId, *, sdp: str, now: float, headers: Headers = ()) -> list[Output]:
        raise NotImplementedError

    def refuse(self, session: SessionId, *, status: int, now: float, reason: str = "", headers: Headers = ()) -> list[Output]:
        raise NotImplementedError

    def cancel(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        raise NotImplementedError

    def bye(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        raise NotImplementedError

    def reoffer(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        raise NotImplementedError

    def accept_reoffer(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        raise NotImplementedError

    def refuse_reoffer(self, session: SessionId, *, status: int, now: float) -> list[Output]:
        raise NotImplementedError

    def info(self, session: SessionId, *, content_type: str, body: bytes, now: float) -> list[Output]:
        raise NotImplementedError

    def request(
        self,
        key: str,
        *,
        method: str,
        request_uri: str,
        from_header: str,
        to_header: str,
        destination: Address,
        now: float,
        routes: Sequence[str] = (),
        headers: Headers = (),
        body: bytes = b"",
        call_id: str | None = None,
        cseq: int | None = None,
    ) -> list[Output]:
        raise NotImplementedError

    def respond(self, key: str, *, status: int, now: float, reason: str = "", headers: Headers = (), body: bytes = b"") -> list[Output]:
        raise NotImplementedError

    def forget(self, session: SessionId) -> None:
        raise NotImplementedError
