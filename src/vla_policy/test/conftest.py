# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests of the policy node; ROS is imported only where a test asks for one of them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _beside(name: str) -> ModuleType:
    """Import a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# Parameters of the node with the talking policy: what a language model is given, each unlike its default.
TALKING = (
    "decode:=beam",
    "temperature:=0.5",
    "beams:=3",
    "dtype:=bfloat16",
    "quantization:=int8",
    "plan:=true",
    "min_legal_mass:=0.25",
    "compile:=true",
    "engine:=eager",
    "workspace_low:=[0.3, -0.4, 0.0]",
    "workspace_high:=[0.7, 0.4, 0.6]",
    "linear_speed:=0.5",
)


@pytest.fixture(scope="session")
def harness() -> ModuleType:
    """The module policy_node_harness.py beside this file."""
    pytest.importorskip("rclpy")
    pytest.importorskip("vla_msgs")
    return _beside("policy_node_harness")


@pytest.fixture(scope="session")
def policy_servers() -> ModuleType:
    """The module policy_servers.py beside this file."""
    return _beside("policy_servers")


@pytest.fixture(scope="session")
def rt2_tokenizers() -> ModuleType:
    """The module rt2_tokenizers.py beside this file."""
    return _beside("rt2_tokenizers")


@pytest.fixture(scope="session")
def rt2_models(rt2_tokenizers: ModuleType) -> ModuleType:
    """The module rt2_models.py beside this file; it imports the one that makes tokenizers."""
    return _beside("rt2_models")


@pytest.fixture(scope="session")
def rt2_small_models() -> ModuleType:
    """The module rt2_small_models.py beside this file."""
    return _beside("rt2_small_models")


@pytest.fixture(scope="module")
def running(harness: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A policy node that replays a recording, and the Robot around it; its exit is checked at the end."""
    path = tmp_path_factory.mktemp("recording") / "recording.jsonl"
    harness.write_recording(path, long=500, short=3)
    with harness.around("policy:=replay", f"checkpoint:={path}", "rate:=5.0") as robot:
        yield robot


@pytest.fixture
def robot(running: Any) -> Any:
    """The Robot, stopped, with a working camera and empty lists."""
    running.calm()
    return running


@pytest.fixture(scope="module")
def talking_node(harness: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A policy node with the policy of talking_policy.py, and the Robot around it; its exit is checked at the end."""
    environment = harness.install_talking_policy(tmp_path_factory.mktemp("plug-in"))
    with harness.around("policy:=talking", *TALKING, environment=environment) as robot:
        yield robot


@pytest.fixture
def talking(talking_node: Any) -> Any:
    """The Robot around the talking policy, stopped, with a working camera and empty lists."""
    talking_node.calm()
    return talking_node
