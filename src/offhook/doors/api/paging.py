"""Lists that are read a page at a time: what can be asked of every one of them, and the cursor that leads on.

A cursor holds the place where a page ended and for which list, filters and order it is good; used for another it is refused. It needs no
signature: a place chooses where to go on in what the caller may see anyway, so a forged one finds nothing that another would not.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import orjson
from pydantic import Field

from offhook.domain.errors import Invalid
from offhook.doors.api.shapes import Asked
from offhook.services.ports.listing import Listing, Place

MOST_AT_ONCE = 500
LARGEST_ID = 2**31 - 1
LONGEST_TEXT = 2000
"""Of what a list is sorted by: a webhook's url."""
LONGEST_CURSOR = 3 * LONGEST_TEXT
"""Such a text made of quotes alone is twice as long in JSON, and that a third longer in base64."""
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""What a text that is only compared may hold: PostgreSQL keeps no NUL, and nothing we have holds the others."""


class Paged(Asked):
    """What every list can be asked. What else a subclass has are its filters, for which its cursors are good and no others."""

    limit: int = Field(50, ge=1, le=MOST_AT_ONCE, description="How many at once.")
    cursor: str | None = Field(None, max_length=LONGEST_CURSOR, description="`next` of the page before; with the same filters and order.")


class PageAsked(Paged):
    """What the lists can be asked that the database finds. What else a subclass has are its filters: only what is equal to them is listed.

    `sorts` are the fields that it can be sorted by, `key` the one that no two share; `ids` those that are numbers.
    """

    sorts: ClassVar[tuple[str, ...]] = ()
    key: ClassVar[str] = "id"
    ids: ClassVar[frozenset[str]] = frozenset({"id"})

    sort: str | None = Field(
        None,
        max_length=200,
        pattern=PRINTABLE,
        description="Fields with commas between, `-` before one for falling order: `name,-username`. What has no value comes first.",
    )
    q: str | None = Field(
        None, max_length=100, pattern=PRINTABLE, description="A text that must stand in one of the texts of the object; A to Z as a to z."
    )


_COMMON = frozenset(PageAsked.model_fields)


def listing(asked: PageAsked, **more: str | int) -> Listing:
    """What to ask of the store; `more` are filters that the path has set. Raises Invalid with the field."""
    sort = _sort(asked)
    equal = {name: value for name, value in asked.model_dump(mode="json", exclude_none=True).items() if name not in _COMMON}
    return Listing(asked.limit, sort, equal | more, asked.q or None, _place(asked, sort))


def cursor(asked: Paged, place: Place | None) -> str | None:
    """What `cursor` must be for the page after this one; None at the end."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(orjson.dumps([_list_of(asked), *place])).decode().rstrip("=")


def _sort(asked: PageAsked) -> tuple[tuple[str, bool], ...]:
    order: list[tuple[str, bool]] = []
    for part in (asked.sort or "").split(",") if asked.sort else []:
        name = part.removeprefix("-")
        if name not in asked.sorts:
            raise Invalid(f"This list cannot be sorted by {name!r}; it can by {', '.join(asked.sorts)}.", "sort")
        if any(name == before for before, _ in order):
            raise Invalid(f"{name} stands twice in the order.", "sort")
        order.append((name, part.startswith("-")))
    if not any(name == asked.key for name, _ in order):
        order.append((asked.key, order[-1][1] if order else False))
    return tuple(order)


def place_of(asked: Paged, fits: Callable[[Place], bool]) -> Place | None:
    """Where the page begins that is asked for; None at the beginning. `fits` says whether a place can be one. Raises Invalid."""
    if asked.cursor is None:
        return None
    wrong = Invalid("This is no cursor of this list with these filters and this order; begin anew without one.", "cursor")
    try:
        read: Any = orjson.loads(base64.b64decode(asked.cursor + "=" * (-len(asked.cursor) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise wrong from None
    if not isinstance(read, list) or len(read) < 2 or read[0] != _list_of(asked):
        raise wrong
    place = tuple(read[1:])
    if not fits(place):
        raise wrong
    return place


def _place(asked: PageAsked, sort: tuple[tuple[str, bool], ...]) -> Place | None:
    names = [name for name, _ in sort]
    names = names[: names.index(asked.key) + 1]
    return place_of(asked, lambda place: len(place) == len(names) and all(map(partial(_fits, asked), names, place)))


def is_id(value: Any) -> bool:
    """Whether this is a number that an object can have."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID


def is_text(value: Any) -> bool:
    """Whether this is a text that a list can be sorted by."""
    return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT


def _fits(asked: PageAsked, name: str, value: Any) -> bool:
    if name in asked.ids:
        return is_id(value)
    return (value is None and name != asked.key) or is_text(value)


def _list_of(asked: Paged) -> str:
    """Which list, filters and order a cursor is of."""
    wanted = asked.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)
    told = orjson.dumps([type(asked).__name__, wanted], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(told).hexdigest()[:12]
