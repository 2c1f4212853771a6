"""`offhook backup`, `restore` and `migrate`: the only commands that open the data folder and the database themselves."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from offhook import __version__
from offhook.domain.errors import Unavailable
from offhook.doors.cli import shown
from offhook.doors.cli.app import app
from offhook.doors.cli.asking import Json, Yes, must_agree
from offhook.doors.cli.server import Exit, Failed
from offhook.plan import read_plan
from offhook.settings import Settings, SettingsWrong, database_of, read
from offhook.store.archive import ArchiveDamaged, Manifest, pack, unpack
from offhook.store.backup import NAMES, check_sqlite, dump, kind_of, must_be_restorable, restore_postgres, revision_of
from offhook.store.migrate import known_revisions, newest_revision
from offhook.store.migrate import migrate as bring_up_to_date
from offhook.supervisor.datafolder import RESTORING, hold

SECRET, SPOOL, TLS, DATABASE = "secret.key", "records.spool", "tls", "offhook.sqlite"
"""What must survive, by its name in the data folder and in an archive. All else is made anew from it."""

_MADE_ANEW = ("configuration.sqlite", "edge.sqlite", "calls.journal", "provider.token", "sandbox.json")
"""Of another state than the one that is put back; they are laid aside with it."""


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The archive to write; it must not be there yet.")], as_json: Json = False) -> None:
    """Write all that must survive into one file, while the system runs or not. It holds secrets: keep it as safe as the data folder."""
    settings, began = _settings(), time.time()
    folder, url, file = settings.data_dir, _database(settings), file.absolute()
    if not (folder / SECRET).exists():
        raise Failed(f"There is nothing to back up in {folder}; set OFFHOOK_DATA_DIR.", Exit.NOT_THERE)
    if file.exists():
        raise Failed(f"{file} is there already; a backup replaces nothing. Choose another name.", Exit.REFUSED)
    if not file.parent.is_dir():
        raise Failed(f"There is no folder {file.parent} to write to.", Exit.NOT_THERE)
    with _said_plainly(), tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as staging:
        files = _copies(folder, Path(staging))
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task("Copying the database", total=1.0)
            copy = dump(url, Path(staging), lambda done: bar.update(task, completed=done))
        schema = revision_of(f"sqlite:///{copy}" if kind_of(url) == "sqlite" else url)
        manifest = pack(file, {NAMES[kind_of(url)]: copy, **files}, __version__, schema or "", kind_of(url), began)
    told = {"file": str(file), "octets": file.stat().st_size, "database": manifest.database, "tables": manifest.schema}
    if as_json:
        shown.print_json(told | {"files": manifest.files})
        return
    shown.print_report(told)
    shown.note("Not in it: logs, spoken prompts, registrations (telephones register again), calls that go on, settings.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="An archive that offhook backup wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what is in the data folder and the database.")] = False,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether it could be put back; nothing is replaced.")] = False,
) -> None:
    """Put a backup back; the system must not run. Until all of it is there and checked nothing is replaced."""
    settings = _settings()
    folder, url = settings.data_dir, _database(settings)
    with _said_plainly():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = hold(folder)
        if lock is None:
            raise Failed(f"A system runs in {folder}. Stop it first.", Exit.REFUSED)
        try:
            there = [name for name in (SECRET, DATABASE, TLS, SPOOL) if (folder / name).exists()]
            broken_off = (folder / RESTORING).exists()
            if (there or broken_off) and not force:
                raise Failed(f"{folder} is not empty ({', '.join(there) or RESTORING}). --force replaces what is there.", Exit.REFUSED)
            _restore(file, folder, url, replaces=force, asks=bool(force and not yes), dry_run=dry_run)
        finally:
            os.close(lock)


@app.command()
def migrate() -> None:
    """Bring the database to this release's tables without starting the system, which does the same."""
    settings = _settings()
    with _said_plainly():
        lock = hold(settings.data_dir) if settings.data_dir.exists() else None
        if lock is None:
            raise Failed(f"A system runs in {settings.data_dir}, or was never started there.", Exit.REFUSED)
        try:
            bring_up_to_date(_database(settings))
        finally:
            os.close(lock)
    shown.note(f"The database has the tables of this release ({newest_revision()}).")


