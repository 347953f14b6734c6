# SPDX-License-Identifier: Apache-2.0
"""Which axes vary, in which ranges; and what one seed draws from them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from vla_core.config_file import config_names, find_config

from vla_sim.variation.axes import AXES, Range, VariationError, check_range

FOLDER = "variation"
TRAINED = "trained"  # the file of what data and training may draw
Values = Mapping[str, Mapping[str, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Numbers of one table: axis -> parameter -> (count,). Axes that do not vary are missing."""

    values: Values = field(default_factory=dict)

    def number(self, axis: str, name: str) -> float:
        """Return a parameter of one number."""
        return float(self.values[axis][name][0])

    def __contains__(self, axis: object) -> bool:
        return axis in self.values


@dataclass(frozen=True, slots=True)
class Variation:
    """Ranges by axis and parameter. An axis that is missing is off; a parameter that is missing has its default."""

    axes: Mapping[str, Mapping[str, Range]] = field(default_factory=dict)

    def draw(self, seed: int | Sequence[int]) -> Drawn:
        """Draw one table. Each axis has a stream of its own: turning one off changes no other."""
        words = [seed] if isinstance(seed, int) else list(seed)
        values: dict[str, dict[str, NDArray[np.float64]]] = {}
        for axis, ranges in self.axes.items():
            rng = np.random.default_rng([*words, zlib.crc32(axis.encode())])
            values[axis] = {}
            for name, parameter in AXES[axis].items():  # in this order, whichever are given
                low, high = ranges.get(name, parameter.default)
                drawn = rng.uniform(low, high, parameter.count)
                values[axis][name] = drawn * rng.choice([-1.0, 1.0], parameter.count) if parameter.signed else drawn
        return Drawn(values)

    def __bool__(self) -> bool:
        return bool(self.axes)


def variation_of(data: Any) -> Variation:
    """Return the variation that a mapping describes: axis -> on, off, or parameter -> [low, high].

    Raises VariationError for an unknown name or a range outside what renders.
    """
    if not isinstance(data, Mapping):
        raise VariationError(f"a variation is {data!r}; valid: a mapping of axes, {', '.join(AXES)}")
    axes: dict[str, dict[str, Range]] = {}
    for axis, ranges in data.items():
        if axis not in AXES:
            raise VariationError(f"unknown axis {axis!r}; valid: {', '.join(AXES)}")
        if ranges is False or ranges == "off":
            continue
        given = {} if ranges is True or ranges in (None, "on") else ranges
        if not isinstance(given, Mapping):
            raise VariationError(f"axis {axis} is {ranges!r}; valid: on, off, or parameters with ranges")
        axes[axis] = {name: check_range(axis, name, _pair(axis, name, each)) for name, each in given.items()}
    return Variation(axes)


def load_variation(name_or_path: str) -> Variation:
    """Return the variation of a file of `config/variation`, or of one's own. Raises VariationError."""
    try:
        return variation_of(load_ranges(name_or_path))
    except VariationError as error:
        raise VariationError(f"{name_or_path}: {error}") from error


def load_ranges(name_or_path: str) -> Any:
    """Return what a file of variation says, unchecked. Raises VariationError for one that cannot be read."""
    try:
        return yaml.safe_load(find_config(FOLDER, "variation", name_or_path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise VariationError(str(error)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise VariationError(f"cannot read the file: {' '.join(str(error).split())}") from error


def parse_variation(words: Iterable[str]) -> Variation:
    """Return what words of a command line describe; later ones add to earlier ones.

    A word is a file's name or path, an axis (`camera`), or a parameter with its range (`camera.shift=0.05:0.08`).
    Raises VariationError.
    """
    axes: dict[str, dict[str, Range]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        axis, _, parameter = name.partition(".")
        if equals:
            pair = check_range(axis, parameter, _pair(axis, parameter, text.split(":")))
            axes.setdefault(axis, {})[parameter] = pair
        elif name in AXES:
            axes.setdefault(name, {})
        else:
            _merge(axes, _file(word))
    return Variation(axes)


def check_trained(variation: Variation) -> Variation:
    """Return a variation that draws nothing outside `config/variation/trained.yaml`, which evaluation counts on.

    Raises VariationError that names the axis and what training may draw.
    """
    allowed = load_variation(TRAINED)
    for axis, ranges in variation.axes.items():
        for name, parameter in AXES[axis].items():
            low, high = ranges.get(name, parameter.default)
            least, most = allowed.axes.get(axis, {}).get(name, parameter.default)
            if low < least or high > most:
                raise VariationError(
                    f"{axis}.{name} is {low:g} to {high:g}; training may draw {least:g} to {most:g} "
                    f"({TRAINED}.yaml): the rest is held out for evaluation"
                )
    return variation


def _file(word: str) -> Variation:
    if not word.endswith((".yaml", ".yml")) and word not in (files := config_names(FOLDER)):
        valid = (
            f"axes {', '.join(AXES)}; files {', '.join(files) or 'none'}; a path of a .yaml; AXIS.PARAMETER=LOW:HIGH"
        )
        raise VariationError(f"unknown variation {word!r}; valid: {valid}")
    return load_variation(word)


def _merge(axes: dict[str, dict[str, Range]], more: Variation) -> None:
    for axis, ranges in more.axes.items():
        axes.setdefault(axis, {}).update(ranges)


def _pair(axis: str, name: str, given: Any) -> Range:
    """Two numbers, or one that is both ends."""
    try:
        numbers = [float(each) for each in (given if isinstance(given, list | tuple) else [given])]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2):
        raise VariationError(f"{axis}.{name} is {given!r}; valid: one number, or the least and the greatest")
    return numbers[0], numbers[-1]
