# SPDX-License-Identifier: Apache-2.0
"""Arguments of the graph: valid ones start the right nodes, invalid ones are refused with the list of valid ones."""

import dataclasses
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from vla_bringup.description import FileEntry, FromArgument, GraphError, MapName, MapTopic, Node, OnExit, Select
from vla_bringup.graph import GRAPH
from vla_bringup.maps import map_name
from vla_bringup.policies import BUILT_IN, ON_A_SERVER, SERVERS, SHIPPED
from vla_bringup.resolution import Graph, IncludeStart, NodeStart
from vla_bringup.robots import DESCRIBED, described
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.protocols import make_server

SHARE = Path(__file__).parents[1]  # launch/ and config/ stand there as links
WEIGHTS = SHARE.parent / "vla_policy" / "vla_policy"
INFO = {"rt1": "config.json", "rt2": "rt2.json"}  # the file of a checkpoint that names its robot
CHOICES = {argument.name: argument.choices for argument in GRAPH.arguments if argument.choices}


def refusal(given):
    with pytest.raises(GraphError) as caught:
        GRAPH.values(given)
    return str(caught.value)


@pytest.mark.parametrize("argument", [a for a in GRAPH.arguments if a.choices], ids=lambda a: a.name)
def test_wrong_value_is_refused_with_what_was_received_and_every_valid_value(argument):
    message = refusal({argument.name: "ur5"})
    assert "ur5" in message
    assert all(choice in message for choice in argument.choices)


def test_a_checkpoint_brings_the_map_that_it_was_trained_by(tmp_path):
    (tmp_path / "observation_map.yaml").write_text((SHARE / "config/maps/openpi_bridge.yaml").read_text())
    values = GRAPH.values({"policy": "rt1", "checkpoint": str(tmp_path)})
    assert map_name(values) == str(tmp_path / "observation_map.yaml")
    assert map_name({**values, "map": "rt1"}) == "rt1"
    assert map_name({**values, "checkpoint": str(tmp_path / "none")}) == "rt1"


@pytest.mark.parametrize("text", ["ftp://host:8000", "host:8000", "ws:", "ws://", "http"])
def test_a_server_of_an_unknown_scheme_is_refused_with_the_valid_forms(text):
    message = refusal({"policy": "remote", "server": text})
    assert repr(text) in message
    assert all(form in message for form in SERVERS)


@pytest.mark.parametrize("form", SERVERS)
def test_every_form_of_a_server_is_one_that_the_policy_takes(form):
    assert GRAPH.values({"policy": "remote", "server": form, "map": "rt1"})["server"] == form
    assert make_server(form, Credentials()) is not None


def test_wrong_name_is_refused_with_every_valid_name_and_the_nearest_one():
    message = refusal({"robbot": "fr3"})
    assert "did you mean robot?" in message
    assert all(argument.name in message for argument in GRAPH.arguments)


@pytest.mark.parametrize("text", ["", "fast", "nan", "inf", "0", "-5", "31"])
def test_numbers_out_of_range_or_not_numbers_are_refused(text):
    message = refusal({"rate": text})
    assert "0.1 to 30" in message
    assert text in message


