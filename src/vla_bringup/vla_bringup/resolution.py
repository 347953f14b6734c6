# SPDX-License-Identifier: Apache-2.0
"""How arguments turn the description of a graph into processes to start.

Nothing here starts anything and nothing imports ROS: `launch/robot.launch.py` and `vla up` both begin with `resolve`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from .description import (
    CLOCK,
    DETOUR,
    FAULTS,
    USE_SIM_TIME,
    Argument,
    Condition,
    FileEntry,
    FileText,
    FileWord,
    FromArgument,
    GraphError,
    Include,
    MapName,
    MapTopic,
    Matches,
    Node,
    OnExit,
    Rule,
    Select,
    Setting,
    Template,
    Value,
)
from .maps import map_name, map_topics

NAMESPACE = r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*"
NAMESPACE_FORM = "name such as left, of letters, digits and _, or several joined by /"
# Each arm has its own tree of frames and its own clock, as in Nav2's launch files for several robots.
WITHIN_NAMESPACE = (("/tf", "tf"), ("/tf_static", "tf_static"), ("/clock", "clock"))


@dataclass(frozen=True, slots=True)
class NodeStart:
    """A node ready to start: every value is known. `parameter_file` is None where the node has none.

    `namespace` is absolute, and empty for the root. `remappings` are pairs of names, as ROS takes them.
    """

    package: str
    executable: str
    name: str
    on_exit: OnExit
    parameter_file: Path | None
    parameters: Mapping[str, Value]
    arguments: tuple[str, ...]
    fallback: str = ""
    namespace: str = ""
    remappings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class IncludeStart:
    """A launch file ready to be included."""

    package: str
    file: str
    arguments: Mapping[str, str]


Start = NodeStart | IncludeStart


@dataclass(frozen=True, slots=True)
class Graph:
    """The arguments, what is started, the combinations that are refused, and the remappings within a namespace."""

    arguments: tuple[Argument, ...]
    items: tuple[Node | Include, ...]
    rules: tuple[Rule, ...] = ()
    checks: tuple[Callable[[Mapping[str, Value]], None], ...] = ()  # each raises GraphError
    remappings: tuple[tuple[str, str], ...] = ()

    def parse_command_line(self, words: Sequence[str]) -> dict[str, str]:
        """Return the `name:=value` words as a mapping; raises GraphError for a word of another form or given twice."""
        given: dict[str, str] = {}
        for word in words:
            name, separator, text = word.partition(":=")
            if not separator:
                raise GraphError(f"{word!r} is not valid; arguments are written name:=value ({self.names})")
            if name in given:
                raise GraphError(f"{name} is given twice: {given[name]!r} and {text!r}")
            given[name] = text
        return given

    @property
    def names(self) -> str:
        """The names of the arguments, for messages."""
        return ", ".join(argument.name for argument in self.arguments)

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """Return every argument's value, `given` over the defaults; raises GraphError for anything not valid."""
        known = [argument.name for argument in self.arguments]
        for name in given:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise GraphError(f"there is no argument {name!r}{hint}; valid names: {self.names}")
        values = {a.name: a.parse(given.get(a.name, a.default)) for a in self.arguments}
        for rule in self.rules:
            self._check(rule, values)
        for check in self.checks:
            check(values)
        return values

    def _check(self, rule: Rule, values: Mapping[str, Value]) -> None:
        if not _meets(values, rule.when):
            return
        words = " ".join(f"{name}:={values[name]}" for name in rule.when)
        changed = [
            a.name for a in self.arguments if a.name in rule.keep_default and values[a.name] != a.parse(a.default)
        ]
        if changed:
            raise GraphError(f"{changed[0]}:={values[changed[0]]} does not go with {words}: {rule.reason}")
        if rule.requires and not values[rule.requires]:
            raise GraphError(f"{words} needs {rule.requires}:=…: {rule.reason}")
        if not rule.requires and not rule.keep_default:
            raise GraphError(f"{words} is not possible: {rule.reason}")

    def resolve(self, given: Mapping[str, str], share: Path, around: str = "") -> tuple[Start, ...]:
        """Return what is to be started.

        Args:
            given: values of arguments; the others have their defaults.
            share: the share folder of vla_bringup.
            around: the namespace that the one of the arguments is within.

        Raises GraphError for arguments that are not valid and for a file of a node that is missing below `share`.
        """
        namespace = absolute(around, given.get("namespace", ""))
        values = self.values({**given, "namespace": namespace} if namespace else given)
        starts = (_start(item, values, share) for item in self.items if _is_wanted(item, values))
        if not namespace:
            return tuple(starts)
        return tuple(
            replace(start, namespace=namespace, remappings=(*start.remappings, *self.remappings))
            if isinstance(start, NodeStart)
            else start
            for start in starts
        )


