# SPDX-License-Identifier: Apache-2.0
"""What the source of a node calls, and what its names are given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands."""

    module: ast.Module
    owner: ast.ClassDef | None
    function: ast.FunctionDef | None


def calls(modules: tuple[ast.Module, ...]) -> Iterator[tuple[ast.Call, Scope]]:
    """Yield each call and where it stands."""
    for module in modules:
        stack: list[tuple[ast.AST, Scope]] = [(module, Scope(module, None, None))]
        while stack:
            node, scope = stack.pop()
            if isinstance(node, ast.ClassDef):
                scope = Scope(module, node, None)
            elif isinstance(node, ast.FunctionDef):
                scope = Scope(module, scope.owner, node)
            if isinstance(node, ast.Call):
                yield node, scope
            stack += [(child, scope) for child in ast.iter_child_nodes(node)]


def callee(call: ast.Call) -> str:
    """Return the last part of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def imports(module: ast.Module) -> dict[str, tuple[str, str]]:
    """Return (module, name) of each name that `from` imports."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return found


def assigned(tree: ast.AST, name: str, deep: bool = True) -> Iterator[tuple[ast.FunctionDef | None, ast.expr]]:
    """Yield the function around and the value of each assignment to `name`, also by a loop over written values."""
    function = tree if isinstance(tree, ast.FunctionDef) else None
    for node in ast.walk(tree) if deep else ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            function = node
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from ((function, value) for value in _matching(target, node.value, name))
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Tuple | ast.List):
            for row in node.iter.elts:
                yield from ((function, value) for value in _matching(node.target, row, name))


def _matching(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _matching(one, other, name)
    elif ast.unparse(target) == name:
        yield value
