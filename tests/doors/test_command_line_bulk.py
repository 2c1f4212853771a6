"""The command line takes people from a file and writes them to one, while a clerk works as in the web process."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.doors.cli.server import Exit
from offhook.services import jobs
from offhook.services.jobs import Clerk
from offhook.services.people_csv import read_sheet
from tests.doors.rooms import LiveRoom, World
from tests.doors.test_command_line import PATIENCE, answered, offhook, process, running, url

__all__ = ["running", "url"]


@pytest.fixture
def clerk(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One who looks for work by itself, in a loop of its own."""
    monkeypatch.setattr(jobs, "LOOK_AGAIN_SECONDS", 0.05)
    loop, clerk = asyncio.new_event_loop(), Clerk(world.database, LiveRoom())
    task = loop.create_task(clerk.run())

    def work() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    loop.call_soon_threadsafe(task.cancel)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.usefixtures("clerk")
def test_refused_rows_are_written_mended_and_imported(running: Path, tmp_path: Path) -> None:
    people, rest = tmp_path / "people.csv", tmp_path / "rest.csv"
    people.write_text("username,name,extension\nzoe,Zoé,131\nzara,Zara,911\n", encoding="cp1252")
    dry = offhook("users", "import", str(people), "--dry-run", data=running)
    assert (dry.returncode, rest.exists()) == (Exit.NOT_ALL_WELL, False)
    assert "2 of 2 rows; 1 created, 1 refused (dry run: nothing was changed)" in dry.stdout
    assert "Windows-1252" in dry.stderr
    done = offhook("users", "import", str(people), "--refused", str(rest), data=running)
    assert done.returncode == Exit.NOT_ALL_WELL
    assert "911 is an emergency number in US" in done.stdout
    rest.write_bytes(rest.read_bytes().replace(b",911", b",132"))
    mended = offhook("users", "import", str(rest), data=running)
    assert (mended.returncode, "1 created" in mended.stdout) == (Exit.DONE, True), mended.stderr


@pytest.mark.usefixtures("clerk")
def test_an_export_imports_unchanged(running: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert offhook("users", "export", str(out), data=running).returncode == Exit.DONE
    assert process("users", "export", data=running).stdout.splitlines() == out.read_text().splitlines()
    done = offhook("users", "import", str(out), data=running)
    assert (done.returncode, "; " in done.stdout and "unchanged." in done.stdout and "changed," not in done.stdout) == (Exit.DONE, True)


def test_jobs_are_listed_told_of_cancelled_and_resumed(world: World, running: Path) -> None:
    with world.database.change(world.lumen.profile.id, "anna") as transaction:
        sheet = read_sheet(b"username,name\nzoe,Zoe\n")
        options = {"on_existing": "change", "dry_run": False, "scopes": [], "sovereign": True}
        job = transaction.jobs.add("import-users", "anna", 1, options, sheet.packed()).id
    assert offhook("jobs", data=running).stdout.splitlines()[1].split()[:6] == [str(job), "import-users", "waiting", "0", "of", "1"]
    assert f"Job {job} is waiting: 0 of 1 rows; none done yet." in offhook("jobs", str(job), data=running).stdout
    unasked = offhook("jobs", "cancel", str(job), data=running)
    assert (unasked.returncode, "Lost would be: 1 rows that are not done yet" in unasked.stderr) == (Exit.REFUSED, True)
    would = offhook("jobs", "cancel", str(job), "--dry-run", data=running)
    assert would.stdout == f"Would stop job {job}; lost would be: 1 rows that are not done yet.\n"
    assert "is waiting" in offhook("jobs", str(job), data=running).stdout
    assert answered("jobs", "cancel", str(job), "--yes", data=running)["state"] == "cancelled"
    refused = offhook("jobs", "cancel", str(job), data=running)
    assert (refused.returncode, refused.stderr) == (Exit.REFUSED, "offhook: The job is cancelled; you cannot cancel it.\n")
    assert offhook("jobs", "resume", "4711", data=running).returncode == Exit.NOT_THERE
    thread = threading.Thread(target=lambda: asyncio.run(_worked_off_once_resumed(world)), daemon=True)
    thread.start()
    resumed = offhook("jobs", "resume", str(job), data=running)
    thread.join(PATIENCE)
    assert f"Job {job} is done: 1 of 1 rows; 1 created." in resumed.stdout


async def _worked_off_once_resumed(world: World) -> None:
    clerk = Clerk(world.database, LiveRoom())
    while not await clerk._round():
        await asyncio.sleep(0.05)
    await clerk.work_off()


def test_a_file_that_is_not_there_or_is_none_is_told_of_in_words(running: Path, tmp_path: Path) -> None:
    missing = offhook("users", "import", str(tmp_path / "none.csv"), data=running)
    assert (missing.returncode, "cannot be read" in missing.stderr) == (Exit.WRONG_COMMAND, True)
    torn = tmp_path / "torn.csv"
    torn.write_text('username,name\nzoe,"Zoe')
    done = offhook("users", "import", str(torn), data=running)
    assert (done.returncode, "row 2, name" in done.stderr) == (Exit.REFUSED, True)
    same = offhook("users", "import", str(torn), "--refused", str(torn), data=running)
    assert (same.returncode, torn.read_text()) == (Exit.WRONG_COMMAND, 'username,name\nzoe,"Zoe')
