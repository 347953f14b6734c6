# SPDX-License-Identifier: Apache-2.0
"""No code that runs data: no eval, no shell from texts, no unpickling but by the reader that names nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted(
    path
    for folder in ("src", "scripts", "launch")
    for path in (ROOT / folder).rglob("*.py")
    if "/test/" not in str(path)
)
NAMES = {"eval", "exec", "compile", "__import__"}
CALLS = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
}
CALLS |= {
    "marshal.loads",
    "marshal.load",
    "shelve.open",
    "joblib.load",
    "dill.loads",
    "pickle.loads",
    "pickle.load",
    "pickle.Unpickler",
}
# Where the restricted reader of lerobot's messages stands, what writes its examples, and what compares with it.
PICKLE = {"codecs/pickles.py", "fuzz/targets/network.py"}


def dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def forbidden(tree: ast.Module) -> Iterator[str]:
    """Yield what runs data, in words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in NAMES or name in CALLS:
                yield f"line {node.lineno}: {name}()"
            for word in node.keywords:
                value = word.value.value if isinstance(word.value, ast.Constant) else "not a constant"
                if word.arg in ("shell", "trust_remote_code", "allow_pickle") and value is not False:
                    yield f"line {node.lineno}: {word.arg}={value}"
            if name == "torch.load" and not any(
                word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords
            ):
                yield f"line {node.lineno}: torch.load without weights_only=True"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_data(path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(forbidden(tree))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    own = any(str(path).endswith(end) for end in PICKLE)
    assert own or not modules & {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}


@pytest.mark.parametrize(
    "text",
    [
        "eval(x)",
        "import os\nos.system(x)",
        "subprocess.run(x, shell=True)",
        "subprocess.run(x, shell=y)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
        "np.load(x, allow_pickle=True)",
        "torch.load(x)",
        "torch.load(x, weights_only=False)",
        "yaml.load(x)",
        "pickle.loads(x)",
    ],
)
def test_the_check_finds_what_it_is_for(text) -> None:
    assert list(forbidden(ast.parse(text)))


def test_the_check_lets_sound_code_pass() -> None:
    text = "torch.load(x, weights_only=True)\nnp.load(x, allow_pickle=False)\nnetwork.eval()\nre.compile(x)"
    assert not list(forbidden(ast.parse(text)))
