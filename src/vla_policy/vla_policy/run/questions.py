# SPDX-License-Identifier: Apache-2.0
"""Questions to the policy that wait for their turn in the inference thread."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from vla_policy.errors import InstructionError
from vla_policy.policy import Answer

MAX_WAITING = 8


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where the answer goes; cancelling `answer` before its turn withdraws the question."""

    text: str
    answer: Future[Answer] = field(default_factory=Future)


class QuestionQueue:
    """First come, first served. The caller holds one lock around all calls."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: deque[Question] = deque()

    def add(self, text: str) -> Future[Answer]:
        """Return where the answer will be; it fails at once with InstructionError when too many questions wait."""
        question = Question(text)
        self._waiting = deque(other for other in self._waiting if not other.answer.cancelled())
        if len(self._waiting) >= MAX_WAITING:
            question.answer.set_exception(
                InstructionError(f"{MAX_WAITING} questions wait already; ask again when they are answered")
            )
        else:
            self._waiting.append(question)
        return question.answer

    def take(self) -> Question | None:
        """Return the next question that nobody has withdrawn, or None; from now on it cannot be withdrawn."""
        while self._waiting:
            question = self._waiting.popleft()
            if question.answer.set_running_or_notify_cancel():
                return question
        return None

    def refuse_all(self, reason: str) -> None:
        """Answer everything that waits with an InstructionError."""
        while (question := self.take()) is not None:
            question.answer.set_exception(InstructionError(reason))
