# SPDX-License-Identifier: Apache-2.0
"""Questions to the policy that wait for their turn in the inference thread."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from vla_policy.errors import InstructionError
from vla_policy.policy import Answer

MAX_WAITING = 8
MAX_TEXT = 512  # characters, as in vla_msgs/Instruction


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where the answer goes; cancelling `answer` before its turn withdraws the question."""

    text: str
    answer: Future[Answer] = field(default_factory=Future)


def text_refusal(text: str) -> str:
    """Return why a text cannot be given to a policy, or nothing."""
    if not 1 <= len(text.strip()) <= MAX_TEXT:
        return f"text has {len(text)} characters; valid is 1 to {MAX_TEXT}"
    if any(character == "\N{REPLACEMENT CHARACTER}" or "\ud800" <= character <= "\udfff" for character in text):
        return "text is not clean UTF-8; valid is UTF-8 without replacement characters"
    return ""


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
