# SPDX-License-Identifier: Apache-2.0
"""The controller's kinematics from a URDF: equal to those of the MuJoCo model; other arms and bad files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vla_controller.arm.kinematics import Kinematics
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config
from vla_core.rotation import rotation_between
from vla_core.urdf.model_source import DescriptionError, ModelSource, package_folder, parse_model, read_urdf

FRANKA = read_urdf(package_folder("franky_sim") / "assets" / "fr3.urdf")  # franka_description's, expanded by its maker
OURS = (Path(__file__).parents[3] / "config" / "gazebo" / "fr3.urdf").read_text(encoding="utf-8")


def fr3(text: str, frame: str = "fr3_hand_tcp") -> RobotConfig:
    source = ModelSource("", "", frame, topic="robot_description", text=text)
    return replace(load_robot_config("fr3"), model=source, collision=None)


@pytest.mark.parametrize(("text", "frame"), [(FRANKA, "fr3_hand_tcp"), (OURS, "fr3_tcp")], ids=["maker", "gazebo"])
def test_both_descriptions_of_the_fr3_agree_within_a_hundredth_of_a_millimetre(text: str, frame: str) -> None:
    config = fr3(text, frame)
    from_urdf, from_mjcf = Kinematics(config), Kinematics(load_robot_config("fr3"))
    rng = np.random.default_rng(3)
    for q in rng.uniform(config.limits.lower, config.limits.upper, (300, 7)):
        a, b = from_urdf.fk(q), from_mjcf.fk(q)
        assert np.linalg.norm(a.position - b.position) < 1e-5
        assert np.linalg.norm(rotation_between(a.quaternion, b.quaternion)) < 1e-4


def test_inverse_kinematics_does_not_depend_on_the_form_of_the_description() -> None:
    config = fr3(FRANKA)
    from_urdf, from_mjcf = Kinematics(config), Kinematics(replace(load_robot_config("fr3"), collision=None))
    rng = np.random.default_rng(4)
    for _ in range(20):
        target = from_mjcf.fk(
            np.clip(config.home + rng.uniform(-0.3, 0.3, 7), config.limits.lower, config.limits.upper)
        )
        first, second = from_urdf.ik(config.home, target), from_mjcf.ik(config.home, target)
        np.testing.assert_allclose(first[0], second[0], atol=1e-4)


def test_collision_shapes_hang_on_the_links_of_the_urdf() -> None:
    config = load_robot_config("fr3")
    collision = config.collision
    assert collision is not None
    renamed = {"hand": "fr3_hand"}
    shapes = tuple(replace(shape, body=renamed.get(shape.body, shape.body)) for shape in collision.shapes)
    pairs = tuple((renamed.get(a, a), renamed.get(b, b)) for a, b in collision.pairs)
    table = tuple(renamed.get(body, body) for body in collision.table)
    same = replace(fr3(FRANKA), collision=replace(collision, shapes=shapes, pairs=pairs, table=table))
    ours, theirs = Kinematics(config).clearance, Kinematics(same).clearance
    assert ours is not None
    assert theirs is not None
    for q in np.random.default_rng(5).uniform(config.limits.lower, config.limits.upper, (20, 7)):
        np.testing.assert_allclose(ours.distances(q), theirs.distances(q), atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'lower="-2.9007" upper="2.9007" velocity="2.62"',
            'lower="-2" upper="2" velocity="2.62"',
            "fr3_joint1.*narrow",
        ),
        ('velocity="5.26"', 'velocity="1.0"', "fr3_joint5.*1: lower"),
        ("fr3_joint", "panda_joint", "description of another robot.*panda_joint1"),
        ("fr3_hand_tcp", "tool", "no link 'fr3_hand_tcp'; near names: .*fr3_hand"),
        ("fr3_link0", "base_link", "no link 'fr3_link0'"),
    ],
)
def test_a_description_that_is_not_this_arm_is_refused(old: str, new: str, words: str) -> None:
    assert old in FRANKA
    with pytest.raises(RobotConfigError, match=words):
        Kinematics(fr3(FRANKA.replace(old, new)))


def test_joints_without_limits_are_refused() -> None:
    lines = [line for line in FRANKA.splitlines() if "<limit" not in line]
    with pytest.raises(RobotConfigError, match="'fr3_joint1' has no <limit"):
        Kinematics(fr3("\n".join(lines)))


def test_a_joint_of_the_arm_that_mimics_another_is_refused() -> None:
    text = FRANKA.replace('<axis xyz="0 0 1"/>', '<axis xyz="0 0 1"/><mimic joint="fr3_finger_joint2"/>', 1)
    with pytest.raises(RobotConfigError, match=r"follows 'fr3_finger_joint2' \(<mimic>\)"):
        Kinematics(fr3(text))


def test_two_joints_swapped_are_named() -> None:
    joints = list(load_robot_config("fr3").joints)
    joints[2], joints[4] = joints[4], joints[2]
    for config in (fr3(FRANKA), load_robot_config("fr3")):
        with pytest.raises(RobotConfigError, match="fr3_joint5, fr3_joint3 in another order"):
            Kinematics(replace(config, joints=tuple(joints)))


def test_another_arm_with_the_same_joint_names_is_known_by_its_tool() -> None:
    config = fr3(FRANKA)
    home = Kinematics(config).fk(config.home).position
    right = replace(config, model=replace(config.model, tcp_at_home=home))
    assert np.allclose(Kinematics(right).fk(config.home).position, home)
    longer = FRANKA.replace('xyz="0 -0.316 0"', 'xyz="0 -0.416 0"')
    with pytest.raises(RobotConfigError, match="another arm or tool"):
        Kinematics(replace(right, model=replace(right.model, text=longer)))


def test_a_urdf_is_found_beside_the_robot_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "arm.urdf").write_text(FRANKA, encoding="utf-8")
    source = parse_model({"file": "arm.urdf", "tcp_frame": "fr3_hand_tcp"}, tmp_path)
    config = replace(load_robot_config("fr3"), model=source, collision=None)
    assert Kinematics(config).fk(config.home).position[2] > 0.1
    with pytest.raises(RobotConfigError, match=r"no model at .*other\.urdf"):
        Kinematics(replace(config, model=parse_model({"file": "other.urdf", "tcp_frame": "x"}, tmp_path)))
    with pytest.raises(RobotConfigError, match="no Python package 'no_such'"):
        Kinematics(replace(config, model=replace(source, package="no_such")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"file": "a.urdf"}, "one of tcp_frame and tcp_body"),
        ({"tcp_frame": "x"}, "one of file"),
        ({"file": "a.sdf", "tcp_frame": "x"}, "valid endings"),
        ({"file": "a.urdf", "tcp_frame": "x", "tcp_positon": [0, 0, 0]}, "unknown entries .*tcp_positon"),
        ({"file": "a.urdf", "tcp_frame": "x", "tcp_position": [0, 0]}, "3 finite numbers"),
        ({"file": "a.urdf", "tcp_frame": "x", "tcp_quaternion_xyzw": [0, 0, 0, 2]}, "unit quaternion"),
    ],
)
def test_an_unusable_model_entry_is_refused_with_what_is_valid(data: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_model(data, Path())


def test_a_xacro_is_expanded_by_the_program_and_its_absence_or_failure_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, program = tmp_path / "arm.urdf.xacro", tmp_path / "xacro"
    path.write_text(FRANKA, encoding="utf-8")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DescriptionError, match="needs the program xacro"):
        read_urdf(path)
    program.write_text('#!/bin/sh\nwhile read -r line; do echo "$line"; done < "$1"\n', encoding="utf-8")
    program.chmod(0o755)
    source = parse_model({"file": "arm.urdf.xacro", "tcp_frame": "fr3_hand_tcp"}, tmp_path)
    config = replace(load_robot_config("fr3"), model=source, collision=None)
    home = Kinematics(load_robot_config("fr3")).fk(config.home).position
    np.testing.assert_allclose(Kinematics(config).fk(config.home).position, home, atol=1e-5)
    program.write_text("#!/bin/sh\necho no such macro >&2\nexit 2\n", encoding="utf-8")
    with pytest.raises(RobotConfigError, match=r"xacro .* failed: no such macro"):
        Kinematics(config)