def _restore(file: Path, folder: Path, url: str, *, replaces: bool, asks: bool, dry_run: bool) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked.") as staging:
        new = Path(staging)
        try:
            manifest = unpack(file, new)
        except ArchiveDamaged as damaged:
            raise Failed(f"{file} cannot be used: {damaged}. Nothing was changed.", Exit.REFUSED) from None
        _must_fit(manifest, new, url)
        if manifest.database == "postgresql":
            must_be_restorable(url, replaces=replaces)
        made = datetime.fromtimestamp(manifest.made_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        said = f"replace what is in {folder} and its database by the backup of {made}"
        if dry_run:
            shown.console().print(shown.clean(f"Would {said} (release {manifest.release}, {manifest.database})."), soft_wrap=True)
            shown.note("Nothing was done.")
            return
        if asks:
            must_agree(said, [], yes=False)
        restoring = folder / RESTORING
        restoring.mkdir(exist_ok=True)
        if manifest.database == "postgresql":
            try:
                restore_postgres(url, new / NAMES[manifest.database], restoring)
            except BaseException:
                shutil.rmtree(restoring)  # the transaction was taken back: nothing was changed
                raise
        aside = _exchange(new, folder, manifest)
        shutil.rmtree(restoring)
    shown.note(f"The backup of {made} is in place; start the system. Tables of an earlier release are brought up to date then.")
    if aside is not None:
        shown.note(f"What was there is in {aside}, with its secrets; remove it when you are sure.")


def _must_fit(manifest: Manifest, unpacked: Path, url: str) -> None:
    """Raises Failed when this release or this database cannot take the archive, Unavailable when the database in it is damaged."""
    if manifest.schema not in known_revisions():
        raise Failed(f"The backup is of a later release ({manifest.release}, tables {manifest.schema}). Use that one.", Exit.REFUSED)
    if manifest.database != kind_of(url):
        need = "Set OFFHOOK_DATABASE_URL" if manifest.database == "postgresql" else "Unset OFFHOOK_DATABASE_URL"
        raise Failed(f"The backup is of {manifest.database}, and here is {kind_of(url)}. {need}.", Exit.REFUSED)
    for name in (SECRET, NAMES[manifest.database]):
        if not (unpacked / name).is_file():
            raise Failed(f"The backup is not whole: {name} is not in it. Nothing was changed.", Exit.REFUSED)
    if manifest.database == "sqlite":
        check_sqlite(unpacked / NAMES["sqlite"])


def _exchange(new: Path, folder: Path, manifest: Manifest) -> Path | None:
    """Lay aside what is there and put the new in its place; where the old is. `RESTORING` stands there until all is done."""
    _keep_what_waits(new, folder)
    aside = folder / datetime.now(UTC).strftime("before-%Y%m%dT%H%M%S")
    old = [name for name in (SECRET, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", TLS, SPOOL, *_MADE_ANEW) if (folder / name).exists()]
    if old:
        aside.mkdir(mode=0o700)
        for name in old:
            (folder / name).rename(aside / name)
    for name in (SECRET, TLS, SPOOL):
        if (new / name).exists():
            (new / name).rename(folder / name)
    if manifest.database == "sqlite":
        (new / NAMES["sqlite"]).rename(folder / DATABASE)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return aside if old else None


def _keep_what_waits(new: Path, folder: Path) -> None:
    """Records that this very system could not write, its database being gone, are no later state: they are why it is put back."""
    own, restored = folder / SECRET, new / SECRET
    if (folder / SPOOL).exists() and own.exists() and own.read_bytes() == restored.read_bytes():
        with (folder / SPOOL).open("rb") as waiting, (new / SPOOL).open("ab") as spool:
            spool.write(b"\n")
            shutil.copyfileobj(waiting, spool)


def _copies(folder: Path, staging: Path) -> dict[str, Path]:
    """Copies of the files that must survive.

    The spool is taken before the database: a record that moves on meanwhile is in both of them, and not in none.
    """
    found = {}
    for path in (folder / SECRET, folder / SPOOL, *sorted((folder / TLS).glob("*"))):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found[name] = staging / name.replace("/", "+")
            shutil.copyfile(path, found[name])
    return found


def _database(settings: Settings) -> str:
    """The database of the settings, or if they name none that of the system which runs here or ran last."""
    if settings.database_url is None:
        try:
            return read_plan(settings.data_dir / "run" / "plan.json").database_url
        except (OSError, ValueError):
            pass
    return database_of(settings)


def _settings() -> Settings:
    os.umask(0o077)
    try:
        return read(os.environ)
    except SettingsWrong as wrong:
        raise Failed(f"Settings that cannot be used:\n{wrong}", Exit.WRONG_COMMAND) from None


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except Unavailable as away:
        raise Failed(away.explanation, Exit.SYSTEM_FAILED) from None
    except OSError as why:
        raise Failed(f"{why.filename or 'A file'}: {why.strerror or why}.", Exit.REFUSED) from None
