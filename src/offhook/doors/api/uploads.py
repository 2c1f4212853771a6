"""Files that are sent as the body of a request."""

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect


async def sent(request: Request) -> bytes:
    """The file that is the body, once all of it has come."""
    try:
        return await request.body()
    except ClientDisconnect:
        # Nobody hears this; but it is no mistake of ours, and nothing was written.
        raise HTTPException(400, "The file was not sent to its end.") from None
