"""Files that are the body of a request or of its answer."""

from collections.abc import Mapping

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

CSV = "text/csv"


async def sent(request: Request) -> bytes:
    """The file that is the body, once all of it has come."""
    try:
        return await request.body()
    except ClientDisconnect:
        # Nobody hears this; but it is no mistake of ours, and nothing was written.
        raise HTTPException(400, "The file was not sent to its end.") from None


def attachment(name: str, octets: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """A CSV to be saved under this name."""
    # It holds people's data: nobody on the way keeps it.
    told = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(octets, media_type=f"{CSV}; charset=utf-8", headers=told | dict(headers or {}))
