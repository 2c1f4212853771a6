"""The page to read and try the API with: Swagger UI, out of a package that was installed with us. Nothing is fetched from elsewhere.

It needs scripts, so it has a policy of its own: only ours, nothing inline, and it may ask nobody but us. A token that is typed in stays
in the page's memory.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from offhook.domain.errors import Missing

PATH = "/api/docs"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

_OURS = Path(__file__).parent / "templates"
_KEPT = {"Cache-Control": "max-age=3600"}

router = APIRouter(include_in_schema=False)


@router.get(PATH)
def docs() -> Response:
    """The page."""
    return FileResponse(_OURS / "docs.html", media_type="text/html", headers={"Content-Security-Policy": POLICY})


@router.get(PATH + "/{file}")
def part(file: str) -> Response:
    """What the page is made of. Raises Missing for anything else."""
    found = _parts().get(file)
    if found is None:
        raise Missing("There is no such part of this page.", "file")
    path, kind = found
    return FileResponse(path, media_type=kind, headers=_KEPT)


@cache
def _parts() -> dict[str, tuple[Path, str]]:
    package = find_spec("fastapi_swagger")
    assert package is not None and package.origin is not None
    theirs = Path(package.origin).parent / "resources"
    return {
        "swagger-ui.css": (theirs / "swagger-ui.css", "text/css"),
        "swagger-ui-bundle.js": (theirs / "swagger-ui-bundle.js", "text/javascript"),
        "docs.css": (_OURS / "docs.css", "text/css"),
        "docs.js": (_OURS / "docs.js", "text/javascript"),
    }
