"""Kamailio's configuration file and command line, from settings."""

import os
from pathlib import Path

import jinja2

from offhook.engines.kamailio.settings import EdgeSettings

TEMPLATES = Path(__file__).resolve().parents[4] / "deploy" / "kamailio"
PROGRAM = "/usr/sbin/kamailio"


def render(settings: EdgeSettings, templates: Path = TEMPLATES, name: str = "kamailio.cfg") -> str:
    """The text of kamailio.cfg, or of tls.cfg. A setting the template does not know is an error, never an empty string."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(f"{name}.j2").render(edge=settings)


def write_configuration(settings: EdgeSettings, templates: Path = TEMPLATES) -> Path:
    """Write the configuration where `arguments` expects it, readable by its owner alone (it holds the secret), each file in one step."""
    settings.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(settings.tls_configuration, render(settings, templates, "tls.cfg"))
    _write(settings.configuration, render(settings, templates))
    return settings.configuration


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def arguments(settings: EdgeSettings) -> list[str]:
    """The command that runs the edge in the foreground, one process group, log on stderr, as whoever calls.

    It writes no pid file: with that of a killed system it would not start again while any process has the number.

    The tlsf allocator halves the CPU per call against Debian's default (1.2-1.6 ms became 0.6-0.8).
    """
    return [
        PROGRAM, "-DD", "-E",
        "-f", str(settings.configuration),
        "-Y", str(settings.run_folder),
        "-m", str(settings.shared_memory_mb), "-M", str(settings.worker_memory_mb),
        "-x", "tlsf", "-X", "tlsf",
    ]  # fmt: skip
