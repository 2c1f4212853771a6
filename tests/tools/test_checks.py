"""The checks of the house find what they are for, and let the rest pass."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.checks import addresses, ceilings, domain, names
from tools.checks.tree import ROOT, SourceFile, files, python_files


def source(folder: Path, text: str, name: str = "src/offhook/domain/numbers.py") -> SourceFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return SourceFile(path)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tools.checks.tree.ROOT", tmp_path)
    monkeypatch.setattr(addresses, "ROOT", tmp_path)
    return tmp_path


FILE = "src/offhook/domain/numbers.py"
LONG_FUNCTION = "def connect() -> None:\n" + "    pass\n" * 50


def test_a_file_and_a_function_at_their_ceilings_pass(house: Path) -> None:
    text = "def connect() -> None:\n" + "    pass\n" * 49 + "\n" * 350
    assert not list(ceilings.mistakes([source(house, text)], {}))


@pytest.mark.parametrize(("text", "named"), [("\n" * 401, f"{FILE} has 401"), (LONG_FUNCTION, f"{FILE}:connect has 51")])
def test_one_line_more_is_found(house: Path, text: str, named: str) -> None:
    (found,) = ceilings.mistakes([source(house, text)], {})
    assert found.startswith(named)


def test_an_exception_holds_for_its_lines_exactly_and_needs_a_reason(house: Path) -> None:
    long = [source(house, "\n" * 450)]
    assert not list(ceilings.mistakes(long, {FILE: {"lines": 450, "why": "a table"}}))
    for lines, words in ((440, "may only shrink"), (460, "lower its exception")):
        assert words in next(ceilings.mistakes(long, {FILE: {"lines": lines, "why": "a table"}}))
    assert "gives no reason" in next(ceilings.mistakes(long, {FILE: {"lines": 450}}))
    assert "needs no exception" in next(ceilings.mistakes([source(house, "")], {FILE: {"lines": 450, "why": "a table"}}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class CallManager: ...", "CallManager: 'manager'"),
        ("def sip_utils() -> None: ...", "sip_utils: 'utils'"),
        ("from typing import TYPE_CHECKING", "TYPE_CHECKING"),
        ("# TO" + "DO later", "unfinished"),
    ],
)
def test_names_that_say_nothing_and_hidden_imports_are_found(house: Path, text: str, words: str) -> None:
    (found,) = names.mistakes([source(house, text)])
    assert words in found


def test_a_file_named_for_nothing_is_found_and_whole_words_count_alone(house: Path) -> None:
    assert "'helpers'" in next(names.mistakes([source(house, "", "src/offhook/helpers.py")]))
    assert not list(names.mistakes([source(house, "from contextlib import contextmanager\ndef utility_rate() -> None: ...")]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import time", "imports time"),
        ("from os import environ", "imports os"),
        ("from offhook.store import engine", "imports offhook.store"),
        ("from . import users", "relative"),
        ("async def f() -> None: ...", "waits"),
        ("print('ringing')", "print()"),
        ("from datetime import datetime\nat = datetime.now()", "reads a clock (now)"),
    ],
)
def test_a_domain_that_does_something_is_found(house: Path, text: str, words: str) -> None:
    (found,) = domain.mistakes([source(house, text)], ["datetime", "re"])
    assert words in found


def test_a_domain_that_decides_passes_and_other_rooms_may_act(house: Path) -> None:
    deciding = source(
        house, "import re\nfrom offhook.domain.users import User\n\ndef holds(text: str) -> bool:\n    return bool(re.match('x', text))"
    )
    acting = source(house, "import time\nprint(time.time())", "src/offhook/switch/timers.py")
    assert not list(domain.mistakes([deciding, acting], ["re"]))


def test_registry_hosts_and_addresses_in_locks_are_found(house: Path) -> None:
    (house / "README.md").write_text("See https://" + "py" + "pi.org/project/offhook and https://example.org.\n", encoding="utf-8")
    (house / "requirements.lock").write_text("six==1.17 --hash=sha256:00\n--index-url https://example.org\n", encoding="utf-8")
    found = list(addresses.mistakes(list(files(house))))
    assert [line.split(":")[:2] for line in found] == [["README.md", "1"], ["requirements.lock", "2"]]


@pytest.mark.skipif(shutil.which("git") is None, reason="a bare machine has no git")
def test_what_git_keeps_is_what_the_checks_see() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seen = {each.name for each in python_files()}
    assert {name for name in listed.split("\0") if name and (ROOT / name).exists()} <= seen
