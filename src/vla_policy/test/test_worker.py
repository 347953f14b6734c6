# SPDX-License-Identifier: Apache-2.0
"""The inference thread, without ROS."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, ActionValueError, DeltaReference
from vla_policy.errors import InstructionError, ObservationError
from vla_policy.policy import Answer, Observation, Policy
from vla_policy.run.questions import MAX_WAITING
from vla_policy.run.runner import PolicyRunner
from vla_policy.run.state import Job, Stamped, State, Task
from vla_policy.run.worker import InferenceWorker
from vla_policy.settings import Settings


@dataclass(frozen=True)
class Seen:
    observation: Observation


class Slow(Policy):
    """Waits in `infer` until it is let go."""

    def __init__(self) -> None:
        self.resets: list[str] = []
        self.done: list[str] = []
        self.entered, self.go = threading.Event(), threading.Event()

    def reset(self, instruction: str) -> None:
        self.resets.append(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        self.entered.set()
        assert self.go.wait(5.0)
        self.done.append("inference")
        return ActionChunk(observation.stamp, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (ActionStep(),))

    def ask(self, observation: Observation, question: str) -> Answer:
        assert threading.current_thread().name == "inference"
        self.done.append(question)
        return Answer("" if question == "nothing?" else f"{question} {observation.stamp}", 0.5)


class Bench:
    def __init__(self) -> None:
        self.policy, self.runner, self.sent = Slow(), PolicyRunner[Seen](Settings(rate=50.0)), []
        self.prepare: Callable[[Job[Seen], ActionChunk, float], str] = lambda job, chunk, duration: job.task.id
        self.worker = InferenceWorker(
            self.policy, self.runner, time.monotonic, lambda *args: self.prepare(*args), self.sent.append
        )
        self.worker.start()

    def tell(self, name: str, stop: bool = False) -> None:
        with self.worker.locked():
            self.runner.on_instruction(
                Task(name, "text of " + name, time.monotonic(), stop, time.time_ns()), time.monotonic()
            )
            self.worker.notify()

    def see(self) -> None:
        now = time.monotonic()
        observation = Observation(
            now,
            {"front": np.zeros((2, 2, 3), np.uint8)},
            (),
            np.zeros(0),
            np.zeros(3),
            np.array([0.0, 0.0, 0.0, 1.0]),
            0.0,
        )
        with self.worker.locked():
            self.runner.on_observation(Stamped(now, Seen(observation)))
            self.worker.notify()

    def state(self) -> State:
        with self.worker.locked():
            return self.runner.status(time.monotonic()).state

    def until(self, condition: Callable[[], bool]) -> bool:
        limit = time.monotonic() + 3.0
        while not condition() and time.monotonic() < limit:
            time.sleep(0.002)
        return condition()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.policy.go.set()
    made.worker.stop()
    assert not made.worker.alive


def test_a_chunk_in_the_making_is_dropped_by_a_stop(bench: Bench) -> None:
    bench.tell("a")
    bench.see()
    assert bench.policy.entered.wait(3.0)
    bench.tell("s", stop=True)
    bench.policy.go.set()
    bench.see()
    time.sleep(0.1)
    assert bench.sent == []
    assert bench.state() is State.STOPPED


def test_a_new_task_waits_for_the_inference_in_hand_and_is_reset_first(bench: Bench) -> None:
    bench.tell("a")
    bench.see()
    assert bench.policy.entered.wait(3.0)
    bench.tell("b")
    bench.policy.go.set()
    assert bench.until(lambda: bool(bench.sent))
    assert bench.sent[0] == "b"
    assert bench.policy.resets == ["text of a", "text of b"]


def test_messages_are_taken_while_the_policy_thinks(bench: Bench) -> None:
    bench.tell("a")
    bench.see()
    assert bench.policy.entered.wait(3.0)
    started = time.monotonic()
    for _ in range(20):
        bench.see()
    assert time.monotonic() - started < 0.5
    with bench.worker.locked():
        assert bench.runner.status(time.monotonic()).observations_skipped == 19


def test_a_chunk_that_cannot_become_a_message_ends_the_task_and_not_the_thread(bench: Bench) -> None:
    def refuse(job: Job[Seen], chunk: ActionChunk, duration: float) -> str:
        raise ActionValueError("no such joint")

    good, bench.prepare = bench.prepare, refuse
    bench.policy.go.set()
    bench.tell("a")
    bench.see()
    assert bench.until(lambda: bench.state() is State.ERROR)
    bench.prepare = good
    bench.tell("b")
    bench.see()
    assert bench.until(lambda: bench.sent == ["b"])


def test_stopping_an_idle_worker_is_quick(bench: Bench) -> None:
    started = time.monotonic()
    bench.worker.stop()
    assert time.monotonic() - started < 0.5


def test_questions_wait_for_the_inference_in_hand_and_take_turns_with_the_next_ones(bench: Bench) -> None:
    bench.tell("a")
    bench.see()
    assert bench.policy.entered.wait(3.0)
    answers = [bench.worker.ask(f"{k}?") for k in range(3)]
    time.sleep(0.05)
    assert not any(answer.done() for answer in answers)
    bench.tell("b")  # due at once, on the picture at hand
    bench.policy.go.set()
    assert [answer.result(3.0).text.split()[0] for answer in answers] == ["0?", "1?", "2?"]
    assert bench.policy.done[:3] == ["inference", "0?", "inference"]


def test_a_question_needs_no_task_but_a_picture(bench: Bench) -> None:
    with pytest.raises(ObservationError, match="no observation received yet"):
        bench.worker.ask("what?").result(3.0)
    bench.see()
    assert bench.worker.ask("what?").result(3.0).confidence == 0.5
    with pytest.raises(InstructionError, match="answered nothing"):
        bench.worker.ask("nothing?").result(3.0)
    assert bench.state() is State.IDLE


def test_a_withdrawn_question_is_never_asked_and_makes_room(bench: Bench) -> None:
    bench.tell("a")
    bench.see()
    assert bench.policy.entered.wait(3.0)
    withdrawn = [bench.worker.ask("withdrawn?") for _ in range(MAX_WAITING)]
    with pytest.raises(InstructionError, match=f"{MAX_WAITING} questions wait"):
        bench.worker.ask("too many?").result(0.0)
    assert all(question.cancel() for question in withdrawn)
    kept = bench.worker.ask("kept?")
    bench.policy.go.set()
    assert kept.result(3.0).text.startswith("kept?")
    assert "withdrawn?" not in bench.policy.done


def test_questions_end_with_the_worker(bench: Bench) -> None:
    bench.tell("a")
    bench.see()
    assert bench.policy.entered.wait(3.0)
    waiting = bench.worker.ask("what?")
    threading.Timer(0.1, bench.policy.go.set).start()
    bench.worker.stop()
    for question in (waiting, bench.worker.ask("and now?")):
        with pytest.raises(InstructionError, match="shutting down"):
            question.result(0.0)


def test_a_policy_that_breaks_ends_its_task_and_leaves_its_traceback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(observation: Observation) -> ActionChunk:
        raise RuntimeError("CUDA out of memory")

    bench.policy.infer = fails  # type: ignore[method-assign]
    bench.tell("a")
    bench.see()
    deadline = time.monotonic() + 5.0
    while bench.state() is not State.ERROR and time.monotonic() < deadline:
        time.sleep(0.01)
    assert bench.runner.status(time.monotonic()).reason == "inference failed: RuntimeError: CUDA out of memory"
    assert any(record.exc_info and "CUDA out of memory" in record.exc_text for record in caplog.records)
