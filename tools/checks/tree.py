"""The project's own files, as the checks see them (without asking git, which a bare machine does not have)."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What .gitignore names, and git's own folder: nothing there is ours.
_CACHES = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache"})
_NOT_OURS = _CACHES | {".git", ".venv", ".setup", "var", "node_modules"}


@dataclass(frozen=True)
class SourceFile:
    """One Python file: its path from the project's root, its lines and its syntax tree."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the root, as messages and pyproject.toml write it."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """The whole text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; a file that does not parse ends the checks with Python's own message."""
        return ast.parse(self.text, self.name)


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project, in a steady order."""
    for entry in sorted(folder.iterdir()):
        if entry.name in _NOT_OURS or entry.name.endswith(".egg-info") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from files(entry)
        else:
            yield entry


def python_files() -> list[SourceFile]:
    """Every Python file of the project."""
    return [SourceFile(path) for path in files() if path.suffix == ".py"]
