"""Where every command begins: `run` starts the system, all others are the command line's.

The two are loaded by name, each only when asked for: the command line must answer before its user looks up, and has no use for the engines.
"""

import importlib
import sys

_OF_WIRING = {"doctor": "doctor", "bench": "bench", "backup": "backup", "restore": "backup", "migrate": "backup"}


def main() -> None:
    """Run the command in sys.argv and exit with its code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"] and "--help" not in arguments:
        sys.exit(importlib.import_module("offhook.wiring.system").run())
    for command, module in _OF_WIRING.items():
        if arguments[:1] == [command]:
            importlib.import_module(f"offhook.wiring.{module}")  # a command of its own, that knows the rooms
    sys.exit(importlib.import_module("offhook.doors.cli.app").cli(arguments))
