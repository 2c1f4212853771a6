"""What the documents say of the code is so: drawings, endings, settings, decisions, links."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from offhook.settings import Settings
from tools import draw_machines, write_command_line, write_endings, write_refusals

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = ROOT / "docs" / "decisions"
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_SETTING = re.compile(r"^\| `(OFFHOOK_\w+)` \| (.+?) \|", re.MULTILINE)

PAGES = sorted(page for start in (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md")) for page in start)


def settings_in_readme() -> dict[str, str]:
    """Variable -> the default it is said to have."""
    return dict(_SETTING.findall((ROOT / "README.md").read_text()))


def anchors(page: Path) -> set[str]:
    """What a link may name after its #, by the rule of the forges: lower case, hyphens for blanks, no other signs."""
    headings = _HEADING.findall(_CODE.sub("", page.read_text()))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> Iterator[str]:
    """The relative links of a page that lead nowhere."""
    for link in _LINK.findall(_CODE.sub("", page.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def test_every_drawing_is_as_its_table() -> None:
    drawn = {page.name: page.read_text() for page in draw_machines.FOLDER.glob("*.md")}
    assert drawn == draw_machines.pages(), "run .venv/bin/python -m tools.draw_machines"


def test_the_page_of_endings_is_as_its_table() -> None:
    assert write_endings.PAGE.read_text() == write_endings.page(), "run .venv/bin/python -m tools.write_endings"


def test_the_page_of_refusals_is_as_their_classes() -> None:
    assert write_refusals.PAGE.read_text() == write_refusals.page(), "run .venv/bin/python -m tools.write_refusals"


def test_the_table_of_commands_is_as_they_are() -> None:
    held = write_command_line.PAGE.read_text()
    assert write_command_line.BEGIN in held and held == write_command_line.page(held), "run .venv/bin/python -m tools.write_command_line"


def test_the_readme_names_exactly_the_settings_there_are() -> None:
    assert sorted(settings_in_readme()) == sorted(f"OFFHOOK_{setting.name.upper()}" for setting in fields(Settings))


def test_the_readme_gives_the_defaults_there_are() -> None:
    said, defaults = settings_in_readme(), Settings()
    for name, default in {each.name: getattr(defaults, each.name) for each in fields(Settings)}.items():
        if isinstance(default, bool):
            assert said[f"OFFHOOK_{name.upper()}"] == ("`yes`" if default else "`no`")
        elif isinstance(default, int | str):
            assert said[f"OFFHOOK_{name.upper()}"] == f"`{default}`"


def test_every_decision_is_listed_once_under_its_own_title() -> None:
    listed = re.findall(r"^- \[(\d{4})\]\(([^)]+)\) (.+)$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    files = sorted(page.name for page in DECISIONS.glob("[0-9]*.md"))
    assert [name for _, name, _ in listed] == files
    for number, name, title in listed:
        if number != "0000":
            assert (DECISIONS / name).read_text().startswith(f"# {number}. {title}\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    assert list(dead_links(page)) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page, of ours\n[a](page.md#a-page-of-ours) [b](nowhere.md) [c](page.md#nothing) [d](https://example.com)\n")
    assert list(dead_links(page)) == ["nowhere.md", "page.md#nothing"]
