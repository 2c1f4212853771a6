"""Rows of the history as people and programs are shown them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SECRETS = frozenset({"hash", "ha1", "ha1_md5", "ha1_sha256", "password", "secret"})
SET = "set"
_AT = "_at"


def shown(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A row with its moments as RFC 3339 has them (UTC), and of secrets only that they are set, whoever wrote it down."""
    return None if row is None else {name: _shown(name, value) for name, value in row.items()}


def _shown(name: str, value: Any) -> Any:
    if name in SECRETS:
        return SET if value else value
    if name.endswith(_AT) and isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
