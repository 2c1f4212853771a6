"""The data folder: who may read it, who has it, and what is left of an earlier run."""

import fcntl
import json
import os
import stat
from pathlib import Path

import pytest

from offhook.supervisor import datafolder
from offhook.supervisor.datafolder import prepare, write_json_atomically
from offhook.supervisor.refusals import FolderUnusable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "deep" / "var")
    assert all(mode(path) == 0o700 for path in (folder.path, folder.run, folder.logs, folder.prompts))
    assert mode(folder.path / "secret.key") == 0o600
    folder.release()


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prepare(tmp_path).release()
    assert mode(tmp_path) == 0o700


def test_the_secret_is_made_once(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    first.release()
    second = prepare(tmp_path)
    second.release()
    other = prepare(tmp_path / "other")
    other.release()
    assert len(first.secret) == 32 and first.secret == second.secret != other.secret


def test_a_damaged_secret_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(FolderUnusable, match=r"secret\.key is damaged: it has 5 bytes"):
        prepare(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == b"short"
    (tmp_path / "secret.key").unlink()
    prepare(tmp_path).release()  # a refusal keeps no lock


def test_what_the_last_run_said_of_itself_is_gone_at_start_and_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "sandbox.json").write_text("{}", encoding="utf-8")
    folder = prepare(tmp_path)
    assert not folder.sandbox_file.exists()
    write_json_atomically(folder.sandbox_file, {})
    folder.release()
    assert not folder.sandbox_file.exists()


def test_a_folder_in_use_is_refused_at_once_and_its_sandbox_file_stays(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    write_json_atomically(folder.sandbox_file, {"sip": {}})
    with pytest.raises(FolderUnusable, match=rf"process {os.getpid()}\) uses the data folder .* OFFHOOK_DATA_DIR"):
        prepare(tmp_path)
    assert folder.sandbox_file.exists()
    folder.release()


def test_a_lock_that_a_dead_systems_warden_still_holds_is_waited_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datafolder, "_LAST_PROCESSES_SECONDS", 0.2)
    with (tmp_path / "lock").open("w", encoding="ascii") as held:
        held.write("999999999\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FolderUnusable, match="999999999"):
            prepare(tmp_path)
    prepare(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match=r"file/var \(OFFHOOK_DATA_DIR\) cannot be used: Not a directory"):
        prepare(tmp_path / "file" / "var")


def test_json_is_written_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    path.touch(mode=0o644)
    write_json_atomically(path, {"name": "Zoë", "ports": [1, 2]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Zoë", "ports": [1, 2]}
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["sandbox.json"]


def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    former = os.umask(0o077)
    try:
        write_json_atomically(tmp_path / "shared.json", {}, mode=0o640)
    finally:
        os.umask(former)
    assert mode(tmp_path / "shared.json") == 0o640


def test_json_that_cannot_be_written_leaves_the_old_text_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sandbox.json"
    write_json_atomically(path, "old")

    def disk_is_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space"):
        write_json_atomically(path, "new")
    assert json.loads(path.read_text(encoding="utf-8")) == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["sandbox.json"]
