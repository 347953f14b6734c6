# SPDX-License-Identifier: Apache-2.0
"""The keystore: six files for each node, verified by openssl, and permissions that are no wider than the node needs."""

import shutil
import stat
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ament_index_python.packages import get_package_share_directory
from vla_bringup.description import GraphError
from vla_bringup.graph import GRAPH
from vla_core.robot import load_robot_config
from vla_trust.keystore.command import main
from vla_trust.keystore.enclaves import OPERATOR, enclaves, interfaces
from vla_trust.keystore.store import SIX

from vla_core import dds_security

ROOT = Path(__file__).resolve().parents[3]
SHARE = Path(get_package_share_directory("vla_bringup"))


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not installed")
    folder = tmp_path_factory.mktemp("keys") / "store"
    assert main([str(folder), "recordings:=/tmp/r", "--domain", "7"]) == 0
    return folder


def nodes(store: Path) -> list[Path]:
    return sorted(path.parent for path in store.glob("enclaves/*/cert.pem"))


def test_every_node_has_the_six_files_that_rmw_reads(store) -> None:
    names = {folder.name for folder in nodes(store)}
    assert {"controller_node", "policy_node", "camera_node", "instruction_node", "recorder_node", OPERATOR} <= names
    for folder in nodes(store):
        assert {path.name for path in folder.iterdir()} >= set(SIX)
        assert all((folder / name).stat().st_size > 100 for name in SIX)


def test_certificates_are_of_the_authority_and_name_their_node(store) -> None:
    for folder in nodes(store):
        done = openssl("verify", "-CAfile", str(folder / "identity_ca.cert.pem"), str(folder / "cert.pem"))
        assert done.returncode == 0, done.stderr
        subject = openssl("x509", "-in", str(folder / "cert.pem"), "-noout", "-subject", "-nameopt", "RFC2253").stdout
        assert subject.strip() == f"subject=CN=/{folder.name}"
        key = openssl("pkey", "-in", str(folder / "key.pem"), "-pubout").stdout
        assert key == openssl("x509", "-in", str(folder / "cert.pem"), "-noout", "-pubkey").stdout


def test_documents_are_signed_and_a_changed_one_is_not(store, tmp_path) -> None:
    for folder in nodes(store):
        for name in ("governance.p7s", "permissions.p7s"):
            arguments = ("smime", "-verify", "-CAfile", str(folder / "permissions_ca.cert.pem"), "-in")
            done = openssl(*arguments, str(folder / name))
            assert done.returncode == 0, done.stderr
            assert "<dds" in done.stdout
            forged = tmp_path / name
            forged.write_text((folder / name).read_text().replace("</", "< /", 1))
            assert openssl(*arguments, str(forged)).returncode != 0


def test_private_keys_are_their_owners_alone(store) -> None:
    keys = [*store.rglob("key.pem"), store / "private/ca.key.pem"]
    assert len(keys) > 6
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys)
    assert stat.S_IMODE((store / "private").stat().st_mode) == 0o700


def allowed(folder: Path) -> tuple[set[str], set[str]]:
    grant = ElementTree.parse(folder / "permissions.xml").getroot().find("permissions/grant")
    assert grant is not None
    assert grant.findtext("subject_name") == f"CN=/{folder.name}"
    assert grant.findtext("default") == "DENY"
    assert grant.findtext("allow_rule/domains/id") == "7"
    found = []
    for what in ("publish", "subscribe"):
        found.append({topic.text or "" for topic in grant.iterfind(f"allow_rule/{what}/topics/topic")})
    return found[0], found[1]


def test_only_those_who_must_can_move_the_arm(store) -> None:
    robot = load_robot_config("fr3")
    for folder in nodes(store):
        writes, _ = allowed(folder)
        assert not any("*" in topic for topic in writes)
        assert (f"rt/{robot.arm_command_topic}" in writes) == (folder.name == "controller_node")
        assert ("rt/vla/action_chunk" in writes) == (folder.name == "policy_node")
        assert ("rt/vla/instruction" in writes) == (folder.name == "instruction_node")
        assert ("rt/vla/teleop_command" in writes) == (folder.name == "console_node")
        presses = "rq/controller_node/reset_estopRequest" in writes
        assert presses == (folder.name in ("console_node", OPERATOR))


def test_topics_that_are_read_are_written_by_somebody(store) -> None:
    written = {topic for folder in nodes(store) for topic in allowed(folder)[0]}
    outside = {"rt/tf_static", "rt/robot_description", "rt/vla/plan", "rt/vla/utterance", "rt/vla/speech/question"}
    outside |= {"rt/camera/wrist/image_raw", "rt/voice_command", "rt/vla/goal_status"}  # nodes that are off here
    outside |= {f"rt/vla/execute_goal/_action/{part}" for part in ("feedback", "status")}
    for folder in nodes(store):
        for topic in allowed(folder)[1] - outside:
            own = topic.startswith(("rq", "rr")) or "*" in topic
            assert own or topic in written, f"{folder.name} reads {topic}, which nobody may write"


