# SPDX-License-Identifier: Apache-2.0
"""The encoder that a network was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.instruction.encoder import InstructionEncoder
from vla_policy.rt1.instruction.features import Encoder
from vla_policy.rt1.instruction.table import load_table


def find_encoder(config: RT1Config, control: Mapping[str, Any], folder: Path) -> Encoder:
    """Return what encodes instructions for the checkpoint in `folder`; `control`: its free entries.

    Raises ConfigurationError where it is not at hand.
    """
    if config.instruction == "vector":
        return load_table(folder, config.instruction_dim, str(control.get("instruction_encoder", "")))
    return InstructionEncoder(max_tokens=config.instruction_tokens)
