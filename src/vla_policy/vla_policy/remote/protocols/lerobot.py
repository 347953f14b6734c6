# SPDX-License-Identifier: Apache-2.0
"""lerobot's asynchronous inference: gRPC whose messages carry pickles. Its package is neither needed nor imported."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
import numpy as np

from vla_policy.errors import ConfigurationError, ReplyError, ServerRefusedError, UnavailableError
from vla_policy.remote.address import Address
from vla_policy.remote.codecs import pickles, protobuf
from vla_policy.remote.codecs.arrays import actions_from
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.server import MAX_REPLY_BYTES, Deadline, Inputs, RemoteServer, Reply, one_line

SERVICE = "/transport.AsyncInference"
PART_BYTES = 2 * 2**20  # of an observation in one message
BEGIN, MIDDLE, END = 1, 2, 3  # TransferState
IMAGES, STATE, TASK = "observation.images.", "observation.state", "task"
SETTINGS = {"policy_type": "", "path": "", "device": "cpu", "actions_per_chunk": "50"}
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class LeRobotServer(RemoteServer):
    """Client of `lerobot.async_inference.policy_server`.

    Settings: policy_type (act, smolvla, pi0 and others), path: the checkpoint, for the server; device, for the server;
    actions_per_chunk. Only one client may use a server.
    """

    loads = True

    def __init__(self, address: Address, credentials: Credentials) -> None:
        """Prepare. Raises ConfigurationError for missing or unknown settings, or unusable TLS files."""
        self._settings = address.choose(SETTINGS)
        self._target, self._name = f"{address.host}:{address.port}", address.bare
        lacking = [name for name in ("policy_type", "path") if not self._settings[name]]
        if lacking:
            raise ConfigurationError(
                f"server {self._name} needs {lacking[0]}; valid is {self._name}?policy_type=act&path=CHECKPOINT"
            )
        if not self._settings["actions_per_chunk"].isdecimal() or int(self._settings["actions_per_chunk"]) < 1:
            raise ConfigurationError(f"actions_per_chunk is {self._settings['actions_per_chunk']!r}; valid is from 1")
        self._credentials = _channel_credentials(credentials) if address.secure else None
        self._metadata = (("authorization", f"Bearer {credentials.token}"),) if credentials.token else ()
        self._channel: grpc.Channel | None = None
        self._loaded = False
        self._steps = itertools.count()

    def connect(self, timeout_s: float) -> Mapping[str, Any]:
        """Open the channel and tell the server that a client begins; the first observation loads the policy."""
        self.close()
        deadline = Deadline(timeout_s)
        options = (
            ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
            ("grpc.max_send_message_length", 4 * PART_BYTES),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),  # or a new channel waits with the back-off of the one before
        )
        if self._credentials is None:
            self._channel = grpc.insecure_channel(self._target, options)
        else:
            self._channel = grpc.secure_channel(self._target, self._credentials, options)
        try:
            self._call("Ready", b"", deadline)
        except BaseException:
            self.close()
            raise
        return {}

    def infer(self, inputs: Inputs, timeout_s: float) -> Reply:
        """Send an observation and return the actions to it."""
        deadline = Deadline(timeout_s)
        try:
            if not self._loaded:
                self._call("SendPolicyInstructions", protobuf.encode({1: self._instructions(inputs)}), deadline)
                self._loaded = True
            stamp, step = time.time(), next(self._steps)
            self._call("SendObservations", _parts(_observation(inputs, stamp, step)), deadline)
            return Reply(_actions(self._call("GetActions", b"", deadline), stamp, step))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the channel."""
        channel, self._channel, self._loaded = self._channel, None, False
        if channel is not None:
            channel.close()

    def _instructions(self, inputs: Inputs) -> bytes:
        return pickles.dump_instance(
            "RemotePolicyConfig",
            {
                "policy_type": self._settings["policy_type"],
                "pretrained_name_or_path": self._settings["path"],
                "lerobot_features": features(inputs),
                "actions_per_chunk": int(self._settings["actions_per_chunk"]),
                "device": self._settings["device"],
                "rename_map": {},
            },
        )

    def _call(self, method: str, message: bytes | Iterator[bytes], deadline: Deadline) -> bytes:
        if self._channel is None:
            raise UnavailableError(f"{self._name}: not connected")
        kind: Callable[[str], Any] = (
            self._channel.unary_unary if isinstance(message, bytes) else self._channel.stream_unary
        )
        what = f"{self._name}: the reply to {method}"
        try:
            reply: bytes = kind(f"{SERVICE}/{method}")(
                message, timeout=deadline.remaining(what), metadata=self._metadata, wait_for_ready=False
            )
        except grpc.RpcError as error:
            raise self._error(error, method, deadline) from error
        return reply

    def _error(self, error: grpc.RpcError, method: str, deadline: Deadline) -> UnavailableError | ServerRefusedError:
        code, text = error.code(), one_line(error.details() or "no text")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return deadline.error(f"{self._name}: the reply to {method}")
        if code in REFUSED:
            return ServerRefusedError(f"{self._name} refuses the token: {text}")
        if code is grpc.StatusCode.UNAVAILABLE and ("SSL" in text or "handshake" in text.casefold()):
            return ServerRefusedError(f"{self._name}: the encrypted connection failed: {text}")
        if code is grpc.StatusCode.UNAVAILABLE:
            return UnavailableError(f"{self._name}: {text}")
        return ReplyError(f"{method}: the server reports {code.name}: {text}")


