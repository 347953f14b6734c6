# SPDX-License-Identifier: Apache-2.0
"""Where compiled networks are kept: in the user's cache folder, by what they were made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vla_policy.engine.openvino import Compiled, Shape, available, save

FORMAT = "1"  # changes when what is compiled changes
TOLERANCE = 1e-3  # of the largest number: a compiled network that differs by more is not used


@dataclass(frozen=True, slots=True)
class Part:
    """A network to compile, inputs that it takes, and their shapes, with -1 for an axis of any length."""

    network: nn.Module
    examples: Sequence[Tensor]
    shapes: Sequence[Shape]


class Prepared:
    """The compiled parts of one checkpoint, or the folder where they will be."""

    def __init__(self, key: str) -> None:
        """key: of `checkpoint_key`."""
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(root) / "vla" / "engines" / key

    def ready(self) -> bool:
        """Whether `make` was done for this checkpoint, by any process."""
        return self.folder.is_dir()

    def make(self, parts: Mapping[str, Part]) -> None:
        """Compile the parts by name; an interruption leaves nothing. Takes seconds to minutes."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder.parent))
        try:
            for name, part in parts.items():
                save(temporary / f"{name}.xml", part.network, part.examples, part.shapes)
            os.rename(temporary, self.folder)
        except OSError:
            if not self.ready():  # otherwise another process was faster
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def load(self, name: str, part: Part, threads: int = 0) -> Compiled:
        """Return a part, compared with the network that it was made of.

        Raises RuntimeError for a damaged file, ValueError where it computes anything else.
        """
        compiled = Compiled(self.folder / f"{name}.xml", threads)
        with torch.inference_mode():
            wanted = part.network(*part.examples)
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        difference = float((compiled(*part.examples)[0] - wanted).abs().max())
        largest = float(wanted.abs().max())
        if not difference <= TOLERANCE * largest:
            raise ValueError(
                f"the compiled {name} pass differs by {difference:.1e}, its largest number is {largest:.1e}"
            )
        return compiled


def checkpoint_key(folder: Path) -> str:
    """Return a name that changes with the checkpoint's files and with the versions of what compiles it."""
    digest = hashlib.sha256(f"{FORMAT} {torch.__version__} {available()}".encode())
    for path in sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.json")):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:24]
