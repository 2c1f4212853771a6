"""Emergency calls to the sandbox."""

from offhook.engines.speech.prompts import Prompts
from tests.carriers.conftest import Dials, words


async def test_emergency_services_speak_the_number_the_network_vouches_for(out: Dials, speech: Prompts) -> None:
    call = await out("911", caller="+12065550142")
    await call.answered()
    desk = "Sandbox emergency desk. You are calling from two zero six, five five five, zero one four two."
    await call.hears.sound(await words(speech, desk))


async def test_an_unknown_caller_is_served_too(out: Dials) -> None:
    call = await out("112", caller="anonymous")
    await call.answered()
    await call.hears.speech()
