"""The domain decides and does nothing else: it imports a few standard modules, never awaits, and touches no file, clock or log."""

import ast
from collections.abc import Iterator

from tools.checks.tree import SourceFile

_DOING = frozenset({"open", "print", "input", "exec", "eval", "__import__"})
_CLOCKS = frozenset({"now", "utcnow", "today", "time_ns", "perf_counter"})


def mistakes(sources: list[SourceFile], allowed: list[str]) -> Iterator[str]:
    """One line for each import outside `allowed` and each act in src/offhook/domain."""
    for source in sources:
        if source.name.startswith("src/offhook/domain/"):
            for node in ast.walk(source.tree):
                for fault in _faults(node, frozenset(allowed)):
                    yield f"{source.name}:{getattr(node, 'lineno', 0)}: {fault}"


def _faults(node: ast.AST, allowed: frozenset[str]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            modules = [module]
        case ast.ImportFrom():
            modules = []
            yield "relative imports hide which room is meant"
        case _:
            modules = []
    for module in modules:
        if module not in allowed and not module.startswith("offhook.domain"):
            yield f"imports {module}, which is not on the domain's list in pyproject.toml"
    if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
        yield "waits; a decision is made at once"
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _DOING:
            yield f"calls {node.func.id}(); the domain does nothing"
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CLOCKS:
            yield f"reads a clock ({node.func.attr}); time is given to it"
