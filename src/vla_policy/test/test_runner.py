# SPDX-License-Identifier: Apache-2.0
"""The policy node's decisions, with the time passed in."""

import math

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.errors import ActionRefusedError, InstructionError, ObservationError, UnavailableError
from vla_policy.run.runner import PolicyRunner
from vla_policy.run.state import Job, Stamped, State, Task
from vla_policy.settings import Settings

CHUNK_S = 0.03  # [s] an inference takes in these tests


def chunk(
    terminate: bool = False, probability: float | None = None, legal: tuple[float, float] | None = None
) -> ActionChunk:
    shape = None if probability is None else np.full((1, 2), probability, dtype=np.float32)
    return ActionChunk(
        0.0,
        ActionMode.EE_DELTA,
        DeltaReference.OBSERVED,
        0.2,
        (ActionStep(terminate=terminate),),
        token_probabilities=shape,
        dimension_names=("a", "b"),
        legal_mass=None if legal is None else np.array([legal], dtype=np.float32),
    )


def started(**settings: float) -> PolicyRunner[str]:
    runner: PolicyRunner[str] = PolicyRunner(Settings(**settings))  # type: ignore[arg-type]
    assert runner.on_instruction(Task("1", "pick up the red block", 0.0, sequence=1), 0.0) == ""
    return runner


def see(runner: PolicyRunner[str], stamp: float) -> None:
    runner.on_observation(Stamped(stamp, f"image at {stamp}"))


def infer(runner: PolicyRunner[str], now: float, result: ActionChunk | Exception | None = None) -> bool:
    see(runner, now)
    job = runner.next_job(now)
    assert job is not None
    return runner.finish(job, result or chunk(), now + CHUNK_S, CHUNK_S)


def state(runner: PolicyRunner[str], now: float = 0.0) -> State:
    return runner.status(now).state


def test_idle_until_told_and_then_waits_for_an_image_with_a_reason() -> None:
    runner: PolicyRunner[str] = PolicyRunner(Settings())
    see(runner, 0.0)
    assert runner.next_job(0.0) is None
    assert state(runner) is State.IDLE
    assert runner.seconds_to_next(0.0) == math.inf
    runner = started()
    assert runner.next_job(0.0) is None
    assert state(runner) is State.WAITING
    assert "no observation" in runner.status(0.0).reason


@pytest.mark.parametrize("camera_hz", [5.0, 10.0, 30.0])
@pytest.mark.parametrize("rate", [3.0, 5.0])
def test_the_rate_is_kept_whatever_the_camera_does_and_the_latest_image_wins(camera_hz: float, rate: float) -> None:
    runner, busy_until, job, ages, jobs = started(rate=rate), 0.0, None, [], 0
    for tick in range(10000):
        now = tick / 1000
        if tick % round(1000 / camera_hz) == 0:
            see(runner, now)
        if job is not None and now >= busy_until:
            assert runner.finish(job, chunk(), now, CHUNK_S)
            job = None
        if job is None and (job := runner.next_job(now)) is not None:
            busy_until, jobs = now + CHUNK_S, jobs + 1
            ages.append(now - job.observation.stamp)
    assert jobs == pytest.approx(10 * rate, abs=2)
    assert max(ages) <= 1 / camera_hz + 1e-9
    status = runner.status(10.0)
    assert status.rate == pytest.approx(rate, rel=0.1)
    assert status.chunks == pytest.approx(jobs, abs=1)
    assert status.observations_skipped == pytest.approx(10 * camera_hz - jobs, abs=3)


def test_slow_inference_lowers_the_rate_and_does_not_burst_afterwards() -> None:
    runner, now, starts = started(rate=5.0), 0.0, []
    for duration in (1.0, 0.01, 0.01, 0.01):
        while True:
            see(runner, now)
            if (job := runner.next_job(now)) is not None:
                break
            now += 0.01
        starts.append(now)
        now += duration
        runner.finish(job, chunk(), now, duration)
    assert np.diff(starts).min() > 0.15


