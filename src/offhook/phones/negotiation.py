"""The offers and answers of one call, and the media port that follows them."""

import secrets
from collections.abc import Sequence

from offhook.phones import offers
from offhook.phones.media import MediaPort
from offhook.phones.offers import NothingShared
from offhook.sip import sdp
from offhook.sip.sdp import BadSdp, Direction


class Negotiation:
    """What was described last by each side. `flow` is what this telephone wants: SENDONLY while it holds the call."""

    def __init__(self, media: MediaPort, codecs: Sequence[str]) -> None:
        self.media, self.codecs = media, codecs
        self.flow = Direction.SENDRECV
        self.theirs: sdp.Sdp | None = None
        self._id, self._version = secrets.randbits(31), 0

    def offer(self) -> str:
        """A new offer of ours."""
        self._version += 1
        described = offers.offer(self.media.host, self.media.port, self.codecs, session_id=self._id, version=self._version, flow=self.flow)
        return str(described)

    def answer(self, theirs: str) -> str:
        """The answer to their offer; sound follows it at once. Raises NothingShared."""
        parsed = _parsed(theirs)
        described = offers.answer(
            parsed, self.media.host, self.media.port, self.codecs, session_id=self._id, version=self._version + 1, flow=self.flow
        )
        self._follow(parsed)
        self._version += 1
        return str(described)

    def answered(self, theirs: str) -> None:
        """Their answer to our offer; sound follows it at once. Raises NothingShared."""
        self._follow(_parsed(theirs))

    def _follow(self, theirs: sdp.Sdp) -> None:
        self.media.connect(offers.agreement(theirs, self.codecs, self.flow))
        self.theirs = theirs

    @property
    def held_by_them(self) -> bool:
        """Whether their last description wants nothing from us (RFC 3264 section 8.4)."""
        return self.theirs is not None and sdp.direction(self.theirs) in (Direction.SENDONLY, Direction.INACTIVE)


def _parsed(text: str) -> sdp.Sdp:
    try:
        return sdp.parse(text)
    except BadSdp as reason:
        raise NothingShared(f"the description cannot be read: {reason}") from reason
