# SPDX-License-Identifier: Apache-2.0
"""GR00T's protocol: msgpack over ZeroMQ, request and reply, with named observations and actions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import zmq

from vla_policy.errors import ConfigurationError, ReplyError, ServerRefusedError, UnavailableError
from vla_policy.remote.address import Address
from vla_policy.remote.codecs import gr00t
from vla_policy.remote.codecs.arrays import actions_from, short
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.server import MAX_REPLY_BYTES, Deadline, Inputs, RemoteServer, Reply, one_line

AUTO = "auto"
GROUPS = ("video", "state", "action", "language")


class Gr00tServer(RemoteServer):
    """Client of GR00T's inference server.

    An observation's images (H, W, 3) or (T, H, W, 3) are its video, its numbers its state, its text its language.
    Setting `codec`: npy or numpy, how arrays are written; auto: whichever the server's first array is in, npy before.
    Setting `rtc`: ramp rate of real-time chunking; where it is given, each request says how many steps of the last
    chunk are left, and how many of them will be done before the reply comes.
    """

    def __init__(self, address: Address, credentials: Credentials) -> None:
        """Prepare. Raises ConfigurationError for unknown settings."""
        chosen = address.choose({"codec": AUTO, "rtc": ""})
        codec, self._ramp_rate = chosen["codec"], _ramp_rate(chosen["rtc"])
        if codec not in (AUTO, *gr00t.CODECS):
            raise ConfigurationError(f"codec is {codec!r}; valid are {', '.join((AUTO, *gr00t.CODECS))}")
        if credentials.ca_file or credentials.certificate_file:
            raise ConfigurationError(
                "tcp:// has no encryption; valid without TLS files, for example through an SSH tunnel"
            )
        self._endpoint = address.bare.rstrip("/")
        self._token = credentials.token
        self._codec, self._settled = (gr00t.CODECS[0], False) if codec == AUTO else (codec, True)
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._modalities: dict[str, dict[str, Any]] = {}

    def connect(self, timeout_s: float) -> Mapping[str, Any]:
        """Ask for the server's modalities: `video`, `state`, `action` and `language`, each with its keys."""
        self.close()
        deadline = Deadline(timeout_s)
        self._socket = self._context.socket(zmq.REQ)
        for option, value in ((zmq.LINGER, 0), (zmq.MAXMSGSIZE, MAX_REPLY_BYTES), (zmq.SNDHWM, 1)):
            self._socket.setsockopt(option, value)
        try:
            self._socket.connect(self._endpoint)
            self._call("ping", None, deadline)
            reply = self._call("get_modality_config", None, deadline)
            self._modalities = _modalities(reply)
        except zmq.ZMQError as error:
            self.close()
            raise UnavailableError(f"{self._endpoint}: {error}") from error
        except BaseException:
            self.close()
            raise
        return self._modalities

    def infer(self, inputs: Inputs, timeout_s: float) -> Reply:
        """Send an observation and return the actions by name, each (h, d)."""
        deadline = Deadline(timeout_s)
        request = {"observation": _observation(inputs), "options": self._options()}
        try:
            return self._actions(request, deadline)
        except BaseException:
            self.close()
            raise

    def reset(self, timeout_s: float) -> None:
        """Tell the server that a new episode begins."""
        if self._socket is None:
            return
        try:
            self._call("reset", {"options": None}, Deadline(timeout_s))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close(linger=0)

    def known_keys(self) -> frozenset[str] | None:
        """Return the keys of video, state and language."""
        keys = [key for group in ("video", "state", "language") for key in self._keys(group)]
        return frozenset(keys) or None

    def _options(self) -> dict[str, float] | None:
        """Return the options of real-time chunking; None without it, and where nothing is left of the last chunk."""
        if self._ramp_rate is None or self.ahead is None:
            return None
        steps = {"rtc_overlap_steps": len(self.ahead.left), "rtc_frozen_steps": self.ahead.delay_steps}
        return {**steps, "rtc_ramp_rate": self._ramp_rate}

    def _keys(self, group: str) -> list[str]:
        return [str(key) for key in self._modalities.get(group, {}).get("modality_keys", ())]

    def _actions(self, request: dict[str, Any], deadline: Deadline) -> Reply:
        try:
            reply = self._call("get_action", request, deadline)
        except ReplyError:
            if self._settled:
                raise
            self._codec = gr00t.CODECS[1 - gr00t.CODECS.index(self._codec)]  # it could not read the other one
            reply = self._call("get_action", request, deadline)
        self._settled = True
        if not isinstance(reply, list | tuple) or len(reply) != 2 or not isinstance(reply[0], dict) or not reply[0]:
            raise ReplyError(f"the reply is {short(reply)}; valid is [actions by name, info]")
        actions = {str(key): _chunk(value, str(key)) for key, value in reply[0].items()}
        return Reply(actions, reply[1] if isinstance(reply[1], dict) else {})

    def _call(self, endpoint: str, data: dict[str, Any] | None, deadline: Deadline) -> Any:
        if self._socket is None:
            raise UnavailableError(f"{self._endpoint}: not connected")
        request: dict[str, Any] = {"endpoint": endpoint}
        request |= {"data": data} if data is not None else {}
        request |= {"api_token": self._token} if self._token else {}
        what = f"{self._endpoint}: the reply to {endpoint}"
        try:
            if not self._socket.poll(int(deadline.remaining(what) * 1e3), zmq.POLLOUT):
                raise deadline.error(what)
            self._socket.send(gr00t.pack(request, self._codec))
            if not self._socket.poll(max(int(deadline.remaining(what) * 1e3), 1), zmq.POLLIN):
                raise deadline.error(what)
            message = self._socket.recv()
        except zmq.ZMQError as error:
            raise UnavailableError(f"{self._endpoint}: {error}") from error
        return self._content(message)

    def _content(self, message: bytes) -> Any:
        if message == b"ERROR":
            raise ReplyError("the server reports an error without saying which; its log tells more")
        reply = gr00t.unpack(message)
        if isinstance(reply, dict) and "error" in reply:
            text = one_line(reply["error"])
            if "unauthorized" in text.casefold():
                raise ServerRefusedError(f"{self._endpoint} refuses the token: {text}")
            raise ReplyError(f"the server reports an error: {text}")
        return reply