def test_governance_encrypts_and_admits_nobody_without_a_certificate(store) -> None:
    rule = ElementTree.parse(store / "enclaves/governance.xml").getroot().find("domain_access_rules/domain_rule")
    assert rule is not None
    assert rule.findtext("allow_unauthenticated_participants") == "false"
    assert rule.findtext("enable_join_access_control") == "true"
    assert rule.findtext("topic_access_rules/topic_rule/data_protection_kind") == "ENCRYPT"
    assert rule.findtext("topic_access_rules/topic_rule/enable_write_access_control") == "true"


def test_second_call_keeps_the_authority(store) -> None:
    before = (store / "public/ca.cert.pem").read_bytes()
    assert main([str(store), "recordings:=/tmp/r", "--domain", "7"]) == 0
    assert (store / "public/ca.cert.pem").read_bytes() == before


def test_folders_and_arguments_that_do_not_fit_are_refused(tmp_path, capsys) -> None:
    (tmp_path / "photo.jpg").write_text("x")
    assert main([str(tmp_path)]) == 2
    assert "no keystore" in capsys.readouterr().err
    assert main([str(tmp_path / "new"), "robot:=nonsense"]) == 2
    starts = GRAPH.resolve(GRAPH.parse_command_line(["sim:=gazebo"]), SHARE)
    with pytest.raises(GraphError, match="not known here"):
        enclaves(starts, load_robot_config("fr3"))


def test_namespaces_are_in_the_names() -> None:
    starts = GRAPH.resolve(GRAPH.parse_command_line(["namespace:=left"]), SHARE)
    found = {each.path: each for each in enclaves(starts, load_robot_config("fr3"))}
    assert "rt/left/vla/action_chunk" in found["/left/policy_node"].publishes
    assert "rr/left/controller_node/estopReply" in found["/left/controller_node"].publishes
    assert "rt/diagnostics" in found["/left/camera_node"].publishes


ROLES = {
    ("publishes", "topic"): "publishes",
    ("subscribes to", "topic"): "subscribes",
    ("serves", "service"): "serves",
    ("calls", "service"): "calls",
    ("serves", "action"): "offers",
    ("calls", "action"): "sends",
}
HAND = load_robot_config("fr3").gripper_command_topic
OPTIONAL = {"check_state_validity": "MoveIt, where collision_service names it", "camera/image_raw": "by a video file"}


def test_list_holds_what_the_sources_of_the_nodes_say() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    from docs_interfaces import find_nodes

    known, missing, checked = interfaces(), [], 0
    for node in find_nodes():
        if node.name not in known or node.name in ("fault_node", "recorder_node"):
            continue
        for item in node.interfaces():
            if item.name.startswith("(") or (item.name in OPTIONAL and item.role in ("calls", "publishes")):
                continue
            listed = [
                HAND if name == "{hand}" else name for name in known[node.name].get(ROLES[item.role, item.kind], ())
            ]
            if not any(fnmatchcase(item.name, name) for name in listed):
                missing.append(f"{node.name} {item.role} {item.kind} {item.name}")
            checked += 1
    assert not missing
    assert checked > 60


def library(folder: Path, content: bytes) -> dict[str, str]:
    (folder / "lib").mkdir()
    (folder / dds_security.LIBRARY).write_bytes(content)
    return {"AMENT_PREFIX_PATH": f"/nowhere:{folder}", "ROS_SECURITY_ENABLE": "true"}


def test_security_that_is_missing_is_refused_and_one_that_is_there_is_not(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    without = library(tmp_path / "a", b"..." + dds_security.WITHOUT + b"...")
    assert "has no DDS security" in dds_security.refusal(without)
    assert dds_security.refusal({**without, "ROS_SECURITY_ENABLE": "false"}) == ""
    assert dds_security.refusal(library(tmp_path / "b", b"security")) == ""
    assert dds_security.refusal({"ROS_SECURITY_ENABLE": "true"}) == ""


def test_up_refuses_before_anything_starts(monkeypatch, capsys, tmp_path) -> None:
    from vla_bringup import up

    (tmp_path / "a").mkdir()
    without = library(tmp_path / "a", dds_security.WITHOUT)
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setattr(up, "security_refusal", lambda: dds_security.refusal(without))
    monkeypatch.setattr(up, "Supervisor", lambda *_, **__: pytest.fail("something was started"))
    assert up.main(["policy:=expert"]) == 2
    assert "has no DDS security" in capsys.readouterr().err
