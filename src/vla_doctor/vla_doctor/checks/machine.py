# SPDX-License-Identifier: Apache-2.0
"""The machine: load, processor clock, real-time rights, disk, GPU, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from vla_doctor.verdict import Verdict, ok, skipped, warn

DISK_GB = 2.0  # [GB] for logs and recordings
PACKAGES = ("torch", "mujoco", "numpy", "opencv-python-headless", "opencv-python")
GOVERNORS = "devices/system/cpu"


def check_machine(folder: Path, sys_folder: Path = Path("/sys")) -> Iterator[Verdict]:
    """Yield the verdicts about this machine. folder: where recordings go; sys_folder: the kernel's view of itself."""
    yield check_load(os.getloadavg()[0], len(os.sched_getaffinity(0)))
    yield check_governors(sys_folder / GOVERNORS)
    yield check_realtime_rights(max(resource.getrlimit(resource.RLIMIT_RTPRIO)))
    yield check_disk(folder, shutil.disk_usage(folder).free / 1e9)
    yield check_gpu()
    yield ok("versions", ", ".join((f"Python {platform.python_version()}", *_versions())))


def check_load(load: float, cores: int) -> Verdict:
    """Judge the load of the last minute. load: processes that want to run, on average."""
    found = f"load {load:.1f} on {cores} cores"
    if load > cores:
        return warn("load", found, "end other programs: setpoints come late where no core is free")
    return ok("load", found)


def check_governors(folder: Path) -> Verdict:
    """Judge how the cores choose their clock; folder: that of the cores in sysfs."""
    governors = {path.read_text().strip() for path in folder.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    if not governors:
        return skipped("processor clock", "the kernel shows no governor, as in a virtual machine")
    found = f"governor {', '.join(sorted(governors))}"
    if governors != {"performance"}:
        remedy = "cpupower frequency-set -g performance: otherwise ticks come late after pauses"
        return warn("processor clock", found, remedy)
    return ok("processor clock", found)


def check_realtime_rights(limit: int) -> Verdict:
    """Judge the highest real-time priority that this user may ask for."""
    if limit == 0:
        remedy = (
            "add 'USER - rtprio 99' to /etc/security/limits.conf and log in again; ros2_control and libfranka use it"
        )
        return warn("real-time rights", "this user may not use real-time priorities", remedy)
    highest = "any priority" if limit == resource.RLIM_INFINITY else f"priorities up to {limit}"
    return ok("real-time rights", f"this user may use {highest}")


def check_disk(folder: Path, free_gb: float) -> Verdict:
    """Judge the free room [GB] for logs and recordings."""
    found = f"{free_gb:.1f} GB free at {folder}"
    if free_gb < DISK_GB:
        return warn("disk", found, f"make room: valid is at least {DISK_GB:g} GB for logs and recordings")
    return ok("disk", found)


def check_gpu() -> Verdict:
    """Tell what a policy with device:=auto computes on."""
    try:
        import torch
    except ImportError as problem:
        return warn("GPU", f"PyTorch cannot be imported: {problem}", "./vla build, or install torch for ROS's Python")
    if not torch.cuda.is_available():
        return ok("GPU", "none that PyTorch can use: policies compute on the processor")
    free, total = torch.cuda.mem_get_info()
    return ok("GPU", f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")


def _versions() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
