# SPDX-License-Identifier: Apache-2.0
"""Observations and chunks through random observation maps and back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from vla_core.action import ActionChunk, ActionMode, ActionStep, ActionValueError, DeltaReference
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.part import GripperSense, RotationForm
from vla_core.observation_map.presets import load_map
from vla_core.observation_map.reading import from_dict, to_dict
from vla_core.robot import RobotConfig, load_robot_config
from vla_core.rotation import Pose, apply_delta, rotation_between
from vla_policy.errors import ConfigurationError, ObservationError
from vla_policy.mapping.actions import decode_actions, encode_actions, join_arrays, split_arrays
from vla_policy.mapping.fitting import check_fits, check_same
from vla_policy.mapping.inputs import decode_observation, encode_observation
from vla_policy.policy import Observation, Policy

FR3 = load_robot_config("fr3")
CLOSE = {"atol": 3e-5, "rtol": 0.0}  # float32 of angles in degrees
FORMS = [form.value for form in RotationForm]
SENSES = [sense.value for sense in GripperSense if sense is not GripperSense.RANGE]
EE_WAYS = [("ee_delta", relative, frame) for relative in ("observation", "previous") for frame in ("base", "tool")]
EE_WAYS += [("ee_delta", "commanded", "base"), ("ee_pose", "previous", "base")]
JOINT_WAYS = ["joint_position", "joint_delta", "joint_velocity"]
EXACT = settings(deadline=None, max_examples=40)


def observed(rng: np.random.Generator, robot: RobotConfig = FR3, size: tuple[int, int] = (6, 8)) -> Observation:
    """Return a random observation of a robot with fingers."""
    limits = robot.limits
    return Observation(
        stamp=3.5,
        images={name: rng.integers(0, 256, (*size, 3), dtype=np.uint8) for name in ("front", "wrist")},
        joint_names=(*robot.joints, robot.gripper.joint),
        joint_position=np.append(rng.uniform(limits.lower, limits.upper), 0.01),
        ee_position=rng.uniform(-0.7, 0.7, 3),
        ee_quaternion_xyzw=Rotation.random(random_state=rng).as_quat(),
        gripper_width=float(rng.uniform(robot.gripper.min_width, robot.gripper.max_width)),
    )


def normalisation(rng: np.random.Generator, width: int) -> dict[str, Any] | None:
    """Return one of the ways, with one number or one a column."""
    n = int(rng.choice([1, width]))
    low, span = rng.uniform(-1.0, 0.0, n).tolist(), rng.uniform(0.5, 2.0, n)
    high = (np.array(low) + span).tolist()
    ways: list[dict[str, Any] | None] = [
        None,
        {"scale": span.tolist()},
        {"low": low, "high": high},
        {"q01": low, "q99": high},
        {"mean": low, "std": span.tolist()},
    ]
    return ways[int(rng.integers(len(ways)))]


def part(kind: str, rng: np.random.Generator, width: int = 3, **options: Any) -> dict[str, Any]:
    """Return a part with a random normalisation."""
    scaling = normalisation(rng, width)
    return {"part": kind, **options, **({} if scaling is None else {"normalisation": scaling})}


def rotation_part(kind: str, rng: np.random.Generator) -> dict[str, Any]:
    form = str(rng.choice(FORMS))
    return part(
        kind, rng, 3 if form in ("rpy", "rotation_vector") else int(form[-1]) if form[-1].isdigit() else 1, form=form
    )


def joints_part(rng: np.random.Generator, robot: RobotConfig) -> dict[str, Any]:
    names = [str(name) for name in rng.permutation(robot.joints)]
    unit = str(rng.choice(["rad", "deg", "normalised"]))
    span = {"range": [-100.0, 100.0]} if unit == "normalised" and rng.random() < 0.5 else {}
    return part("joints", rng, len(names), names=names, unit=unit, **span)


def gripper_part(rng: np.random.Generator) -> dict[str, Any]:
    sense = str(rng.choice([*SENSES, "range"]))
    return part("gripper", rng, 1, sense=sense, **({"range": [0.7, -0.2]} if sense == "range" else {}))


def state_map(rng: np.random.Generator, robot: RobotConfig = FR3) -> ObservationMap:
    """Return a map whose state carries everything in random order and forms, in one vector or two."""
    parts = [
        joints_part(rng, robot),
        part("tool_position", rng),
        rotation_part("tool_rotation", rng),
        gripper_part(rng),
        {"part": "constants", "values": [0.0, 7.0]},
    ]
    parts = [parts[k] for k in rng.permutation(len(parts))]
    cut = int(rng.integers(1, len(parts)))
    return bound(rng, robot, [{"key": "a/b", "parts": parts[:cut]}, {"key": "c", "parts": parts[cut:]}])


def bound(
    rng: np.random.Generator, robot: RobotConfig, state: list[Any], action: dict[str, Any] | None = None
) -> ObservationMap:
    data = {
        "format": "vla_observation_map/1",
        "cameras": [
            {"name": "front", "key": "image", "size": [6, 8]},
            {"name": "wrist", "key": "wrist_image", "size": [6, 8], "topic": "/wrist"},
        ],
        "state": state,
        "prompt": "prompt",
        "action": action or {"mode": "ee_delta", "parts": [{"part": "translation"}]},
        "period_s": 0.1,
    }
    return from_dict(data, "random").for_robot(robot)


def action_map(rng: np.random.Generator, robot: RobotConfig, way: tuple[str, str, str]) -> ObservationMap:
    """Return a map of one way to act, its parts in random order and forms."""
    mode, relative, frame = way
    if mode.startswith("joint"):
        parts = [joints_part(rng, robot)]
    else:
        parts = [part("translation", rng), rotation_part("rotation", rng)]
    parts += [gripper_part(rng), part("base", rng), {"part": "terminate"}, {"part": "ignored", "size": 2}]
    parts = [parts[k] for k in rng.permutation(len(parts))]
    action = {"mode": mode, "relative_to": relative, "frame": frame, "parts": parts}
    return bound(rng, robot, [], action)


@EXACT
@given(st.integers(0, 2**32 - 1), st.sampled_from(["fr3", "wx250s"]))
def test_an_observation_survives_any_state_vector(seed: int, name: str) -> None:
    rng, robot = np.random.default_rng(seed), load_robot_config(name)
    mapped, seen = state_map(rng, robot), observed(rng, robot)
    inputs = encode_observation(mapped, seen, "pick up")
    assert list(inputs) == list(mapped.keys)
    assert all(inputs[key].dtype == np.float32 for key in ("a/b", "c"))  # type: ignore[union-attr]
    read, instruction = decode_observation(mapped, inputs, seen.stamp)  # type: ignore[arg-type]
    assert instruction == "pick up"
    np.testing.assert_allclose(read.positions(robot.joints), seen.positions(robot.joints), **CLOSE)
    np.testing.assert_allclose(read.ee_position, seen.ee_position, **CLOSE)
    assert np.linalg.norm(rotation_between(read.ee_quaternion_xyzw, seen.ee_quaternion_xyzw)) < 2e-3  # near +-90 deg
    assert read.gripper_width == pytest.approx(seen.gripper_width, abs=1e-6)
    for camera in ("front", "wrist"):
        np.testing.assert_array_equal(read.images[camera], seen.images[camera])


def random_chunk(
    rng: np.random.Generator, seen: Observation, mode: ActionMode, reference: DeltaReference
) -> ActionChunk:
    """Return three steps near the observed state."""
    names = FR3.joints
    steps, pose = [], Pose(seen.ee_position, seen.ee_quaternion_xyzw)
    for _ in range(3):
        translation, turn = rng.uniform(-0.05, 0.05, 3), rng.uniform(-0.4, 0.4, 3)
        pose = apply_delta(pose, translation, turn)
        offset = seen.positions(names) if mode is ActionMode.JOINT_POSITION else 0.0
        steps.append(
            ActionStep(
                translation=translation if mode is ActionMode.EE_DELTA else np.zeros(3),
                rotation_vector=turn if mode is ActionMode.EE_DELTA else np.zeros(3),
                pose=pose if mode is ActionMode.EE_POSE else None,
                joints=offset + rng.uniform(-0.2, 0.2, len(names)) if mode.name.startswith("JOINT") else None,
                gripper=float(rng.uniform()),
                base=rng.uniform(-1.0, 1.0, 3),
                terminate=bool(rng.random() < 0.5),
            )
        )
    joints = names if mode.name.startswith("JOINT") else ()
    return ActionChunk(seen.stamp, mode, reference, 0.1, tuple(steps), joints)


def targets(chunk: ActionChunk, seen: Observation) -> NDArray[np.float64]:
    """Return what the steps mean in one form, whatever the chunk's: joints, or position and quaternion of poses."""
    if chunk.mode == ActionMode.JOINT_VELOCITY or chunk.delta_reference == DeltaReference.COMMANDED:
        order = [chunk.joint_names.index(name) for name in FR3.joints] if chunk.joint_names else []
        rows = [s.joints[order] if s.joints is not None else [*s.translation, *s.rotation_vector] for s in chunk.steps]
        return np.array(rows)
    if chunk.joint_names:
        order = [chunk.joint_names.index(name) for name in FR3.joints]
        rows = np.array([step.joints for step in chunk.steps])[:, order]  # type: ignore[assignment]
        delta = chunk.mode == ActionMode.JOINT_DELTA
        return seen.positions(FR3.joints) + np.cumsum(rows, axis=0) if delta else np.asarray(rows)
    pose, found = Pose(seen.ee_position, seen.ee_quaternion_xyzw), []
    for step in chunk.steps:
        pose = step.pose or apply_delta(pose, step.translation, step.rotation_vector)
        found.append([*pose.position, *Rotation.from_quat(pose.quaternion).as_matrix().ravel()])
    return np.array(found)


