# SPDX-License-Identifier: Apache-2.0
"""Small policy servers that speak the documented formats, and what can go wrong with each of them.

A server answers an observation whose state begins with the number n with actions that are all n, so that a reply to
another observation shows. `fault` says what it does instead.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import msgpack
import numpy as np
import torch
import zmq
from openpi_client import msgpack_numpy
from websockets.sync.server import ServerConnection, serve

STEPS, WIDTH = 3, 4
LATE_S, SLOW_S = 0.8, 0.1  # [s] delay of a late reply; between two bytes of a slow one
HUGE = 20 * 2**20  # [bytes] above what a client takes
TRACEBACK = "Traceback (most recent call last):\n  File \"server.py\", line 1, in infer\nKeyError: 'wrist'\n"
FAULTS = ("killed", "silent", "late", "slow", "garbage", "shape", "nan", "huge", "error")
IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@dataclass
class Server:
    """What a test knows of a running server."""

    url: str
    fault: str = ""
    token: str = ""
    metadata: dict[str, Any] | None = None
    received: Any = None
    connections: int = 0

    def actions(self, number: float) -> np.ndarray:
        """The answer to the observation of a number, spoilt as the fault says."""
        answer = np.full((STEPS, WIDTH), number, np.float32)
        if self.fault == "nan":
            answer[1, 2] = np.nan
        if self.fault == "shape":
            answer = np.zeros((2, STEPS, WIDTH, 1), np.float32)
        return answer

    def delay(self) -> None:
        """Wait as long as the fault says."""
        time.sleep(LATE_S if self.fault == "late" else 0.0)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def dribble(sock: socket.socket, data: bytes) -> None:
    """Send byte by byte until the other side has gone."""
    with suppress(OSError):
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(SLOW_S)


def frame(data: bytes) -> bytes:
    """A binary websocket frame."""
    return b"\x82\x7f" + len(data).to_bytes(8, "big") + data


@contextmanager
def openpi_server(port: int = 0) -> Iterator[Server]:
    """As openpi's websocket_policy_server: metadata first, then a reply for each observation."""
    state = Server("")

    def handle(connection: ServerConnection) -> None:
        state.connections += 1
        connection.send(msgpack_numpy.packb(state.metadata or {}))
        for message in connection:
            state.received = msgpack_numpy.unpackb(message)
            answer_openpi(state, connection)

    def admit(connection: ServerConnection, request: Any) -> Any:
        allowed = not state.token or request.headers.get("Authorization") == f"Api-Key {state.token}"
        return None if allowed else connection.respond(401, "wrong key\n")

    with serve(handle, "127.0.0.1", port, compression=None, max_size=None, process_request=admit) as server:
        state.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield state
        state.fault = "silent"
        server.shutdown()
        thread.join()


def answer_openpi(state: Server, connection: ServerConnection) -> None:
    packed = msgpack_numpy.packb({"actions": state.actions(float(state.received["observation/state"][0]))})
    state.delay()
    match state.fault:
        case "killed":
            connection.socket.shutdown(socket.SHUT_RDWR)
        case "silent":
            pass
        case "slow":
            dribble(connection.socket, frame(packed))
        case "garbage":
            connection.send(bytes(range(256)))
        case "huge":
            connection.send(bytes(HUGE))
        case "error":
            connection.send(TRACEBACK)
            connection.close(1011)
        case _:
            with suppress(Exception):
                connection.send(packed)


