"""What must be written down about a session, so that another life of the process can end it: hang up, cancel or refuse."""

from dataclasses import dataclass

from offhook.sip.addresses import Address
from offhook.sip.core import ClientTransaction, Purpose, ServerTransaction
from offhook.sip.dialogs import Dialog
from offhook.sip.origins import Origin
from offhook.sip.sessions import Session, SessionState
from offhook.sip.transactions import State
from offhook.sip.writing import Echo, Outline

AHEAD = 10_000
"""How far above the noted CSeq the BYE of another life goes: more requests than any dialog sends after the note was taken."""


@dataclass(frozen=True, slots=True)
class DialogNote:
    """One dialog in plain JSON values. local and remote are whole From/To values with their tags; routes whole Route values."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    target: str
    routes: tuple[str, ...]
    next_cseq: int
    host: str
    port: int
    transport: str


@dataclass(frozen=True, slots=True)
class CallingNote:
    """An INVITE of ours that has no final answer: what its CANCEL repeats of it (RFC 3261 9.1)."""

    call_id: str
    local: str
    remote: str
    uri: str
    routes: tuple[str, ...]
    cseq: int
    branch: str
    host: str
    port: int
    transport: str


@dataclass(frozen=True, slots=True)
class CalledNote:
    """An INVITE of the peer that has no final answer: what every response repeats of it (RFC 3261 8.2.6.2), and the key of its ACK."""

    call_id: str
    local: str
    remote: str
    lines: str
    key: tuple[str, ...]
    host: str
    port: int
    transport: str


Note = DialogNote | CallingNote | CalledNote


def note_of(session: Session) -> Note | None:
    """The note of a session as it stands now; None for one that is new or over."""
    invite = session.invite
    if session.state in _CALLING and isinstance(invite, ClientTransaction):
        of = invite.outline
        return CallingNote(of.call_id, of.from_value, of.to_value, of.uri, of.routes, of.cseq, of.branch, *invite.to)
    dialog = session.dialog
    if dialog is None or session.state is SessionState.GONE:
        return None
    if session.state in _CALLED and isinstance(invite, ServerTransaction):
        return CalledNote(dialog.call_id, invite.echo.to_value, dialog.remote, invite.echo.lines, invite.key, *invite.to)
    return dialog_note(dialog)


_CALLING = frozenset((SessionState.CALLING, SessionState.PROGRESS, SessionState.CANCEL_WAITING, SessionState.CANCELLING))
_CALLED = frozenset((SessionState.ARRIVED, SessionState.ANSWER_HELD))


def dialog_note(dialog: Dialog) -> DialogNote:
    """The note of a dialog as it stands now."""
    call_id, local_tag, remote_tag = dialog.key
    return DialogNote(
        call_id, local_tag, remote_tag, dialog.local, dialog.remote, dialog.target, dialog.routes, dialog.local_cseq + 1, *dialog.to
    )


def farewell_to(note: DialogNote, branch: str) -> tuple[Outline, Address]:
    """The BYE of a noted dialog, and where it goes."""
    to = Address(note.host, note.port, note.transport)
    dialog = Dialog(
        key=(note.call_id, note.local_tag, note.remote_tag),
        local=note.local,
        remote=note.remote,
        target=note.target,
        # A list where the note has been through JSON.
        routes=tuple(note.routes),
        local_cseq=note.next_cseq + AHEAD,
        remote_cseq=-1,
        fallback=to,
    )
    return dialog.outline("BYE", branch), to


def calling_again(note: CallingNote) -> Session:
    """A session that is about to cancel the noted INVITE, as if it had sent it itself."""
    outline = Outline("INVITE", note.uri, note.local, note.remote, note.call_id, note.cseq, note.branch, tuple(note.routes))
    # It will describe nothing any more, so its origin may be anybody's.
    session, to = Session(note.branch, Origin(0)), Address(note.host, note.port, note.transport)
    session.state = SessionState.CANCELLING
    session.invite = ClientTransaction((note.branch, "INVITE"), to, outline, Purpose.INVITE, session, "")
    session.invite.state = State.PROCEEDING
    return session


def called_again(note: CalledNote) -> ServerTransaction:
    """The noted INVITE, to be refused. That makes no dialog, so its Record-Routes are of no interest."""
    echo = Echo(note.lines, note.local, "", Address(note.host, note.port, note.transport))
    transaction = ServerTransaction(tuple(note.key), echo, "INVITE", tagged=True)
    transaction.state = State.PROCEEDING
    return transaction
