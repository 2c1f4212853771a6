"""Where a carrier is, as a URI has it."""

import pytest

from offhook.domain.calls.inviting import carriers_side
from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier
from offhook.domain.routing import CallOut


@pytest.mark.parametrize(
    ("host", "uri"),
    [("192.0.2.5", "sip:+12065550199@192.0.2.5:5060"), ("2001:db8::5", "sip:+12065550199@[2001:db8::5]:5060")],
)
def test_a_carrier_is_called_at_its_address_in_either_family(host: str, uri: str) -> None:
    number = E164("+12065550199")
    side = carriers_side(CallOut(number, Carrier("north", host, 5060), number, emergency=False))
    assert (side.uri, side.shape.ipv6, side.shape.secure) == (uri, ":" in host, False)
