from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from offhook.phones.phone import Phone
from offhook.sip.timers import Timers

HOST = "127.0.0.1"
Makes = Callable[..., Awaitable[Phone]]


@pytest.fixture
async def phone() -> AsyncIterator[Makes]:
    """Makes telephones that are stopped at the end: `anna = await phone("anna", codecs=("PCMA",))`."""
    async with AsyncExitStack() as stack:

        async def make(name: str, **how: Any) -> Phone:
            made = Phone(name, **{"host": HOST, "report_every": 0.5, "timers": Timers(t1=0.2, t2=0.8, t4=1.0), **how})
            return await stack.enter_async_context(made)

        yield make


def number_of(phone: Phone) -> str:
    """How a telephone without an edge is called."""
    transport = ";transport=tcp" if phone.address.transport == "tcp" else ""
    return f"sip:{phone.name}@{phone.address.host}:{phone.address.port}{transport}"
