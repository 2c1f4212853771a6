"""The engines: installed, of a version that was tried, with every module that their configuration loads."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from offhook.probes.doctor.findings import Finding, State, failure, graded, looked_at, ok

AREA = "engines"
_MODULES = ("/usr/lib/*/kamailio/modules", "/usr/lib/kamailio/modules", "/usr/lib64/kamailio/modules")
_SECONDS = 5.0
_WHERE = "/usr/sbin:/sbin:/usr/local/sbin"
_INSTALL = "./run installs it; by hand: apt-get install --no-install-recommends"


def look_at_engines(templates: Path) -> Iterator[Finding]:
    """What is installed; `templates` holds the edge's configuration."""
    return looked_at(AREA, (_kamailio, lambda: _modules(templates), _rtpengine, _memory, _music))


def _kamailio() -> Iterator[Finding]:
    yield _version("kamailio", ("-v",), r"version: kamailio (\d+\.\d+\.\d+)", "5.6", "kamailio")


def _rtpengine() -> Iterator[Finding]:
    yield _version("rtpengine", ("--version",), r"Version: (?:git-\S+-)?(\d+\.\d+\.\d+)", "10.5", "rtpengine-daemon")


def _version(program: str, question: tuple[str, ...], pattern: str, tried: str, package: str) -> Finding:
    path = shutil.which(program) or shutil.which(program, path=_WHERE)
    if path is None:
        return failure(AREA, program, "is not installed", f"{_INSTALL} {package}")
    said = subprocess.run([path, *question], capture_output=True, text=True, timeout=_SECONDS, check=False)
    found = re.search(pattern, said.stdout + said.stderr)
    version = found[1] if found else "of an unknown version"
    state = State.OK if version.startswith(f"{tried}.") else State.WARNING
    return graded(AREA, program, state, f"{version} ({path})", f"Only {tried} was tried with this release; take Debian 12's.")


def _modules(templates: Path) -> Iterator[Finding]:
    wanted = {name for file in templates.glob("*.j2") for name in re.findall(r'loadmodule "(\w+\.so)"', file.read_text())}
    there = {path.name for place in _MODULES for path in Path("/").glob(f"{place.removeprefix('/')}/*.so")}
    missing = sorted(wanted - there)
    if missing and there:
        packages = "kamailio-sqlite-modules kamailio-tls-modules kamailio-json-modules kamailio-utils-modules kamailio-extra-modules"
        yield failure(AREA, "kamailio modules", f"not installed: {', '.join(missing)}", f"{_INSTALL} {packages}")
    elif there:
        yield ok(AREA, "kamailio modules", f"all {len(wanted)} are there")


def _memory() -> Iterator[Finding]:
    path = shutil.which("redis-server")
    state = State.OK if path else State.WARNING
    remedy = f"{_INSTALL} redis-server; without it calls end when rtpengine dies."
    yield graded(AREA, "rtpengine's memory", state, f"redis-server ({path})" if path else "redis-server is not installed", remedy)


def _music() -> Iterator[Finding]:
    there = any(Path("/usr/share/asterisk/moh").glob("*.wav"))
    state = State.OK if there else State.WARNING
    yield graded(AREA, "music on hold", state, "is there" if there else "is not installed", f"{_INSTALL} asterisk-moh-opsound-wav")