@pytest.mark.parametrize("first", [0.02, 0.18, 0.6])
def test_the_reported_rate_never_overshoots_though_the_first_inference_is_slow(first: float) -> None:
    runner, busy_until, job, rates = started(rate=5.0), 0.0, None, []
    for tick in range(3000):
        now = tick / 1000
        if tick % 50 == 0:
            see(runner, now)
        if job is not None and now >= busy_until:
            runner.finish(job, chunk(), now, CHUNK_S)
            rates.append(runner.status(now).rate)
            job = None
        if job is None and (job := runner.next_job(now)) is not None:
            busy_until = now + (first if not rates else 0.02)
    assert max(rates) <= 5.0 * 1.01
    assert min(rates[4:]) > 3.0
    assert rates[-1] == pytest.approx(5.0, rel=0.02)


def test_each_observation_is_used_once() -> None:
    runner = started()
    assert infer(runner, 0.0)
    assert runner.next_job(0.21) is None
    assert state(runner) is State.RUNNING
    see(runner, 0.22)
    assert runner.next_job(0.23) is not None


def test_only_the_first_job_of_an_instruction_resets_the_policy() -> None:
    runner = started()
    for index, expected in enumerate((True, False, False)):
        see(runner, index * 0.2)
        job = runner.next_job(index * 0.2)
        assert job is not None
        assert job.reset is expected
        runner.finish(job, chunk(), index * 0.2, 0.0)


def test_a_new_instruction_resets_mid_run_and_drops_the_chunk_of_the_old_one() -> None:
    runner = started()
    see(runner, 0.0)
    old = runner.next_job(0.0)
    assert old is not None
    assert not runner.on_instruction(Task("2", "push the block to the left", 0.01, sequence=2), 0.01)
    assert not runner.finish(old, chunk(), 0.05, 0.05)
    assert runner.status(0.05).chunks == 0
    new = runner.next_job(0.05)  # at once, on the image at hand, without waiting for the period
    assert new is not None
    assert new.reset
    assert new.task.id == "2"


def test_stop_ends_it_and_nothing_follows_until_a_new_task() -> None:
    runner = started()
    see(runner, 0.0)
    job = runner.next_job(0.0)
    assert job is not None
    assert not runner.on_instruction(Task("s", "", -5.0, stop=True, sequence=1), 0.01)  # whatever its order
    assert not runner.finish(job, chunk(), 0.02, 0.02)
    see(runner, 0.3)
    assert runner.next_job(0.3) is None
    assert state(runner) is State.STOPPED
    assert not runner.on_instruction(Task("2", "again", 0.4, sequence=2), 0.4)
    assert infer(runner, 0.4)
    assert state(runner) is State.RUNNING


@pytest.mark.parametrize("sequence", [0, 1, 4, 5])
def test_a_task_that_is_not_newer_by_its_sequence_is_ignored_with_the_reason(sequence: int) -> None:
    runner = started()
    assert not runner.on_instruction(Task("2", "newer", 0.1, sequence=5), 0.1)
    ignored = runner.on_instruction(Task("0", "older, with a newer stamp", 9.0, sequence=sequence), 9.0)
    assert f"its sequence {sequence} is not above 5" in ignored
    assert runner.status(9.0).task == Task("2", "newer", 0.1, sequence=5)
    assert runner.status(9.0).instruction_sequence == 5


@pytest.mark.parametrize("stop", [True, False])
def test_a_number_that_is_none_does_not_outrank_the_instructions_to_come(stop: bool) -> None:
    runner = started()
    ignored = runner.on_instruction(Task("x", "broken", 0.1, stop=stop, sequence=2**64 - 1), 0.1)
    assert stop is not ("valid is less than" in ignored)
    assert runner.status(0.1).instruction_sequence == 1
    assert runner.on_instruction(Task("2", "newer", 0.2, sequence=2), 0.2) == ""


