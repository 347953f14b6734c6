# SPDX-License-Identifier: Apache-2.0
"""The service /vla/ask: a question to the policy, answered between two inferences."""

import time
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from contextlib import suppress

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.task import Future

from vla_msgs.srv import Ask
from vla_policy.errors import PolicyError
from vla_policy.policy import Answer
from vla_policy.run.questions import text_refusal

TICK_S = 0.1  # how exactly a time-out is kept


class QuestionService:
    """Serves the questions as coroutines of the node's executor, woken by a timer and by each answer."""

    def __init__(self, node: Node, name: str, ask: Callable[[str], ThreadFuture[Answer]], timeout_s: float) -> None:
        """Create the service on `node`. `ask` puts a question; after `timeout_s` [s] nobody waits for it any more."""
        self._ask, self._timeout_s = ask, timeout_s
        self._tick = Future()
        self._timer = node.create_timer(TICK_S, self._on_tick)
        self._answered = node.create_guard_condition(self._on_tick)
        # In the node's own group everything else would wait for the answer.
        self._service = node.create_service(Ask, name, self._serve, callback_group=ReentrantCallbackGroup())

    def _on_tick(self) -> None:
        tick, self._tick = self._tick, Future()
        tick.set_result(None)

    def _wake(self, _: ThreadFuture[Answer]) -> None:
        with suppress(InvalidHandle, RuntimeError):  # the node may be gone by now
            self._answered.trigger()

    async def _serve(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        refusal = text_refusal(request.question)
        if refusal:
            return _without(response, f"question not asked: {refusal}")
        answer = self._ask(" ".join(request.question.split()))
        answer.add_done_callback(self._wake)
        deadline = time.monotonic() + self._timeout_s
        while not answer.done() and time.monotonic() < deadline:
            await self._tick
        if not answer.done():
            answer.cancel()
            return _without(response, f"no answer within {self._timeout_s:g} s")
        return _with(response, answer)


def _with(response: Ask.Response, answer: ThreadFuture[Answer]) -> Ask.Response:
    try:
        result = answer.result()
        response.success, response.answer, response.confidence = True, result.text.strip(), float(result.confidence)
        return response
    except PolicyError as error:
        return _without(response, str(error))
    except Exception as error:  # a policy is a plug-in
        return _without(response, f"asking failed: {type(error).__name__}: {error}")


def _without(response: Ask.Response, reason: str) -> Ask.Response:
    response.success, response.answer, response.confidence, response.message = False, "", float("nan"), reason
    return response
