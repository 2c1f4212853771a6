"""What all orders to the agent share: finding the session, asking its table, and giving out what follows."""

from offhook.sip.core import Core, ServerTransaction
from offhook.sip.facts import Output, SessionId
from offhook.sip.reading import tag_in
from offhook.sip.sessions import Session, SessionEvent, SessionRefuses, SessionState
from offhook.sip.writing import Headers, one_line


class Orders:
    """The agent as its orders see it."""

    _core: Core

    def _session(self, session: SessionId, order: str) -> Session:
        found = self._core.sessions.get(session)
        if found is None:
            raise SessionRefuses(session, order, SessionState.GONE)
        return found

    def _begin(self, session: SessionId, order: SessionEvent, now: float) -> Session:
        found = self._session(session, order)
        found.obey(order)
        self._core.begin(now)
        return found

    def _order(self, session: SessionId, order: SessionEvent, now: float, farewell: Headers) -> list[Output]:
        """An order whose message the table sends, at once or later, with these headers."""
        found = self._session(session, order)
        doing = found.obey(order)
        found.farewell = tuple(farewell)
        self._core.begin(now)
        self._core.do(found, doing)
        return self._core.take()

    def _reinvited(self, session: SessionId, order: SessionEvent, now: float) -> tuple[Session, ServerTransaction]:
        found = self._session(session, order)
        reinvite = found.reinvite
        if not isinstance(reinvite, ServerTransaction):
            raise SessionRefuses(session, order, found.state)
        return self._begin(session, order, now), reinvite

    def _tagged(self, from_header: str) -> tuple[str, str]:
        """A From value with a tag, and the tag."""
        value = one_line(from_header)
        tag = tag_in(value)
        if tag:
            return value, tag
        tag = self._core.tokens()
        return f"{value};tag={tag}", tag
