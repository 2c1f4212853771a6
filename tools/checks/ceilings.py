"""Ceilings: a file of at most 400 lines, a function of at most 50.

Tables and migrations may be longer: each stands by name in pyproject.toml, `[tool.offhook.ceilings]`, with the lines it has and the
reason. The list may only shrink: a listed thing that became shorter must have its number lowered, and leaves the list once it fits.
"""

import ast
from collections.abc import Iterator

from tools.checks.tree import SourceFile

FILE_LINES = 400
FUNCTION_LINES = 50


def _lengths(source: SourceFile) -> Iterator[tuple[str, int, int]]:
    """Name, lines and ceiling of the file and of each function in it."""
    yield source.name, len(source.text.splitlines()), FILE_LINES
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{source.name}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1, FUNCTION_LINES


def mistakes(sources: list[SourceFile], allowed: dict[str, dict[str, object]]) -> Iterator[str]:
    """One line for each thing over its ceiling, and for each exception that is not needed or not explained."""
    unused = set(allowed)
    for source in sources:
        for name, lines, ceiling in _lengths(source):
            if lines <= ceiling:
                continue
            exception = allowed.get(name)
            unused.discard(name)
            if exception is None:
                yield f"{name} has {lines} lines, {ceiling} are allowed: split it"
            elif lines > int(str(exception["lines"])):
                yield f"{name} has {lines} lines; its exception allows {exception['lines']}, and exceptions may only shrink"
            elif lines < int(str(exception["lines"])):
                yield f"{name} has {lines} lines: lower its exception in pyproject.toml from {exception['lines']}"
            elif not exception.get("why"):
                yield f"{name}: its exception in pyproject.toml gives no reason"
    for name in sorted(unused):
        yield f"{name} needs no exception any more: take it out of pyproject.toml"
