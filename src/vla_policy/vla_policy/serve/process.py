# SPDX-License-Identifier: Apache-2.0
"""`vla serve` as a process of its own, for measurements and tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from vla_policy.errors import ConfigurationError

CODE = "import sys; from vla_policy.serve.command import main; sys.exit(main())"
END_S = 60.0  # [s] from the signal to the end


@contextmanager
def serving_process(*words: str) -> Iterator[str]:
    """Run `vla serve` with arguments `words` on a free port and yield its address; SIGTERM ends it.

    Raises ConfigurationError with what it printed where it does not start, or does not end with status 0.
    """
    command = [sys.executable, "-c", CODE, *words, "--port", "0"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("serving on "):
                process.wait(END_S)
                raise ConfigurationError(f"vla serve did not start: {_read(errors)}")
            yield line.removeprefix("serving on ").strip()
            process.send_signal(signal.SIGTERM)
            if process.wait(END_S) != 0:
                raise ConfigurationError(f"vla serve ended with status {process.returncode}: {_read(errors)}")
        finally:
            process.kill()


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()[-2000:]
