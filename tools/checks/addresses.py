"""No file names the host of a package registry.

Where packages come from is each machine's own business, and a lock with an address works in one place only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.checks.tree import ROOT

# Written in pieces, so that this file passes its own check.
_HOSTS = (
    ("pypi", "org"), ("pypi", "python", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
    ("deb", "debian", "org"), ("security", "debian", "org"), ("proxy", "golang", "org"), ("crates", "io"),
)  # fmt: skip
_HOST = re.compile("|".join(r"\b" + r"\.".join(parts) + r"\b" for parts in _HOSTS))
_LOCK_ADDRESS = re.compile(r"://|^--(?:index-url|extra-index-url|find-links|trusted-host)|\s@\s")
_TEXT_LIMIT = 4_000_000  # octets; nothing we write by hand is longer


def mistakes(paths: list[Path]) -> Iterator[str]:
    """One line for each registry named in any file, and for each address in a lock."""
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_bytes()[:_TEXT_LIMIT].decode("utf-8", "replace")
        is_lock = name.startswith("requirements") or name.endswith("package-lock.json")
        for number, line in enumerate(text.splitlines(), 1):
            if _HOST.search(line):
                yield f"{name}:{number}: names a package registry's host"
            if is_lock and _LOCK_ADDRESS.search(line):
                yield f"{name}:{number}: a lock holds versions and hashes, no addresses"
