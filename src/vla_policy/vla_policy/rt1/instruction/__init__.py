# SPDX-License-Identifier: Apache-2.0
"""Instruction text to the vector that conditions the network."""

from vla_policy.rt1.instruction.choice import find_encoder
from vla_policy.rt1.instruction.encoder import ENCODER_DIM, InstructionEncoder, InstructionEncoderError, encoder_path
from vla_policy.rt1.instruction.features import Encoder, InstructionFeatures, normalise_instruction
from vla_policy.rt1.instruction.pooling import InstructionPooling
from vla_policy.rt1.instruction.table import InstructionTable, load_table, read_embeddings

__all__ = [
    "ENCODER_DIM",
    "Encoder",
    "InstructionEncoder",
    "InstructionEncoderError",
    "InstructionFeatures",
    "InstructionPooling",
    "InstructionTable",
    "encoder_path",
    "find_encoder",
    "load_table",
    "normalise_instruction",
    "read_embeddings",
]
