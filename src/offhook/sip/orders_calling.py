"""Orders of the calling side: call, call again with credentials, acknowledge an offer, cancel."""

from collections.abc import Sequence

from offhook.sip.addresses import Address
from offhook.sip.calling import Calling
from offhook.sip.facts import Output, SessionId
from offhook.sip.orders import Orders
from offhook.sip.sessions import Called as Order
from offhook.sip.sessions import Session, SessionEvent, SessionRefuses
from offhook.sip.writing import Headers, one_line


class CallingOrders(Orders):
    """What the agent does to call somebody."""

    _calling: Calling

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
        """Call somebody, as a new session of this name. from_header needs no tag; routes are whole Route values, the nearest first.

        Without sdp the peer makes the offer: it comes with AnswerReceived and is answered with acknowledge().
        """
        core = self._core
        if session in core.sessions:
            raise SessionRefuses(session, SessionEvent.INVITE, core.sessions[session].state)
        core.begin(now)
        opened = core.sessions[session] = Session(session, core.origin())
        opened.obey(SessionEvent.INVITE)
        from_value, tag = self._tagged(from_header)
        opened.called = Order(
            uri=one_line(request_uri),
            from_value=from_value,
            to_value=one_line(to_header),
            destination=destination,
            sdp=sdp,
            routes=tuple(routes),
            headers=tuple(headers),
            call_id=call_id or f"{core.tokens()}@{core.local.host}",
            local_tag=tag,
        )
        self._calling.invite(opened, opened.called)
        return core.take()

    def invite_again(self, session: SessionId, *, headers: Headers, now: float) -> list[Output]:
        """Call again with credentials after 401 or 407: same Call-ID and From tag, the next CSeq (RFC 3261 22.2).

        headers come in place of the first INVITE's headers of the same names.
        """
        found = self._session(session, SessionEvent.INVITE_AGAIN)
        called = found.called
        found.obey(SessionEvent.INVITE_AGAIN)
        if called is None:
            raise SessionRefuses(session, SessionEvent.INVITE_AGAIN, found.state)
        self._core.begin(now)
        names = {name.lower() for name, _ in headers}
        kept = tuple(header for header in called.headers if header[0].lower() not in names)
        found.called = called._replace(headers=(*kept, *headers))
        self._calling.invite(found, found.called)
        return self._core.take()

    def acknowledge(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        """Answer, in the ACK, the offer that a 200 to an INVITE (or reoffer) without one has made.

        Until then that 200 is repeated: give it within 64*t1, or the peer hangs up. To refuse the offer, hang up.
        """
        found = self._session(session, SessionEvent.ACKNOWLEDGE)
        if found.withheld is None:
            raise SessionRefuses(session, SessionEvent.ACKNOWLEDGE, found.state)
        found.obey(SessionEvent.ACKNOWLEDGE)
        self._core.begin(now)
        self._core.release_ack(found, sdp)
        return self._core.take()

    def cancel(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        """Stop calling. Before any provisional it waits for one (RFC 3261 9.1).

        Ends with RefusalReceived (487 mostly), or with ByeAnswered where a 200 came all the same.
        """
        return self._order(session, SessionEvent.CANCEL, now, headers)
