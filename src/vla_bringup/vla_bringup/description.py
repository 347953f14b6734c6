# SPDX-License-Identifier: Apache-2.0
"""What a graph of processes is described with: arguments, nodes, conditions and rules, as plain frozen data."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Value = bool | int | float | str | list[float]
Condition = Mapping[str, tuple[Value, ...]]


class GraphError(ValueError):
    """A name, a value or a combination of arguments that the graph does not have; the text lists what is valid."""


class OnExit(Enum):
    """What the end of a process means for the others."""

    SHUTDOWN = "shutdown"  # required: its end, however it came, stops the graph
    RESTART = (
        "restart"  # started again after RESTART_DELAY_S, RESTART_LIMIT times in a row at most; the others continue
    )
    ONCE = "once"  # a job that ends by itself; only its failure stops the graph


FAULTS = "faults"  # the argument with which fault_node stands between a topic and those that read it
DETOUR = "faults/"  # they read it under its name after this
CLOCK, USE_SIM_TIME = "/clock", "use_sim_time"

RESTART_DELAY_S = 1.0
RESTART_LIMIT = 5
RESTART_FORGIVEN_S = 60.0  # [s] of life after which `vla up` counts from the beginning: a graph runs for weeks


@dataclass(frozen=True, slots=True)
class Argument:
    """One `name:=value` of the command line.

    `kind` is the type of its value; `low` and `high` are inclusive bounds of a number. Empty `choices` allow anything.
    `forms` are examples of an address; a text must begin like one of them, up to its "://".
    A text that is not empty matches `pattern`, which `form` puts in words, where one is named.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    kind: type[bool] | type[int] | type[float] | type[str] = str
    low: float = -math.inf
    high: float = math.inf
    forms: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""

    def parse(self, text: str) -> Value:
        """Return the typed value of `text`; raises GraphError with the received and the valid values."""
        if self.choices and text not in self.choices:
            raise GraphError(f"{self.name}:={text!r} is not valid; valid values: {', '.join(self.choices)}")
        schemes = {form.partition("://")[0] for form in self.forms}
        scheme, separator, rest = text.partition("://")
        if text and self.forms and not (scheme in schemes and separator and rest):
            raise GraphError(f"{self.name}:={text!r} is not valid; valid forms: {', '.join(self.forms)}")
        if self.kind is bool:
            return text == "true"
        if self.kind is str:
            if text and self.pattern and not re.fullmatch(self.pattern, text):
                raise GraphError(f"{self.name}:={text!r} is not valid; {self.form} is needed")
            return text
        try:
            number = int(text) if self.kind is int else float(text)
        except ValueError:
            raise GraphError(f"{self.name}:={text!r} is not valid; a {self.noun} is needed") from None
        if not self.low <= number <= self.high:
            raise GraphError(f"{self.name}:={text} is not valid; a {self.noun} is needed")
        return number

    @property
    def noun(self) -> str:
        """The valid values in words."""
        word = self.form or {int: "whole number", float: "number"}.get(self.kind, "text")
        return word if math.isinf(self.low) and math.isinf(self.high) else f"{word} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class FromArgument:
    """A parameter whose value is that of an argument."""

    name: str


@dataclass(frozen=True, slots=True)
class Matches:
    """A boolean parameter: true when the arguments meet `condition` or `otherwise`."""

    condition: Condition
    otherwise: Condition | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{argument}` and `{share}`, the share folder of vla_bringup."""

    text: str


@dataclass(frozen=True, slots=True)
class FileText:
    """The content of the file at `template`, for parameters like robot_description.

    `template` is as in Template; `package://vla_bringup/` in the content becomes the absolute share folder.
    """

    template: str


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A number, or a list of numbers, under the dotted `key` of the YAML file at `template` (as in Template)."""

    template: str
    key: str


@dataclass(frozen=True, slots=True)
class FileWord:
    """A text under `key` of the YAML file at `template` (as in Template)."""

    template: str
    key: str


@dataclass(frozen=True, slots=True)
class Select:
    """A parameter that takes its value from the entry of `choices` that the argument `name` chooses."""

    name: str
    choices: "Mapping[Value, Setting]"


@dataclass(frozen=True, slots=True)
class MapName:
    """A parameter with the observation map's name or absolute path: the argument `name`, or by the policy's name."""

    name: str


@dataclass(frozen=True, slots=True)
class MapTopic:
    """A boolean parameter: true when the argument `name` is, or when a camera of the observation map has `topic`."""

    name: str
    topic: str


Setting = Value | FromArgument | Matches | Template | FileText | FileEntry | FileWord | Select | MapName | MapTopic


@dataclass(frozen=True, slots=True)
class Node:
    """A ROS executable; its node name is `name`, or the executable's name where `name` is empty.

    `config` is its ROS parameter file below the config folder, read before `parameters`. `arguments` are plain
    command-line arguments. It starts only when the arguments meet every entry of `when`, do not meet `unless`, where
    that has entries, and the argument `needs`, where one is named, is not empty. Where `package` is not installed, the
    executable of the same name of the package `fallback` is started instead, if one is named. `reads` are topics that
    it takes through fault_node where the graph is started with faults:=true.
    """

    package: str
    executable: str
    on_exit: OnExit = OnExit.SHUTDOWN
    name: str = ""
    config: str = ""
    parameters: Mapping[str, Setting] = field(default_factory=dict)
    arguments: tuple[Setting, ...] = ()
    when: Condition = field(default_factory=dict)
    fallback: str = ""
    needs: str = ""
    unless: Condition = field(default_factory=dict)
    reads: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Include:
    """A launch file of another package; its end stops the graph. The rest as in Node."""

    package: str
    file: str
    arguments: Mapping[str, Setting] = field(default_factory=dict)
    when: Condition = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the arguments meet `when`: `requires` must be set, `keep_default` left alone; with neither, refused."""

    when: Condition
    reason: str
    requires: str = ""
    keep_default: tuple[str, ...] = ()