def features(inputs: Inputs) -> dict[str, dict[str, Any]]:
    """Return lerobot's description of an observation's state and images. Raises ConfigurationError for other keys."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in inputs.items():
        if key == STATE and isinstance(value, np.ndarray) and value.ndim == 1:
            found[key] = {"dtype": "float32", "shape": value.shape, "names": _names(len(value))}
        elif key.startswith(IMAGES) and isinstance(value, np.ndarray) and value.ndim == 3:
            found[key] = {"dtype": "image", "shape": value.shape, "names": ["height", "width", "channels"]}
        elif key != TASK:
            raise ConfigurationError(
                f"the map has the key {key!r}; valid for lerobot are {STATE}, {IMAGES}CAMERA and {TASK}"
            )
    return found


def _channel_credentials(credentials: Credentials) -> grpc.ChannelCredentials:
    key, certificate = credentials.content("key_file"), credentials.content("certificate_file")
    return grpc.ssl_channel_credentials(credentials.content("ca_file"), key, certificate)


def _names(count: int) -> list[str]:
    return [f"state_{index}" for index in range(count)]  # the server takes each number by the name that it was told


def _observation(inputs: Inputs, stamp: float, step: int) -> bytes:
    """Return the pickle of a TimedObservation in the robot's own terms: numbers by name, images by camera."""
    content: dict[str, Any] = {}
    for key, value in inputs.items():
        if key == STATE:
            numbers = np.asarray(value, np.float32)
            content |= dict(zip(_names(len(numbers)), numbers.tolist(), strict=True))
        else:
            content[key.removeprefix(IMAGES)] = np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
    attributes = {"timestamp": stamp, "timestep": step, "observation": content, "must_go": True}
    return pickles.dump_instance("TimedObservation", attributes)


def _parts(data: bytes) -> Iterator[bytes]:
    """Yield the messages that carry the data."""
    starts = range(0, len(data), PART_BYTES)
    for start in starts:
        state = END if start + PART_BYTES >= len(data) else BEGIN if start == 0 else MIDDLE
        yield protobuf.encode({1: state, 2: data[start : start + PART_BYTES]})


def _actions(message: bytes, stamp: float, step: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    data = protobuf.decode(message).get(1, b"")
    if not isinstance(data, bytes) or not data:
        raise ReplyError("the server sent no actions; its log says why (or another client took the observation)")
    steps = pickles.load_actions(data)
    if steps[0].timestep != step or not math.isclose(steps[0].timestamp, stamp, rel_tol=0.0, abs_tol=1e-3):
        raise ReplyError(
            f"the actions are for observation {steps[0].timestep}, sent was {step}: does another client use the server?"
        )
    shapes = sorted({item.values.shape for item in steps})
    if len(shapes) != 1 or len(shapes[0]) != 1:
        raise ReplyError(f"the actions have shapes {', '.join(map(str, shapes))}; valid is (columns,), each the same")
    return actions_from(np.stack([item.values for item in steps]))
