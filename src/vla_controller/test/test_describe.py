# SPDX-License-Identifier: Apache-2.0
"""`vla robot`: a robot file from a URDF, what is asked, what is refused, and the verdicts on a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_controller.arm.kinematics import Kinematics
from vla_controller.describe.arm_facts import arm_facts
from vla_controller.describe.capsules import behind_tool, fit_capsules
from vla_controller.describe.check import Level, check_home, check_reach, check_stop
from vla_controller.describe.command import main, new, parser
from vla_controller.describe.questions import AnswersMissingError
from vla_core.robot import RobotConfig, load_robot_config
from vla_core.urdf.model_source import package_folder, read_urdf
from vla_core.urdf.text import attached_urdf
from vla_core.urdf.tree import UrdfError, parse_urdf

FR3 = package_folder("franky_sim") / "assets" / "fr3.urdf"
GRIPPER = Path(__file__).parents[3] / "config" / "robots" / "parallel_gripper.urdf"
FACTS = ["--acceleration", "8", "--jerk", "1000", "--workspace", "0.34 -0.45 0.005 0.75 0.45 0.7"]
HOME = ["--home", "0 -0.0981 0 -2.4005 0 2.3024 0.785398"]


def run(path: Path, tmp_path: Path, *words: str, ask: Callable[[str], str] | None = None) -> Path:
    out = tmp_path / "mine.yaml"
    options = parser().parse_args(["new", str(path), "--name", "mine", "--out", str(out), "--no-check", *words])
    new(options, ask)
    return out


def edited(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = read_urdf(FR3)
    for old, replacement in changes:
        assert old in text
        text = text.replace(old, replacement)
    path = tmp_path / "edited.urdf"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_fr3_from_its_urdf_agrees_with_the_shipped_robot_file(tmp_path: Path) -> None:
    made = load_robot_config(str(run(FR3, tmp_path, *FACTS, *HOME, "--base", "fr3_link0", "--no-collision")))
    shipped = load_robot_config("fr3")
    assert made.joints == shipped.joints
    assert made.gripper == shipped.gripper or made.gripper == replace(shipped.gripper, speed=made.gripper.speed)
    assert np.all(made.limits.lower <= shipped.limits.lower)
    assert np.all(made.limits.upper >= shipped.limits.upper)
    assert (made.model.package, made.model.file) == ("franky_sim", "assets/fr3.urdf")
    ours, theirs = Kinematics(made), Kinematics(shipped)
    for q in np.random.default_rng(0).uniform(shipped.limits.lower, shipped.limits.upper, (20, 7)):
        np.testing.assert_allclose(ours.fk(q).position, theirs.fk(q).position, atol=1e-5)
    assert np.max(made.limits.velocity / made.limits.acceleration) <= 0.45


def test_frames_joints_and_fingers_are_found_in_the_urdf() -> None:
    facts = arm_facts(parse_urdf(read_urdf(FR3)))
    assert (facts.base, facts.tcp_frame) == ("fr3_link0", "fr3_hand_tcp")
    assert facts.joints == load_robot_config("fr3").joints
    assert facts.fingers is not None
    assert (facts.fingers.joint, facts.fingers.mimic) == ("fr3_finger_joint1", "fr3_finger_joint2")
    assert facts.fingers.max_width == pytest.approx(0.08)


def test_what_a_urdf_cannot_know_is_listed_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(AnswersMissingError) as error:
        run(FR3, tmp_path)
    for option in ("--acceleration", "--workspace", "--home-tool"):
        assert option in str(error.value)
    assert "--gripper" not in str(error.value)


def test_on_a_terminal_it_is_asked_until_the_answer_is_valid(tmp_path: Path) -> None:
    asked: list[str] = []
    answers = iter(["fast", "8", "", "0.34 -0.45 0.005", "0.34 -0.45 0.005 0.75 0.45 0.7"])

    def ask(words: str) -> str:
        asked.append(words)
        return next(answers)

    made = load_robot_config(str(run(FR3, tmp_path, *HOME, "--no-collision", ask=ask)))
    assert "not valid" not in asked[0]
    assert "'fast'" in asked[1] or "could not convert" in asked[1]
    assert made.limits.acceleration.tolist() == [8.0] * 7
    assert made.limits.jerk.tolist() == [800.0] * 7  # full acceleration in 10 ms


@pytest.mark.parametrize(
    ("changes", "words", "reason"),
    [
        ((), ["--tcp", "fr3_hnd"], "no link 'fr3_hnd'; near names: .*fr3_hand"),
        ((), ["--limit", "elbow=0:1"], "elbow, which the arm has not; valid: fr3_joint1"),
        ((), ["--limit", "fr3_joint1=-9:9"], "fr3_joint1: -9 to 9 rad is no range within"),
        ((), ["--gripper-joint", "fr3_joint1"], "no prismatic joint behind the arm.*fr3_finger_joint1"),
        ((), ["--home", "0 0 0"], "valid: 7 joints from"),
        ((), ["--acceleration", "1 2"], "one number above 0, or 7"),
        ((("<limit ", "<limits "),), [], "'fr3_joint1' has no <limit"),
        ((('velocity="2.62"', 'velocity="0"'),), [], "no velocity in its <limit>"),
        ((('<axis xyz="0 0 1"/>', '<axis xyz="0 0 1"/><mimic joint="fr3_finger_joint1"/>'),), [], "<mimic>"),
        ((('name="fr3_joint2" type="revolute"', 'name="fr3_joint2" type="prismatic"'),), [], "is prismatic"),
    ],
)
def test_a_urdf_or_an_option_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], words: list[str], reason: str
) -> None:
    with pytest.raises(UrdfError, match=reason):
        run(edited(tmp_path, *changes), tmp_path, *FACTS, *HOME, "--no-collision", *words)
    assert not (tmp_path / "mine.yaml").exists()


def test_the_command_line_says_what_is_wrong_and_writes_over_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.yaml").write_text("mine", encoding="utf-8")
    words = ["new", str(FR3), "--name", "x", "--out", str(tmp_path / "there.yaml"), *FACTS, *HOME]
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "there.yaml").read_text(encoding="utf-8") == "mine"
    assert main(["check", "no_such_robot"]) == 2
    assert "unknown robot 'no_such_robot'; valid: fr3" in capsys.readouterr().err


def test_a_gripper_is_attached_and_its_shapes_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short arm of primitive shapes; its hand and links get capsules that hold them."""
    monkeypatch.setattr("vla_controller.describe.shapes.POINTS", 200)
    monkeypatch.setattr("vla_controller.describe.pairs._SAMPLES", 100)
    made = load_robot_config(
        str(
            run(
                toy(tmp_path), tmp_path, "--attach", str(GRIPPER), "flange", "--acceleration", "5",
                "--workspace", "0.2 -0.2 0.005 0.4 0.2 0.3", "--home", "0 0.5 1.6 1.04 0",
            )
        )
    )  # fmt: skip
    assert made.model.tcp_body == "gripper_tcp"
    assert made.gripper.joint == "gripper_left_joint"
    assert made.collision is not None
    assert {shape.body for shape in made.collision.shapes} >= {"upper", "fore", "wrist"}
    kinematics = Kinematics(made)
    assert kinematics.clearance is not None
    assert kinematics.clearance.distances(made.home).min() > 0.0
    with pytest.raises(UrdfError, match="no link 'nowhere' to attach"):
        attached_urdf(read_urdf(toy(tmp_path)), read_urdf(GRIPPER), "nowhere", "mount")
    with pytest.raises(UrdfError, match="both have the links gripper_left_finger"):
        attached_urdf(read_urdf(GRIPPER), read_urdf(GRIPPER), "gripper_tcp", "mount")