def chunk_modes(mode: str, relative: str) -> list[tuple[ActionMode, DeltaReference]]:
    """Return the chunks that a way to act can say."""
    commanded = relative == "commanded"
    reference = DeltaReference.COMMANDED if commanded else DeltaReference.OBSERVED
    if mode == "joint_velocity":
        return [(ActionMode.JOINT_VELOCITY, DeltaReference.OBSERVED)]
    if mode.startswith("joint"):
        both = [ActionMode.JOINT_DELTA] if commanded else [ActionMode.JOINT_DELTA, ActionMode.JOINT_POSITION]
    else:
        both = [ActionMode.EE_DELTA] if commanded else [ActionMode.EE_DELTA, ActionMode.EE_POSE]
    return [(kind, reference) for kind in both]


@EXACT
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(
        [*EE_WAYS, *((m, r, "base") for m in JOINT_WAYS for r in ("observation", "previous", "commanded"))]
    ),
)
def test_a_chunk_survives_any_action_vector(seed: int, way: tuple[str, str, str]) -> None:
    rng = np.random.default_rng(seed)
    mapped, seen = action_map(rng, FR3, way), observed(rng)
    for mode, reference in chunk_modes(way[0], way[1] if way[0].endswith("delta") else "previous"):
        sent = random_chunk(rng, seen, mode, reference)
        numbers = encode_actions(mapped, sent, seen)
        assert numbers.dtype == np.float32
        assert mapped.action is not None
        assert numbers.shape == (3, mapped.action.width)
        read = decode_actions(mapped, numbers, seen)
        assert (read.stamp, read.period) == (seen.stamp, 0.1)
        np.testing.assert_allclose(targets(read, seen), targets(sent, seen), atol=2e-3)  # near +-90 degrees of pitch
        np.testing.assert_allclose([s.gripper for s in read.steps], [s.gripper for s in sent.steps], atol=1e-5)
        np.testing.assert_allclose([s.base for s in read.steps], [s.base for s in sent.steps], atol=1e-5)
        assert [s.terminate for s in read.steps] == [s.terminate for s in sent.steps]


