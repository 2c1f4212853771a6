"""The command line changes an organization: people, telephones, attendants, numbers, and what they were before."""

import io
import json
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from offhook.doors.cli import organization
from offhook.doors.cli.server import Exit
from tests.doors.rooms import World
from tests.doors.test_command_line import answered, offhook, running, url
from tests.doors.test_command_line_doors import typed

__all__ = ["running", "url"]


def test_the_later_of_two_administrators_overwrites_nothing(running: Path) -> None:
    looked = answered("users", "show", "ben", data=running)["version"]
    first = offhook("users", "change", "ben", "--extension", "112", "--version", str(looked), data=running)
    assert (first.returncode, first.stdout) == (Exit.DONE, "Changed the user ben: extension 102 -> 112\n")
    late = offhook("users", "change", "ben", "--extension", "122", "--version", str(looked), data=running)
    assert late.returncode == Exit.REFUSED and late.stderr.count("\n") == 1 and "Nothing was done" in late.stderr
    assert answered("users", "show", "ben", data=running)["extension"] == "112"


def test_a_change_that_changes_nothing_is_not_sent(running: Path) -> None:
    before = answered("organization", data=running)["revision"]
    done = offhook("users", "change", "ben", "--extension", "102", data=running)
    assert done.stdout == "Nothing to change: the user ben is so already.\n"
    assert offhook("users", "change", "ben", data=running).returncode == Exit.WRONG_COMMAND
    assert answered("organization", data=running)["revision"] == before


def test_removing_a_person_names_what_is_lost_and_asks(running: Path) -> None:
    offhook("users", "add", "maria", "--name", "Maria", "--extension", "201", "--number", "+12065550177", data=running)
    refused = typed("users", "remove", "maria", line="y", data=running)
    assert refused.returncode == Exit.REFUSED
    for lost in ("the telephone maria", "extension 201", "+12065550177 rings nobody", "say --yes"):
        assert lost in refused.stderr, lost
    would = offhook("users", "remove", "maria", "--dry-run", data=running)
    assert would.stdout.startswith("Would remove the user maria; lost would be: the telephone maria")
    assert offhook("users", "show", "maria", data=running).returncode == Exit.DONE
    assert offhook("users", "remove", "maria", "--yes", data=running).stdout == "Removed the user maria.\n"
    assert offhook("users", "show", "maria", data=running).returncode == Exit.NOT_THERE
    assert answered("numbers", "show", "+12065550177", data=running)["username"] is None


class Terminal(io.StringIO):
    """What somebody types who sits at a terminal."""

    def isatty(self) -> bool:
        return True


def test_who_is_asked_may_say_no_or_leave(running: Path) -> None:
    offhook("users", "add", "maria", "--name", "Maria", data=running)
    for answer, code in (("n\n", Exit.REFUSED), ("", Exit.REFUSED), ("y\n", Exit.DONE)):
        with patch.object(sys, "stdin", Terminal(answer)):
            done = offhook("users", "remove", "maria", data=running)
        assert done.returncode == code and "Go on?" in done.stderr, (answer, done.stderr)
        assert ("Nothing was done." in done.stderr) == (code == Exit.REFUSED)
    assert offhook("users", "show", "maria", data=running).returncode == Exit.NOT_THERE


def test_what_ends_at_once_is_asked_about_and_what_ends_nothing_is_not(running: Path) -> None:
    hook = str(answered("webhooks", "add", "https://crm.example.com", "--event", "*", data=running)["webhook"]["id"])
    before = answered("organization", data=running)["revision"]
    for command, lost in (
        (["users", "password", "ben"], "the password of ben (Telephone)"),
        (["users", "sign-in", "ben", "--password-from-stdin"], "every session of theirs"),
        (["devices", "password", "2"], "a telephone of ben"),
        (["webhooks", "secret", hook], "the secret by which https://crm.example.com knows it is us"),
    ):
        refused = typed(*command, line="y", data=running)
        assert (refused.returncode, lost in refused.stderr, "say --yes" in refused.stderr) == (Exit.REFUSED, True, True), refused.stderr
        with patch.object(sys, "stdin", Terminal("n\n")):
            assert offhook(*command, data=running).returncode == Exit.REFUSED
    assert answered("organization", data=running)["revision"] == before
    with patch.object(sys, "stdin", Terminal("y\n")):
        assert "not shown again" in offhook("users", "password", "ben", data=running).stderr
    offhook("users", "add", "maria", "--name", "Maria", "--no-telephone", data=running)
    assert offhook("users", "password", "maria", data=running).returncode == Exit.DONE  # she had none


