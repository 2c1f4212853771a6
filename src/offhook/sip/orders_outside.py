"""Orders outside sessions: requests of their own, answers to those of a peer, and the farewell to calls of another life."""

from collections.abc import Sequence

from offhook.sip.addresses import Address
from offhook.sip.core import ClientTransaction, Purpose
from offhook.sip.facts import Output, SessionId
from offhook.sip.notes import CalledNote, CallingNote, DialogNote, Note, called_again, calling_again, dialog_note, farewell_to, note_of
from offhook.sip.orders import Orders
from offhook.sip.sessions import SessionDo, SessionRefuses, SessionState
from offhook.sip.writing import Headers, Outline, one_line


class OutsideOrders(Orders):
    """What the agent does outside sessions."""

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
        """A request outside sessions: REGISTER, OPTIONS, MESSAGE. Ends with ResponseReceived(key).

        A body needs its Content-Type among the headers. call_id and cseq keep the registrations of one telephone in order.
        """
        core = self._core
        core.begin(now)
        outline = Outline(
            method=method,
            uri=one_line(request_uri),
            from_value=self._tagged(from_header)[0],
            to_value=one_line(to_header),
            call_id=call_id or f"{core.tokens()}@{core.local.host}",
            cseq=1 if cseq is None else cseq,
            branch=core.branch(),
            routes=tuple(routes),
        )
        core.ask(outline, destination, Purpose.OUTSIDE, asked=key, headers=headers, body=body)
        return core.take()

    def respond(self, key: str, *, status: int, now: float, reason: str = "", headers: Headers = (), body: bytes = b"") -> list[Output]:
        """Answer a RequestReceived, provisionally or finally; raises SessionRefuses once it has been answered or given up."""
        core = self._core
        transaction = core.pending.get(key)
        if transaction is None:
            raise SessionRefuses(key, "respond", SessionState.GONE)
        core.begin(now)
        core.reply(transaction, status, reason, headers=headers, body=body)
        if status >= 200:
            core.pending.pop(key, None)
        return core.take()

    def remembered(self, session: SessionId) -> DialogNote:
        """What bye_for() needs to hang this session's dialog up in another life of the process.

        Taken at any time after the answer it stays good: a changed target or route is not followed, a higher CSeq is allowed for.
        Raises SessionRefuses where there is no dialog.
        """
        found = self._session(session, "be remembered")
        if found.dialog is None:
            raise SessionRefuses(session, "be remembered", found.state)
        return dialog_note(found.dialog)

    def noted(self, session: SessionId) -> Note | None:
        """What another life of the process needs to end this session as it stands now, None for one that is over.

        That of a call that rings stays good until its INVITE is answered, or sent anew.
        """
        found = self._core.sessions.get(session)
        return note_of(found) if found is not None else None

    def bye_for(self, note: DialogNote, headers: Headers, now: float) -> list[Output]:
        """Hang up a dialog that another life of the process set up. Ends with ResponseReceived(key=note.local_tag)."""
        core = self._core
        core.begin(now)
        outline, to = farewell_to(note, core.branch())
        core.ask(outline, to, Purpose.OUTSIDE, asked=note.local_tag, headers=headers)
        return core.take()

    def cancel_for(self, note: CallingNote, headers: Headers, now: float) -> list[Output]:
        """Cancel an INVITE that another life of the process sent. One that is answered all the same is acknowledged and hung up."""
        core, session = self._core, calling_again(note)
        core.begin(now)
        session.farewell = tuple(headers)
        if isinstance(session.invite, ClientTransaction):
            core.clients[session.invite.key] = session.invite
        core.do(session, (SessionDo.SEND_CANCEL,))
        return core.take()

    def refuse_for(self, note: CalledNote, *, status: int, reason: str, headers: Headers, now: float) -> list[Output]:
        """Refuse an INVITE that came to another life of the process, and repeat that until its ACK comes."""
        core, transaction = self._core, called_again(note)
        core.begin(now)
        core.servers[transaction.key] = transaction
        core.reply(transaction, status, reason, headers=headers)
        return core.take()
