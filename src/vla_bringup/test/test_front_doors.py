# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch` and `vla up` start the same: both are made from vla_bringup/graph.py and nothing else."""

import ast
import dataclasses
import importlib.util
import inspect
from pathlib import Path

import pytest
import yaml
from vla_bringup.description import GraphError, OnExit
from vla_bringup.graph import GRAPH
from vla_bringup.resolution import IncludeStart, NodeStart

from vla_bringup import commands, up

SHARE = Path(__file__).parents[1]
FILE = SHARE / "launch" / "robot.launch.py"
TREE = ast.parse(FILE.read_text(encoding="utf-8"))


class LaunchLoader(yaml.SafeLoader):
    """Reads what launch_ros writes: it tags arrays as Python tuples, which ROS's own parser passes over."""


LaunchLoader.add_constructor("tag:yaml.org,2002:python/tuple", yaml.SafeLoader.construct_sequence)


def strings(tree):
    docstring = ast.get_docstring(tree, clean=False)
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [text for text in texts if text != docstring]


def attributes_read(tree, of):
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    return {n.attr for n in nodes if n.value.id == of}


def calls(tree, name):
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]


def test_the_launch_file_is_short_and_names_nothing_of_the_graph():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) < 100
    words = {word for item in GRAPH.items for word in (item.package, getattr(item, "executable", ""))}
    words |= {argument.name for argument in GRAPH.arguments} | {a.description for a in GRAPH.arguments}
    words |= {name for item in GRAPH.items for name in getattr(item, "parameters", {})}
    words -= {""}
    own = {"vla_bringup", "launch", "screen"}
    assert not {text for text in strings(TREE) if text in words - own}


def test_the_launch_file_makes_each_kind_of_action_in_one_place():
    for action in ("Node", "IncludeLaunchDescription", "DeclareLaunchArgument"):
        assert len(calls(TREE, action)) == 1


@pytest.mark.parametrize("kind", [NodeStart, IncludeStart])
def test_both_doors_read_every_field_of_what_is_to_be_started(kind):
    fields = {field.name for field in dataclasses.fields(kind)}
    other = ast.parse(inspect.getsource(commands) + inspect.getsource(up.job))
    shared = ast.parse(inspect.getsource(commands.package_of)) if calls(TREE, "package_of") else TREE
    assert fields <= attributes_read(TREE, "start") | attributes_read(shared, "start")
    assert fields <= attributes_read(other, "start")


def test_every_property_of_an_argument_is_declared():
    assert {"name", "default", "description", "choices"} <= attributes_read(TREE, "argument")


COMBINATIONS = [
    {},
    {"robot": "wx250s", "policy": "expert", "instruction": "push 'it': 5 cm", "rate": "4", "camera_delay": "0.25"},
    {"policy": "rt2", "checkpoint": "some/model", "decode": "sample", "quantization": "int8", "plan": "true"},
    {"sim": "none", "policy": "replay", "replay_file": "true", "device": "cpu", "instruction": "5"},
    {"namespace": "left", "policy": "expert", "sim_time": "true"},
]


@pytest.mark.node
@pytest.mark.parametrize("around", ["", "/cell"])
@pytest.mark.parametrize("given", COMBINATIONS, ids=lambda given: "-".join(given) or "defaults")
def test_real_launch_starts_what_vla_up_starts(given, around, monkeypatch):
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is not installed here (it is not among the wheels); it comes with ROS 2 from apt")
    monkeypatch.setenv("ROS_DOMAIN_ID", "91")
    starts = up.GRAPH.resolve(given, installed_share(), around)
    nodes = launched(given, around)
    assert len(nodes) == len(starts)
    for (command, respawn, on_exit), start in zip(nodes, starts, strict=True):
        assert meaning(command) == meaning(list(commands.command_line(start)))
        assert respawn == (start.on_exit is OnExit.RESTART)
        if start.on_exit is OnExit.RESTART:
            assert not on_exit(0)
            assert not on_exit(1)
            continue
        assert bool(on_exit(0)) == (start.on_exit is OnExit.SHUTDOWN)
        with pytest.raises(RuntimeError, match=start.name):
            on_exit(1)


IMPOSSIBLE = [{"robot": "wx250s"}, {"robot": "wx250s", "policy": "rt2"}, {"policy": "replay"}]


@pytest.mark.parametrize("given", IMPOSSIBLE, ids="-".join)
def test_vla_up_refuses_what_cannot_work_before_anything_starts(given, capsys, monkeypatch):
    monkeypatch.setattr(up, "Supervisor", lambda *_, **__: pytest.fail("started"))
    monkeypatch.setattr(up, "get_package_share_directory", lambda _: str(SHARE))
    assert up.main([f"{name}:={text}" for name, text in given.items()]) == 2
    assert " needs " in capsys.readouterr().err


@pytest.mark.node
@pytest.mark.parametrize("given", IMPOSSIBLE, ids="-".join)
def test_real_launch_refuses_what_cannot_work_before_anything_starts(given):
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is not installed here (it is not among the wheels); it comes with ROS 2 from apt")
    with pytest.raises(GraphError, match=" needs "):
        launched(given)


def installed_share():
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("vla_bringup"))


def launched(given, around=""):
    """The command line, respawn and on_exit of every node, as launch_ros evaluates them within `around`."""
    from launch.events import Shutdown
    from launch.utilities import perform_substitutions

    from launch import LaunchContext

    spec = importlib.util.spec_from_file_location("robot_launch", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    context.launch_configurations.update(given | ({"ros_namespace": around} if around else {}))
    *declarations, environment, opaque = module.generate_launch_description().entities
    for entity in (*declarations, environment):
        entity.execute(context)
    result = []
    unlock, *nodes = opaque.execute(context)
    unlock.execute(context)
    unlock.event_handler.handle(Shutdown(reason="test"), context)  # of the lock
    for node in nodes:
        node._perform_substitutions(context)  # as launch_ros's own tests do
        words = {"name": f"__node:={node.node_name.rpartition('/')[2]}", "ns": f"__ns:={node.expanded_node_namespace}"}
        context.extend_locals({"ros_specific_arguments": words})  # as Node.execute does
        command = [perform_substitutions(context, word) for word in node.cmd]
        result.append((command, node._ExecuteLocal__respawn not in (False, [False]), ended(node, context)))
    return result


def ended(node, context):
    """What launch does when the process of `node` ends, as a function of its exit code."""
    from launch.events.process import ProcessExited

    common = {"action": node, "name": "node", "cmd": [], "cwd": None, "env": None, "pid": 1}
    return lambda code: node._ExecuteLocal__on_exit(ProcessExited(returncode=code, **common), context)


def meaning(command):
    """A command line with its ROS parameters merged: launch_ros writes to files what `vla up` writes as -p."""
    plain, _, ros = " ".join(command[:1]), None, command[1:]
    parameters, rest = {}, []
    words = iter(word for word in ros if word != "--ros-args")
    for word in words:
        if word == "--params-file":
            content = yaml.load(Path(next(words)).read_text(encoding="utf-8"), LaunchLoader)
            parameters |= {k: v for node in content.values() for k, v in node["ros__parameters"].items()}
        elif word == "-p":
            name, _, text = next(words).partition(":=")
            parameters[name] = yaml.safe_load(text)
        else:
            rest.append(word)
    return plain, rest, {name: (type(value), value) for name, value in parameters.items()}