@pytest.mark.parametrize("text", ["1.5", "-1", "x"])
def test_seed_is_a_whole_number(text):
    assert "whole number" in refusal({"seed": text})


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"policy": "expert", "sim": "none"}, "scene_state"),
        ({"policy": "expert", "sim": "gazebo"}, "scene_state"),
        ({"policy": "replay"}, "replay_file"),
        ({"policy": "rt1", "replay_file": "x.npz"}, "only policy:=replay"),
        ({"policy": "rt2", "replay_file": "x.npz"}, "only policy:=replay"),
        ({"policy": "remote"}, "needs server:="),
        ({"policy": "edge"}, "needs server:="),
        ({"policy": "remote", "server": "ws://host"}, "needs map:="),
        ({"policy": "rt1", "server": "ws://host:8000"}, "only policy:=remote"),
        ({"policy": "rt2", "token_file": "token"}, "only policy:=remote"),
        ({"policy": "remote", "server": "ws://host", "map": "rt1", "checkpoint": "x"}, "the server loads the weights"),
        ({"policy": "remote", "server": "ws://host", "map": "rt1", "decode": "beam"}, "only policy:=rt2"),
        ({"policy": "rt1", "decode": "beam"}, "only policy:=rt2"),
        ({"policy": "expert", "narrow": "false"}, "only policy:=rt2"),
        ({"sim": "none", "camera_delay": "0.2"}, "only sim:=mujoco"),
        ({"sim": "none", "variation": "trained"}, "only sim:=mujoco"),
        ({"sim": "gazebo", "sim_time": "true"}, "only sim:=mujoco"),
        ({"real_time_factor": "2.0"}, "wall clock"),
        ({"driver": "franka", "sim": "none"}, "needs robot_ip:="),
        ({"driver": "franka", "robot_ip": "172.16.0.2"}, "sim:=none"),
        ({"driver": "franka-sim", "robot_ip": "127.0.0.1", "sim": "none"}, "sim:=mujoco"),
        ({"driver": "franka-sim", "robot_ip": "127.0.0.1", "sim_time": "true"}, "wall clock"),
        ({"robot_ip": "172.16.0.2"}, "only driver:=franka"),
        (
            {"driver": "franka", "sim": "none", "robot_ip": "x", "robot": "wx250s", "checkpoint": "x"},
            "it drives fr3 alone",
        ),
        (
            {"driver": "franka", "sim": "none", "robot_ip": "x", "robot": "ur5e"},
            "robot:=wx250s driver:=widowx sim:=none",
        ),
        ({"driver": "franka-sim", "robot_ip": "127.0.0.1", "robot": "ur5e"}, "it drives fr3 alone"),
        ({"driver": "widowx", "sim": "none", "robot": "fr3"}, "it drives wx250s alone"),
        ({"driver": "widowx", "robot": "wx250s", "checkpoint": "x"}, "sim:=none"),
        ({"driver": "widowx", "sim": "none", "robot": "wx250s", "checkpoint": "x", "robot_ip": "x"}, "no address"),
        ({"driver": "franka", "sim": "none", "robot_ip": "x", "port": "/dev/ttyUSB0"}, "only driver:=widowx"),
    ],
)
def test_impossible_combinations_are_refused_with_the_reason(given, because):
    message = refusal(given)
    assert because in message
    assert any(name in message for name in given)


@pytest.mark.parametrize("policy", SHIPPED)
def test_the_robots_with_a_shipped_checkpoint_are_those_whose_folders_ship(policy):
    folders = (WEIGHTS / policy / "weights").glob(f"*/{INFO[policy]}")
    robots = {json.loads(path.read_text(encoding="utf-8"))["robot"] for path in folders}
    assert robots == set(SHIPPED[policy])


@pytest.mark.parametrize("policy", SHIPPED)
@pytest.mark.parametrize("sim", CHOICES["sim"])
def test_a_robot_without_a_shipped_checkpoint_is_refused_with_what_works(policy, sim):
    for robot in set(CHOICES["robot"]) - set(SHIPPED[policy]) - (set(DESCRIBED) if sim == "gazebo" else set()):
        message = refusal({"robot": robot, "policy": policy, "sim": sim})
        assert f"robot:={robot} policy:={policy} needs checkpoint:=" in message
        assert "FOLDER" in message
        assert "policy:=expert" in message
        assert GRAPH.values({"robot": robot, "policy": policy, "sim": sim, "checkpoint": "folder"})
        assert GRAPH.values({"robot": robot, "policy": "expert"})


def test_a_robot_file_with_a_urdf_is_a_robot_of_the_graph_and_published_as_it_is():
    assert "ur5e" in DESCRIBED
    starts = GRAPH.resolve({"robot": "ur5e", "policy": "expert"}, SHARE)
    publisher = next(start for start in starts if start.name == "robot_state_publisher")
    assert 'name="ur5e"' in publisher.parameters["robot_description"]
    assert "no world" in refusal({"robot": "ur5e", "policy": "rt1", "checkpoint": "folder", "sim": "gazebo"})