def toy(tmp_path: Path) -> Path:
    """A yaw, three pitches and a roll."""
    rows = [
        ("pan", "base", "column", "0 0 0.1", "0 0 1"), ("lift", "column", "upper", "0 0 0.1", "0 1 0"),
        ("bend", "upper", "fore", "0 0 0.3", "0 1 0"), ("pitch", "fore", "wrist", "0 0 0.25", "0 1 0"),
        ("roll", "wrist", "flange_link", "0 0 0.05", "0 0 1"),
    ]  # fmt: skip
    joints = "".join(
        f'<joint name="{name}" type="revolute"><parent link="{a}"/><child link="{b}"/><origin xyz="{xyz}"/>'
        f'<axis xyz="{axis}"/><limit lower="-2.5" upper="2.5" velocity="2" effort="50"/></joint>'
        for name, a, b, xyz, axis in rows
    )
    rod = '<collision><origin xyz="0 0 0.12"/><geometry><cylinder radius="0.03" length="0.24"/></geometry></collision>'
    ball = '<collision><geometry><sphere radius="0.03"/></geometry></collision>'
    links = f'<link name="upper">{rod}</link><link name="fore">{rod}</link><link name="wrist">{ball}</link>'
    links += "".join(f'<link name="{name}"/>' for name in ("base", "column", "flange_link", "flange"))
    mount = '<joint name="end" type="fixed"><parent link="flange_link"/><child link="flange"/></joint>'
    path = tmp_path / "toy.urdf"
    path.write_text(f'<robot name="toy">{links}{joints}{mount}</robot>', encoding="utf-8")
    return path


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_capsules_hold_every_point(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(200, 3)) * rng.uniform(0.01, 0.3, 3) + rng.normal(size=3)
    capsules = fit_capsules("link", points, most)
    assert 1 <= len(capsules) <= most
    distances = np.min([_distance(points, shape.start, shape.end) - shape.radius for shape in capsules], axis=0)
    assert distances.max() < 1e-9


