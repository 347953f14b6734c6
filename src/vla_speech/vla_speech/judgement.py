# SPDX-License-Identifier: Apache-2.0
"""From recognised text to a command, a question or neither."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vla_operator.commands import CommandKind, parse_command
from vla_operator.errors import CommandError
from vla_operator.halting import HaltDetector
from vla_operator.words import HaltWords

from vla_speech.heard import Heard, State
from vla_speech.recognition.grammar import NO, YES, Grammar, spoken_words
from vla_speech.recognition.transcript import Recogniser, Transcript
from vla_speech.settings import HearingSettings
from vla_speech.wake import split_wake

STOP = "stop"
_SHORT = 4  # [words] up to which an utterance that nobody addressed to the robot can halt it
_WAITING = "addressed: waiting for the command"


@dataclass(slots=True)
class Judge:
    """Decides what an utterance means, with what was asked and said before."""

    grammar: Grammar
    settings: HearingSettings
    words: HaltWords
    _asked: str = ""  # the instruction that a question is about
    _until: float = 0.0  # [s] stream time to which an answer counts
    _addressed_until: float = 0.0  # [s] stream time to which a command needs no wake phrase

    def expects(self, time: float) -> bool:
        """Return whether, at the stream time `time` [s], words count without the wake phrase."""
        return time <= max(self._until if self._asked else 0.0, self._addressed_until)

    def judge(self, transcript: Transcript, addressed: bool, start: float, end: float) -> Heard:
        """Return what `transcript` of the sound from `start` to `end` [s] means; `addressed` as by push-to-talk."""
        called, rest = split_wake(transcript.text, self.settings.wake_phrase)
        heard = Heard(State.REJECTED, transcript.text, transcript.recogniser, confidence=transcript.confidence, end=end)
        fit = self.grammar.fit(rest)
        if self._asked and start <= self._until and fit in (YES, NO):
            return self._answered(fit == YES, heard)
        meant = addressed or called or start <= self._addressed_until
        if self._halts(transcript, rest, meant):
            self.forget()
            return replace(heard, state=State.STOP, instruction=STOP)
        if not meant:
            return replace(heard, state=State.IGNORED, reason="not addressed to the robot")
        if called and not rest:
            self._addressed_until = end + self.settings.answer_time
            return replace(heard, state=State.IGNORED, reason=_WAITING)
        return self._command(heard, rest, end)

    def answer(self, yes: bool, end: float) -> Heard | None:
        """Return what follows from a typed answer at the stream time `end` [s]; None: nothing was asked."""
        if not self._asked or end > self._until:
            return None
        return self._answered(yes, Heard(State.REJECTED, "yes" if yes else "no", Recogniser.GRAMMAR, end=end))

    def forget(self) -> None:
        """Drop the open question, and the wake phrase that was said."""
        self._asked, self._addressed_until = "", 0.0

    def _answered(self, yes: bool, heard: Heard) -> Heard:
        asked, self._asked = self._asked, ""
        if not yes:
            return replace(heard, reason=f"the answer to {question(asked)!r} was no")
        return replace(heard, state=State.ACCEPTED, instruction=asked, confidence=1.0)

    def _halts(self, transcript: Transcript, rest: str, meant: bool) -> bool:
        if transcript.confidence < self.settings.unsure:
            return False  # a forced match; the path of the halt word hears a real one
        if meant:
            return HaltDetector(self.words).means_halt(rest)
        # What others say among themselves: short cries alone, and no bare "no", "easy" or "hold".
        return len(rest.split()) <= _SHORT and HaltDetector(replace(self.words, alone=())).means_halt(rest)

    def _command(self, heard: Heard, text: str, end: float) -> Heard:
        fits = self.grammar.fit(text)
        if not text or heard.confidence < self.settings.unsure or fits in (YES, NO):
            return replace(heard, reason=self._not_understood(text))
        try:
            command = parse_command(spoken_words(text) if fits else text)
        except CommandError as error:
            return replace(heard, reason=str(error))
        if command.kind is CommandKind.STOP:
            return replace(heard, state=State.STOP, instruction=STOP)
        if heard.confidence >= (self.settings.sure if fits else self.settings.sure_free):
            self.forget()
            return replace(heard, state=State.ACCEPTED, instruction=command.text)
        self._asked, self._until = command.text, end + self.settings.answer_time
        return replace(heard, state=State.ASKED, instruction=command.text, question=question(command.text))

    def _not_understood(self, text: str) -> str:
        heard = f"not understood (heard {text!r})" if text else "no words understood"
        return f"{heard}; say for example: {'; '.join(self.grammar.examples)}"


def question(instruction: str) -> str:
    """Return the question about an instruction that was recognised badly."""
    return f'did you say "{instruction.rstrip(".!?")}"?'
