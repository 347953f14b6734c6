# SPDX-License-Identifier: Apache-2.0
"""The graph as a child process: started by vla_up, its output in a file, stopped as Ctrl-C stops it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

STOP_S = 25.0  # vla_up itself goes from SIGINT to SIGKILL in less


class GraphEndedError(RuntimeError):
    """The graph is not, or no longer, running; the text has the end of its log."""


def find_vla_up() -> Path:
    """The executable that starts the graph; raises GraphEndedError when the workspace is not built."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        path = Path(prefix, "lib", "vla_bringup", "vla_up")
        if prefix and os.access(path, os.X_OK):
            return path
    raise GraphEndedError("vla_up is not installed below any folder of AMENT_PREFIX_PATH; build first: ./vla build")


def private_environment(environment: Mapping[str, str], process: int) -> dict[str, str]:
    """`environment` with a ROS domain (1 to 100) of the process's own unless one is set, and without the network."""
    return {
        "ROS_DOMAIN_ID": str(process % 100 + 1),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        **{name: text for name, text in environment.items() if name != "ROS_DOMAIN_ID" or text.strip()},
    }


def console_address(log: str) -> str:
    """Return where the graph whose output is `log` serves its console; empty: nowhere."""
    found = re.findall(r"console: (https?://\S+)", log)
    return found[-1] if found else ""


class GraphProcess:
    """Runs `command` with its output in `log` while the context is open."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = tuple(command), log
        self._process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None

    def __enter__(self) -> GraphProcess:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        guard = ("setpriv", "--pdeathsig", "INT") if shutil.which("setpriv") else ()
        with self._log.open("wb") as output:
            # A session of its own: Ctrl-C in the terminal reaches the demo alone, which then stops the graph once.
            self._process = subprocess.Popen(
                [*guard, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Raise GraphEndedError when the graph has ended by itself."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise GraphEndedError(f"the graph ended with exit status {self._process.returncode}:\n{self.tail()}")

    def stop(self) -> int:
        """Stop the graph, kindly first; return its exit status."""
        assert self._process is not None
        for number, patience in ((signal.SIGINT, STOP_S), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.exit_code = self._process.wait()
        return self.exit_code

    def tail(self, lines: int = 15) -> str:
        """The last lines of the graph's log."""
        text = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in text[-lines:])