def test_a_task_older_than_a_stop_does_not_lift_it() -> None:
    runner = started()
    assert not runner.on_instruction(Task("s", "stop", 1.0, stop=True, sequence=7), 1.0)
    assert runner.on_instruction(Task("2", "pick up the bowl", 2.0, sequence=6), 2.0)
    assert state(runner) is State.STOPPED


def test_a_task_that_arrives_too_late_ends_the_one_before_and_says_why() -> None:
    runner = started(max_instruction_age=60.0)
    assert infer(runner, 0.0)
    assert not runner.on_instruction(Task("2", "from long ago", 0.0, sequence=2), 3600.0)
    assert state(runner) is State.ERROR
    assert "3600.0 s old; valid is at most 60 s" in runner.status(3600.0).reason


@pytest.mark.parametrize("back", [0.15, 3.0, 119.0, 1e9])
def test_after_the_clock_goes_back_it_holds_says_so_and_goes_on_with_new_observations(back: float) -> None:
    runner = started()
    assert infer(runner, 0.0)
    assert infer(runner, 0.2)
    see(runner, 0.4)
    now = 0.2 + CHUNK_S - back
    assert runner.next_job(now) is None
    status = runner.status(now)
    assert status.state is State.WAITING
    assert "the clock went back from 0.2" in status.reason
    (notice,) = runner.take_notices()
    assert "the clock went back" in notice
    assert runner.take_notices() == []
    assert runner.next_job(now + 0.05) is None  # what was seen before the step is not used
    assert runner.seconds_to_next(now + 0.05) == 0.0
    see(runner, now + 0.1)
    job = runner.next_job(now + 0.1)
    assert job is not None
    assert job.reset
    assert runner.finish(job, chunk(), now + 0.13, 0.03)
    assert state(runner) is State.RUNNING
    assert runner.status(now + 0.13).rate == 0.0
    assert infer(runner, now + 0.3)
    assert runner.status(now + 0.33).rate == pytest.approx(5.0)


def test_what_was_being_inferred_when_the_clock_went_back_is_dropped() -> None:
    runner = started()
    see(runner, 100.0)
    runner.status(100.0)
    job = runner.next_job(100.0)
    assert job is not None
    assert not runner.finish(job, chunk(), 1.0, 0.5)
    assert state(runner) is State.WAITING


def test_after_the_clock_went_back_new_instructions_are_taken_at_once() -> None:
    runner = started()
    assert infer(runner, 120.0)
    for number, now in ((2, 1.0), (3, 1.1)):
        assert not runner.on_instruction(Task(str(number), "pick up the green block", now, sequence=number), now)
        assert runner.status(now).task == Task(str(number), "pick up the green block", now, sequence=number)
        assert infer(runner, now)
        assert state(runner) is State.RUNNING


@pytest.mark.parametrize("instruction", [True, False])
def test_a_clock_that_steps_back_while_nothing_runs_wakes_nothing(instruction: bool) -> None:
    runner: PolicyRunner[str] = PolicyRunner(Settings())
    if instruction:
        runner.on_instruction(Task("s", "stop", 100.0, stop=True, sequence=1), 100.0)
    else:
        runner.next_job(100.0)
    before = state(runner)
    assert runner.next_job(1.0) is None
    assert state(runner) is before
    assert len(runner.take_notices()) == 1


@pytest.mark.parametrize("on", [2.0, 3600.0])
def test_after_the_clock_goes_forward_it_waits_for_an_observation_and_does_not_burst(on: float) -> None:
    runner = started()
    assert infer(runner, 0.0)
    see(runner, 0.1)
    assert runner.next_job(on) is None
    assert state(runner) is State.WAITING
    assert "s old; valid is at most" in runner.status(on).reason
    assert infer(runner, on + 0.05)
    assert state(runner) is State.RUNNING
    see(runner, on + 0.1)
    assert runner.next_job(on + 0.1) is None
    assert infer(runner, on + 0.26)


