# SPDX-License-Identifier: Apache-2.0
"""docker/compose.yaml: valid by Compose's schema, its commands by this repository."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from vla_bringup.graph import GRAPH

ROOT = Path(__file__).parents[3]
FILES = [ROOT / "docker" / name for name in ("compose.yaml", "compose.cpu.yaml")]
SCHEMA = json.loads((Path(__file__).parent / "data" / "compose_spec.json").read_text(encoding="utf-8"))
ENVIRONMENT = {"ROBOT_IP": "172.16.0.2"}
VLA_COMMANDS = set(
    re.findall(r'^COMMANDS="(.*)"$', (ROOT / "vla").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
)


class Loader(yaml.SafeLoader):
    """Reads Compose's own tag for a value that is taken back."""


Loader.add_constructor("!reset", lambda loader, node: {})


def filled(value: Any) -> Any:
    """The value with ${NAME:-default} replaced, as Compose does."""
    if isinstance(value, dict):
        return {key: filled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: ENVIRONMENT.get(found[1], found[2]), value)


def services(path: Path = FILES[0]) -> dict[str, Any]:
    return filled(yaml.load(path.read_text(encoding="utf-8"), Loader))["services"]


def broken(document: dict[str, Any]) -> list[str]:
    """What Compose's schema has against a file; `name` is newer than the schema."""
    rest = {key: value for key, value in filled(document).items() if key != "name"}
    return [error.message for error in jsonschema.Draft201909Validator(SCHEMA).iter_errors(rest)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_is_valid_by_the_schema_of_compose(path: Path) -> None:
    assert broken(yaml.load(path.read_text(encoding="utf-8"), Loader)) == []


def test_the_schema_would_refuse_a_wrong_key() -> None:
    wrong = yaml.safe_load(FILES[0].read_text(encoding="utf-8"))
    wrong["services"]["policy"]["network"] = "host"
    assert broken(wrong) == ["'network' does not match any of the regexes: '^x-'"]


def test_every_command_is_one_of_this_repository_with_valid_arguments() -> None:
    for name, service in services().items():
        command = service["command"]
        assert command[0] in VLA_COMMANDS, name
        if command[0] == "up":
            GRAPH.values(GRAPH.parse_command_line(command[1:]))
        if command[:3] == ["run", "ros2", "run"]:
            package, executable = command[3:5]
            assert any((item.package, getattr(item, "executable", "")) == (package, executable) for item in GRAPH.items)
            assert (ROOT / command[command.index("--params-file") + 1]).is_file()


def test_a_real_arm_gets_its_network_and_real_time_and_the_policy_its_gpu() -> None:
    found = services()
    assert set(found) == {"policy", "simulator", "hardware", "console"}
    assert {service["network_mode"] for service in found.values()} == {"host"}
    assert found["hardware"]["cap_add"] == ["SYS_NICE"]
    assert found["hardware"]["ulimits"]["rtprio"] == 99
    assert found["hardware"]["restart"] == "no"
    assert found["policy"]["build"]["args"]["VLA_TORCH"] == "cuda"
    assert found["policy"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert {service["build"]["dockerfile"] for service in found.values()} == {"docker/Dockerfile"}
    assert services(FILES[1])["policy"]["deploy"] == {}


def test_images_have_versions() -> None:
    images = [service["image"] for service in services().values()]
    images.append(re.findall(r"^ARG ROS_IMAGE=(\S+)$", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)[0])
    assert {service["build"]["args"]["ROS_IMAGE"] for service in services().values()} == {images[-1]}
    for image in images:
        assert re.fullmatch(r"\S+(:[\w.-]+|@sha256:[0-9a-f]{64})", image), image
        assert not image.endswith(":latest")


def test_docker_itself_takes_the_files_where_it_is() -> None:
    """`docker compose config`, where Docker has the plugin; the schema stands in for it elsewhere."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no `docker compose` on this machine")
    words = [word for path in FILES for word in ("-f", str(path))]
    done = subprocess.run(
        [docker, "compose", *words, "--profile", "simulator", "--profile", "hardware", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
