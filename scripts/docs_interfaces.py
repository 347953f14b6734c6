# SPDX-License-Identifier: Apache-2.0
"""Read the topics, services, actions and settings of each node from its source, without ROS."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

from docs_source import Scope, assigned, callee, calls, imports

ROOT = Path(__file__).resolve().parents[1]
MAKERS = {
    "create_publisher": "publishes",
    "create_subscription": "subscribes to",
    "create_service": "serves",
    "create_client": "calls",
    "ActionServer": "serves",
    "ActionClient": "calls",
}
MAX_DEPTH = 8  # names followed from a call to where its argument is written


@dataclass(frozen=True, slots=True)
class Interface:
    """One topic, service or action of a node, under its default name."""

    role: str
    kind: str
    name: str
    type: str
    parameter: str


@dataclass(frozen=True, slots=True)
class NodeSource:
    """A node and the source that it is made of."""

    name: str
    package: str
    modules: tuple[ast.Module, ...]

    @property
    def summary(self) -> str:
        """The docstring of the node's module, without the node's name."""
        path = ROOT / "src" / self.package / self.package / f"{self.name}.py"
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        return text.split("\n")[0].removeprefix(f"{self.name}: ")

    def settings(self) -> list[Field[Any]]:
        """Fields of the dataclasses that the node declares as parameters, in order."""
        found: list[Field[Any]] = []
        for call, scope in calls(self.modules):
            if callee(call) == "declare_settings":
                module, name = imports(scope.module)[ast.unparse(call.args[1])]
                found += fields(getattr(importlib.import_module(module), name))
        return found

    def interfaces(self) -> list[Interface]:
        """What the node publishes, subscribes to, serves and calls, without duplicates."""
        made = {callee(call) for call, _ in calls(self.modules)}
        shared = [tree for tree in _core() if any(isinstance(n, ast.ClassDef) and n.name in made for n in tree.body)]
        modules = (*self.modules, *shared)
        reader = Reader(modules, {item.name: item.default for item in self.settings()})
        found = {item: None for call, scope in calls(modules) for item in reader.interfaces(call, scope)}
        return sorted(found, key=lambda item: (item.kind, item.role, item.name))


def find_nodes() -> list[NodeSource]:
    """Return every node of the repository, by the entry points of its packages."""
    nodes = []
    for setup in sorted((ROOT / "src").glob("*/setup.py")):
        package = setup.parent.name
        for path in sorted((setup.parent / package).glob("*_node.py")):
            nodes.append(NodeSource(path.stem, package, _reached(setup.parent, package, path)))
    return nodes


def _reached(folder: Path, package: str, start: Path) -> tuple[ast.Module, ...]:
    """Return the modules in `ros` that a node's module names ("package.module:Class") or imports, itself left out."""
    found: dict[Path, ast.Module] = {}
    waiting = [start]
    while waiting:
        module = ast.parse(waiting.pop().read_text(encoding="utf-8"))
        names: set[str] = set()
        for node in ast.walk(module):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value.split(":")[0])
        for name in sorted(name for name in names if re.fullmatch(rf"{package}\.ros(\.\w+)+", name)):
            path = (folder / name.replace(".", "/")).with_suffix(".py")
            if path.is_file() and path not in found:
                found[path] = ast.parse(path.read_text(encoding="utf-8"))
                waiting.append(path)
    return tuple(found[path] for path in sorted(found))


def _core() -> list[ast.Module]:
    """Return the modules that nodes share, without what only tests use."""
    paths = sorted((ROOT / "src" / "vla_core" / "vla_core" / "ros").rglob("*.py"))
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths if path.stem != "testing"]