def test_numbers_of_each_form_and_sense_mean_what_they_say() -> None:
    down = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])  # half a turn about x
    says = {
        "quaternion_xyzw": [1, 0, 0, 0],
        "quaternion_wxyz": [0, 1, 0, 0],
        "rotation_vector": [math.pi, 0, 0],
        "rpy": [math.pi, 0, 0],
        "rotation_6d": [1, 0, 0, 0, -1, 0],
        "rotation_6d_rows": [1, 0, 0, 0, -1, 0],
    }
    quarter = {"rotation_6d": [0, 1, 0, -1, 0, 0], "rotation_6d_rows": [0, -1, 0, 1, 0, 0]}  # about z
    for form, numbers in [*says.items(), *quarter.items()]:
        parts = [{"part": "translation"}, {"part": "rotation", "form": form}]
        mapped = bound(np.random.default_rng(0), FR3, [], {"mode": "ee_pose", "parts": parts})
        chunk = decode_actions(mapped, [0.5, 0.0, 0.3, *numbers], observed(np.random.default_rng(1)))
        assert chunk.steps[0].pose is not None
        turn = Rotation.from_quat(chunk.steps[0].pose.quaternion)
        wanted = Rotation.from_euler("z", math.pi / 2) if numbers in quarter.values() else down
        assert (turn * wanted.inv()).magnitude() < 1e-9, form
    grippers = {
        "open_1": ([0.0], [1.0]),
        "closed_1": ([1.0], [0.0]),
        "signed_open": ([-1.0], [1.0]),
        "signed_close": ([1.0], [-1.0]),
        "width": ([0.0], [0.08]),
        "fingers": ([0.0, 0.0], [0.04, 0.04]),
        "fingers_mirrored": ([0.0, 0.0], [0.04, -0.04]),
    }
    for sense, (closed, opened) in grippers.items():
        parts = [{"part": "translation"}, {"part": "gripper", "sense": sense}]
        mapped = bound(np.random.default_rng(0), FR3, [], {"mode": "ee_delta", "parts": parts})
        rows = [[0.0, 0.0, 0.0, *closed], [0.0, 0.0, 0.0, *opened]]
        chunk = decode_actions(mapped, rows, observed(np.random.default_rng(1)))
        assert [step.gripper for step in chunk.steps] == pytest.approx([0.0, 1.0]), sense


