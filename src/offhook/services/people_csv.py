"""The columns of a file of people."""

from offhook.services.sheets import Heads, Sheet
from offhook.services.sheets import read_sheet as read_any

COLUMNS = ("username", "name", "email", "extension", "number", "language", "location", "time_zone", "role")
_HEADS = Heads(COLUMNS, needed=("username", "name"))


def read_sheet(octets: bytes) -> Sheet:
    """What stands in a file of people. Raises as sheets.read_sheet."""
    return read_any(octets, _HEADS)
