# SPDX-License-Identifier: Apache-2.0
"""`vla ask` where nobody answers; with a policy it is tested in vla_policy/test/test_policy_node_questions.py."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.node
COMMAND = [sys.executable, "-c", "import sys; from vla_demo.ros.ask import main; sys.exit(main())", "--timeout", "0.5"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [("what is on the table?", "nobody answers on /vla/ask"), (b"what is \xff?", "not clean UTF-8")],
)
def test_without_an_answer_it_says_why(question: str | bytes, reason: str) -> None:
    done = subprocess.run([*COMMAND, question], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