def test_steps_relative_to_the_observation_become_absolute() -> None:
    seen = observed(np.random.default_rng(2))
    parts = [{"part": "translation"}, {"part": "rotation"}]
    for frame, turned in (("base", False), ("tool", True)):
        action = {"mode": "ee_delta", "relative_to": "observation", "frame": frame, "parts": parts}
        chunk = decode_actions(bound(np.random.default_rng(0), FR3, [], action), [[0.1, 0, 0, 0, 0, 0]] * 2, seen)
        way = np.array([0.1, 0.0, 0.0])
        way = Rotation.from_quat(seen.ee_quaternion_xyzw).apply(way) if turned else way
        assert chunk.mode == ActionMode.EE_POSE
        for step in chunk.steps:
            assert step.pose is not None
            np.testing.assert_allclose(step.pose.position, seen.ee_position + way)


def test_droid_velocities_are_those_of_its_controller_and_the_rest_of_the_chunk_is_dropped() -> None:
    mapped = load_map("openpi_droid").for_robot(FR3)
    numbers = np.tile([1.0, -1.0, 0.5, 0, 0, 0, 0, 0.6], (10, 1))
    chunk = decode_actions(mapped, numbers, observed(np.random.default_rng(0)))
    assert len(chunk.steps) == 8
    assert chunk.mode == ActionMode.JOINT_VELOCITY
    assert chunk.steps[0].joints is not None
    np.testing.assert_allclose(chunk.steps[0].joints[:3] * chunk.period, [0.2, -0.2, 0.1], atol=1e-5)
    assert chunk.steps[0].gripper == 0.0


def test_arrays_of_an_answer_are_joined_in_the_maps_order() -> None:
    gr00t = load_map("gr00t").for_robot(FR3)
    arrays = {"gripper_position": np.ones((4, 1)), "joint_position": np.zeros((4, 7)), "eef_9d": np.full((4, 9), 2.0)}
    joined = join_arrays(gr00t, arrays)
    np.testing.assert_array_equal(joined[0], [0.0] * 7 + [1.0] + [2.0] * 9)
    assert gr00t.complete_from
    ready = replace(gr00t, complete_from="", prompt="task", cameras=(replace(gr00t.cameras[0], key="video"),))
    assert decode_actions(ready, arrays, observed(np.random.default_rng(0))).mode == ActionMode.JOINT_POSITION
    for key, array in split_arrays(gr00t, joined).items():
        np.testing.assert_array_equal(array, arrays[key])
    with pytest.raises(ActionValueError, match="missing joint_position; received"):
        join_arrays(gr00t, {"gripper_position": np.ones((4, 1)), "eef_9d": np.ones((4, 9))})
    with pytest.raises(ActionValueError, match=r"valid for .* is \(steps,"):
        join_arrays(gr00t, {**arrays, "gripper_position": np.ones((3, 1))})


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (np.zeros((2, 7)), r"\(2, 7\); valid for map rt2 is \(steps, 8\)"),
        (np.zeros((0, 8)), r"valid for map rt2"),
        (np.zeros((1, 2, 8)), r"valid for map rt2"),
        (np.full((2, 8), math.nan), "action 0 is .* valid are finite"),
        (np.full((2, 8), 45.0), "rotation reach 45.0 rad; valid is up to 10: are they in degrees"),
    ],
)
def test_numbers_that_cannot_be_are_refused(numbers: NDArray[np.float64], said: str) -> None:
    with pytest.raises(ActionValueError, match=said):
        decode_actions(load_map("rt2").for_robot(FR3), numbers, observed(np.random.default_rng(0)))


