"""Files that are the body of a request or of its answer."""

from collections.abc import Mapping

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from offhook.domain.errors import Invalid

CSV = "text/csv"
_KINDS = frozenset({CSV, "", "text/plain", "application/octet-stream", "application/csv", "application/vnd.ms-excel"})
"""What programs call a CSV."""


async def sent(request: Request) -> bytes:
    """The file that is the body, once all of it has come."""
    try:
        return await request.body()
    except ClientDisconnect:
        # Nobody hears this; but it is no mistake of ours, and nothing was written.
        raise HTTPException(400, "The file was not sent to its end.") from None


async def csv_sent(request: Request) -> bytes:
    """A CSV that is the body. Raises Invalid when it is said to be something else."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in _KINDS:
        raise Invalid(f"Send the file itself, as {CSV}; this is {kind[:60]!r}.", "Content-Type")
    return await sent(request)


def attachment(name: str, octets: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """A CSV to be saved under this name."""
    # It holds people's data: nobody on the way keeps it.
    told = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(octets, media_type=f"{CSV}; charset=utf-8", headers=told | dict(headers or {}))