def test_a_clock_that_trembles_changes_nothing() -> None:
    runner = started()
    assert infer(runner, 0.0)
    see(runner, 0.2)
    assert runner.next_job(0.199) is None
    assert runner.next_job(0.2) is not None
    assert runner.take_notices() == []


@pytest.mark.parametrize("text", ["", "  ", "x" * 10240])
def test_a_bad_text_is_an_error_with_the_valid_length(text: str) -> None:
    runner: PolicyRunner[str] = PolicyRunner(Settings())
    runner.on_instruction(Task("1", text, 0.0, sequence=1), 0.0)
    see(runner, 0.0)
    assert runner.next_job(0.0) is None
    assert state(runner) is State.ERROR
    assert "1 to 512" in runner.status(0.0).reason
    assert len(runner.status(0.0).reason) < 100


def test_done_after_terminate_in_consecutive_chunks_only() -> None:
    runner = started()
    for index, terminate in enumerate((True, False, True)):
        assert infer(runner, index * 0.2, chunk(terminate))
        assert state(runner) is State.RUNNING
    assert infer(runner, 0.6, chunk(True))
    assert state(runner) is State.DONE
    see(runner, 0.8)
    assert runner.next_job(0.8) is None


def test_a_frozen_camera_makes_it_wait_with_the_age_and_it_recovers() -> None:
    runner = started(max_observation_age=0.5)
    assert infer(runner, 0.0)
    assert runner.next_job(0.4) is None
    assert state(runner) is State.RUNNING
    assert runner.next_job(0.7) is None
    assert state(runner) is State.WAITING
    assert "0.70 s old; valid is at most 0.5 s" in runner.status(0.7).reason
    assert infer(runner, 0.8)
    assert state(runner) is State.RUNNING
    assert runner.status(0.8).reason == ""


def test_an_image_from_the_future_is_not_used() -> None:
    runner = started()
    see(runner, 100.0)
    assert runner.next_job(0.0) is None
    assert "clocks differ" in runner.status(0.0).reason


def test_an_unusable_observation_is_named_while_waiting() -> None:
    runner = started()
    runner.on_unusable_observation("encoding is yuv; valid is rgb8")
    assert runner.next_job(0.0) is None
    assert state(runner) is State.WAITING
    assert "valid is rgb8" in runner.status(0.0).reason
    assert infer(runner, 0.1)


def test_an_observation_error_of_the_policy_waits_for_the_next_one() -> None:
    runner = started()
    assert not infer(runner, 0.0, ObservationError("image is 1 px high"))
    assert state(runner) is State.WAITING
    assert "1 px" in runner.status(0.0).reason
    assert infer(runner, 0.2)


@pytest.mark.parametrize("error", [InstructionError("no such object; valid are red, blue"), RuntimeError("boom")])
def test_an_exception_is_an_error_until_the_next_instruction(error: Exception) -> None:
    runner = started()
    assert not infer(runner, 0.0, error)
    assert state(runner) is State.ERROR
    assert str(error) in runner.status(0.0).reason
    see(runner, 0.2)
    assert runner.next_job(0.2) is None
    assert not runner.on_instruction(Task("2", "try again", 0.3, sequence=2), 0.3)
    assert infer(runner, 0.3)
    assert state(runner) is State.RUNNING


def test_a_refused_action_is_counted_and_the_task_goes_on_without_a_reset() -> None:
    runner = started(terminate_chunks=2)
    refusal = ActionRefusedError("legal mass is 0.02; valid is at least 0.5")
    for index in range(3):
        assert not infer(runner, index * 0.2, refusal)
        status = runner.status(index * 0.2)
        assert (status.state, status.actions_refused, status.chunks) == (State.WAITING, index + 1, 0)
        assert status.reason == "action refused: legal mass is 0.02; valid is at least 0.5"
    assert runner.next_job(0.61) is None  # the picture was seen; the reason stays until the next one
    assert "refused" in runner.status(0.61).reason
    see(runner, 0.65)
    job = runner.next_job(0.65)
    assert job is not None
    assert not job.reset
    assert runner.finish(job, chunk(terminate=True), 0.7, 0.05)
    assert runner.status(0.7).reason == ""
    infer(runner, 0.9, refusal)
    assert infer(runner, 1.1, chunk(terminate=True))
    assert state(runner) is State.RUNNING  # the two that terminate are not in a row