def test_inputs_that_cannot_be_are_refused() -> None:
    rng = np.random.default_rng(3)
    mapped, seen = state_map(rng), observed(rng)
    inputs: dict[str, Any] = dict(encode_observation(mapped, seen, "go"))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"image": None}, "missing image; received .*valid: image, wrist_image"),
        ({"image": np.zeros((6, 8, 3), np.float32)}, "image is float32"),
        ({"image": np.zeros((7, 8, 3), np.uint8)}, "camera front is 7 x 8; valid is 6 x 8"),
        ({"wrist_image": "picture"}, "wrist_image is str"),
        ({"c": np.zeros(99, np.float32)}, r"c is float32 \(99,\); valid are"),
        ({"c": np.full(mapped.state[1].width, math.nan)}, "valid are finite numbers"),
        ({"c": "text"}, "valid are"),
        ({"prompt": 3}, "prompt is a int; valid is a text"),
    ]
    for change, said in wrong:
        changed = {key: value for key, value in {**inputs, **change}.items() if value is not None}
        with pytest.raises(ObservationError, match=said):
            decode_observation(mapped, changed)


def test_observations_that_lack_something_are_refused() -> None:
    rng = np.random.default_rng(4)
    mapped, seen = state_map(rng), observed(rng)
    fields = {name: getattr(seen, name) for name in seen.__slots__}
    lacking: list[tuple[dict[str, Any], str]] = [
        ({"images": {"front": seen.images["front"]}}, "no image of camera wrist; observed are front"),
        ({"gripper_width": math.nan}, "gripper's width is unknown"),
        ({"joint_names": (), "joint_position": np.zeros(0)}, "were not observed"),
    ]
    for change, said in lacking:
        with pytest.raises(ObservationError, match=said):
            encode_observation(mapped, Observation(**{**fields, **change}), "go")
    with pytest.raises(ConfigurationError, match="has no robot; valid is one made by for_robot"):
        encode_observation(load_map("rt1"), seen, "go")
    with pytest.raises(ConfigurationError, match="needs the metadata of gr00t"):
        encode_observation(load_map("gr00t").for_robot(FR3), seen, "go")


def test_a_chunk_that_the_map_cannot_say_is_refused() -> None:
    rng = np.random.default_rng(5)
    seen = observed(rng)
    droid = load_map("openpi_droid").for_robot(FR3)
    with pytest.raises(ActionValueError, match=r"a chunk of ee_delta .* cannot be sent as joint_velocity"):
        encode_actions(droid, random_chunk(rng, seen, ActionMode.EE_DELTA, DeltaReference.OBSERVED), seen)
    rt1 = load_map("rt1").for_robot(FR3)
    with pytest.raises(ActionValueError, match="its start is the controller's"):
        encode_actions(rt1, random_chunk(rng, seen, ActionMode.EE_DELTA, DeltaReference.COMMANDED), seen)


def test_a_map_that_does_not_fit_the_policy_is_refused() -> None:
    class Sees(Policy):
        name = "sees"
        camera_names = ("wrist",)
        image_size = (128, 160)

        def reset(self, instruction: str) -> None: ...

        def infer(self, observation: Observation) -> ActionChunk:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match=r"map rt1 has cameras front; valid for policy sees .* has wrist"):
        check_fits(load_map("rt1"), Sees())
    with pytest.raises(ConfigurationError, match=r"front has size \[224, 224\]; valid for policy sees is \[128, 160\]"):
        check_fits(load_map("openpi_droid"), Sees())


def test_another_map_at_the_other_end_is_refused_with_the_differences() -> None:
    ours = load_map("rt1").for_robot(FR3)
    check_same(ours, to_dict(load_map("rt1")))
    with pytest.raises(
        ConfigurationError, match=r"map rt1 is not the server's: action 11 columns .*server's 8 columns"
    ):
        check_same(ours, to_dict(load_map("rt2")))
    with pytest.raises(ConfigurationError, match=r"keys .*wrist_image_left.*image sizes"):
        check_same(ours, to_dict(load_map("openpi_droid")))
    with pytest.raises(ConfigurationError, match=r"the server's map of the server"):
        check_same(ours, {"format": "other"})
