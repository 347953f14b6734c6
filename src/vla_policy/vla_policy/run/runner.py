# SPDX-License-Identifier: Apache-2.0
"""What the policy node decides: when to infer, on which observation, and what becomes of the result.

No ROS, no threads, no clock: every call is given the time [s], and the caller holds one lock around all calls.
An inference is a Job: `next_job` hands it out, the caller runs the policy, `finish` says whether its chunk may go out.
"""

import math
from collections import deque
from typing import Generic

from vla_core.action import ActionChunk
from vla_core.instruction import BEYOND, is_number

from vla_policy.action.certainty import legal_mass, token_confidence
from vla_policy.ahead import Leftovers
from vla_policy.errors import ActionRefusedError, InstructionError, ObservationError, UnavailableError
from vla_policy.run.questions import MAX_TEXT
from vla_policy.run.state import ACTIVE, Job, ObservationT, Stamped, State, Status, Task
from vla_policy.settings import Settings

RATE_WINDOW_S = 2.0
CLOCK_STEP_S = 0.1  # backward step of the clock from which everything stamped before it is dropped
EARLY_S = 1e-6  # rounding of sums of periods must not cost an observation


class PolicyRunner(Generic[ObservationT]):
    """The state machine of the policy node."""

    def __init__(self, settings: Settings) -> None:
        """Start idle."""
        self._settings = settings
        self._state, self._reason = State.IDLE, ""
        self._task: Task | None = None
        self._sequence = 0  # the highest that was received
        self._clock = -math.inf  # [s] latest time passed in
        self._notices: list[str] = []
        self._leftovers = Leftovers(settings.latency_budget)
        self._generation = 0
        self._needs_reset = False
        self._slot: Stamped[ObservationT] | None = None
        self._unusable = ""  # why the latest observation could not be used
        self._used_stamp = math.nan
        self._due = -math.inf
        self._terminating = 0
        self._chunks = self._task_chunks = self._skipped = self._refused = 0
        self._started = -math.inf  # when the job in hand began
        self._starts: deque[float] = deque(maxlen=200)  # of the inferences whose chunks were sent
        self._inference_time = self._observation_age = self._confidence = self._legal_mass = math.nan

    def serves(self, task: Task) -> bool:
        """Whether this is the instruction at hand: one that comes again was sent again for somebody else."""
        return self._task is not None and (task.id, task.sequence) == (self._task.id, self._sequence)

    def on_instruction(self, task: Task, now: float) -> str:
        """Take a new instruction; return why it is ignored, or nothing.

        Instructions are ordered by their sequence, never by the clock. Whatever is being inferred for the one before is
        dropped. A stop is never ignored.
        """
        self._watch_clock(now)
        if not task.stop and not is_number(task.sequence):
            return f"its sequence is {task.sequence}; valid is less than {BEYOND}"
        if not task.stop and task.sequence <= self._sequence:
            return f"its sequence {task.sequence} is not above {self._sequence}, which was received before"
        if is_number(task.sequence):
            self._sequence = max(self._sequence, task.sequence)
        self._task = task
        self._leftovers.forget()
        self._generation += 1
        self._needs_reset, self._terminating, self._task_chunks, self._due = True, 0, 0, now
        if task.stop:
            self._enter(State.STOPPED, "stopped by instruction")
        elif refusal := self._refusal(task, now):
            self._enter(State.ERROR, refusal)
        else:
            self._enter(State.WAITING, self._why_not(now) or "the first inference is not done yet")
        return ""

    def take_notices(self) -> list[str]:
        """Return what is to be logged since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def on_observation(self, observation: Stamped[ObservationT]) -> None:
        """Take a usable observation; the latest one wins."""
        if self._slot is not None and self._slot.stamp != self._used_stamp and self._state in ACTIVE:
            self._skipped += 1
        self._slot, self._unusable = observation, ""

    def on_unusable_observation(self, reason: str) -> None:
        """Note that an observation came which cannot be used, and why."""
        self._slot, self._unusable = None, f"observation not usable: {reason}"

    def latest(self, now: float) -> ObservationT:
        """Return the latest observation, used already or not. Raises ObservationError where none is fit to be used."""
        reason = self._why_not(now)
        if reason or self._slot is None:
            raise ObservationError(reason)
        return self._slot.value

    def next_job(self, now: float) -> Job[ObservationT] | None:
        """Return the inference to run now, or None; sets WAITING with a reason where there is nothing to see."""
        self._watch_clock(now)
        if self._state not in ACTIVE or self._task is None or now < self._due - EARLY_S:
            return None
        reason = self._why_not(now)
        if reason or self._slot is None:
            self._enter(State.WAITING, reason)
            return None
        if self._slot.stamp == self._used_stamp and not self._needs_reset:
            return None  # seen already, and not yet too old: the next one is awaited
        period = 1.0 / self._settings.rate
        # The first inference sets the beat, as does one after a pause; later ones keep it.
        self._due = (now if self._needs_reset or now - self._due > period else self._due) + period
        self._started = now
        self._used_stamp = self._slot.stamp
        ahead = self._leftovers.ahead(self._slot.stamp)
        return Job(self._generation, self._task, self._needs_reset, self._slot, ahead)

    def seconds_to_next(self, now: float) -> float:
        """Return how long [s] `next_job` will surely return None, unless an instruction or observation comes."""
        return max(self._due - now, 0.0) if self._state in ACTIVE else math.inf

    def is_current(self, job: Job[ObservationT]) -> bool:
        """Whether the job still serves the current instruction."""
        return job.generation == self._generation and self._state in ACTIVE

    def finish(
        self,
        job: Job[ObservationT],
        result: ActionChunk | Exception,
        now: float,
        inference_time: float,
    ) -> bool:
        """Take what the policy made of a job; return whether the chunk is to be sent."""
        if now < self._started:  # before the job began: the clock went back meanwhile
            self._watch_clock(now)
        if not self.is_current(job):
            return False
        if isinstance(result, Exception):
            self._fail(result)
            return False
        self._needs_reset = False
        self._leftovers.sent(result, now)
        self._inference_time, self._observation_age = inference_time, now - job.observation.stamp
        self._confidence, self._legal_mass = token_confidence(result), legal_mass(result)
        self._chunks, self._task_chunks = self._chunks + 1, self._task_chunks + 1
        self._starts.append(self._started)
        self._terminating = self._terminating + 1 if result.terminate else 0
        done = self._terminating >= self._settings.terminate_chunks
        self._enter(State.DONE if done else State.RUNNING, "the policy finished its task" if done else "")
        return True

    def status(self, now: float) -> Status:
        """Return a snapshot."""
        return Status(
            self._state,
            self._reason,
            self._task,
            self._rate(now),
            self._inference_time,
            self._observation_age,
            self._confidence,
            self._chunks,
            self._task_chunks,
            self._skipped,
            self._legal_mass,
            self._refused,
            self._sequence,
        )

    def _refusal(self, task: Task, now: float) -> str:
        if not 1 <= len(task.text.strip()) <= MAX_TEXT:
            return f"instruction has {len(task.text)} characters; valid is 1 to {MAX_TEXT}"
        age, limit = now - task.stamp, self._settings.max_instruction_age
        return f"the instruction is {age:.1f} s old; valid is at most {limit:g} s" if age > limit else ""

    def _watch_clock(self, now: float) -> None:
        """Drop what is stamped in a time that has not come yet, where the clock went back; the task stays."""
        before, self._clock = self._clock, now
        if before - now < CLOCK_STEP_S:
            return
        text = f"the clock went back from {before:.3f} to {now:.3f} s"
        self._notices.append(f"{text}; the arm holds until an observation of the new time comes")
        self._slot, self._unusable = None, f"{text}; no observation since"
        self._used_stamp, self._due = math.nan, now
        self._starts.clear()
        self._leftovers.forget()
        self._generation += 1  # what is being inferred was seen before
        if self._state in ACTIVE:
            self._needs_reset = True
            self._enter(State.WAITING, self._unusable)

    def _why_not(self, now: float) -> str:
        """Return why there is no observation to use, or nothing."""
        if self._slot is None:
            return self._unusable or "no observation received yet"
        age, limit = now - self._slot.stamp, self._settings.max_observation_age
        if age > limit:
            return f"the latest observation is {age:.2f} s old; valid is at most {limit:g} s"
        if age < -limit:
            return f"the latest observation is {-age:.2f} s in the future: the clocks differ"
        return ""

    def _fail(self, error: Exception) -> None:
        if isinstance(error, ObservationError):
            self.on_unusable_observation(str(error))
            self._enter(State.WAITING, self._unusable)
        elif isinstance(error, ActionRefusedError):
            self._refused, self._legal_mass = self._refused + 1, error.legal_mass
            self._needs_reset, self._terminating = False, 0  # the policy continues; a refused action ends nothing
            self._enter(State.WAITING, f"action refused: {error}")
        elif isinstance(error, UnavailableError):
            self._needs_reset, self._terminating = True, 0  # the server may have lost what it knew of the task
            self._enter(State.WAITING, f"no actions: {error}")
        elif isinstance(error, InstructionError):
            self._enter(State.ERROR, f"instruction not served: {error}")
        else:
            self._enter(State.ERROR, f"inference failed: {type(error).__name__}: {error}")

    def _enter(self, state: State, reason: str) -> None:
        self._state, self._reason = state, reason

    def _rate(self, now: float) -> float:
        """Chunks a second [Hz] over RATE_WINDOW_S, by the starts: ends crowd after a slow first inference."""
        recent = [start for start in self._starts if now - start <= RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0
