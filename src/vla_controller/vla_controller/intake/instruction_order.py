# SPDX-License-Identifier: Apache-2.0
"""The order of instructions: a task that is not newer than all before it is never acted upon."""

from __future__ import annotations

from vla_core.instruction import BEYOND, is_number

from vla_controller.refusals import Refusal


class InstructionOrder:
    """Remembers the highest sequence that came."""

    def __init__(self) -> None:
        """Nothing has come: any sequence above 0 is new."""
        self.latest = 0

    def take(self, sequence: int) -> Refusal | None:
        """Take note of an instruction; return why it is not newer than those before."""
        if not is_number(sequence):
            return Refusal("instruction_not_newer", f"its sequence is {sequence}; valid is less than {BEYOND}")
        if sequence > self.latest:
            self.latest = sequence
            return None
        return Refusal(
            "instruction_not_newer", f"its sequence is {sequence}; valid is more than {self.latest}, which came before"
        )
