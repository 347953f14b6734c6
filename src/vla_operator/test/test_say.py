# SPDX-License-Identifier: Apache-2.0
"""`vla say` against the real instruction_node, over DDS; and its reading of arguments."""

import subprocess
import sys
import tempfile

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from vla_operator.ros.say import read_arguments

from vla_msgs.msg import ControllerStatus, Instruction, PolicyStatus

INSTRUCTION = "/vla/instruction"
COMMAND = [sys.executable, "-m", "vla_operator.ros.say"]


@pytest.fixture(scope="module")
def intake(start_node):
    process = start_node("vla_operator.instruction_node")
    process.wait_for("listening")
    return process


class StandIns:
    """Policy and controller as `vla say` sees them; `deaf`: the ones that do not receive."""

    def __init__(self, bench) -> None:
        self.bench, self.there, self.deaf, self.received = bench, False, (), []
        bench.node.create_subscription(Instruction, INSTRUCTION, self.received.append, 10)
        self.policy = bench.node.create_publisher(PolicyStatus, "/vla/policy_status", 10)
        self.controller = bench.node.create_publisher(ControllerStatus, "/vla/controller_status", 10)
        bench.node.create_timer(0.05, self.report)

    def report(self) -> None:
        if self.there:
            latest = max((message.sequence for message in self.received), default=0)
            policy, controller = (0 if name in self.deaf else latest for name in ("policy_node", "controller_node"))
            self.policy.publish(PolicyStatus(instruction_sequence=policy))
            state = ControllerStatus.STATE_HOLDING
            self.controller.publish(ControllerStatus(state=state, instruction_sequence=controller))

    def say(self, *words: str, after: str = "") -> subprocess.CompletedProcess[str]:
        """Run `vla say`; the stand-ins come once it has printed `after`, if that is something."""
        with tempfile.TemporaryFile("w+") as errors:
            job = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=errors, text=True)

            def printed() -> str:
                errors.seek(0)
                return errors.read()

            def over() -> bool:
                self.there = self.there or bool(after and after in printed())
                return job.poll() is not None

            self.bench.spin_until(over, 90.0)
            return subprocess.CompletedProcess(words, job.returncode, job.communicate()[0], printed())


@pytest.fixture(scope="module")
def module_graph(module_bench, intake):
    return StandIns(module_bench)


@pytest.fixture
def graph(module_graph):
    module_graph.there, module_graph.deaf = True, ()
    module_graph.received.clear()
    return module_graph


def say(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["stop"], "stop"),
        (["-stop"], "-stop"),
        (["-halt"], "-halt"),
        (["--stop"], "--stop"),
        (["-t", "stop"], "-t stop"),
        (["--", "stop"], "stop"),
        (["pick", "up the", "--timeout", "2", "block"], "pick up the block"),
        (["--timeout=2", "--first", "-x"], "-x"),
    ],
)
def test_whatever_is_no_option_is_text(words, text):
    said, options = read_arguments(words)
    assert said == text
    assert options.timeout in (2.0, 30.0)
    assert options.namespace == ""
    assert options.first is ("--first" in words)


@pytest.mark.parametrize("words", [[], ["--first"], ["--timeout", "soon", "stop"]])
def test_wrong_arguments_end_with_status_2(words):
    with pytest.raises(SystemExit) as caught:
        read_arguments(words)
    assert caught.value.code == 2


def test_a_namespace_is_no_text():
    for words in (["--namespace", "left", "stop"], ["stop", "--namespace=left"]):
        said, options = read_arguments(words)
        assert (said, options.namespace) == ("stop", "left")


@pytest.mark.node
def test_the_graph_tells_what_it_took(graph):
    done = graph.say("pick", "up the red block", "--timeout", "40")
    assert (done.returncode, done.stdout) == (0, "task: pick up the red block\n"), done.stderr
    for words in ("stop", "-stop", "no, stop!"):
        done = graph.say(words, "--timeout", "40")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"stop: {words}"), done.stdout


@pytest.mark.node
def test_a_task_waits_for_policy_and_controller_and_is_given_once(graph):
    graph.there = False
    done = graph.say("pick up the bowl", "--timeout", "60", after="waiting")
    assert (done.returncode, done.stdout) == (0, "task: pick up the bowl\n"), done.stderr
    assert [message.text for message in graph.received] == ["pick up the bowl"]


@pytest.mark.node
def test_a_task_that_nobody_would_act_upon_is_not_given(graph):
    graph.there = False
    done = graph.say("pick up the bowl", "--timeout", "3")
    assert done.returncode == 1
    assert "not given: policy_node and controller_node did not report" in done.stderr
    assert not graph.received


@pytest.mark.node
@pytest.mark.parametrize("name", ["policy_node", "controller_node"])
def test_a_task_that_somebody_does_not_have_is_sent_again_and_then_an_error(graph, name):
    graph.deaf = (name,)
    done = graph.say("pick up the bowl", "--timeout", "40")
    assert done.returncode == 1
    assert f"error: {name} did not take it" in done.stderr
    assert len(graph.received) > 2
    assert len({(message.id, message.sequence) for message in graph.received}) == 1


@pytest.mark.node
def test_stop_waits_for_nobody_but_the_intake(graph):
    graph.there = False
    done = graph.say("stop", "--timeout", "40")
    assert [message.kind for message in graph.received] == [Instruction.KIND_STOP]
    assert done.returncode == 1
    assert "stop was given, but no controller_node answers" in done.stderr


def test_a_refused_sentence_is_an_error_with_the_reason():
    done = say("", "--timeout", "20")
    assert done.returncode == 1
    assert "empty instruction" in done.stderr


@pytest.mark.node
def test_a_first_instruction_is_out_of_date_once_somebody_has_spoken(graph):
    graph.say("stop", "--timeout", "40")
    done = graph.say("--first", "pick up the bowl")
    assert done.returncode == 0
    assert done.stdout.startswith("not given: an operator has spoken meanwhile: 'stop'")


@pytest.mark.node
def test_without_a_graph_it_says_so(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "101")
    done = say("pick", "--timeout", "0.5")
    assert done.returncode == 1
    assert "nobody listens on /vla/text_command" in done.stderr
    assert "nobody listens on /left/vla/text_command" in say("pick", "--timeout", "0.5", "--namespace", "left").stderr


@pytest.mark.node
def test_an_invalid_namespace_is_refused():
    done = say("pick", "--namespace", "le ft")
    assert done.returncode == 2
    assert "namespace 'le ft' is not valid" in done.stderr
