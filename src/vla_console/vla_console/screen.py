# SPDX-License-Identifier: Apache-2.0
"""The state as a full-screen terminal view."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vla_console.messages import Data

STYLES = {
    **dict.fromkeys(("running", "tracking", "done", "ok", "accepted"), "green"),
    **dict.fromkeys(("waiting", "stopping", "stopped", "warn", "asked"), "yellow"),
    **dict.fromkeys(("error", "estopped", "stale", "fatal", "silent"), "bold red"),
}
SILENT_S = 2.0  # [s] after which a node is silent
BAR = 16  # characters


def screen(
    about: Data, state: Data, history: Sequence[Data], diagnostics: Sequence[Data], logs: Sequence[Data]
) -> Layout:
    """Return the whole view; the arguments are those that the page gets."""
    layout = Layout()
    layout.split_column(Layout(name="top", size=3), Layout(name="middle"), Layout(name="bottom"))
    layout["top"].update(_panel("VLA", _summary(state)))
    layout["middle"].split_row(
        Layout(_panel("State", _facts(state))),
        Layout(_panel("Joints", _joints(about, state["controller"]))),
        Layout(_panel("Action", _action(state))),
    )
    layout["bottom"].split_row(
        Layout(_panel("Instructions", _history(history))),
        Layout(_panel("Refused by the gate, diagnostics", Group(_refusals(state), _diagnostics(diagnostics)))),
        Layout(_panel("Log", _log(logs))),
    )
    return layout


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=title, title_align="left", border_style="dim")


def _word(part: Data | None) -> Text:
    silent = part is None or part["age"] > SILENT_S
    text = "silent" if part is None or silent else str(part["state"])
    return Text(text, STYLES.get(text, ""))


def _summary(state: Data) -> Text:
    controller, policy = state["controller"], state["policy"]
    text = Text.assemble("policy ", _word(policy), "   controller ", _word(controller))
    if controller is not None:
        person = f" {controller['device']}" if controller["device"] else ""
        text.append(f"   arm obeys {controller['owner']}{person}")
    recorder = state["recorder"]
    if recorder is not None and recorder["age"] < SILENT_S:
        text.append(f"   recorder {recorder['state']} {recorder['episode']}")
    score = state["score"]
    if state["task"] is not None:
        word = "success" if state["task"]["success"] else "not yet"
        text.append(f"   task {word}, {score['successes']} of {score['tasks']}")
    return text


def _facts(state: Data) -> Table:
    table = Table.grid(padding=(0, 1))
    controller, policy = state["controller"], state["policy"]
    if state["goal"] is not None:
        table.add_row("goal", _goal(state["goal"]))
    if policy is not None:
        table.add_row("doing", Text(policy["instruction"] or "nothing"))
        table.add_row(
            "policy",
            Text(f"{policy['policy']} {_number(policy['rate'], 1)} Hz {policy['checkpoint'].rpartition('/')[2]}"),
        )
        table.add_row(
            "inference", f"{_number(policy['inference_ms'], 0)} ms, confidence {_number(policy['confidence'])}"
        )
        table.add_row("", Text(policy["reason"]))
    if controller is not None:
        tick, compute = _number(controller["tick_ms"], 1), _number(controller["compute_ms"], 1)
        table.add_row("controller", f"{_number(controller['hz'], 0)} Hz, tick {tick} ms, computes {compute} ms")
        late = f"{controller['chunks']} accepted, {controller['late']} steps late"
        table.add_row("chunks", late)
        latency, budget = _number(controller["latency"], 3), _number(controller["budget"], 3)
        table.add_row("latency", f"{latency} s from picture to setpoint, due after {budget} s")
        tool = ", ".join(_number(value, 3) for value in controller["tool"])
        table.add_row("tool", f"{tool} m, gripper {_number(controller['gripper'])}")
        table.add_row("", Text(controller["reason"]))
    operator = state["operator"]
    gone = operator is None or operator["age"] > SILENT_S
    stop = Text("instruction_node is silent: the arm halts", "bold red") if gone else Text("instruction_node is there")
    table.add_row("stop path", stop)
    return table


def _goal(goal: Data) -> Text:
    """Return what is to be reached, where it stands, and what the operator is asked or told."""
    state = "silent" if goal["silent"] else goal["end"] or goal["state"]
    done = sum(step["state"] == "done" for step in goal["steps"])
    text = Text.assemble(goal["goal"] or "none", " (", (state, STYLES.get(state, "")), f", done: {done})")
    for words in (goal["question"], goal["say"], goal["why"] if goal["end"] else ""):
        if words:
            text.append(f" {words}", "yellow" if words == goal["question"] else "")
    return text


def _joints(about: Data, controller: Data | None) -> RenderableType:
    if controller is None:
        return Text("no report", "dim")
    table = Table.grid(padding=(0, 1))
    rows = zip(about["joints"], about["lower"], about["upper"], controller["joints"], strict=False)
    for name, low, high, value in rows:
        share = 0.5 if value is None else min(1.0, max(0.0, (value - low) / (high - low)))
        place = round(share * (BAR - 1))
        bar = Text("─" * place + "●" + "─" * (BAR - 1 - place), "red" if not 0.04 < share < 0.96 else "")
        table.add_row(Text(name), f"{low:.2f}", bar, f"{high:.2f}", f"[b]{_number(value)}[/b]")
    return table


def _action(state: Data) -> RenderableType:
    chunk = state["chunk"]
    rows: list[RenderableType] = []
    if state["plan"] is not None:
        rows.append(Text(f"plan: {state['plan']['text']}", "italic"))
    if chunk is not None:
        table = Table.grid(padding=(0, 1))
        for name, token, probability in zip(chunk["names"], chunk["tokens"], chunk["probabilities"], strict=False):
            table.add_row(Text(name), str(token), "█" * round(BAR * (probability or 0.0)), _number(probability))
        rows += [f"chunk {chunk['sequence']}, {chunk['steps']} steps of {_number(chunk['period'])} s", table]
    return Group(*rows) if rows else Text("none", "dim")


def _history(history: Sequence[Data]) -> RenderableType:
    lines = [Text(f"{item['text']} ({item['source']})", "yellow" if item["stop"] else "") for item in history]
    return Group(*reversed(lines)) if lines else Text("none", "dim")


def _refusals(state: Data) -> RenderableType:
    controller = state["controller"]
    rows = controller["refusals"] if controller is not None else []
    return Group(*(Text(f"{row['count']}× {row['name']}: {row['reason']}") for row in rows))


def _diagnostics(rows: Sequence[Data]) -> RenderableType:
    shown = (
        Text.assemble((row["level"], STYLES.get(row["level"], "")), f" {row['name']}: {row['message']}") for row in rows
    )
    return Group(*shown)


def _log(logs: Sequence[Data]) -> RenderableType:
    shown = [Text(f"{row['node']}: {row['text']}", STYLES.get(row["level"], "dim")) for row in logs]
    return Group(*reversed(shown[-40:]))


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
