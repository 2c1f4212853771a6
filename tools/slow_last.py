"""A pytest plug-in that runs the slow tests last, so that a plain mistake shows within seconds."""

import pytest

_SLOWNESS = {"engines": 1, "long": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts tests with real engines behind the others, and long ones behind those; within a kind the order stays."""
    items.sort(key=lambda item: max((_SLOWNESS.get(mark.name, 0) for mark in item.iter_markers()), default=0))