def test_a_robot_file_whose_description_comes_on_a_topic_or_that_is_broken(tmp_path, monkeypatch):
    folder = tmp_path / "share/vla_core/config/robots"
    folder.mkdir(parents=True)
    data = yaml.safe_load((SHARE / "config/robots/ur5e.yaml").read_text(encoding="utf-8"))
    data["model"] = {"topic": "robot_description", "tcp_frame": "gripper_tcp"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    (folder / "broken.yaml").write_text("robot: broken", encoding="utf-8")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    found = described()
    assert found["mine"] == ""
    assert "broken" not in found


def test_the_policies_of_this_repository_come_first_whether_their_packages_are_installed_or_not():
    assert CHOICES["policy"][: len(BUILT_IN)] == BUILT_IN
    assert len(set(CHOICES["policy"])) == len(CHOICES["policy"])


def test_a_policy_of_another_package_is_accepted_by_its_entry_point(tmp_path):
    info = tmp_path / "raising-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: raising\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[vla_policy.policies]\nraise = raising:create\n", encoding="utf-8")
    code = f"""
import sys; sys.path.append({str(tmp_path)!r})
from pathlib import Path
from vla_bringup.graph import GRAPH
from vla_bringup.description import GraphError
starts = GRAPH.resolve({{"policy": "raise", "robot": "wx250s", "checkpoint": "folder"}}, Path({str(SHARE)!r}))
told = next(start.parameters for start in starts if start.name == "policy_node")
assert (told["policy"], told["checkpoint"]) == ("raise", "folder"), told
for given in ({{"policy": "raised"}}, {{"policy": "raise", "replay_file": "x"}}):
    try: GRAPH.values(given)
    except GraphError as error: assert "raise" in str(error), error
    else: sys.exit(f"{{given}} accepted")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SHARE)


@pytest.mark.parametrize("word", ["robot", "robot=fr3", "--sim:mujoco"])
def test_words_that_are_no_assignment_are_refused(word):
    with pytest.raises(GraphError, match="name:=value"):
        GRAPH.parse_command_line([word])


def test_an_argument_given_twice_is_refused():
    with pytest.raises(GraphError, match="twice"):
        GRAPH.parse_command_line(["robot:=fr3", "robot:=wx250s"])


def test_a_value_may_hold_the_separator():
    assert GRAPH.parse_command_line(["instruction:=a:=b"]) == {"instruction": "a:=b"}


def everything():
    for robot, sim, policy in itertools.product(CHOICES["robot"], CHOICES["sim"], CHOICES["policy"]):
        given = {"robot": robot, "sim": sim, "policy": policy}
        given |= {"replay_file": "recording"} if policy == "replay" else {}
        given |= {"server": "ws://host:8000"} if policy in ON_A_SERVER else {}
        given |= {"map": "rt1"} if policy == "remote" else {}
        given |= {"checkpoint": "folder"} if robot not in SHIPPED.get(policy, CHOICES["robot"]) else {}
        if (policy != "expert" or sim == "mujoco") and (robot not in DESCRIBED or sim != "gazebo"):
            yield given


@pytest.mark.parametrize("given", list(everything()), ids=lambda g: "-".join(list(g.values())[:3]))
def test_every_valid_combination_resolves_to_one_of_each_node(given):
    starts = GRAPH.resolve(given, SHARE)
    names = [start.name for start in starts if isinstance(start, NodeStart)]
    assert len(names) == len(set(names))
    assert {"camera_node", "policy_node", "controller_node", "instruction_node"} <= set(names)
    assert ("simulator_node" in names) == (given["sim"] == "mujoco")
    assert any(isinstance(start, IncludeStart) for start in starts) == (given["sim"] == "gazebo")
    for start in starts:
        if isinstance(start, NodeStart):
            assert start.parameters.get("use_sim_time", False) is (given["sim"] == "gazebo")
            assert "{" not in " ".join(start.arguments)


def test_the_driver_of_a_franka_takes_the_place_of_the_simulated_arm_but_not_of_its_table():
    real = {"driver": "franka", "sim": "none", "robot_ip": "172.16.0.2", "read_only": "true"}
    told = {start.name: start.parameters for start in GRAPH.resolve(real, SHARE)}
    assert "simulator_node" not in told
    assert "franka_sim" not in told
    driver = told["franka_driver_node"]
    assert (driver["robot_ip"], driver["read_only"], driver["realtime"]) == ("172.16.0.2", True, "auto")
    assert driver["follow_arm_clock"] is False
    starts = {start.name: start for start in GRAPH.resolve({"driver": "franka-sim", "robot_ip": "127.0.0.9"}, SHARE)}
    assert starts["franka_sim"].arguments == ("--real-time", "--address", "127.0.0.9")
    assert starts["simulator_node"].parameters["arm_from"] == "joint_states"
    assert starts["franka_driver_node"].parameters["follow_arm_clock"] is True
    assert {s.name: s for s in GRAPH.resolve({}, SHARE)}["simulator_node"].parameters["arm_from"] == ""


def test_the_driver_of_a_widowx_takes_the_place_of_the_simulated_arm():
    given = {"driver": "widowx", "sim": "none", "robot": "wx250s", "checkpoint": "x", "port": "/dev/ttyUSB0"}
    told = {start.name: start.parameters for start in GRAPH.resolve(given, SHARE)}
    assert "simulator_node" not in told
    assert told["widowx_driver_node"]["port"] == "/dev/ttyUSB0"


def test_on_simulated_time_every_node_uses_it_and_the_simulator_publishes_it():
    starts = GRAPH.resolve({"sim_time": "true", "real_time_factor": "0.5"}, SHARE)
    parameters = {start.name: start.parameters for start in starts}
    simulator = parameters.pop("simulator_node")
    assert (simulator["sim_time"], simulator["real_time_factor"]) == (True, 0.5)
    assert all(values["use_sim_time"] is True for values in parameters.values())


def test_every_argument_and_condition_is_used_and_known():
    names = {argument.name for argument in GRAPH.arguments}
    settings = [s for item in GRAPH.items if isinstance(item, Node) for s in item.parameters.values()]
    settings += [s for setting in settings if isinstance(setting, Select) for s in setting.choices.values()]
    read = {s.name for s in settings if isinstance(s, FromArgument | Select | MapName | MapTopic)}
    conditions = {name for item in GRAPH.items for name in item.when}
    assert read | conditions | {"namespace"} == names  # which every node is put into
    for item in (*GRAPH.items, *GRAPH.rules):
        for name, values in item.when.items():
            valid = {GRAPH.values({})[name]} | {
                next(a for a in GRAPH.arguments if a.name == name).parse(c) for c in CHOICES[name]
            }
            assert set(values) <= valid


def test_the_description_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GRAPH.items[0].package = "other"


def test_what_moves_the_robot_is_required():
    ends = {item.executable: item.on_exit for item in GRAPH.items if isinstance(item, Node)}
    for name in ("controller_node", "policy_node", "simulator_node"):
        assert ends[name] is OnExit.SHUTDOWN


def test_the_description_needs_no_ros():
    code = "import sys, vla_bringup.graph; assert not {'rclpy', 'launch', 'ament_index_python'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SHARE)


@pytest.mark.parametrize("robot", CHOICES["robot"])
def test_the_policy_is_told_the_limits_that_the_controller_reads(robot):
    starts = GRAPH.resolve({"robot": robot, "policy": "rt2", "checkpoint": "folder"}, SHARE)
    told = next(start.parameters for start in starts if start.executable == "policy_node")
    read = yaml.safe_load((SHARE / "config" / "robots" / f"{robot}.yaml").read_text(encoding="utf-8"))
    assert (told["workspace_low"], told["workspace_high"]) == (read["workspace"]["lower"], read["workspace"]["upper"])
    assert {type(number) for number in told["workspace_low"]} == {float}
    assert (told["linear_speed"], told["angular_speed"]) == (
        read["tool_speed"]["linear"],
        read["tool_speed"]["angular"],
    )
    assert told["narrow"] is True


@pytest.mark.parametrize("content", ["", "a: 1", "a: {b: [1, x]}", "a: {b: text}", "a: ["])
def test_a_file_without_the_numbers_is_named_with_the_key(content, tmp_path):
    (tmp_path / "file.yaml").write_text(content, encoding="utf-8")
    node = Node("p", "e", parameters={"n": FileEntry("{share}/file.yaml", "a.b")})
    with pytest.raises(GraphError, match=r"file.yaml has no numbers under a.b"):
        Graph((), (node,)).resolve({}, tmp_path)


def test_a_missing_file_is_named():
    with pytest.raises(GraphError, match=r"/nowhere/config/\w+.yaml"):
        GRAPH.resolve({}, Path("/nowhere"))


def parameters(**given):
    """The parameters of each node by its name."""
    return {start.name: start.parameters for start in GRAPH.resolve(given, SHARE) if isinstance(start, NodeStart)}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "rt1"),
        ({"policy": "rt2"}, "rt2"),
        ({"policy": "expert"}, "rt1"),
        ({"policy": "rt1", "map": "openpi_bridge"}, "openpi_bridge"),
    ],
)
def test_camera_and_policy_are_told_the_same_map_by_default_the_policys(given, wanted):
    told = parameters(**given)
    assert told["camera_node"]["observation_map"] == told["policy_node"]["observation_map"] == wanted


def test_a_map_that_needs_the_wrist_camera_switches_it_on_and_so_does_its_argument():
    assert parameters()["simulator_node"]["wrist_view"] is False
    assert parameters(map="openpi_droid")["simulator_node"]["wrist_view"] is True
    assert parameters(wrist_camera="true")["simulator_node"]["wrist_view"] is True
    assert "only sim:=mujoco" in refusal({"sim": "none", "wrist_camera": "true"})


def test_a_map_that_does_not_exist_is_wrong_or_not_for_the_robot_is_refused_before_anything_starts(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert "unknown observation map 'rt9'; valid: gr00t, lerobot" in refusal({"map": "rt9"})
    assert "is not a file" in refusal({"map": "mine.yaml"})
    mine = yaml.safe_load((SHARE / "config" / "maps" / "openpi_droid.yaml").read_text(encoding="utf-8"))
    Path("mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    assert parameters(map="mine.yaml")["policy_node"]["observation_map"] == str(tmp_path / "mine.yaml")
    mine["state"][0]["parts"][0]["names"] = ["elbow"]
    Path("mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    assert "joints elbow are not the robot's; valid are fr3_joint1" in refusal({"map": "mine.yaml"})
    Path("mine.yaml").write_text(yaml.safe_dump({**mine, "camera": []}), encoding="utf-8")
    assert "unknown key camera; valid keys are cameras, state" in refusal({"map": "mine.yaml"})
