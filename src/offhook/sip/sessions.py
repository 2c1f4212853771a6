"""A session: one call between us and one peer, as a table of states, orders and happenings."""

from enum import StrEnum


class SessionState(StrEnum):
    """Where a session stands."""

    CALLING = "calling"
    PROGRESS = "progress"
    CANCEL_WAITING = "cancel waiting"
    CANCELLING = "cancelling"
    REFUSED = "refused"
    ARRIVED = "arrived"
    ANSWERED = "answered"
    BYE_WAITING = "bye waiting"
    UP = "up"
    CLOSING = "closing"
    GONE = "gone"


class SessionRefuses(Exception):
    """This order is not possible in this state; nothing has changed."""

    def __init__(self, session: str, order: str, state: SessionState) -> None:
        super().__init__(f"session {session} is {state}: it cannot {order}")
        self.session = session
        self.order = order
        self.state = state
