# SPDX-License-Identifier: Apache-2.0
"""`vla bench rt1`: what token reuse and one-pass decoding are worth, measured in one run on one machine.

Weights do not matter for the time, so fresh ones are used. The ways are timed in turns, so that another load on the
machine falls on all of them; ratios are the medians of the ratios of each turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from vla_policy.rt1.config import NAMED_CONFIGS, RT1Config
from vla_policy.rt1.instruction import InstructionFeatures
from vla_policy.rt1.network import RT1Network

from vla_training.run.arguments import Parser, natural, positive

Way = Callable[[], object]
OURS = "reuse_one_pass"


@dataclass(frozen=True, slots=True)
class Timing:
    """One way of making one action. [ms], and how many times as long as token reuse with one pass it takes."""

    p50_ms: float
    p90_ms: float
    ratio: float


class Bench:
    """One network with everything that the timed ways need."""

    def __init__(self, config: RT1Config) -> None:
        """`config` decides the history that is decoded."""
        self.config = config
        self.network = RT1Network(config, pretrained=False).eval()
        words = torch.zeros(1, config.instruction_tokens, config.instruction_dim).normal_()
        features = InstructionFeatures(words, torch.ones(words.shape[:2], dtype=torch.bool), words[:, 0])
        self.condition = self.network.condition(features)
        self.images = torch.randint(0, 256, (config.history, *config.image_size, 3), dtype=torch.uint8)
        self.tokens = self.encode(config.history)  # (history, tokens, d)

    def encode(self, frames: int) -> Tensor:
        """Tokens of the newest `frames` pictures."""
        early = self.network.early_features(self.images[-frames:])
        return self.network.frame_tokens(early, self.condition.expand(frames, -1))

    def decode(self, tokens: Tensor) -> Tensor:
        """Tokens (history, n, d) to the newest frame's bins (action_dims,)."""
        proprio = torch.zeros(1, self.config.history, len(self.config.proprio)) if self.config.proprio else None
        return self.network.decode(tokens[None], proprio)[0, -1].argmax(dim=-1)

    def window(self) -> Tensor:
        """Kept tokens of the earlier frames and fresh ones of the newest."""
        return torch.cat([self.tokens[1:], self.encode(1)])

    def autoregressive(self, tokens: Tensor) -> list[int]:
        """One whole pass for every action dimension, as models do that feed each one back."""
        return [int(self.decode(tokens)[index]) for index in range(self.config.action_dims)]

    def ways(self) -> dict[str, Way]:
        """What is compared; each makes one whole action."""
        return {
            OURS: lambda: self.decode(self.window()),
            "reencode_all_frames": lambda: self.decode(self.encode(self.config.history)),
            "autoregressive": lambda: self.autoregressive(self.window()),
            "reencode_and_autoregressive": lambda: self.autoregressive(self.encode(self.config.history)),
            "one_frame_tokens": lambda: self.encode(1),
            "decode_once": lambda: self.decode(self.tokens),
        }


def time_in_turns(ways: Mapping[str, Way], rounds: int, base: str = OURS) -> dict[str, Timing]:
    """Run every way once per round, after one round that does not count; ratios are against the way `base`."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                spent[name].append((time.perf_counter() - start) * 1e3)
    return {
        name: Timing(
            statistics.median(times),
            sorted(times)[int(0.9 * (len(times) - 1))],
            statistics.median(other / ours for other, ours in zip(times, spent[base], strict=True)),
        )
        for name, times in spent.items()
    }


def lucidrains_way(history: int) -> Way:
    """One action of robotic-transformer-pytorch with the settings of its README, text embedding given.

    It has no way to keep the tokens of earlier frames. Raises ImportError where it is not installed.
    """
    from robotic_transformer_pytorch import RT1, MaxViT  # type: ignore[import-not-found, unused-ignore]

    vit = MaxViT(
        num_classes=1000,
        dim_conv_stem=64,
        dim=96,
        dim_head=32,
        depth=(2, 2, 5, 2),
        window_size=7,
        mbconv_expansion_rate=4,
        mbconv_shrinkage_rate=0.25,
        dropout=0.1,
    )
    model = RT1(vit=vit, num_actions=11, depth=6, heads=8, dim_head=64, cond_drop_prob=0.2).eval()
    video, text = torch.randn(1, 3, history, 224, 224), torch.randn(1, 768)
    return lambda: model(video, text_embeds=text)


def bench(name: str, rounds: int) -> dict[str, Any]:
    """Time one named configuration."""
    config = NAMED_CONFIGS[name]
    subject = Bench(config)
    ways, note = subject.ways(), "not compared"
    if name == "b3":
        try:
            ways["lucidrains"], note = lucidrains_way(config.history), "timed in the same turns"
        except (ImportError, OSError) as error:  # its constructor wants the T5 encoder, from a hub or a cache
            note = f"not compared, needs robotic-transformer-pytorch and its T5 encoder: {error}"
    with torch.inference_mode():
        timings = time_in_turns(ways, rounds)
    return {
        "parameters": sum(parameter.numel() for parameter in subject.network.parameters()),
        "image_size": list(config.image_size),
        "history": config.history,
        "lucidrains": note,
        "timings": {key: asdict(value) for key, value in timings.items()},
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `vla bench rt1`."""
    parser.add_argument("--config", choices=sorted(NAMED_CONFIGS), nargs="+", default=["lite", "b3"])
    parser.add_argument("--rounds", type=positive, default=20, help="how often each way is timed (default 20)")
    parser.add_argument(
        "--threads", type=natural, default=0, help="threads of the network library; 0 leaves its choice"
    )
    parser.add_argument("--out", type=Path, default=Path("out/bench/rt1.json"))


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table and write the JSON file. Returns the exit status."""
    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    result: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average_1min": os.getloadavg()[0],
        "torch": torch.__version__,
        "rounds": arguments.rounds,
        "networks": {},
    }
    for name in arguments.config:
        result["networks"][name] = measured = bench(name, arguments.rounds)
        print(
            f"{name}: {measured['parameters'] / 1e6:.1f} M parameters, {measured['history']} frames; "
            f"lucidrains: {measured['lucidrains']}"
        )
        for way, timing in measured["timings"].items():
            print(f"  {way:28} {timing['p50_ms']:8.1f} ms  {timing['ratio']:6.2f} x", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {arguments.out}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command line's `bench rt1`."""
    parser = Parser(prog="vla bench rt1", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))