def test_many_people_are_listed_whole_filtered_and_in_order(running: Path) -> None:
    names = [each["username"] for each in answered("users", "--sort", "-username", data=running)["users"]]
    assert names == sorted(names, reverse=True) and len(names) >= 3
    assert [each["username"] for each in answered("users", "--extension", "102", data=running)["users"]] == ["ben"]
    limited = answered("users", "--limit", "1", data=running)
    assert len(limited["users"]) == 1 and limited["next"]
    assert offhook("users", "--search", "nobody at all", data=running).stdout == "No users.\n"


def test_an_empty_text_takes_away(running: Path) -> None:
    for name, value in (("email", "ben@example.com"), ("location", "FR"), ("time-zone", "Europe/Paris"), ("role", "reader")):
        member = name.replace("-", "_")
        before: Any = answered("users", "show", "ben", data=running)[member]
        assert not before
        assert offhook("users", "change", "ben", f"--{name}", value, data=running).returncode == Exit.DONE
        assert answered("users", "show", "ben", data=running)[member] == value
        assert offhook("users", "change", "ben", f"--{name}", "", data=running).returncode == Exit.DONE
        assert answered("users", "show", "ben", data=running)[member] == before


def test_a_number_that_rings_somebody_is_given_to_another_when_that_is_agreed_to(running: Path) -> None:
    offhook("numbers", "take", "+12065550177", "--to", "anna", data=running)
    refused = typed("numbers", "give", "+12065550177", "--to", "ben", line="y", data=running)
    assert refused.returncode == Exit.REFUSED and "anna is not reached by it any more" in refused.stderr
    given = offhook("numbers", "give", "+12065550177", "--to", "ben", "--yes", data=running)
    assert given.stdout == "Changed the number +12065550177: username anna -> ben\n"
    assert "username ben -> none" in offhook("numbers", "free", "+12065550177", "--yes", data=running).stdout
    assert offhook("numbers", "free", "+12065550177", "--yes", data=running).returncode == Exit.REFUSED


def test_somebody_waits_until_it_counts(world: World, running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = world.lumen.profile.id
    world.switch.down = True
    noted = offhook("users", "change", "ben", "--extension", "112", data=running)
    assert noted.returncode == Exit.DONE and "organization show --wait" in noted.stderr
    revision = answered("organization", data=running)["revision"]
    with monkeypatch.context() as impatient:
        impatient.setattr(organization, "_LONGEST_SECONDS", 0.0)
        refused = offhook("organization", "show", "--wait", data=running)
    assert refused.returncode == Exit.NOT_ALL_WELL and f"Revision {revision} is not in effect" in refused.stderr
    world.switch.down = False
    later = threading.Timer(0.5, lambda: world.switch.held.update({own: revision}))
    later.start()
    assert answered("organization", "show", "--wait", data=running)["revision_in_effect"] == revision
    later.join()


def test_the_history_tells_who_changed_what_and_what_was_before(running: Path) -> None:
    offhook("users", "change", "ben", "--extension", "112", data=running)
    offhook("devices", "password", "2", "--yes", data=running)
    assert "set anew" in offhook("history", "--limit", "1", data=running).stdout
    told = offhook("history", "--kind", "user", "--limit", "1", data=running).stdout
    assert "extension 102 -> 112" in told
    (change,) = answered("history", "--kind", "user", "--limit", "1", data=running)["changes"]
    then = offhook("history", "show", "user", str(change["id"]), "--revision", str(change["revision"] - 1), "--json", data=running)
    assert '"extension": "102"' in then.stdout
    assert "112" in json.dumps(answered("history", "show", "user", "ben", data=running))
    assert "extension 102 -> 112" in offhook("history", "--kind", "user", "--id", "ben", "--limit", "1", data=running).stdout
    missing = offhook("history", "show", "user", "ben", "--call", "last", data=running)
    assert (missing.returncode, "no call yet" in missing.stderr) == (Exit.NOT_THERE, True)
