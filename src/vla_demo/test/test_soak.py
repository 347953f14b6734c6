# SPDX-License-Identifier: Apache-2.0
"""Figures of endurance: slopes with their error, over the latest life of a process, and what counts as growing."""

import os
import subprocess
import sys

import numpy as np
import pytest
from vla_demo.bench_bringup import left
from vla_demo.faults.soak import Held, Sample, growing, held_by, slope, slopes

RNG = np.random.default_rng(0)


def samples(memory_per_hour=0.0, descriptors_per_hour=0.0, restart_at=0, count=200):
    """One process over `count` samples of 30 s, with noise; another number from `restart_at` on."""
    made = []
    for k in range(count):
        hours = k * 30.0 / 3600.0
        memory = 100.0 + memory_per_hour * hours + RNG.normal(0.0, 0.5)
        held = Held(memory, 12, round(40 + descriptors_per_hour * hours))
        made.append(Sample(k * 30.0, {"a_node": (1 if k < restart_at else 2, held)}, 80, 0.1, 0.05))
    return made


def test_a_slope_is_found_within_its_error():
    times = np.arange(0.0, 3600.0, 30.0)
    found = slope(times, 5.0 + 7.0 * times / 3600.0 + RNG.normal(0.0, 0.1, len(times)))
    assert found["per_hour"] == pytest.approx(7.0, abs=4.0 * found["error"])
    assert 0.0 < found["error"] < 0.2


def test_too_few_samples_have_no_slope():
    assert slope([0.0, 1.0], [1.0, 2.0])["per_hour"] is None


def test_what_leaks_is_named_and_noise_is_not():
    assert growing(slopes(samples())) == []
    (memory,) = growing(slopes(samples(memory_per_hour=90.0)))
    assert memory.startswith("a_node, memory [MB]: +9")
    (descriptors,) = growing(slopes(samples(descriptors_per_hour=60.0)))
    assert descriptors.startswith("a_node, descriptors")


def test_only_the_latest_life_of_a_process_counts():
    found = slopes(samples(restart_at=150))
    assert found["a_node"]["threads"]["samples"] == 40  # of the 50 after the restart, without their warm-up


def test_what_a_process_holds_is_read_and_one_that_has_ended_holds_nothing():
    held = held_by(os.getpid())
    assert held is not None
    assert held.memory_mb > 1.0
    assert held.threads >= 1
    assert held.descriptors >= 3
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert held_by(ended.pid) is None


def test_processes_that_outlive_their_graph_are_named():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    log = f"vla | a_node started [pid {ended.pid}]\nvla | b_node started [pid {os.getpid()}]\n"
    assert left(log) == ["b_node"]