class Reader:
    """Follows the arguments of calls to where their values are written."""

    def __init__(self, modules: tuple[ast.Module, ...], defaults: dict[str, Any]) -> None:
        self._modules, self._defaults = modules, defaults
        self._calls = list(calls(modules))
        classes = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
        self._servers = {
            node.name for node in classes if any(ast.unparse(base) == "ActionServer" for base in node.bases)
        }

    def interfaces(self, call: ast.Call, scope: Scope) -> list[Interface]:
        """Return the interfaces that a call makes: none, or one for each name that its argument takes."""
        maker = "ActionServer" if callee(call) in self._servers else callee(call)
        if maker not in MAKERS or len(call.args) < 2:
            return []
        at = 1 if maker.startswith("Action") else 0
        found = []
        for kind, name, where in self._rows(call.args[at], call.args[at + 1], scope):
            for end, _ in self._ends(kind, where):
                if isinstance(end, ast.Constant):  # None, until it is known
                    continue
                type_, sort = self._type(end, where)
                texts = self._texts(name, where)
                found += [Interface(MAKERS[maker], sort or _sort(maker), text, type_, used) for text, used in texts]
        return found

    def _rows(self, kind: ast.expr, name: ast.expr, scope: Scope) -> list[tuple[ast.expr, ast.expr, Scope]]:
        """Return type and name together, one row for each caller where both are arguments of the function around."""
        function = scope.function
        names = [argument.arg for argument in function.args.args] if function else []
        if isinstance(kind, ast.Name) and isinstance(name, ast.Name) and {kind.id, name.id} <= set(names):
            kinds, texts = (self._given(names.index(item.id), item.id, scope) for item in (kind, name))
            return [(one, other, where) for (one, where), (other, _) in zip(kinds, texts, strict=True)]
        return [(kind, name, scope)]

    def _type(self, expression: ast.expr, scope: Scope) -> tuple[str, str]:
        """Return the ROS name of an interface type and what it is."""
        module, name = "", ast.unparse(expression)
        for tree in (scope.module, *self._modules):
            if name in imports(tree):
                module, name = imports(tree)[name]
                break
        if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Call):  # import_module("x.msg").Y
            module, name = ast.literal_eval(expression.value.args[0]), expression.attr
        package, _, kind = module.partition(".")
        return (f"{package}/{kind}/{name}" if kind else name), {"msg": "topic", "srv": "service"}.get(kind, kind)

    def _texts(self, expression: ast.expr, scope: Scope) -> list[tuple[str, str]]:
        """Return (text, parameter) of each value that an expression may have."""
        found = []
        for end, where in self._ends(expression, scope):
            if isinstance(end, ast.Constant):
                found.append((str(end.value), ""))
            elif isinstance(end, ast.JoinedStr):
                parts = [self._texts(part, where) for part in end.values]
                found += [
                    ("".join(text for text, _ in row), next((p for _, p in row if p), ""))
                    for row in itertools.product(*parts)
                ]
            elif isinstance(end, ast.Attribute) and end.attr in self._defaults and "settings" in ast.unparse(end.value):
                found.append((str(self._defaults[end.attr]), end.attr))
            else:
                found.append((f"({_placeholder(end, expression)})", ""))
        parameter = next((name for _, name in found if name), "")
        named = [(text, name) for text, name in found if text]  # a parameter without a default: what else it may be
        return [(text, name or parameter) for text, name in named] or [("(unset)", parameter)]

    def _ends(self, expression: ast.expr, scope: Scope, depth: int = 0) -> list[tuple[ast.expr, Scope]]:
        """Return what an expression stands for, followed through names, alternatives and arguments."""
        if isinstance(expression, ast.FormattedValue):
            expression = expression.value
        choices: list[tuple[ast.expr, Scope]] = []
        if isinstance(expression, ast.BoolOp):
            choices = [(value, scope) for value in expression.values]
        elif isinstance(expression, ast.IfExp):
            choices = [(expression.body, scope), (expression.orelse, scope)]
        elif isinstance(expression, ast.Name):
            choices = self._named(expression.id, scope)
        elif isinstance(expression, ast.Attribute) and ast.unparse(expression.value) == "self" and scope.owner:
            name = ast.unparse(expression)
            choices = [
                (value, Scope(scope.module, scope.owner, function)) for function, value in assigned(scope.owner, name)
            ]
        if not choices or depth == MAX_DEPTH:
            return [(expression, scope)]
        return [end for value, where in choices for end in self._ends(value, where, depth + 1)]

    def _named(self, name: str, scope: Scope) -> list[tuple[ast.expr, Scope]]:
        """Return what a name is given: in its function, by the function's callers, or in its module."""
        if scope.function is not None:
            local = [(value, scope) for _, value in assigned(scope.function, name)]
            names = [argument.arg for argument in scope.function.args.args]
            if local or name not in names:
                return local or [(value, scope) for _, value in assigned(scope.module, name, deep=False)]
            return self._given(names.index(name), name, scope)
        return [(value, scope) for _, value in assigned(scope.module, name, deep=False)]

    def _given(self, index: int, name: str, scope: Scope) -> list[tuple[ast.expr, Scope]]:
        assert scope.function is not None
        made = scope.owner.name if scope.owner and scope.function.name == "__init__" else scope.function.name
        found = []
        for call, where in self._calls:
            if callee(call) == made:
                words = {word.arg: word.value for word in call.keywords}
                position = index - (1 if scope.owner else 0)
                value = call.args[position] if position < len(call.args) else words.get(name)
                found += [(value, where)] if value is not None else []
        return found


def _placeholder(end: ast.expr, expression: ast.expr) -> str:
    """Return what stands for a text that only a running node knows; the name of what is computed says more than how."""
    if not isinstance(end, ast.Name | ast.Attribute):
        end = expression.value if isinstance(expression, ast.FormattedValue) else expression
    return ast.unparse(end).removeprefix("self.").removeprefix("_").removeprefix("config.")


def _sort(maker: str) -> str:
    return (
        "action"
        if maker.startswith("Action")
        else "service"
        if maker in ("create_service", "create_client")
        else "topic"
    )
