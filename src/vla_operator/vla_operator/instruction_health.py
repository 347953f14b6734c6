# SPDX-License-Identifier: Apache-2.0
"""What the instruction intake has accepted and refused."""

from dataclasses import dataclass

from vla_core.health import Health, Level


@dataclass(slots=True)
class InstructionHealth:
    """Counters of the node."""

    tasks: int = 0
    stops: int = 0
    refused: int = 0
    rivals: int = 0  # other publishers of instructions
    last_text: str = ""
    last_refusal: str = ""
    _latest_was_refused: bool = False

    def note_task(self, text: str) -> None:
        """A task was published."""
        self.tasks += 1
        self.last_text, self._latest_was_refused = text, False

    def note_stop(self, text: str) -> None:
        """A stop was published."""
        self.stops += 1
        self.last_text, self._latest_was_refused = text, False

    def note_refused(self, reason: str) -> None:
        """A command was refused."""
        self.refused += 1
        self.last_refusal, self._latest_was_refused = reason, True

    def report(self) -> Health:
        """A warning while the latest command was refused."""
        counts = {
            "tasks": str(self.tasks),
            "stops": str(self.stops),
            "refused": str(self.refused),
            "last_text": self.last_text,
            "last_refusal": self.last_refusal,
        }
        if self.rivals:
            reason = f"{self.rivals} other publisher(s) of instructions: only instruction_node is to give them"
            return Health(Level.WARN, "rivals", reason, counts)
        if self._latest_was_refused:
            return Health(Level.WARN, f"refused_{self.refused}", self.last_refusal, counts)
        return Health(Level.OK, "ok", f"{self.tasks} tasks, {self.stops} stops, {self.refused} refused", counts)
