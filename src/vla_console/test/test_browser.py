# SPDX-License-Identifier: Apache-2.0
"""The page in headless Chromium: what it shows, keys, pads, stop, a lost connection. The graph is a stand-in."""

import json
import shutil
import threading
import time

import cv2
import numpy as np
import pytest
from vla_console.background import serving
from vla_console.commands import Act, Ask, Begin, Drive, Say, Sound, Tell
from vla_console.hub import Hub
from vla_console.server import ConsoleServer
from vla_console.settings import ConsoleSettings

pytestmark = pytest.mark.node  # no node, but processes on a busy machine, as with nodes
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]  # a microphone
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser():
    name = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if name is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}; `make test` installs one as root")
    reason = "playwright is not installed: ./vla run pip install -r requirements/browser.txt"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright.sync_playwright() as tools:
        made = tools.chromium.launch(executable_path=name, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def page(browser, request):
    """An open page of 1280 x 800, in the scheme of the test's parameter; it must not report an error."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=getattr(request, "param", "light")
    )
    context.set_default_timeout(PATIENCE_MS)
    made = context.new_page()
    problems = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on(
        "console",
        lambda line: problems.append(line.text) if line.type == "error" and "WebSocket" not in line.text else None,
    )
    made.on("dialog", lambda dialog: problems.append(dialog.message))
    yield made
    context.close()
    assert not problems


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def shown(page, served, state, about):
    """The page, connected, with a state that is renewed as console_node does."""
    ended = threading.Event()
    parts = {}
    served.hub.post("about", json.dumps(about))
    served.hub.post("offers", json.dumps({"is": "offers", "actions": ["ask", "home", "estop"], "speech": False}))

    def renew():
        while not ended.wait(0.1):
            served.hub.post("state", json.dumps(state(**parts)))

    thread = threading.Thread(target=renew)
    thread.start()
    page.goto(served.http)
    page.get_by_text("you operate").wait_for()
    page.parts = parts
    yield page
    ended.set()
    thread.join()


def commands(served, kind):
    return [command for _, command in served.desk.done if isinstance(command, kind)]


def picture():
    """A camera's message with a picture of many colours."""
    pixels = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return b'{"camera": "front", "stamp": 1.0, "n": 1}\n' + cv2.imencode(".jpg", pixels)[1].tobytes()


@pytest.mark.parametrize(("page", "ground"), [("light", 243), ("dark", 15)], indirect=["page"])
def test_the_state_is_shown_as_text_and_the_picture_is_drawn(shown, served, html, ground):
    shown.locator("#facts").get_by_text(html).first.wait_for()
    shown.locator("#refusals").get_by_text(f"3× observation_too_old: {html}").wait_for()
    shown.locator("#plan").get_by_text(html).wait_for()
    assert shown.locator("#chip-controller").inner_text() == "tracking"
    assert shown.locator("#tokens tr").count() == 2
    assert shown.locator("#joints tr").count() == 7
    assert shown.title() == "VLA console"
    assert shown.locator("main img, main script").count() == 0
    served.hub.post("front", picture())
    drawn = """() => {
      const canvas = document.querySelector('#cameras canvas');
      return canvas && canvas.width === 80 && canvas.getContext('2d').getImageData(9, 9, 1, 1).data[3] === 255;
    }"""
    shown.wait_for_function(drawn)
    image = cv2.imdecode(np.frombuffer(shown.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (800, 1280, 3)
    assert abs(int(image[790, 3, 2]) - ground) < 3  # the theme's ground
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 300  # not blank
    overflow = shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow == 0


def test_say_ask_and_stop_by_keyboard_alone(shown, served):
    focus = lambda: shown.evaluate("document.activeElement.id")  # noqa: E731
    for _ in range(40):
        if focus() == "text":
            break
        shown.keyboard.press("Tab")
    assert focus() == "text"
    shown.keyboard.type("pick up the red block")
    shown.keyboard.press("Enter")
    wait_for(lambda: commands(served, Say) == [Say("pick up the red block")])
    shown.get_by_text("Instruction: done").wait_for()
    assert not commands(served, Act)  # a space in a text is a space
    shown.keyboard.press("Tab")  # to the button: a space does not press it, it stops
    shown.keyboard.press("Space")
    wait_for(lambda: commands(served, Act) == [Act("stop")])
    shown.locator("#question").focus()
    shown.keyboard.type("where is it")
    shown.keyboard.press("Escape")
    wait_for(lambda: commands(served, Act) == [Act("stop")] * 2)
    shown.keyboard.press("Enter")
    wait_for(lambda: commands(served, Ask) == [Ask("where is it")])
    shown.locator("#estop").focus()
    shown.keyboard.press("Enter")
    wait_for(lambda: commands(served, Act)[2:] == [Act("estop")])
    assert len(commands(served, Say)) == 1
    shown.locator("#home").click()  # a refusal is shown
    shown.get_by_text("the arm is not ready").wait_for()


def test_a_goal_is_begun_answered_and_replaced_in_one_box(shown, served, html):
    assert shown.locator("#goal-card").is_hidden()  # no planner
    actions = ["ask", "home", "estop", "goal"]
    served.hub.post("offers", json.dumps({"is": "offers", "actions": actions, "speech": False}))
    box = shown.locator("#goal-text")
    box.fill("clear the table")
    box.press("Enter")
    wait_for(lambda: commands(served, Begin) == [Begin("clear the table")])
    step = {"text": html, "state": "failed", "attempt": 2, "confidence": 0.9, "reason": html}
    status = {
        "id": "a", "goal": html, "planner": "symbols", "state": "asking", "first": 1,
        "steps": [step, {**step, "confidence": None}], "question": html, "say": html, "end": "", "why": "",
        "replans": 1, "decision_time": 0.3, "cost": None, "silent": False,
    }  # fmt: skip
    served.hub.post("goal", json.dumps({"is": "goal", "status": status}))
    shown.get_by_role("button", name="Answer").wait_for()
    shown.locator("#goal-steps").get_by_text(f"1. {html} (attempt 2)").wait_for()
    assert shown.locator("#goal-question").inner_text() == html
    assert shown.locator("#goal-note").inner_text() == "symbols, asking, 1 new plans, 0.30 s a decision"
    box.fill("the blue one")
    box.press("Enter")
    wait_for(lambda: commands(served, Tell) == [Tell("the blue one")])
    box.fill("stack them")
    shown.get_by_role("button", name="New goal").click()
    wait_for(lambda: commands(served, Begin)[1:] == [Begin("stack them")])
    over = {**status, "state": "finished", "end": "finished", "why": "2 steps", "question": "which?"}
    served.hub.post("goal", json.dumps({"is": "goal", "status": over}))
    shown.locator("#goal-end").get_by_text("finished: 2 steps").wait_for()
    assert shown.locator("#goal-question").is_hidden()
    assert shown.locator("#goal-tell").is_hidden()
    box.fill("again")
    box.press("Enter")
    wait_for(lambda: commands(served, Begin)[2:] == [Begin("again")])
    assert shown.title() == "VLA console"
    overflow = shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow == 0


def test_keys_and_pads_move_the_arm_only_while_a_deadman_is_held(shown, served):
    shown.keyboard.press("Shift+KeyW")
    shown.locator("#arm").focus()
    shown.keyboard.press("Enter")
    wait_for(lambda: commands(served, Drive))
    shown.keyboard.down("KeyW")  # without the deadman
    time.sleep(0.3)
    assert not any(command.held for command in commands(served, Drive))
    shown.keyboard.down("Shift")
    shown.keyboard.down("KeyW")
    wait_for(lambda: commands(served, Drive)[-1].held and commands(served, Drive)[-1].linear[0] == 0.5)
    shown.keyboard.up("Shift")
    wait_for(lambda: not commands(served, Drive)[-1].held)
    shown.keyboard.up("KeyW")
    box = shown.locator("#pad-xy").bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.mouse.move(*centre)
    shown.mouse.down()
    shown.mouse.move(centre[0], centre[1] - 40)
    wait_for(lambda: commands(served, Drive)[-1].held and commands(served, Drive)[-1].linear[0] > 0.1)
    shown.mouse.up()
    wait_for(lambda: not commands(served, Drive)[-1].held)
    shown.mouse.down()
    wait_for(lambda: commands(served, Drive)[-1].held)
    shown.keyboard.press("Space")  # stop lets go, and gives the controls back
    wait_for(lambda: Act("stop") in commands(served, Act))
    assert not commands(served, Drive)[-1].held
    time.sleep(0.2)
    assert not commands(served, Drive)[-1].held
    assert shown.locator("#arm").get_attribute("aria-pressed") == "false"
    shown.mouse.up()


def test_a_gamepad_moves_the_arm_while_its_shoulder_button_is_held(shown, served):
    def pad(button, forward):
        buttons = [{"pressed": i == button, "value": float(i == button)} for i in range(17)]
        state = {"connected": True, "mapping": "standard", "axes": [0, -forward, 0, 0], "buttons": buttons}
        shown.evaluate(f"navigator.getGamepads = () => [{json.dumps(state)}]")

    pad(None, 1.0)
    shown.locator("#arm").click()
    wait_for(lambda: len(commands(served, Drive)) > 2)
    assert not any(command.held for command in commands(served, Drive))
    pad(4, 1.0)
    wait_for(lambda: commands(served, Drive)[-1].held and commands(served, Drive)[-1].linear == (0.5, 0, 0))
    pad(None, 1.0)
    wait_for(lambda: not commands(served, Drive)[-1].held)


def test_the_microphone_is_heard_while_the_talk_button_is_held(shown, served):
    served.hub.post("offers", json.dumps({"is": "offers", "actions": [], "speech": True}))
    button = shown.locator("#talk")
    button.wait_for()
    button.hover()
    shown.mouse.down()
    wait_for(
        lambda: any(np.any(np.frombuffer(sound.samples, np.int16)) for sound in commands(served, Sound))
    )  # it beeps
    shown.mouse.up()
    wait_for(lambda: not commands(served, Sound)[-1].talking)
    sounds = commands(served, Sound)
    assert {(sound.sample_rate, len(sound.samples)) for sound in sounds[:-1]} == {(16000, 2 * 1600)}
    assert all(sound.talking for sound in sounds[:-1])


def test_a_page_that_is_closed_while_it_drives_is_told(shown, served):
    shown.locator("#arm").click()
    shown.keyboard.down("Shift")
    shown.keyboard.down("KeyR")
    wait_for(lambda: commands(served, Drive) and commands(served, Drive)[-1].linear[2] > 0)
    shown.goto("about:blank")
    wait_for(lambda: served.desk.lost)
    assert served.desk.lost[0] == served.desk.done[-1][0]


def test_a_lost_connection_is_shown_and_found_again(page, served):
    def server(port):
        settings = ConsoleSettings(port=port, more_ports=0)
        return serving(ConsoleServer(settings, Hub(), served.desk, served.desk.lines.append))

    with server(0) as address:
        page.goto(address)
        page.get_by_text("you operate").wait_for()
    page.get_by_text("nothing here stops the arm").wait_for()
    page.locator("#stop").click()
    page.get_by_text("there is no connection to the console").wait_for()
    with server(int(address.rstrip("/").split(":")[-1])):
        page.get_by_text("you operate").wait_for()
        assert page.locator("#banner").is_hidden()


def test_a_viewer_gives_a_token_and_may_only_stop(page, serve, tmp_path):
    (tmp_path / "tokens").write_text(f"view {'v' * 20}\n")
    served = serve(token_file=str(tmp_path / "tokens"))
    page.goto(served.http)
    page.locator("#login").get_by_text("the token is missing or wrong").wait_for()
    page.locator("#token").fill("v" * 20)
    page.keyboard.press("Enter")
    page.get_by_text("you watch").wait_for()
    assert page.locator("main button:enabled").count() == 0
    page.keyboard.press("Space")
    wait_for(lambda: commands(served, Act) == [Act("stop")])
    page.goto(f"{served.http}#token={'v' * 20}")
    page.reload()
    page.get_by_text("you watch").wait_for()
    assert "v" * 20 not in page.url