@contextmanager
def act_server() -> Iterator[Server]:
    """As OpenVLA's deploy.py: POST /act."""
    state = Server("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(405, b"")

        def do_POST(self) -> None:
            state.received = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "encoded" in state.received:
                state.received = json.loads(state.received["encoded"])
            if state.token and self.headers["Authorization"] != f"Bearer {state.token}":
                self.reply(401, b"")
                return
            answer_act(state, self)

        def reply(self, status: int, data: bytes) -> None:
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads, block_on_close = True, False

    with Quiet(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/act"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def answer_act(state: Server, handler: Any) -> None:
    answer = state.actions(numbers(state.received["state"])[0])
    text = json.dumps([json_array(row) for row in answer]).encode()
    state.delay()
    match state.fault:
        case "killed":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        case "silent":
            time.sleep(LATE_S)
            handler.close_connection = True
        case "slow":
            dribble(handler.connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        case "garbage":
            handler.reply(200, bytes(range(256)))
        case "huge":
            handler.reply(200, b"[" + b"0," * (HUGE // 2) + b"0]")
        case "error":
            handler.reply(200, b'"error"')
        case _:
            handler.reply(200, text)


def json_array(array: np.ndarray) -> dict[str, Any]:
    return {"__numpy__": base64.b64encode(array.tobytes()).decode(), "dtype": array.dtype.str, "shape": array.shape}


def numbers(value: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(value["__numpy__"]), value["dtype"])


MODALITIES = {
    "video": {"delta_indices": [0], "modality_keys": ["front"]},
    "state": {"delta_indices": [0], "modality_keys": ["joints"]},
    "action": {"delta_indices": [0, 1, 2], "modality_keys": ["joints"]},
    "language": {"delta_indices": [0], "modality_keys": ["task"]},
}


def npy(value: object) -> object:
    file = io.BytesIO()
    np.save(file, value)
    return {"__ndarray_class__": True, "as_npy": file.getvalue()}


def from_npy(value: dict[Any, Any]) -> object:
    return np.load(io.BytesIO(value["as_npy"])) if "__ndarray_class__" in value else value


def nd(value: Any) -> object:
    return {b"nd": True, b"type": value.dtype.str, b"kind": b"", b"shape": value.shape, b"data": value.tobytes()}


def from_nd(value: dict[Any, Any]) -> object:
    return np.frombuffer(value[b"data"], value[b"type"]).reshape(value[b"shape"]) if b"nd" in value else value


CODECS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {"npy": (npy, from_npy), "numpy": (nd, from_nd)}


@contextmanager
def gr00t_server(codec: str = "npy") -> Iterator[Server]:
    """As GR00T's server_client.PolicyServer, with either of its array formats."""
    state, context, running = Server(""), zmq.Context(), threading.Event()
    sock = context.socket(zmq.ROUTER)  # which may leave a request without a reply
    state.url = f"tcp://127.0.0.1:{sock.bind_to_random_port('tcp://127.0.0.1')}"

    def run() -> None:
        while not running.is_set():
            if not sock.poll(20):
                continue
            *envelope, message = sock.recv_multipart()
            request = msgpack.unpackb(message, object_hook=CODECS[codec][1])
            answer = answer_gr00t(state, request)
            if answer is not None:
                packed = answer if isinstance(answer, bytes) else msgpack.packb(answer, default=CODECS[codec][0])
                sock.send_multipart([*envelope, packed])

    thread = threading.Thread(target=run)
    thread.start()
    yield state
    running.set()
    thread.join()
    sock.close(linger=0)
    context.term()


def answer_gr00t(state: Server, request: dict[str, Any]) -> Any:
    if state.token and request.get("api_token") != state.token:
        return {"error": "Unauthorized: Invalid API token"}
    if request["endpoint"] == "ping":
        return {"status": "ok"}
    if request["endpoint"] == "get_modality_config":
        config = state.metadata or MODALITIES
        return {name: {"__ModalityConfig_class__": True, "as_json": entry} for name, entry in config.items()}
    if request["endpoint"] == "reset":
        state.connections += 1
        return {}
    observation = state.received = request["data"]["observation"]
    if not isinstance(observation["state"]["joints"], np.ndarray):
        return {"error": "state is no array"}
    answer = state.actions(float(observation["state"]["joints"][0, 0, 0]))
    state.delay()
    match state.fault:
        case "killed" | "silent" | "slow":
            return None
        case "garbage":
            return bytes(range(255, 0, -1))
        case "huge":
            return bytes(HUGE)
        case "error":
            return {"error": TRACEBACK}
    return [{"joints": answer[None]}, {}]


@dataclass
class TimedData:
    timestamp: float
    timestep: int


@dataclass
class TimedAction(TimedData):
    action: Any


@dataclass
class TimedObservation(TimedData):
    observation: dict[str, Any]
    must_go: bool = False


@dataclass
class RemotePolicyConfig:
    policy_type: str
    pretrained_name_or_path: str
    lerobot_features: dict[str, Any]
    actions_per_chunk: int
    device: str = "cpu"
    rename_map: dict[str, str] | None = None


HELPERS = "lerobot.async_inference.helpers"


def field(number: int, data: bytes) -> bytes:
    """A field of bytes of a protocol-buffer message."""
    length, size = bytearray(), len(data)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes([*length, size]) + data


def bytes_of(message: bytes) -> bytes:
    """The field 2 of an Observation, or 1 of a PolicySetup."""
    place = 2 if message[0] == 0x08 else 0
    length = shift = 0
    for index in range(place + 1, len(message)):
        length |= (message[index] & 0x7F) << shift
        shift += 7
        if message[index] < 0x80:
            return message[index + 1 : index + 1 + length]
    return b""


@contextmanager
def lerobot_server() -> Iterator[Server]:
    """As lerobot's PolicyServer: pickles of its classes, of which this process gets stand-ins."""
    state, waiting = Server(""), []
    module = types.ModuleType(HELPERS)
    for kind in (TimedAction, TimedObservation, RemotePolicyConfig):
        kind.__module__ = HELPERS
        setattr(module, kind.__name__, kind)
    names = {"lerobot": types.ModuleType("lerobot"), "lerobot.async_inference": types.ModuleType("x"), HELPERS: module}
    sys.modules.update(names)

    def ready(message: bytes, context: Any) -> bytes:
        if state.token and dict(context.invocation_metadata()).get("authorization") != f"Bearer {state.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong token")
        state.connections += 1
        waiting.clear()
        return b""

    def instruct(message: bytes, context: Any) -> bytes:
        state.metadata = vars(pickle.loads(bytes_of(message)))
        return b""

    def observe(messages: Iterator[bytes], context: Any) -> bytes:
        waiting[:] = [pickle.loads(b"".join(bytes_of(message) for message in messages))]
        state.received = waiting[0].observation
        return b""

    def act(message: bytes, context: Any) -> bytes:
        return answer_lerobot(state, waiting.pop(), context)

    unary = {"Ready": ready, "SendPolicyInstructions": instruct, "GetActions": act}
    handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in unary.items()}
    handlers["SendObservations"] = grpc.stream_unary_rpc_method_handler(observe)
    server = grpc.server(futures.ThreadPoolExecutor(4), options=(("grpc.max_send_message_length", -1),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("transport.AsyncInference", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    state.url = f"grpc://127.0.0.1:{port}?policy_type=act&path=somewhere"
    yield state
    server.stop(None).wait()
    for name in names:
        sys.modules.pop(name)


def answer_lerobot(state: Server, seen: TimedObservation, context: Any) -> bytes:
    answer = torch.from_numpy(state.actions(seen.observation["state_0"]))
    steps = [TimedAction(seen.timestamp + 0.1 * k, seen.timestep + k, row) for k, row in enumerate(answer)]
    state.delay()
    match state.fault:
        case "killed":
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        case "silent" | "slow":
            time.sleep(LATE_S)
            return b""
        case "garbage":
            return field(1, bytes(range(256)))
        case "huge":
            return field(1, bytes(HUGE))
        case "error":
            return b""
    return field(1, pickle.dumps(steps))


SERVERS = {"openpi": openpi_server, "act": act_server, "gr00t": gr00t_server, "lerobot": lerobot_server}
KEYS = {
    "openpi": ("observation/image", "observation/state", "prompt"),
    "act": ("image", "state", "instruction"),
    "gr00t": ("front", "joints", "task"),
    "lerobot": ("observation.images.front", "observation.state", "task"),
}


def inputs(protocol: str, number: float) -> dict[str, Any]:
    """The observation of a number."""
    image, state, text = KEYS[protocol]
    return {image: IMAGE, state: np.array([number, 0.5], np.float32), text: "pick up the block"}


@contextmanager
def running(protocol: str, **options: Any) -> Iterator[Server]:
    """Run a server of this protocol."""
    with ExitStack() as stack:
        yield stack.enter_context(SERVERS[protocol](**options))
