# SPDX-License-Identifier: Apache-2.0
"""The latest messages in memory, bounded in time and in bytes; those of latched topics stay."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from vla_recorder.bag.bag import Recorded, Topic

MANY_KEPT = 50  # messages of a latched topic whose publishers each have their own content
SHARED = ("tf2_msgs/msg/TFMessage",)  # types of such topics; of the others the latest message counts


class Ring:
    """Messages of the last `seconds` [s], at most `capacity` bytes of them."""

    def __init__(self, seconds: float, capacity: int) -> None:
        self._span_ns, self._capacity = round(seconds * 1e9), capacity
        self._messages: deque[Recorded] = deque()
        self._latched: dict[Topic, deque[Recorded]] = {}
        self._bytes = 0
        self.seconds = 0.0  # [s] from the oldest message to the newest

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Recorded, latched: bool) -> None:
        """Keep a message, forget those that are too old or too many. `latched`: late readers of its topic need it."""
        if latched:
            count = MANY_KEPT if message.topic.type in SHARED else 1
            kept = self._latched.setdefault(message.topic, deque(maxlen=count))
            if all(message.data != other.data for other in kept):
                kept.append(message)
            return
        if not self._span_ns:
            return
        self._messages.append(message)
        self._bytes += len(message.data)
        while self._messages and self._is_too_much(message.log_ns):
            self._bytes -= len(self._messages.popleft().data)
        self.seconds = (message.log_ns - self._messages[0].log_ns) * 1e-9 if self._messages else 0.0

    def _is_too_much(self, now_ns: int) -> bool:
        return self._bytes > self._capacity or now_ns - self._messages[0].log_ns > self._span_ns

    def latched(self, log_ns: int) -> Iterator[Recorded]:
        """Yield the messages of latched topics as if received at `log_ns` [ns]."""
        for kept in self._latched.values():
            yield from (message._replace(log_ns=log_ns) for message in kept)

    def last(self) -> Iterator[Recorded]:
        """Yield what is in memory, latched messages first."""
        if self._messages:
            yield from self.latched(self._messages[0].log_ns)
            yield from self._messages
