# SPDX-License-Identifier: Apache-2.0
"""What the terminal shows: a live panel on a terminal, plain lines in a file or a pipe."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vla_demo.picture.video import recent_rate
from vla_demo.run.samples import Episode, Recording, latest
from vla_demo.run.session import Current
from vla_demo.run.summary import Figures

LINE_EVERY_S = 5.0


class Progress:
    """Shows the run as it goes. Use as a context manager."""

    def __init__(self, recording: Recording, count: int, console: Console | None = None) -> None:
        """`count`: how many episodes there will be."""
        self._recording, self._count = recording, count
        self.console = console or Console()
        live = self.console.is_terminal
        self._live = Live(console=self.console, auto_refresh=False, transient=True) if live else None
        self._shown_at = -math.inf
        self._lacking: dict[str, str] | None = None  # parts of the graph that are not ready

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def waiting(self, what: Sequence[str], seconds: float) -> None:
        """The graph is coming up and still lacks `what`: one line for each part that has become ready."""
        lacking = {text.split(" (")[0]: text for text in what}
        if self._lacking is None:
            self.say("starting the graph: " + ", ".join(lacking))
            self._lacking = dict(lacking)
        for name in [name for name in self._lacking if name not in lacking]:
            del self._lacking[name]
            self.say(f"  {seconds:4.1f} s  {name}: ready")
            if list(self._lacking) == ["policy"]:
                self.say("          loading the policy's weights; its first inference follows")
        for name in [name for name in lacking if name not in self._lacking]:
            self._lacking[name] = lacking[name]
            self.say(f"  {seconds:4.1f} s  waiting for {lacking[name]}")
        if self._live and what and self._due(0.25):
            self._show(Text(f"starting the graph, {seconds:.0f} s; waiting for: " + "; ".join(what), style="cyan"))

    def running(self, current: Current | None, now: float) -> None:
        """An episode runs, or None between two; `now` [s] on the ROS clock."""
        if self._live and self._due(0.2):
            self._show(Group(self._episodes(current, now), self._status(now)))
        elif not self._live and current is not None and self._due(LINE_EVERY_S):
            self.say(f"  {now - current.start:5.1f} s  {current.instruction}  |  {self._status(now).plain}")

    def finished(self, episode: Episode) -> None:
        """An episode has ended."""
        word = "done" if episode.success else "NOT done"
        change = f" (in place of “{episode.replaced}”)" if episode.replaced else ""
        note = f": {episode.note}" if episode.note else ""
        number = len(self._recording.episodes)
        self.say(f"{number}/{self._count} {word} in {episode.seconds:.1f} s: {episode.instruction}{change}{note}")
        self._shown_at = time.monotonic()

    def encoding(self, share: float) -> None:
        """The video is being written: `share` of it, 0..1."""
        if self._live and self._due(0.2):
            self._show(Text(f"writing the video: {100 * share:.0f} %", style="cyan"))
        elif not self._live and self._due(LINE_EVERY_S):
            self.say(f"writing the video: {100 * share:.0f} %")

    def _due(self, every: float) -> bool:
        now = time.monotonic()
        if now - self._shown_at < every:
            return False
        self._shown_at = now
        return True

    def _show(self, what: RenderableType) -> None:
        assert self._live is not None
        self._live.update(what, refresh=True)

    def _episodes(self, current: Current | None, now: float) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for number, episode in enumerate(self._recording.episodes, 1):
            mark = Text("✓", "green") if episode.success else Text("✗", "red")
            table.add_row(f"{number}", mark, episode.instruction, f"{episode.seconds:.1f} s")
        if current:
            change = f"  (was: {current.replaced})" if current.replaced else ""
            elapsed = f"{now - current.start:.1f} s"
            table.add_row(f"{current.number}", Text("▶", "cyan"), Text(current.instruction + change, "bold"), elapsed)
        return table

    def _status(self, now: float) -> Text:
        """One line: states, rates, the newest tokens, the score."""
        recording = self._recording
        policy, tick = latest(recording.policy, now), latest(recording.controller, now)
        task, chunk = latest(recording.task, now), latest(recording.chunks, now)
        parts = [f"score {sum(e.success for e in recording.episodes)}/{len(recording.episodes)} of {self._count}"]
        if policy:
            sure = f", sure {100 * policy.confidence:.0f} %" if math.isfinite(policy.confidence) else ""
            sure += f", legal {100 * policy.legal_mass:.0f} %" if math.isfinite(policy.legal_mass) else ""
            parts.append(f"policy {policy.state} {policy.rate:.1f} Hz{sure}")
        if tick:
            parts.append(f"controller {tick.state} {recent_rate(recording.controller, now):.1f} Hz")
        if task:
            parts.append(f"real time ×{task.real_time_factor:.2f}")
        if chunk and chunk.tokens:
            parts.append("tokens " + " ".join(f"{token}" for token in chunk.tokens))
        return Text("  ·  ".join(parts), style="dim")


def closing_table(figures: Figures) -> Table:
    """The run in a table: one row per episode, then the figures."""
    table = Table(title=f"{figures['policy']} on {figures['robot']}", title_justify="left", show_footer=True)
    good = sum(episode["success"] for episode in figures["episodes"])
    table.add_column("instruction", footer=f"{good} of {len(figures['episodes'])}")
    table.add_column("family")
    table.add_column("result")
    table.add_column("seconds", justify="right")
    for episode in figures["episodes"]:
        result = "[green]done[/]" if episode["success"] else "[red]not done[/]"
        table.add_row(episode["instruction"], episode["family"], result, f"{episode['seconds']:.1f}")
    return table


def figure_lines(figures: Figures) -> list[str]:
    """The rates and delays in words."""
    period, delay = figures["controller_period_ms"], figures["stamp_to_setpoint_ms"]
    return [
        f"policy {_text(figures['policy_hz'])} Hz, controller {_text(figures['controller_hz'])} Hz, "
        f"real-time factor {_text(figures['real_time_factor'])}",
        f"controller period [ms]: p50 {_text(period['p50'])}, p99 {_text(period['p99'])}, max {_text(period['max'])}; "
        f"image to setpoint [ms]: p50 {_text(delay['p50'])}, p99 {_text(delay['p99'])}",
    ]


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
