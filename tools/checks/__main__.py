"""Runs the checks of the house that no ready tool has: `python -m tools.checks`. Prints each mistake; exit code 1 if there are any."""

import sys
import tomllib

from tools.checks import addresses, ceilings, domain, names
from tools.checks.tree import ROOT, files, python_files


def main() -> int:
    """0 when the house is in order, else 1, with one printed line a mistake."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["offhook"]
    sources = python_files()
    found = [
        *ceilings.mistakes(sources, rules["ceilings"]),
        *names.mistakes(sources),
        *domain.mistakes(sources, rules["domain"]["imports"]),
        *addresses.mistakes(list(files())),
    ]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