def _distance(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    way = end - start
    t = np.clip((points - start) @ way / max(float(way @ way), 1e-12), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - start - t[:, None] * way, axis=1))


def test_a_hand_keeps_behind_the_plane_of_its_tool() -> None:
    points = np.random.default_rng(0).uniform((-0.05, -0.05, 0.0), (0.05, 0.05, 0.15), (500, 3))
    tcp, axis = np.array([0.0, 0.0, 0.15]), np.array([0.0, 0.0, 1.0])
    for shape in behind_tool(fit_capsules("hand", points), tcp, axis, 0.006):
        assert max(shape.start[2], shape.end[2]) + shape.radius <= 0.15 - 0.006 + 1e-9


def levels(config: RobotConfig) -> dict[str, Level]:
    return {verdict.subject: verdict.level for verdict in check_home(config, Kinematics(config))}


def test_verdicts_on_a_shipped_file_and_on_what_is_wrong_in_one() -> None:
    config = load_robot_config("ur5e")
    assert set(levels(config).values()) == {Level.OK}
    assert check_stop(config).level is Level.OK
    assert check_reach(config, Kinematics(config), (3, 3, 3)).level is Level.OK
    fast = replace(config, limits=replace(config.limits, velocity=3.0 * config.limits.velocity))
    assert check_stop(fast).level is Level.ERROR
    moved = replace(config, workspace_lower=config.workspace_lower + 0.6, workspace_upper=config.workspace_upper + 0.6)
    assert levels(moved)["home"] is Level.ERROR
    assert check_reach(moved, Kinematics(moved), (2, 2, 2)).level is Level.ERROR
    stretched = replace(
        config, home=np.array([0.0, -1.6, 0.1, -1.6, -1.57, 0.0]), model=replace(config.model, tcp_at_home=None)
    )
    assert levels(stretched)["singularity"] is Level.WARN
    assert levels(replace(config, collision=None))["collision"] is Level.WARN


def test_check_prints_its_verdicts_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_reach, "__defaults__", ((2, 2, 2),))
    assert main(["check", "ur5e", "--no-streams", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["subject"] for row in rows} >= {"description", "stop", "home", "tool", "workspace", "collision"}


def test_home_is_found_from_where_the_tool_is_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vla_controller.describe.reach._SEEDS", 8)
    monkeypatch.setattr("vla_controller.describe.reach._BEST", 1)
    words = [*FACTS, "--no-collision", "--base", "fr3_link0"]
    made = load_robot_config(str(run(FR3, tmp_path, *words, "--home-tool", "0.5 0.1 0.4")))
    pose = Kinematics(made).fk(made.home)
    np.testing.assert_allclose(pose.position, [0.5, 0.1, 0.4], atol=5e-3)
    assert abs(pose.quaternion[0]) > 0.99  # x y z w: z down, y along the base's y
    with pytest.raises(UrdfError, match=r"does not reach .* with its tool pointing down"):
        run(FR3, tmp_path, *words, "--force", "--home-tool", "1.5 0 0.4")


def test_a_gripper_that_the_urdf_has_not_is_taken_with_its_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*FACTS, *HOME, "--no-collision", "--gripper-joint", "drive_joint", "--gripper-width", "0 0.085"]
    made = load_robot_config(str(run(FR3, tmp_path, *words)))
    assert (made.gripper.joint, made.gripper.mimic_joint, made.gripper.max_width) == ("drive_joint", "", 0.085)
    assert "drive_joint is no prismatic finger" in capsys.readouterr().out
