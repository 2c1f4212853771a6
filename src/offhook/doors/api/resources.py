"""What one object's answer carries: its ETag, and what a request says of the one it looked at before (RFC 9110 8.8.3, 13.1).

An ETag is the object's version, the revision of its last change, and a check sum of what is shown of it: names of other objects may stand
there, which have versions of their own. A change is refused by the version alone: `If-Match: "12"` is as good as `"12-5d3a8f01"`.
"""

import re
import zlib
from typing import Annotated, TypeVar

from fastapi import Header, Request, Response
from pydantic import BaseModel

from offhook.domain.errors import Invalid, Stale

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_OURS = re.compile(r'"([0-9]{1,10})(?:-[0-9a-f]{8})?"')
_LONGEST = 400

Shown = TypeVar("Shown", bound=BaseModel)


class Unchanged(Exception):
    """What the client has is what there is (304)."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


def etag_of(shown: BaseModel, version: int) -> str:
    """The ETag of an object as it is shown."""
    return f'"{version}-{zlib.crc32(shown.model_dump_json().encode()):08x}"'


def made(response: Response, shown: Shown, version: int) -> Shown:
    """An object that was just made, once its ETag is on the answer."""
    response.headers["ETag"] = etag_of(shown, version)
    return shown


class Looked:
    """For a GET of one object: the answer gets its ETag, or is 304 when the client has it already."""

    def __init__(
        self,
        response: Response,
        if_none_match: Annotated[
            str | None, Header(max_length=_LONGEST, description="ETags that the client has: 304 if what is asked for is one of them.")
        ] = None,
    ) -> None:
        self._response = response
        self._had = if_none_match

    def at(self, shown: Shown, version: int) -> Shown:
        """The object, once its ETag is on the answer. Raises Unchanged."""
        etag = etag_of(shown, version)
        self._response.headers["ETag"] = etag
        if self._had is not None and (self._had.strip() == "*" or etag in (tag.removeprefix("W/") for tag in _TAG.findall(self._had))):
            raise Unchanged(etag)
        return shown


class Expected:
    """For a change of one object: the version that the client looked at, and the new ETag for the answer."""

    def __init__(
        self,
        request: Request,
        response: Response,
        if_match: Annotated[
            str | None,
            Header(max_length=_LONGEST, description="The ETag that the object had when it was looked at: 412 if it was changed since."),
        ] = None,
    ) -> None:
        self._request = request
        self._response = response
        self._sent = if_match

    @property
    def version(self) -> int | None:
        """What the object must be at, None for whatever it is at. Raises Invalid, Stale."""
        sent = None if self._sent is None else self._sent.strip()
        if sent is None or sent == "*":
            return None
        if not _TAG.fullmatch(sent):
            raise Invalid('Send the one ETag that the object had, with its quotes, such as "12-5d3a8f01", or *.', "If-Match")
        ours = _OURS.fullmatch(sent)
        if ours is None:
            raise Stale("This is no ETag of this object. Look at it again, and repeat what is still right.", "If-Match")
        return int(ours[1])

    def now(self, shown: Shown, version: int) -> Shown:
        """The object as it is after the change, once its new ETag is on the answer."""
        self._response.headers["ETag"] = etag_of(shown, version)
        return shown
