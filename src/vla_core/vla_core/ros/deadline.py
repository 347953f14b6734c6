# SPDX-License-Identifier: Apache-2.0
"""A deadline after which the kernel ends this process, whatever its threads do."""

import ctypes

_CLOCK_MONOTONIC, _SIGEV_THREAD = 1, 2


class _Event(ctypes.Structure):
    """`struct sigevent` of Linux, 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("rest", ctypes.c_byte * 40),
    )


class _Times(ctypes.Structure):
    """`struct itimerspec`."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns"))


class Deadline:
    """Ends the process hard when its orderly end takes too long.

    The destruction of a DDS participant can spin for ever (eProsima/Fast-DDS#6513), and it does so while it holds the
    interpreter lock, so that no Python thread could end the process: a timer of the C library calls `_exit`.
    """

    def __init__(self) -> None:
        """Prepare; nothing is due yet."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()

    def set(self, status: int, seconds: float) -> None:
        """End the process in `seconds` [s] with the exit status `status`; replaces an earlier call."""
        if self._timer:
            self._libc.timer_delete(self._timer)
        function = ctypes.cast(self._libc._exit, ctypes.c_void_p)
        event = _Event(value=status, notify=_SIGEV_THREAD, function=function)
        self._timer = ctypes.c_void_p()
        times = _Times(value_s=int(seconds), value_ns=int(seconds % 1 * 1e9))
        if self._libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)) == 0:
            self._libc.timer_settime(self._timer, 0, ctypes.byref(times), None)