def _ramp_rate(text: str) -> float | None:
    """Return the setting `rtc` as a number above 0; None where it is empty."""
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0.0 < rate < math.inf:
        raise ConfigurationError(f"rtc is {text!r}; valid is a ramp rate above 0, for example rtc=6")
    return rate


def _modalities(reply: object) -> dict[str, dict[str, Any]]:
    if not isinstance(reply, dict):
        raise ReplyError(f"the server's modalities are {short(reply)}; valid is a map")
    found: dict[str, dict[str, Any]] = {}
    for group in GROUPS:
        entry = reply.get(group)
        keys = entry.get("modality_keys") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(keys, list) and all(isinstance(key, str) for key in keys):
            found[group] = entry
    if reply and not found:
        raise ReplyError(
            f"the server's modalities are {short(reply)}; valid are {', '.join(GROUPS)} with modality_keys"
        )
    return found


def _observation(inputs: Inputs) -> dict[str, Any]:
    """Return the observation by group, with an axis for the batch and one for time."""
    groups: dict[str, dict[str, Any]] = {"video": {}, "state": {}, "language": {}}
    for key, value in inputs.items():
        if isinstance(value, str):
            groups["language"][key] = [[value]]
        elif isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (3, 4):
            groups["video"][key] = value[None] if value.ndim == 4 else value[None, None]
        else:
            state = np.asarray(value, np.float32)
            groups["state"][key] = state.reshape(1, -1, state.shape[-1] if state.ndim else 1)
    return groups


def _chunk(value: object, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return one named action (h, d) of (1, h, d) or (h, d); (h,) are h steps of one column."""
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    return actions_from(array[:, None] if array.ndim == 1 else array, f"action {name}")
