# SPDX-License-Identifier: Apache-2.0
"""How much memory the weights of a checkpoint will take, told before they are loaded."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vla_policy.errors import CheckpointError

GIB = 1024**3
HEADROOM = 1.1  # of the weights' own size: activations, the key-value cache, copies of single layers while loading
FLOAT_TYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}  # bytes of a number
OTHER_TYPES = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_NEVER_PACKED = ("embed", "lm_head")  # in the names of weights that bitsandbytes leaves as they are
MAX_HEADER = 100_000_000  # bytes, the format's own limit
_CGROUP = Path("/sys/fs/cgroup")


def check_memory(
    files: Sequence[Path], dtype: torch.dtype | None, device: str, available: int | None = None, share: float = 1.0
) -> None:
    """Raise CheckpointError where the weights in safetensors `files` will not fit, or where a file is no safetensors.

    dtype: what floating-point numbers become, None as they are stored; available: bytes, by default what `device` has;
    share: the part of that size that is needed, for numbers that are packed.
    """
    needed = HEADROOM * sum(weight_bytes(file, dtype, share) for file in files)
    free = available_bytes(device) if available is None else available
    if needed > free:
        kind = "as stored" if dtype is None else f"in {str(dtype).removeprefix('torch.')}"
        raise CheckpointError(
            f"memory too small: the weights need {needed / GIB:.1f} GiB {kind}, {device} has {free / GIB:.1f} GiB "
            "free; valid are a smaller model, dtype bfloat16, quantization int8 or int4, or another device"
        )


def weight_bytes(file: Path, dtype: torch.dtype | None, share: float = 1.0) -> int:
    """Bytes that the tensors of one safetensors file take once loaded. Raises CheckpointError for a damaged file.

    dtype, share: as in `check_memory`. What packs numbers (dtype int8) leaves embeddings and head at 16 bit.
    """
    total = 0.0
    for name, entry in tensor_headers(file).items():
        total += _number_bytes(file, name, entry["dtype"], dtype, share) * math.prod(entry["shape"])
    return math.ceil(total)


def _number_bytes(file: Path, name: str, stored: str, dtype: torch.dtype | None, share: float) -> float:
    """Bytes of one number of a tensor. Raises CheckpointError for an unknown type."""
    if stored not in FLOAT_TYPES | OTHER_TYPES:
        raise CheckpointError(f"{file}: {name} is of type {stored}; valid are {', '.join(FLOAT_TYPES)}")
    if dtype is None or stored not in FLOAT_TYPES:
        return (FLOAT_TYPES | OTHER_TYPES)[stored]
    if dtype == torch.int8 and any(part in name for part in _NEVER_PACKED):
        return torch.bfloat16.itemsize
    return share * dtype.itemsize


def tensor_headers(file: Path) -> Mapping[str, Any]:
    """The tensors that a file says it holds, checked against its length; the tensors themselves are not read.

    Not by safetensors.safe_open: that maps the whole file, and fails on one that is larger than the address space left.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > MAX_HEADER:
                raise ValueError("no header")
            tensors: dict[str, Any] = json.loads(stream.read(length))
            tensors.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
            if any(not isinstance(each["dtype"], str) or math.prod(each["shape"]) < 0 for each in tensors.values()):
                raise ValueError("a tensor without type or shape")
            if stream.seek(0, os.SEEK_END) != 8 + length + end:
                raise ValueError("it ends too early or too late")
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file} is damaged or truncated: {error}; valid is a whole safetensors file") from error
    return tensors


def available_bytes(device: str) -> int:
    """Free memory of a device [byte]; of the machine, or of the container where that is less, for the CPU."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(_machine_bytes(), _container_bytes())


def _machine_bytes() -> int:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _container_bytes() -> int:
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        statistics = dict(line.split() for line in (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        cached = int(statistics.get("inactive_file", 0))  # given back when it is needed
        return 2**63 if limit == "max" else int(limit) - used + cached
    except (OSError, ValueError):
        return 2**63