def test_a_refusal_for_an_instruction_of_the_past_counts_for_nothing() -> None:
    runner = started()
    see(runner, 0.0)
    job = runner.next_job(0.0)
    assert job is not None
    runner.on_instruction(Task("2", "another", 0.01, sequence=2), 0.01)
    assert not runner.finish(job, ActionRefusedError("no"), 0.1, 0.1)
    assert runner.status(0.1).actions_refused == 0


def test_the_latest_picture_can_be_asked_about_in_any_state_unless_it_is_unfit() -> None:
    runner: PolicyRunner[str] = PolicyRunner(Settings(max_observation_age=0.5))
    with pytest.raises(ObservationError, match="no observation received yet"):
        runner.latest(0.0)
    see(runner, 1.0)
    assert runner.latest(1.1) == runner.latest(1.2) == "image at 1.0"
    with pytest.raises(ObservationError, match=r"0.60 s old; valid is at most 0.5 s"):
        runner.latest(1.6)
    runner.on_unusable_observation("encoding is yuv")
    with pytest.raises(ObservationError, match="yuv"):
        runner.latest(1.6)


@pytest.mark.parametrize(
    ("legal", "expected"),
    [(None, math.nan), ((math.nan, math.nan), math.nan), ((math.nan, 0.5), 0.5), ((0.75, 0.25), 0.25)],
)
def test_the_smallest_legal_mass_that_was_computed_is_reported(
    legal: tuple[float, float] | None, expected: float
) -> None:
    runner = started()
    infer(runner, 0.0, chunk(legal=legal))
    assert runner.status(0.1).legal_mass == pytest.approx(expected, nan_ok=True)


def test_figures_of_the_status() -> None:
    runner = started()
    status = runner.status(0.0)
    assert math.isnan(status.token_confidence)
    assert math.isnan(status.inference_time)
    assert status.rate == 0.0
    infer(runner, 0.0, chunk(probability=0.75))
    status = runner.status(0.1)
    assert status.token_confidence == pytest.approx(0.75)
    assert (status.inference_time, status.observation_age) == (CHUNK_S, CHUNK_S)
    assert runner.status(100.0).rate == 0.0


def test_a_job_of_the_past_never_revives_a_finished_task() -> None:
    runner = started(terminate_chunks=1)
    see(runner, 0.0)
    job = runner.next_job(0.0)
    assert isinstance(job, Job)
    assert runner.finish(job, chunk(True), 0.1, 0.1)
    assert not runner.finish(job, chunk(), 0.2, 0.1)
    assert state(runner) is State.DONE


def test_a_policy_that_is_not_available_waits_says_why_and_is_reset_when_it_is_back() -> None:
    runner = started()
    assert infer(runner, 0.0)
    assert not infer(runner, 0.2, UnavailableError("ws://host:8000: Connection refused"))
    status = runner.status(0.3)
    assert status.state is State.WAITING
    assert status.reason == "no actions: ws://host:8000: Connection refused"
    see(runner, 0.4)
    job = runner.next_job(0.4)
    assert job is not None
    assert job.reset
    assert runner.finish(job, chunk(), 0.43, CHUNK_S)
    assert state(runner) is State.RUNNING
    assert runner.next_job(0.45) is None  # at the policy's rate, also after a failure


def test_a_policy_that_stays_away_is_asked_at_its_rate() -> None:
    runner = started(rate=5.0)
    asked = 0
    for tick in range(100):
        now = 0.02 * tick
        see(runner, now)
        job = runner.next_job(now)
        if job is not None:
            asked += 1
            runner.finish(job, UnavailableError("gone"), now + 0.001, 0.001)
    assert 9 <= asked <= 11
