# SPDX-License-Identifier: Apache-2.0
"""The server over real sockets, without a browser: pages of others, wrong tokens, floods, slow and lost clients."""

import asyncio
import json
import resource
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from vla_console.background import serving
from vla_console.commands import Act, Say
from vla_console.errors import ServerError
from vla_console.hub import Hub
from vla_console.server import ConsoleServer
from vla_console.settings import ConsoleSettings
from vla_core.settings import SettingsError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

OPERATE, VIEW = "o" * 20, "v" * 20
CROWD = 1000


def fetch(url, **headers):
    """Status, headers and body of a GET."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as reply:
            return reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_the_page_is_served_with_a_policy_that_loads_nothing_from_elsewhere(served):
    status, headers, body = fetch(served.http)
    assert status == 200
    assert "<title>VLA console</title>" in body
    assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    names = {word.split('"')[0] for word in body.split('src="')[1:] + body.split('href="')[1:]}
    assert names >= {"main.js", "style.css"}
    assert all(fetch(served.http + name)[0] == 200 for name in names)
    for path in ("../settings.py", "%2e%2e/settings.py", "etc/passwd", "socket/x"):
        assert fetch(served.http + path)[0] == 404
    assert fetch(served.http + "healthz")[2] == "OK\n"


def test_a_forged_origin_or_host_is_refused_with_what_is_valid(served):
    status, _, body = fetch(served.http, Host="evil.example")
    assert (status, "valid: localhost" in body) == (403, True)

    async def run():
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}):
            with pytest.raises(InvalidStatus) as refused:
                await connect(served.socket, **headers).__aenter__()
            assert refused.value.response.status_code == 403
            assert b"valid: the console's own page" in refused.value.response.body
        async with served.page(origin=served.http.rstrip("/")) as own:
            assert (await served.ask(own, {"do": "stop"}))["ok"]

    asyncio.run(run())
    assert [command for _, command in served.desk.done] == [Act("stop")]


def test_a_wrong_token_is_refused_and_a_viewer_may_only_watch_and_stop(serve, tmp_path):
    (tmp_path / "tokens").write_text(f"operate {OPERATE}\nview {VIEW}\n")
    served = serve(token_file=str(tmp_path / "tokens"))

    async def run():
        for token in ("", "x" * 20):
            async with connect(served.socket) as stranger:
                await stranger.send(json.dumps({"do": "hello", "token": token}))
                with pytest.raises(ConnectionClosed):
                    await stranger.recv()
                assert (stranger.close_code, stranger.close_reason) == (4401, "the token is missing or wrong")
        async with connect(served.socket) as stranger:  # no hello at all
            await stranger.send(json.dumps({"do": "estop", "id": 1}))
            with pytest.raises(ConnectionClosed):
                await stranger.recv()
        async with served.page(VIEW) as viewer, served.page(OPERATE) as operator:
            refused = await served.ask(viewer, {"do": "say", "text": "pick it up"})
            assert not refused["ok"]
            assert "token for 'operate'" in refused["text"]
            assert (await served.ask(viewer, {"do": "stop"}))["ok"]
            assert (await served.ask(operator, {"do": "say", "text": "pick it up"}))["ok"]

    asyncio.run(run())
    sources = [(source.split()[0], command) for source, command in served.desk.done]
    assert sources == [("view", Act("stop")), ("operate", Say("pick it up"))]
    assert sum("wrong token" in line for line in served.desk.lines) == 3


def test_what_is_wrong_gets_a_clear_answer_and_the_connection_stays(served):
    async def run():
        async with served.page() as page:
            long = await served.ask(page, {"do": "say", "text": "x" * 1_000_000}, number=0)
            assert "1000000 characters; valid: 1 to 512" in long["text"]
            assert "no JSON" in (await served.ask(page, "rm -rf", number=0))["text"]
            assert "sound has 3 bytes" in (await served.ask(page, b"abc", number=0))["text"]
            refused = await served.ask(page, {"do": "home"})
            assert (refused["ok"], refused["text"]) == (False, "the arm is not ready")
            html = await served.ask(page, {"do": "say", "text": "<img src=x onerror=alert(1)>"})
            assert html["ok"]
            await page.send("x" * 3 * 2**20)
            with pytest.raises(ConnectionClosed):
                await served.ask(page, {"do": "stop"})
            assert page.close_code == 1009
        async with served.page() as page:
            assert (await served.ask(page, {"do": "stop"}))["ok"]

    asyncio.run(run())


def test_a_crowd_gets_no_place_and_the_operator_keeps_his(serve):
    served = serve(max_clients=3)

    async def knock():
        try:
            return await connect(served.socket, open_timeout=30, proxy=None).__aenter__()
        except InvalidStatus as error:
            return error.response.status_code

    async def run():
        async with served.page() as operator:
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4 * CROWD), most))
            found = []
            for _ in range(CROWD // 100):
                found += await asyncio.gather(*(knock() for _ in range(100)))
            refused = [item for item in found if isinstance(item, int)]
            strangers = [item for item in found if not isinstance(item, int)]
            assert set(refused) == {503}
            assert len(refused) >= CROWD - 200
            assert (await served.ask(operator, {"do": "stop"}))["ok"]
            await asyncio.gather(*(one.close() for one in strangers))
            silent = [
                socket.create_connection((served.host.split(":")[0], int(served.host.split(":")[1])))
                for _ in range(200)
            ]
            assert (await served.ask(operator, {"do": "stop"}))["ok"]
            for one in silent:
                one.close()

    asyncio.run(run())


def test_a_client_that_reads_nothing_delays_nobody_and_holds_little(served):
    picture = b'{"camera": "front"}\n' + bytes(200_000)

    async def run():
        async with served.page(close_timeout=0.1), served.page() as quick:  # the first one reads nothing
            for i in range(100):
                served.hub.post("front", picture)
                served.hub.post("state", json.dumps({"is": "state", "n": i}))
                while True:
                    message = await quick.recv()
                    if isinstance(message, bytes):
                        await quick.send(json.dumps({"do": "seen", "camera": "front"}))
                    elif json.loads(message).get("n") == i:
                        break
            waiting = sorted(sum(len(item) for item in box._streams.values()) for box in served.hub._outboxes)
            assert waiting[-1] <= len(picture) + 100

    asyncio.run(run())


def test_a_page_that_floods_without_reading_its_answers_is_closed_alone(served):
    async def run():
        async with served.page() as other:
            flood = await connect(served.socket, compression=None).__aenter__()
            await flood.send(json.dumps({"do": "hello"}))
            flood.transport.pause_reading()
            with pytest.raises(ConnectionClosed):
                await _flood(flood)
            assert (await served.ask(other, {"do": "stop"}))["ok"]

    asyncio.run(run())


async def _flood(page):
    long = {"do": "say", "text": "x" * 600}
    for i in range(1, 100_000):
        await page.send(json.dumps({**long, "id": i}))
        if i % 1000 == 0:
            page.transport.resume_reading()  # to learn of the end
            await asyncio.sleep(0)
            page.transport.pause_reading()


def test_a_lost_connection_is_told_and_so_is_everyones_name(served):
    async def run():
        async with served.page() as page:
            await served.ask(page, {"do": "stop"})
            page.transport.abort()

    asyncio.run(run())
    deadline = 200
    while not served.desk.lost and (deadline := deadline - 1):
        asyncio.run(asyncio.sleep(0.05))
    assert served.desk.lost == [served.desk.done[0][0]]
    assert served.desk.lost[0].startswith("operate 1 at 127.0.0.1:")
    assert served.desk.lines == [f"{served.desk.lost[0]}: connected, 1 of 32", f"{served.desk.lost[0]}: gone"]


def test_newcomers_get_the_latest_of_every_stream(served):
    served.hub.post("about", json.dumps({"is": "about", "robot": "fr3"}))

    async def run():
        async with served.page() as page:
            assert json.loads(await page.recv())["robot"] == "fr3"
            served.hub.post("state", json.dumps({"is": "state"}))
            assert json.loads(await page.recv())["is"] == "state"
        async with served.page() as page:  # an old state is none
            assert json.loads(await page.recv())["robot"] == "fr3"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(page.recv(), 0.2)

    asyncio.run(run())


def test_the_server_ends_although_clients_read_nothing_or_say_nothing(served):
    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "console server"]

    async def run(address, hub, exit_stack):
        async with connect(f"{address.replace('http', 'ws')}socket", close_timeout=0.1) as deaf:
            await deaf.send(json.dumps({"do": "hello"}))
            await deaf.recv()
            deaf.transport.pause_reading()
            host, port = address.split("//")[1].rstrip("/").split(":")
            with socket.create_connection((host, int(port))):
                for i in range(30):
                    hub.post(f"camera {i}", bytes(300_000))
                await asyncio.to_thread(exit_stack.close)

    before, hub = len(threads()), Hub()
    with ExitStack() as exit_stack:
        server = ConsoleServer(ConsoleSettings(port=0), hub, served.desk, served.desk.lines.append)
        address = exit_stack.enter_context(serving(server))
        assert len(threads()) == before + 1
        asyncio.run(run(address, hub, exit_stack))
    assert len(threads()) == before


def test_tls_with_a_certificate_and_unusable_files_are_refused(serve, tmp_path):
    cert, key, tokens = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "tokens"))
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", key, "-out", cert, *names], check=True, capture_output=True, timeout=60)
    (tmp_path / "tokens").write_text(f"operate {OPERATE}\n")
    served = serve(host="0.0.0.0", tls_cert=cert, tls_key=key, token_file=tokens)
    assert served.http.startswith("https://0.0.0.0:")
    served.socket = served.socket.replace("0.0.0.0", "localhost")
    trust = ssl.create_default_context(cafile=cert)

    async def run():
        async with served.page(OPERATE, ssl=trust) as page:
            assert (await served.ask(page, {"do": "stop"}))["ok"]

    asyncio.run(run())
    with pytest.raises(SettingsError, match="valid are PEM files"):
        serve(tls_cert=tokens, tls_key=tokens)


def test_a_taken_port_is_passed_over_and_none_left_is_an_error(served):
    taken = int(served.host.split(":")[1])

    def another(more):
        settings = ConsoleSettings(port=taken, more_ports=more)
        return serving(ConsoleServer(settings, Hub(), served.desk, served.desk.lines.append))

    with another(15) as address:
        assert taken < int(address.rstrip("/").split(":")[-1]) <= taken + 15
    with pytest.raises(ServerError, match=f"ports {taken} to {taken}"), another(0):
        pass
