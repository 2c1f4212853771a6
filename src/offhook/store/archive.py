"""An archive: files under their names with a manifest in front, whole or refused. A tar file, gzipped, that only its owner can read."""

import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1024 * 1024
_PIECE = 1024 * 1024
_NAME = re.compile(r"(tls/)?[a-z0-9][a-z0-9._-]{0,99}")


class ArchiveDamaged(Exception):
    """It is no archive of ours, or not as it was written; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself. `files`: octets and SHA-256 by name; `made_at`: seconds since 1970."""

    format: int
    release: str
    schema: str
    database: str
    made_at: float
    files: dict[str, dict[str, Any]]


def pack(archive: Path, files: Mapping[str, Path], release: str, schema: str, database: str, made_at: float) -> Manifest:
    """Make `archive` of files, given by their names in it; it is there whole, on disk, or not at all. Raises OSError, FileExistsError."""
    found = {name: _facts(path) for name, path in files.items()}
    manifest = Manifest(FORMAT, release, schema, database, made_at, found)
    new = archive.with_name(f".{archive.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
                _add(tar, MANIFEST, io.BytesIO(json.dumps(asdict(manifest), indent=2).encode()))
                for name, path in files.items():
                    with path.open("rb") as content:
                        _add(tar, name, content)
            file.flush()
            os.fsync(file.fileno())
        os.link(new, archive)  # unlike a rename this replaces nothing
    finally:
        new.unlink(missing_ok=True)
    return manifest


def unpack(archive: Path, folder: Path) -> Manifest:
    """Put an archive's files into a folder that is empty, under their names.

    Raises ArchiveDamaged and OSError; what was put there then is worth nothing.
    """
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            manifest = _manifest(tar)
            left = dict(manifest.files)
            while (member := tar.next()) is not None:
                facts = left.pop(member.name, None)
                if facts is None or not member.isreg() or not _NAME.fullmatch(member.name):
                    raise ArchiveDamaged(f"{member.name} does not belong in it")
                _take(tar, member, folder / member.name, facts)
            while tar.fileobj is not None and tar.fileobj.read(_PIECE):
                pass  # to the end, where the checksum of all of it stands
    except (tarfile.TarError, EOFError, ValueError, zlib.error) as wrong:
        raise ArchiveDamaged(str(wrong) or type(wrong).__name__) from wrong
    except OSError as wrong:
        if wrong.errno is not None:  # the disk's, not gzip's
            raise
        raise ArchiveDamaged(str(wrong)) from wrong
    if left:
        raise ArchiveDamaged(f"{', '.join(left)} is missing")
    return manifest


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = content.seek(0, os.SEEK_END), 0o600
    content.seek(0)
    tar.addfile(entry, content)


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"octets": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == MANIFEST and first.size <= _LARGEST_MANIFEST else None
    if content is None:
        raise ArchiveDamaged("it does not begin with a manifest")
    values = json.loads(content.read())
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ArchiveDamaged("it is written in a form that this release does not know; a later release may")
    try:
        manifest = Manifest(**values)
        for facts in manifest.files.values():
            int(facts["octets"]), str(facts["sha256"])
    except (TypeError, KeyError, AttributeError) as wrong:
        raise ArchiveDamaged(f"its manifest is not whole ({wrong})") from wrong
    return manifest


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path, facts: Mapping[str, Any]) -> None:
    to.parent.mkdir(mode=0o700, exist_ok=True)
    content, digest = tar.extractfile(member), hashlib.sha256()
    assert content is not None
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if member.size != facts["octets"] or digest.hexdigest() != facts["sha256"]:
        raise ArchiveDamaged(f"{member.name} is not what it was when it was written")
