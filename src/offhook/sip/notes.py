"""What must be written down about a dialog, so that another life of the process can hang it up (RFC 3261 12.2.1.1)."""

from dataclasses import dataclass

from offhook.sip.addresses import Address
from offhook.sip.dialogs import Dialog
from offhook.sip.writing import Outline

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


def note_of(dialog: Dialog) -> DialogNote:
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
