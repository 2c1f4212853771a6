"""Who is let in: what is counted of a call goes with it, whatever became of it."""

from typing import Any, cast

from offhook.domain.calls.call import Call
from offhook.domain.calls.ids import CallId
from offhook.switch.admission import Admission
from tests.fakes import world


def test_a_call_whose_machine_failed_before_it_knew_who_calls_is_forgotten_with_its_caller() -> None:
    admission, call = Admission(), Call(CallId("broken"), cast(Any, None))
    admission.arrives(call, world.calling())
    assert call.caller is None
    admission.leaves(call)
    assert not admission._calls and not admission._made_by and not admission._makers
