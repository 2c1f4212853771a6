from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offhook.engines.speech.prompts import Prompts


@pytest.fixture
async def prompts(tmp_path: Path) -> AsyncIterator[Prompts]:
    made = Prompts(tmp_path / "prompts", most=20)
    yield made
    await made.close()
