"""The offers and answers of one call, and the media port that follows them."""

from collections.abc import Sequence

from offhook.phones import offers
from offhook.phones.media import MediaPort
from offhook.phones.offers import NothingShared
from offhook.phones.srtp import Key, Sealing, Secrecy, is_secure, keys_in, new_key, secured
from offhook.sip import sdp
from offhook.sip.sdp import BadSdp, Direction


class Negotiation:
    """What was described last by each side. `flow` is what this telephone wants: SENDONLY while it holds the call."""

    def __init__(self, media: MediaPort, codecs: Sequence[str], secrecy: Secrecy | None = None) -> None:
        self.media, self.codecs = media, codecs
        self.flow = Direction.SENDRECV
        self.theirs: sdp.Sdp | None = None
        self._secrecy = secrecy
        self._ours = new_key() if secrecy else None
        """Our key while the call's sound is secure, or may become so."""

    def offer(self) -> str:
        """A new offer of ours."""
        described = offers.offer(self.media.host, self.media.port, self.codecs, self.flow)
        return str(secured(described, self._ours) if self._ours else described)

    def answer(self, theirs: str) -> str:
        """The answer to their offer; sound follows it at once. Raises NothingShared."""
        parsed = _parsed(theirs)
        key = self._key_of(parsed)
        if key is None:
            self._ours = None  # plain sound it is, in all we offer in this call
        elif self._ours is None or (self._ours.tag, self._ours.cipher) != (key.tag, key.cipher):
            self._ours = new_key(key.tag, key.cipher)
        described = offers.answer(parsed, self.media.host, self.media.port, self.codecs, self.flow)
        self._follow(parsed, key)
        return str(secured(described, self._ours) if self._ours else described)

    def is_as_secure_as_we(self, theirs: str) -> bool:
        """Whether their offer is of the secrecy we want, or is none that could be read: a telephone rings for nothing else."""
        try:
            self._key_of(sdp.parse(theirs))
        except BadSdp:
            return True
        except NothingShared:
            return False
        return True

    def answered(self, theirs: str) -> None:
        """Their answer to our offer; sound follows it at once. Raises NothingShared."""
        parsed = _parsed(theirs)
        if is_secure(parsed) is not (self._ours is not None):
            raise NothingShared("the answer is not as secure as what was offered (RFC 3264 section 6)")
        self._follow(parsed, self._key_of(parsed))

    def _key_of(self, theirs: sdp.Sdp) -> Key | None:
        """The key by which they seal, None for plain sound. Raises NothingShared."""
        if not is_secure(theirs):
            if self._secrecy is Secrecy.REQUIRED:
                raise NothingShared("they speak plain sound, we only secure sound")
            return None
        if self._secrecy is None:
            raise NothingShared("they speak secure sound, we only plain sound")
        key = next(keys_in(theirs), None)
        if key is None:
            raise NothingShared("they name no key that we can speak with")
        return key

    def _follow(self, theirs: sdp.Sdp, key: Key | None) -> None:
        agreed = offers.agreement(theirs, self.codecs, self.flow)
        sealing = self.media.sealing
        if key is None or self._ours is None:
            sealing = None
        elif sealing is None or sealing.keys != (self._ours, key):  # with the same keys the count of packets goes on
            sealing = Sealing(self._ours, key)
        self.media.connect(agreed, sealing)
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