def absolute(*namespaces: str) -> str:
    """Return namespaces within each other as one that begins with a slash, or an empty text for the root.

    One that begins with a slash itself is not within those before it, as in a launch file.
    """
    parts: list[str] = []
    for namespace in namespaces:
        parts = [*([] if namespace.startswith("/") else parts), *namespace.split("/")]
    return "".join(f"/{part}" for part in parts if part)


def _is_wanted(item: Node | Include, values: Mapping[str, Value]) -> bool:
    if not isinstance(item, Node):
        return _meets(values, item.when)
    excluded = bool(item.unless) and _meets(values, item.unless)
    return _meets(values, item.when) and (not item.needs or bool(values[item.needs])) and not excluded


def _meets(values: Mapping[str, Value], condition: Condition) -> bool:
    return all(values[name] in allowed for name, allowed in condition.items())


def _set(setting: Setting, values: Mapping[str, Value], share: Path) -> Value:
    match setting:
        case FromArgument(name):
            return values[name]
        case Matches(condition, otherwise):
            return _meets(values, condition) or (otherwise is not None and _meets(values, otherwise))
        case Template(text):
            return text.format(share=share, **values)
        case FileText(template):
            content = _existing(Path(template.format(share=share, **values))).read_text(encoding="utf-8")
            return content.replace("package://vla_bringup/", f"{share}/")
        case FileEntry(template, key):
            return _numbers(_existing(Path(template.format(share=share, **values))), key)
        case FileWord(template, key):
            return str(_entry(_existing(Path(template.format(share=share, **values))), key))
        case MapName():
            return map_name(values)
        case MapTopic(name, topic):
            return bool(values[name]) or topic in map_topics(map_name(values))
        case Select(name, choices):
            return _set(choices[values[name]], values, share)
        case _:
            return setting


def _numbers(path: Path, key: str) -> float | list[float]:
    """Return the number or the list of numbers under the dotted `key`; as floats, which ROS tells from integers."""
    try:
        found = _entry(path, key)
        return [float(number) for number in found] if isinstance(found, list) else float(found)
    except (TypeError, ValueError) as error:
        raise GraphError(f"{path} has no numbers under {key}: {type(error).__name__}: {error}") from error


def _entry(path: Path, key: str) -> Any:
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        for part in key.split("."):
            found = found[part]
        return found
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise GraphError(f"{path} has no numbers under {key}: {type(error).__name__}: {error}") from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise GraphError(f"the graph needs the file {path}, which is not there; is vla_bringup built and installed?")
    return path


def _start(item: Node | Include, values: Mapping[str, Value], share: Path) -> Start:
    if isinstance(item, Include):
        texts = {name: str(_set(setting, values, share)) for name, setting in item.arguments.items()}
        return IncludeStart(item.package, item.file, texts)
    return NodeStart(
        package=item.package,
        executable=item.executable,
        name=item.name or item.executable,
        on_exit=item.on_exit,
        parameter_file=_existing(share / "config" / item.config) if item.config else None,
        parameters={name: _set(setting, values, share) for name, setting in item.parameters.items()},
        arguments=tuple(str(_set(setting, values, share)) for setting in item.arguments),
        fallback=item.fallback,
        remappings=_detours(item, values, share),
    )


def _detours(item: Node, values: Mapping[str, Value], share: Path) -> tuple[tuple[str, str], ...]:
    """Return the remappings with which a node reads its topics through fault_node, where the graph has one."""
    if not values.get(FAULTS):
        return ()
    topics = [str(_set(topic, values, share)) for topic in item.reads]
    if values.get("sim_time") and USE_SIM_TIME in item.parameters:
        topics.append(CLOCK)
    return tuple((topic, DETOUR + topic.lstrip("/")) for topic in topics)
