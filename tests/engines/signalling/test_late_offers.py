"""What a caller is taken to have offered who offers nothing: what we would offer him, as he reaches us."""

import pytest

from offhook.domain.calls.events import CallArrived
from tests.engines.signalling.far_end import OFFER, Line


@pytest.mark.parametrize(
    ("address", "secure", "ipv6"),
    [
        ("udp:127.0.0.9:5071", False, False),
        ("tcp:[::1]:5071", False, True),
        ("tls:127.0.0.9:5071", True, False),
        ("tls:[::1]:5071", True, True),
        ("", False, False),
    ],
)
async def test_the_offer_we_make_is_of_the_callers_kind(line: Line, address: str, secure: bool, ipv6: bool) -> None:
    headers = (("P-Asserted-Identity", "<sip:anna@lumen.test>"), ("X-Offhook-Address", address))
    line.call_in("in", headers=headers, sdp=None)
    line.call_in("again", headers=headers, sdp=None)
    await line.told(CallArrived, 2)
    one, two = (event.description for event in line.events if isinstance(event, CallArrived))
    assert (one.secure, one.ipv6, one.digits) == (secure, ipv6, True)
    assert one.codecs == ("PCMU", "PCMA", "G722")
    assert ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" in one.text) is secure
    assert (one.text != two.text) is secure, "a key is used once"


async def test_where_no_secure_sound_is_offered_none_is_here(line: Line) -> None:
    line.line._offers_srtp = False
    line.call_in(headers=(("X-Offhook-Address", "tls:127.0.0.9:5071"),), sdp=None)
    assert not (await line.told(CallArrived)).description.secure


async def test_who_offers_is_taken_at_his_word(line: Line) -> None:
    line.call_in(headers=(("X-Offhook-Address", "tls:[::1]:5071"),), sdp=OFFER)
    description = (await line.told(CallArrived)).description
    assert not description.secure and not description.ipv6
