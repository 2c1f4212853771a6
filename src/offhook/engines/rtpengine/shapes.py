"""What rtpengine is told with each offer and answer beside the SDP: written once, for it is the same in every call."""

from functools import cache

from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.keys import STRONG
from offhook.engines.rtpengine.wire import Body, Raw, raw

_OFFERED = ("AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80")
"""Ciphers we offer ourselves: each costs a line of 80 octets, and an INVITE must fit a datagram. Of a phone's we take every strong one."""

_KNOWN = (
    *STRONG,
    *("AES_256_CM_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_32"),
    *("F8_128_HMAC_SHA1_80", "F8_128_HMAC_SHA1_32", "NULL_HMAC_SHA1_80", "NULL_HMAC_SHA1_32"),
)
"""All that rtpengine 10.5 offers unless told not to; it does not know "only-..."."""

_FLAGS = (
    "port latching",  # a second answer (183 from one phone, 200 from another; a re-INVITE) must not move the other side's port
    "strict source",  # once it is learned where a phone sends from, what comes from elsewhere is dropped: else anybody would be heard
)

_ALWAYS: Body = {
    "replace": ["origin"],  # the o= line names the phone's own address and software; the far side need not know
    "DTLS": "off",
    "ICE": "remove",
    "rtcp-mux": ["demux"],
}


@cache
def offering(shape: MediaShape, codecs: tuple[str, ...], injects: bool) -> Raw:
    """What goes with an offer to a party of this shape: `codecs` beside the offerer's own; `injects`: digits of ours may be sent."""
    wide: Body = {"codec": {"transcode": [*codecs, "telephone-event"]}} if codecs else {}
    return _written({"transport-protocol": "RTP/SAVP" if shape.secure else "RTP/AVP", **wide}, shape, injects)


@cache
def answering(shape: MediaShape, injects: bool) -> Raw:
    """What goes with an answer to a party of this shape; how its sound is carried rtpengine knows from its offer (AVP or AVPF)."""
    return _written({}, shape, injects)


def _written(body: Body, shape: MediaShape, injects: bool) -> Raw:
    # Padded (RFC 4568 section 6.1 is unclear): baresip reads the 59 characters of a GCM key without "=" wrongly, and decrypts nothing.
    keys = ["pad", *(f"no-{cipher}" for cipher in _KNOWN if cipher not in _OFFERED)] if shape.secure else ["off"]
    flags = [*_FLAGS, *(["inject-DTMF"] if injects else [])]
    return raw({**body, **_ALWAYS, "flags": flags, "SDES": keys, "address-family": "IP6" if shape.ipv6 else "IP4"})
