"""Words: things are called by what they do, and nothing hides from the import contracts."""

import ast
import re
from collections.abc import Iterator

from tools.checks.tree import SourceFile

_EMPTY_WORDS = frozenset({"manager", "helper", "helpers", "utils", "util"})
_UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def _empty_words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name) if word.lower() in _EMPTY_WORDS]


def mistakes(sources: list[SourceFile]) -> Iterator[str]:
    """One line for each name that says nothing, each promise left in the code, and each import hidden from the contracts."""
    for source in sources:
        for word in _empty_words(source.path.stem):
            yield f"{source.name}: a file called {word!r} may hold anything; name what is in it"
        for number, line in enumerate(source.text.splitlines(), 1):
            if _UNFINISHED.search(line):
                yield f"{source.name}:{number}: unfinished work is an issue, not a comment"
        for node in ast.walk(source.tree):
            yield from _of_node(source, node)


def _of_node(source: SourceFile, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        for word in _empty_words(node.name):
            yield f"{source.name}:{node.lineno}: {node.name}: {word!r} says nothing; name what it does"
    elif isinstance(node, ast.ImportFrom) and any(alias.name == "TYPE_CHECKING" for alias in node.names):
        yield f"{source.name}:{node.lineno}: TYPE_CHECKING hides a circle of imports; break the circle"
