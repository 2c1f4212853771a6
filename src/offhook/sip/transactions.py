"""The four transaction machines of RFC 3261 17, with the Accepted states of RFC 6026, as tables, and the machine that walks them."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from offhook.sip.addresses import Address
from offhook.sip.alarms import Alarm, Alarms
from offhook.sip.moves import Move, Table
from offhook.sip.timers import Timers
from offhook.sip.wall import Envelope


class State(StrEnum):
    """Where a transaction stands (RFC 3261 figures 5-8, RFC 6026 figures 1-2)."""

    NEW = "new"
    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Event(StrEnum):
    """What happens to a transaction: messages in, messages said by its user, timers."""

    REQUEST = "request"
    ACK = "ack"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    FINAL = "200-699"
    SAY_REQUEST = "say request"
    SAY_PROVISIONAL = "say 1xx"
    SAY_SUCCESS = "say 2xx"
    SAY_FAILURE = "say 300-699"
    SAY_FINAL = "say 200-699"
    UNDELIVERABLE = "undeliverable"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"


class Do(StrEnum):
    """What a transaction does on a move. SEND sends its latest message (again); TELL tells its user; REST stops its timers."""

    SEND = "send"
    ACKNOWLEDGE = "acknowledge"
    TELL = "tell"
    REST = "rest"
    START_A = "start A"
    START_B = "start B"
    START_D = "start D"
    START_E = "start E"
    START_F = "start F"
    START_G = "start G"
    START_H = "start H"
    START_I = "start I"
    START_J = "start J"
    START_K = "start K"
    START_L = "start L"
    START_M = "start M"


Moves = Table[State, Event, Do]
_GIVEN_UP = Move(State.TERMINATED, (Do.TELL,))
_OVER = Move[State, Do](State.TERMINATED)

INVITE_CLIENT_MOVES: Moves = {
    State.NEW: {Event.SAY_REQUEST: Move(State.CALLING, (Do.SEND, Do.START_A, Do.START_B))},
    State.CALLING: {
        Event.TIMER_A: Move(State.CALLING, (Do.SEND, Do.START_A)),
        Event.TIMER_B: _GIVEN_UP,
        Event.UNDELIVERABLE: _GIVEN_UP,
        Event.PROVISIONAL: Move(State.PROCEEDING, (Do.REST, Do.TELL)),
        Event.SUCCESS: Move(State.ACCEPTED, (Do.REST, Do.START_M, Do.TELL)),
        Event.FAILURE: Move(State.COMPLETED, (Do.REST, Do.ACKNOWLEDGE, Do.TELL, Do.START_D)),
    },
    State.PROCEEDING: {
        Event.UNDELIVERABLE: _GIVEN_UP,
        # Set only once a CANCEL has gone out: its INVITE is given up 64*t1 later (RFC 3261 9.1).
        Event.TIMER_B: _GIVEN_UP,
        Event.PROVISIONAL: Move(State.PROCEEDING, (Do.TELL,)),
        Event.SUCCESS: Move(State.ACCEPTED, (Do.REST, Do.START_M, Do.TELL)),
        Event.FAILURE: Move(State.COMPLETED, (Do.REST, Do.ACKNOWLEDGE, Do.TELL, Do.START_D)),
    },
    State.ACCEPTED: {
        Event.SUCCESS: Move(State.ACCEPTED, (Do.TELL,)),
        Event.TIMER_M: _OVER,
    },
    State.COMPLETED: {
        Event.FAILURE: Move(State.COMPLETED, (Do.ACKNOWLEDGE,)),
        Event.TIMER_D: _OVER,
    },
}

INVITE_SERVER_MOVES: Moves = {
    State.NEW: {Event.REQUEST: Move(State.PROCEEDING, (Do.TELL,))},
    State.PROCEEDING: {
        Event.REQUEST: Move(State.PROCEEDING, (Do.SEND,)),
        Event.SAY_PROVISIONAL: Move(State.PROCEEDING, (Do.SEND,)),
        Event.SAY_SUCCESS: Move(State.ACCEPTED, (Do.SEND, Do.START_L)),
        Event.SAY_FAILURE: Move(State.COMPLETED, (Do.SEND, Do.START_G, Do.START_H)),
    },
    State.ACCEPTED: {
        # Its user repeats the 200 itself until the ACK comes (RFC 3261 13.3.1.4), so a repeated INVITE asks for nothing.
        Event.REQUEST: Move(State.ACCEPTED),
        Event.SAY_SUCCESS: Move(State.ACCEPTED, (Do.SEND,)),
        Event.ACK: Move(State.ACCEPTED, (Do.TELL,)),
        Event.TIMER_L: _OVER,
    },
    State.COMPLETED: {
        Event.REQUEST: Move(State.COMPLETED, (Do.SEND,)),
        Event.TIMER_G: Move(State.COMPLETED, (Do.SEND, Do.START_G)),
        Event.TIMER_H: _OVER,
        Event.ACK: Move(State.CONFIRMED, (Do.REST, Do.START_I)),
    },
    State.CONFIRMED: {
        Event.ACK: Move(State.CONFIRMED),
        Event.TIMER_I: _OVER,
    },
}

OTHER_CLIENT_MOVES: Moves = {
    State.NEW: {Event.SAY_REQUEST: Move(State.TRYING, (Do.SEND, Do.START_E, Do.START_F))},
    State.TRYING: {
        Event.TIMER_E: Move(State.TRYING, (Do.SEND, Do.START_E)),
        Event.TIMER_F: _GIVEN_UP,
        Event.UNDELIVERABLE: _GIVEN_UP,
        Event.PROVISIONAL: Move(State.PROCEEDING, (Do.TELL,)),
        Event.FINAL: Move(State.COMPLETED, (Do.REST, Do.START_K, Do.TELL)),
    },
    State.PROCEEDING: {
        Event.TIMER_E: Move(State.PROCEEDING, (Do.SEND, Do.START_E)),
        Event.TIMER_F: _GIVEN_UP,
        Event.UNDELIVERABLE: _GIVEN_UP,
        Event.PROVISIONAL: Move(State.PROCEEDING, (Do.TELL,)),
        Event.FINAL: Move(State.COMPLETED, (Do.REST, Do.START_K, Do.TELL)),
    },
    State.COMPLETED: {
        Event.FINAL: Move(State.COMPLETED),
        Event.TIMER_K: _OVER,
    },
}

OTHER_SERVER_MOVES: Moves = {
    # Timer F: once the client has given up no answer may be sent any more, and none is waited for (RFC 4320 4.2).
    State.NEW: {Event.REQUEST: Move(State.TRYING, (Do.START_F, Do.TELL))},
    State.TRYING: {
        Event.REQUEST: Move(State.TRYING),
        Event.SAY_PROVISIONAL: Move(State.PROCEEDING, (Do.SEND,)),
        Event.SAY_FINAL: Move(State.COMPLETED, (Do.REST, Do.SEND, Do.START_J)),
        Event.TIMER_F: _OVER,
    },
    State.PROCEEDING: {
        Event.REQUEST: Move(State.PROCEEDING, (Do.SEND,)),
        Event.SAY_PROVISIONAL: Move(State.PROCEEDING, (Do.SEND,)),
        Event.SAY_FINAL: Move(State.COMPLETED, (Do.REST, Do.SEND, Do.START_J)),
        Event.TIMER_F: _OVER,
    },
    State.COMPLETED: {
        Event.REQUEST: Move(State.COMPLETED, (Do.SEND,)),
        Event.TIMER_J: _OVER,
    },
}

_TIMER_OF = {do: Event(do.value.replace("start", "timer")) for do in Do if do.value.startswith("start")}
# Over a reliable transport nothing is repeated (A, E, G) and nothing lingers (D, I, J, K): RFC 3261 17.1.1.2 and following.
_REPEATS = frozenset((Event.TIMER_A, Event.TIMER_E, Event.TIMER_G))
_LINGERS = frozenset((Event.TIMER_D, Event.TIMER_I, Event.TIMER_J, Event.TIMER_K))
_REPLIES_ON_T4 = frozenset((Event.TIMER_I, Event.TIMER_K))


class Transaction:
    """One of the four machines at work. sent is its latest message; ack, once there, what acknowledges a refusal."""

    __slots__ = ("ack", "alarms", "interval", "key", "moves", "sent", "session_id", "state", "to")

    def __init__(self, moves: Moves, key: tuple[str, ...], to: Address, session_id: str | None) -> None:
        self.moves = moves
        self.key = key
        self.to = to
        self.session_id = session_id
        self.state = State.NEW
        self.sent = b""
        self.ack: bytes | None = None
        self.interval = 0.0
        self.alarms: list[Alarm] = []

    def move_on(self, event: Event) -> tuple[Do, ...] | None:
        """Take the move of the table and say what to do; None (and nothing has changed) where the table has none."""
        row = self.moves.get(self.state)
        move = row.get(event) if row else None
        if move is None:
            return None
        self.state = move.next
        return move.do


class Walker:
    """Walks transactions through their tables: sends, sets timers, tells their user. One for all transactions of an agent."""

    __slots__ = ("_alarms", "_clock", "_delays", "_end", "_reliable", "_send", "_tell", "_timers")

    def __init__(
        self,
        *,
        timers: Timers,
        reliable: bool,
        alarms: Alarms,
        clock: Callable[[], float],
        send: Callable[[bytes, Address, str | None], None],
        tell: Callable[[Transaction, Event, Envelope | None], None],
        end: Callable[[Transaction], None],
    ) -> None:
        self._timers = timers
        self._delays = _fixed_delays(timers, reliable=reliable)
        self._reliable = reliable
        self._alarms = alarms
        self._clock = clock
        self._send = send
        self._tell = tell
        self._end = end

    def walk(self, transaction: Transaction, event: Event, envelope: Envelope | None = None, say: bytes | None = None) -> bool:
        """One event. say is a new message to send. False where the table knows no such move: nothing has changed."""
        doing = transaction.move_on(event)
        if doing is None:
            return False
        if say is not None:
            transaction.sent = say
        for do in doing:
            timer = _TIMER_OF.get(do)
            if timer is not None:
                self._start(transaction, timer)
            elif do is Do.SEND:
                # Nothing to repeat yet: a request repeated before its first response.
                if transaction.sent:
                    self._send(transaction.sent, transaction.to, transaction.session_id)
            elif do is Do.TELL:
                self._tell(transaction, event, envelope)
            elif do is Do.REST:
                self._rest(transaction)
            elif transaction.ack is not None:
                self._send(transaction.ack, transaction.to, transaction.session_id)
        if transaction.state is State.TERMINATED:
            self._rest(transaction)
            self._end(transaction)
        return True

    def give_up_later(self, transaction: Transaction) -> None:
        """Start timer B again for an INVITE that has been cancelled, or is of no use to anybody any more."""
        if transaction.state is State.PROCEEDING:
            self._start(transaction, Event.TIMER_B)

    def _rest(self, transaction: Transaction) -> None:
        if transaction.alarms:
            for alarm in transaction.alarms:
                alarm.cancel()
            transaction.alarms.clear()

    def _start(self, transaction: Transaction, timer: Event) -> None:
        if self._reliable and timer in _REPEATS:
            return
        delay = self._delays.get(timer)
        if delay is None:
            delay = self._next_repeat(transaction, timer)
        if delay <= 0:
            self.walk(transaction, timer)
            return
        transaction.alarms.append(self._alarms.set(self._clock() + delay, partial(self.walk, transaction, timer)))

    def _next_repeat(self, transaction: Transaction, timer: Event) -> float:
        timers = self._timers
        waited = transaction.interval
        transaction.interval = waited * 2 if waited else timers.t1
        if timer is not Event.TIMER_A:
            # Timer E rests at t2 once a provisional has come (RFC 3261 17.1.2.2).
            proceeding = timer is Event.TIMER_E and transaction.state is State.PROCEEDING
            transaction.interval = timers.t2 if proceeding else min(transaction.interval, timers.t2)
        return transaction.interval


def _fixed_delays(timers: Timers, *, reliable: bool) -> dict[Event, float]:
    """How long each timer runs that runs equally long every time, in seconds; 0 for what does not linger over a reliable transport."""
    delays = {timer: timers.limit for timer in _TIMER_OF.values() if timer not in _REPEATS}
    delays |= dict.fromkeys(_REPLIES_ON_T4, timers.t4) | {Event.TIMER_D: timers.lingering}
    return delays | dict.fromkeys(_LINGERS, 0.0) if reliable else delays
