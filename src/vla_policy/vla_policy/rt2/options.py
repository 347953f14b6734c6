# SPDX-License-Identifier: Apache-2.0
"""The settings of the RT-2 policy, read from a PolicyConfig's options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_policy.errors import ActionRefusedError, ConfigurationError

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Options:
    """How actions are decoded.

    decode: greedy, median, sample, beam, or auto for what the checkpoint names; temperature: of sample; beams: of beam;
    mass: at which positions the probability of legal tokens is measured, first, all or none; min_legal_mass: an action
    under this is refused, 0 refuses none; plan: write a plan first, which the model must have been taught; compile: use
    CUDA graphs; seed: of sample, negative for another one every time.
    """

    decode: str = AUTO
    temperature: float = 1.0
    beams: int = 4
    mass: str = "first"
    min_legal_mass: float = 0.0
    plan: bool = False
    compile: bool = False
    seed: int = -1

    def __post_init__(self) -> None:
        """Raise ConfigurationError for an invalid threshold; the decoder checks the others."""
        if not 0.0 <= self.min_legal_mass <= 1.0:
            raise ConfigurationError(f"min_legal_mass is {self.min_legal_mass}; valid is 0 to 1")
        if self.min_legal_mass > 0.0 and self.mass == "none":
            raise ConfigurationError("min_legal_mass is above 0 and mass none; valid with a threshold are first, all")

    def check_mass(self, mass: NDArray[np.float32]) -> None:
        """Raise ActionRefusedError where the legal mass (d,) is under the threshold.

        mass: NaN where it was not asked for, or where the model's numbers are none.
        """
        least = float(mass.min()) if self.mass == "all" else float(mass[0])
        if self.min_legal_mass > 0.0 and not least >= self.min_legal_mass:
            raise ActionRefusedError(
                f"the model gives {least:.3f} to the legal actions; valid is {self.min_legal_mass} "
                "or more (min_legal_mass): it has something else to say",
                least,
            )


def text_option(options: Mapping[str, str | float | bool], name: str, default: str) -> str:
    """Return an option that is a text. Raises ConfigurationError for another type."""
    value = options.get(name, default)
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is {value!r}; valid is a text such as {default!r}")
    return value


def _number(options: Mapping[str, str | float | bool], name: str, default: float) -> float:
    value = options.get(name, default)
    if isinstance(value, str) or not math.isfinite(value):
        raise ConfigurationError(f"{name} is {value!r}; valid is a number such as {default}")
    return float(value)


def options_from(options: Mapping[str, str | float | bool]) -> Options:
    """Return the decoding options of a PolicyConfig. Raises ConfigurationError for another type of value."""
    plain = Options()
    return Options(
        decode=text_option(options, "decode", plain.decode),
        temperature=_number(options, "temperature", plain.temperature),
        beams=int(_number(options, "beams", plain.beams)),
        mass=text_option(options, "mass", plain.mass),
        min_legal_mass=_number(options, "min_legal_mass", plain.min_legal_mass),
        plan=bool(options.get("plan", plain.plan)),
        compile=bool(options.get("compile", plain.compile)),
        seed=int(_number(options, "seed", plain.seed)),
    )
