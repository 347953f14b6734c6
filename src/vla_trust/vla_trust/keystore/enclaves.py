# SPDX-License-Identifier: Apache-2.0
"""Which DDS topics each node of a graph may write and read, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml
from vla_bringup.description import GraphError
from vla_bringup.resolution import NodeStart, Start
from vla_core.robot import RobotConfig

OPERATOR = "operator"
DISCOVERY = "ros_discovery_info"  # of the middleware itself
PARAMETERS = ("describe_parameters", "get_parameter_types", "get_parameters", "list_parameters", "set_parameters")
SERVED = (*PARAMETERS, "set_parameters_atomically", "get_type_description")
LIFECYCLE = ("change_state", "get_state", "get_available_states", "get_available_transitions", "get_transition_graph")
GOAL, RESULT = ("send_goal", "cancel_goal", "get_result"), ("feedback", "status")  # of an action


@dataclass(frozen=True, slots=True)
class Enclave:
    """A node's identity and what it may do. `path` is absolute: namespace and name; topics are those of DDS."""

    path: str
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]


def interfaces() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return what each node has besides what every node has, by its executable's name."""
    text = files("vla_trust.keystore").joinpath("interfaces.yaml").read_text(encoding="utf-8")
    content: Mapping[str, Mapping[str, Sequence[str]]] = yaml.safe_load(text)
    return content


def enclaves(starts: Sequence[Start], robot: RobotConfig) -> tuple[Enclave, ...]:
    """Return the enclave of each node that is started, and the operator's.

    Raises:
        GraphError: a process whose interfaces are not known: another package's node or launch file.
    """
    known = interfaces()
    nodes = [start for start in starts if isinstance(start, NodeStart) and start.executable != "franka_sim"]
    names = {start.name: start.name if start.name in known else start.executable for start in nodes}
    strange = [start.package for start in starts if not isinstance(start, NodeStart)]
    strange += [name for name, key in names.items() if key not in known]
    if strange:
        raise GraphError(f"the interfaces of {', '.join(strange)} are not known here; valid: {', '.join(known)}")
    space = next((start.namespace for start in nodes if start.namespace), "")
    found = [_enclave(name, known[key], space, robot) for name, key in names.items()]
    return (*found, _enclave(OPERATOR, known[OPERATOR], space, robot))


def _enclave(name: str, about: Mapping[str, Sequence[str]], space: str, robot: RobotConfig) -> Enclave:
    writes, reads = (
        [DISCOVERY, "rt/rosout", "rt/parameter_events"],
        [DISCOVERY, "rt/parameter_events", _topic("clock", name, space)],
    )
    writes.append(_topic("~/transition_event", name, space))
    for topic in about.get("publishes", ()):
        writes.append(_topic(_filled(topic, robot), name, space))
    for topic in about.get("subscribes", ()):
        reads.append("rt/*" if topic == "*" else _topic(_filled(topic, robot), name, space))
    served = [*(f"~/{part}" for part in (*SERVED, *LIFECYCLE)), *about.get("serves", ())]
    served += [f"{action}/_action/{part}" for action in about.get("offers", ()) for part in GOAL]
    called = [*about.get("calls", ()), *(f"{a}/_action/{part}" for a in about.get("sends", ()) for part in GOAL)]
    writes += [_topic(f"{action}/_action/{part}", name, space) for action in about.get("offers", ()) for part in RESULT]
    reads += [_topic(f"{action}/_action/{part}", name, space) for action in about.get("sends", ()) for part in RESULT]
    for service in served:
        request, reply = _service(service, name, space)
        reads.append(request)
        writes.append(reply)
    for service in called:
        request, reply = _service(service, name, space)
        writes.append(request)
        reads.append(reply)
    return Enclave(f"{space}/{name}", tuple(sorted(set(writes))), tuple(sorted(set(reads))))


def _filled(topic: str, robot: RobotConfig) -> str:
    return topic.replace("{arm}", robot.arm_command_topic).replace("{hand}", robot.gripper_command_topic)


def _absolute(name: str, node: str, space: str) -> str:
    """Return a topic's or service's full name."""
    if name.startswith("/"):
        return name
    return f"{space}/{node}/{name[2:]}" if name.startswith("~/") else f"{space}/{name}"


def _topic(name: str, node: str, space: str) -> str:
    return f"rt{_absolute(name, node, space)}"


def _service(name: str, node: str, space: str) -> tuple[str, str]:
    full = _absolute(name, node, space)
    return f"rq{full}Request", f"rr{full}Reply"


def lines(found: Sequence[Enclave]) -> Iterator[str]:
    """Yield the enclaves in words."""
    for each in found:
        yield f"{each.path}: writes {len(each.publishes)} topics, reads {len(each.subscribes)}"
