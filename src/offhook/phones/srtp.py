"""Secure sound for telephones in software: keys in the session description (SDES, RFC 4568), SRTP and SRTCP (RFC 3711) by libsrtp."""

import binascii
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import pylibsrtp

from offhook.sip.sdp import Sdp

SECURE = "RTP/SAVP"
_SECURE = (SECURE, "RTP/SAVPF")
_LINE = re.compile(r"a=crypto:(\d{1,9})\s+(\S+)\s+inline:([A-Za-z0-9+/=]{1,100})(?:[|\s].*)?")
_CIPHERS = {
    "AES_CM_128_HMAC_SHA1_80": (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AEAD_AES_256_GCM": (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}
"""What we speak, with the octets of key and salt. The first is the one that every secure telephone has (RFC 4568, 6.2)."""


class Secrecy(StrEnum):
    """How a telephone thinks of secure sound. Without any it refuses an offer of it."""

    OFFERED = "offered"
    """It offers secure sound, and takes plain sound where that is offered."""
    REQUIRED = "required"
    """It refuses plain sound."""


class NotAuthentic(Exception):
    """A packet is not from who has the key, or came before."""


@dataclass(frozen=True, slots=True)
class Key:
    """One side's master key and salt, under the tag by which offer and answer speak of it."""

    tag: str
    cipher: str
    octets: bytes

    @property
    def line(self) -> str:
        """As it stands below the media line."""
        return f"a=crypto:{self.tag} {self.cipher} inline:{binascii.b2a_base64(self.octets, newline=False).decode()}"


def new_key(tag: str = "1", cipher: str = "AES_CM_128_HMAC_SHA1_80") -> Key:
    """A key of ours."""
    return Key(tag, cipher, secrets.token_bytes(_CIPHERS[cipher][1]))


def is_secure(description: Sdp) -> bool:
    """Whether its sound is SRTP."""
    return description.audio is not None and description.audio.protocol.upper() in _SECURE


def keys_in(description: Sdp) -> Iterator[Key]:
    """The keys of its sound that we can speak with, best first."""
    for line in description.audio.lines if description.audio else ():
        found = _LINE.fullmatch(line.strip())
        if found is None or found[2] not in _CIPHERS or "UNENCRYPTED" in line:
            continue
        try:
            octets = binascii.a2b_base64(found[3])
        except binascii.Error:
            continue
        if len(octets) == _CIPHERS[found[2]][1]:
            yield Key(found[1], found[2], octets)


def secured(description: Sdp, key: Key) -> Sdp:
    """The same description with secure sound under this key."""
    media = tuple(replace(each, protocol=SECURE, lines=(*each.lines, key.line)) for each in description.media)
    return Sdp(description.session, media)


class Sealing:
    """Both ways of one call's sound under the keys of both sides."""

    def __init__(self, ours: Key, theirs: Key) -> None:
        """Both keys are of one cipher."""
        self.keys = ours, theirs
        self._out = _session(ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def seal(self, packet: bytes) -> bytes:
        """An RTP packet, sealed."""
        return self._out.protect(packet)

    def open(self, data: bytes) -> bytes:
        """The RTP packet in what came. Raises NotAuthentic."""
        try:
            return self._in.unprotect(data)
        except (pylibsrtp.Error, ValueError) as wrong:
            raise NotAuthentic(str(wrong)) from wrong

    def seal_report(self, packet: bytes) -> bytes:
        """An RTCP packet, sealed."""
        return self._out.protect_rtcp(packet)

    def open_report(self, data: bytes) -> bytes:
        """The RTCP packet in what came. Raises NotAuthentic."""
        try:
            return self._in.unprotect_rtcp(data)
        except (pylibsrtp.Error, ValueError) as wrong:
            raise NotAuthentic(str(wrong)) from wrong


def _session(key: Key, direction: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(pylibsrtp.Policy(key=key.octets, ssrc_type=direction, srtp_profile=_CIPHERS[key.cipher][0]))
