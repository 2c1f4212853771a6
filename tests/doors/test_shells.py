"""Completion in the shells themselves: a line is typed at a terminal, a tab within, and what the program then gets is looked at."""

import os
import pty
import select
import shutil
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offhook.doors.cli.completion import Shell
from tests.doors.test_command_line import PATIENCE, PROGRAM, environment, offhook, running, url

__all__ = ["running", "url"]

BEGINS = {
    Shell.BASH: (["bash", "--norc", "--noprofile", "-i"], "source <(offhook completion bash)"),
    Shell.ZSH: (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u; source <(offhook completion zsh)"),
    Shell.FISH: (["fish", "--no-config", "-i"], "offhook completion fish | source"),
}
TYPED = [
    ("offhook us\tsh\tb\t", ["users", "show", "ben"]),
    ("./offhook users show b\t", ["users", "show", "ben"]),
    ("offhook users show --js\tb\t", ["users", "show", "--json", "ben"]),
    ("offhook attendants show Ma\t", ["attendants", "show", "Main: the hall's"]),
    ('offhook attendants show "Ma\t', ["attendants", "show", "Main: the hall's"]),
    ("offhook users list --role he\t", ["users", "list", "--role", "help_desk"]),
    ("offhook numbers show +1206555010\t3\t", ["numbers", "show", "+12065550103"]),
    ("offhook tokens add crm --scope calls:r\t", ["tokens", "add", "crm", "--scope", "calls:read"]),
    ("offhook tokens add crm --scope=calls:r\t", ["tokens", "add", "crm", "--scope=calls:read"]),
    ("offhook plan lum\t", ["plan", "lumen.yaml"]),
    ("offhook nonsense su\t", ["nonsense", "su"]),
]


class Terminal:
    """A shell at a terminal, where somebody types."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self.seen = b""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, env)
        termios.tcsetwinsize(self._terminal, (40, 200))

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def waits_for(self, file: Path, seconds: float = PATIENCE) -> str | None:
        """What stands in a file once it is there; None if it does not come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self._terminal], [], [], 0.02)[0]:
                self.seen += os.read(self._terminal, 65536)
            if file.exists():
                return file.read_text()
        return None

    def close(self) -> None:
        os.close(self._terminal)  # SIGHUP, as when a window is closed
        os.waitpid(self._pid, 0)


@contextmanager
def at_a_terminal(shell: Shell, folder: Path, data: Path) -> Iterator[Terminal]:
    """A shell that has read its script; `offhook` completes truly, and otherwise writes down what it was given."""
    program = folder / "offhook"
    program.write_text(
        f'#!/bin/sh\nif [ "$_OFFHOOK_COMPLETE" ] || [ "$1" = completion ]; then exec {sys.executable} -c \'{PROGRAM}\' "$@"; fi\n'
        f"printf '%s\\n' \"$@\" >{folder}/given.new && mv {folder}/given.new {folder}/given\n"
    )
    program.chmod(0o755)
    (folder / "lumen.yaml").touch()
    command, begins = BEGINS[shell]
    env = environment(
        data,
        HOME=str(folder),
        XDG_CONFIG_HOME=str(folder),
        PATH=f"{folder}:{os.environ['PATH']}",
        TERM="dumb" if shell is Shell.BASH else "xterm",
    )
    terminal = Terminal(command, folder, env)
    try:
        terminal.types(f"{begins}; offhook ready\n")
        assert terminal.waits_for(folder / "given", 30) == "ready\n", terminal.seen
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("shell", [Shell.BASH, *(pytest.param(other, marks=pytest.mark.long) for other in (Shell.ZSH, Shell.FISH))])
def test_a_shell_completes_what_is_typed(shell: Shell, running: Path, tmp_path: Path) -> None:
    if shell is not Shell.BASH and shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    folder = tmp_path / "home"
    folder.mkdir()
    added = offhook("attendants", "add", "Main: the hall's", "--extension", "190", "--greeting", "Welcome.", data=running)
    assert added.returncode == 0, added.stderr
    with at_a_terminal(shell, folder, running) as terminal:
        for typed, given in TYPED:
            assert _given(terminal, typed, folder / "given", given) == given, (typed, terminal.seen)


def _given(terminal: Terminal, typed: str, file: Path, wanted: list[str]) -> list[str]:
    """What the program got; on a busy machine a quarter of a second, which completion waits, may be too short for an answer."""
    until = time.monotonic() + PATIENCE
    while True:
        file.unlink(missing_ok=True)
        terminal.types(typed + "\n")
        found = (terminal.waits_for(file, 5.0) or "").splitlines()
        if found == wanted or time.monotonic() > until:
            return found
        terminal.types("\x03")  # out of a line that waits for its end
