"""Writes docs/operate/refusals.md from the classes of refusals; with --check says whether the page is out of date.

.venv/bin/python -m tools.write_refusals [--check]
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import offhook
from offhook.domain.errors import Refusal
from offhook.doors.api.problems import HTTP_STATUS, OF_THE_FRAMEWORK

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operate" / "refusals.md"

_ROOMS = ("domain", "services", "doors", "carriers", "wiring", "store")
_HEAD = """# What the API refuses, and with which codes

A refusal is a problem (RFC 9457): `status`, a `code` that never changes once released, a `detail` for people, and the `field` it is
about if there is one; several wrong fields stand in `errors`. Programs look at `code`. Written from the classes of refusals by
`tools/write_refusals.py`.
[How the API works](api.md).

| Code | Status | What it says |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = {code: (status, said) for code, status, said in (*_of_classes(), *OF_THE_FRAMEWORK)}
    return _HEAD + "".join(f"| `{code}` | {status} | {said} |\n" for code, (status, said) in sorted(rows.items()))


def _of_classes() -> Iterator[tuple[str, int, str]]:
    for room in _ROOMS:
        for module in walk_packages([str(Path(offhook.__path__[0]) / room)], f"offhook.{room}."):
            if ".migrations" not in module.name:
                import_module(module.name)
    for refusal in _below(Refusal):
        if "code" in vars(refusal):
            yield refusal.code, HTTP_STATUS[refusal.kind], " ".join((refusal.__doc__ or "").split("\n\n")[0].split())


def _below(refusal: type[Refusal]) -> Iterator[type[Refusal]]:
    for inner in refusal.__subclasses__():
        yield inner
        yield from _below(inner)


def main() -> int:
    """Write the page, or check it; the exit code."""
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text() == page():
            return 0
        print("docs/operate/refusals.md is not as the classes are: run .venv/bin/python -m tools.write_refusals")
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
