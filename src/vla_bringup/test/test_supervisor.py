# SPDX-License-Identifier: Apache-2.0
"""The process manager with real processes: required ones, restarts, jobs, signals, exit codes, output."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; print('deaf'); time.sleep(60)"
CLEAN = (
    "import signal, sys, time; [signal.signal(s, lambda *_: sys.exit(0)) for s in (2, 15)]; print('up'); time.sleep(60)"
)
NO_PROCESS = """
import errno, subprocess
execute = subprocess.Popen._execute_child
def refuse(self, args, *rest, **named):
    if "NOROOM" in args:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
    execute(self, args, *rest, **named)
subprocess.Popen._execute_child = refuse
"""
NO_THREAD = """
import threading
start = threading.Thread.start
def refuse(self):
    if "NOROOM" in self._args[0].cmd:
        raise RuntimeError("can't start new thread: Resource temporarily unavailable")
    start(self)
threading.Thread.start = refuse
"""
RUN = """
import sys
from vla_bringup.description import OnExit
from vla_bringup.supervisor import Job, Supervisor
jobs = [Job(name, (sys.executable, "-I", "-S", "-u", "-c", code), OnExit(end)) for name, end, code in {jobs!r}]
limits = dict(restart_limit=2, restart_forgiven_s={forgiven})
sys.exit(Supervisor(jobs, escalate_after_s=0.5, restart_delay_s=0.1, **limits).run())
"""


class Up:
    """A supervisor in its own process, as `vla up` is."""

    def __init__(self, *jobs, before="", forgiven=60.0):
        self.process = subprocess.Popen(
            [sys.executable, "-c", before + RUN.format(jobs=jobs, forgiven=forgiven)],
            cwd=PACKAGE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.text = ""

    def until(self, pattern):
        while not re.search(pattern, self.text):
            line = self.process.stdout.readline()
            assert line, f"ended before {pattern!r}:\n{self.text}"
            self.text += line
        return self

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        self.text += rest
        return self.process.returncode

    def pids(self):
        return [int(pid) for pid in re.findall(r"started \[pid (\d+)\]", self.text)]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def gone(pids, within_s=20.0):
    deadline = time.monotonic() + within_s
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_cleanly(number):
    up = Up(("a", "shutdown", CLEAN), ("b", "restart", CLEAN)).until(r"(?s)(\| up.*){2}")
    assert up.end(number) == 0
    assert "a finished" in up.text
    assert "b finished" in up.text
    assert "restarted" not in up.text
    assert gone(up.pids())


def test_a_required_process_that_fails_stops_the_others_and_the_exit_status_tells():
    up = Up(("a", "shutdown", CLEAN), ("b", "shutdown", "import sys, time; time.sleep(0.5); sys.exit(7)"))
    assert up.end() == 1
    assert "b failed with exit code 7" in up.text
    assert "b is required: sending SIGINT to a" in up.text
    assert gone(up.pids())


def test_a_required_process_that_ends_well_stops_the_others_with_status_zero():
    up = Up(("a", "shutdown", CLEAN), ("b", "shutdown", "import time; time.sleep(0.5)"))
    assert up.end() == 0
    assert gone(up.pids())


def test_a_required_process_that_is_killed_is_named_with_its_signal():
    up = Up(("a", "shutdown", SLEEP), ("b", "shutdown", CLEAN)).until(r"\| up")
    os.kill(up.pids()[0], signal.SIGSEGV)
    assert up.end() == 1
    assert "a was ended by SIGSEGV" in up.text


def test_a_process_that_may_die_is_restarted_and_given_up_after_the_limit_while_the_others_go_on():
    up = Up(("a", "shutdown", CLEAN), ("b", "restart", "raise SystemExit(3)")).until("b stays down")
    assert len(re.findall("b started", up.text)) == 3
    assert "a finished" not in up.text
    assert up.end(signal.SIGINT) == 1


@pytest.mark.parametrize("machine", [NO_PROCESS, NO_THREAD], ids=["process", "thread"])
@pytest.mark.parametrize("end", ["shutdown", "once"])
def test_a_process_that_cannot_be_started_is_a_failure_that_stops_the_others(machine, end):
    up = Up(("a", "shutdown", CLEAN), ("b", end, "'NOROOM'"), ("c", "shutdown", CLEAN), before=machine)
    assert up.end() == 1
    assert re.search(r"b could not be started: .*Resource temporarily unavailable", up.text)
    assert "stopped, because b could not be started" in up.text.splitlines()[-1]
    assert "c started" not in up.text
    assert gone(up.pids())


def test_restarts_count_from_the_beginning_after_a_while_of_life():
    brief = "import time; print('up'); time.sleep(0.3); raise SystemExit(3)"
    up = Up(("a", "shutdown", CLEAN), ("b", "restart", brief), forgiven=0.2).until(r"(?s)(b +\| up.*){5}")
    assert "(1 of 2)" in up.text
    assert "(2 of 2)" not in up.text
    assert "stays down" not in up.text
    up.end(signal.SIGINT)


@pytest.mark.parametrize("machine", [NO_PROCESS, NO_THREAD], ids=["process", "thread"])
def test_a_restart_that_cannot_be_started_is_tried_again_up_to_the_limit_while_the_others_go_on(machine):
    up = Up(("b", "restart", "'NOROOM'"), ("a", "shutdown", CLEAN), before=machine).until("b stays down")
    assert len(re.findall("b could not be started", up.text)) == 3
    assert "a finished" not in up.text
    assert up.end(signal.SIGINT) == 1


def test_a_job_may_end_but_not_fail():
    up = Up(("a", "shutdown", CLEAN), ("b", "once", "pass")).until("b finished").until(r"\| up")
    assert up.end(signal.SIGINT) == 0
    assert Up(("a", "shutdown", CLEAN), ("b", "once", "raise SystemExit(1)")).end() == 1


def test_a_process_that_does_not_listen_is_killed():
    up = Up(("a", "shutdown", STUBBORN)).until(r"\| deaf")
    start = time.monotonic()
    assert up.end(signal.SIGINT) == 1
    assert 0.9 < time.monotonic() - start < 15.0
    assert re.search(r"(?s)sending SIGINT.*sending SIGTERM.*sending SIGKILL.*a was ended by SIGKILL", up.text)


def test_a_second_ctrl_c_does_not_wait():
    up = Up(("a", "shutdown", STUBBORN)).until(r"\| deaf")
    for _ in range(2):
        up.process.send_signal(signal.SIGINT)
        time.sleep(0.25)
    assert up.end(signal.SIGINT) == 1


def test_last_words_are_printed_with_the_name_of_the_process():
    words = "import sys; print('x' * 300000); sys.stderr.write('ValueError: the last line'); sys.exit(1)"
    up = Up(("talker", "shutdown", words))
    assert up.end() == 1
    assert re.search(r"(?m)^\S+ talker +\| ValueError: the last line$", up.text)
    assert max(len(line) for line in up.text.splitlines()) > 300000


def test_bytes_that_are_no_text_do_no_harm():
    up = Up(("a", "shutdown", r"import sys; sys.stdout.buffer.write(b'\xff\xfe caf\xc3\xa9\n')"))
    assert up.end() == 0
    assert "café" in up.text


def test_children_of_a_dead_process_do_not_hide_its_end():
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print('up'); sys.exit(4)"
    up = Up(("a", "shutdown", code))
    assert up.end() == 1
    assert "a failed with exit code 4" in up.text


@pytest.mark.skipif(not Path("/usr/bin/setpriv").exists(), reason="setpriv of util-linux is not here")
def test_nothing_survives_when_the_manager_itself_is_killed():
    up = Up(("a", "shutdown", CLEAN), ("b", "restart", CLEAN)).until(r"(?s)(\| up.*){2}")
    up.end(signal.SIGKILL)
    assert len(up.pids()) == 2
    assert gone(up.pids())


def test_a_reader_that_goes_away_stops_the_graph():
    chatter = "import time\nwhile True: print('tick'); time.sleep(0.05)"
    up = Up(("a", "shutdown", chatter)).until("tick")
    up.process.stdout.close()
    assert up.process.wait(timeout=30) in (0, 1)
    assert gone(up.pids())


def test_a_process_that_is_still_starting_is_stopped_without_a_traceback():
    up = Up(("a", "shutdown", "print('importing'); " + SLEEP)).until("importing")
    assert up.end(signal.SIGINT) == 0
    assert "a was ended by SIGTERM" in up.text
    assert "Traceback" not in up.text


def test_the_output_ends_with_the_cause_and_the_last_words_of_what_failed():
    up = Up(("a", "shutdown", CLEAN), ("b", "shutdown", "raise SystemExit('no checkpoint: x; valid: y')"))
    assert up.end() == 1
    assert up.text.splitlines()[-1].endswith("stopped, because b failed with exit code 1: no checkpoint: x; valid: y")
