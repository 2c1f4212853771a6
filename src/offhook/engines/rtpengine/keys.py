"""Which keys of secure sound are good enough: SDES (RFC 4568), read in a phone's SDP before rtpengine sees it.

rtpengine 10.5 takes the first cipher it knows, the one that encrypts nothing among them, and keys that it was told not to encrypt with.
"""

import binascii
import re

from offhook.engines.rtpengine.sdp import audio_transport
from offhook.services.ports.media import MediaRefused

STRONG = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_192_CM_HMAC_SHA1_80": 38,
    "AES_CM_128_HMAC_SHA1_80": 30,
}
"""The ciphers we speak, with the octets of their key and salt (RFC 4568, RFC 6188, RFC 7714). Those that end in _32 let one forged packet
in 2^32 pass."""

_LINE = re.compile(r"a=crypto:\d{1,9}\s+(?P<cipher>\S+)\s+inline:(?P<key>[A-Za-z0-9+/=]{1,100})(\|\S*)?(?P<wishes>\s.*)?")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")
_KNOWN = ("RTP/AVP", "RTP/AVPF", *_SECURE)
_OFTEN = "AES_CM_128_HMAC_SHA1_80"


def is_secure(sdp: str) -> bool:
    """Whether the sound of `sdp` is SRTP with its keys in the SDP."""
    return audio_transport(sdp) in _SECURE


def strongly_keyed(sdp: str) -> str:
    """`sdp` with only the keys that are good enough, for plain sound with none. Raises MediaRefused when secure sound has no such key."""
    transport = audio_transport(sdp)
    if transport and transport not in _KNOWN:
        raise MediaRefused(f"The phone speaks {transport}: have it speak {_KNOWN[0]}, or {_SECURE[0]} with its keys in the SDP (SDES).")
    secure = transport in _SECURE
    if not secure and "a=crypto:" not in sdp:
        return sdp
    lines = sdp.splitlines()
    # Keys on plain sound say "secure if you can" (OSRTP, RFC 8643). An answer without any is plain sound by the same RFC; decision 0018.
    kept = [line for line in lines if not line.startswith("a=crypto:") or (secure and _is_strong(line))]
    if secure and not any(line.startswith("a=crypto:") for line in kept):
        raise MediaRefused(f"The phone wants secure sound but names no cipher that is good enough: have it offer {_OFTEN}.")
    return sdp if len(kept) == len(lines) else "\r\n".join([*kept, ""])


def _is_strong(line: str) -> bool:
    found = _LINE.fullmatch(line)
    if found is None or "UNENCRYPTED" in (wishes := (found["wishes"] or "").upper()) or "UNAUTHENTICATED" in wishes:
        return False
    try:
        key = found["key"].rstrip("=")  # some leave the padding out
        return len(binascii.a2b_base64(key + "=" * (-len(key) % 4))) == STRONG.get(found["cipher"].upper())
    except binascii.Error:
        return False
