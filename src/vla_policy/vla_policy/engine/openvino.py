# SPDX-License-Identifier: Apache-2.0
"""One network compiled by OpenVINO, called with PyTorch's tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Shape = Sequence[int]  # -1 for an axis of any length


def available() -> str:
    """Return OpenVINO's version; empty where it is not installed."""
    try:
        return version("openvino")
    except PackageNotFoundError:
        return ""


class Compiled:
    """A network that was saved by `save`. Not thread-safe; CPU only; computes in float32."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """path: NAME.xml; threads: 0 leaves OpenVINO's choice. What it compiles to is kept beside it."""
        import openvino

        core = openvino.Core()
        core.set_property({"CACHE_DIR": str(path.parent / "compiled")})
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads > 0:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._request = core.compile_model(path, "CPU", settings).create_infer_request()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, tensors of their own."""
        found = self._request.infer([tensor.numpy() for tensor in inputs], share_inputs=True)
        return tuple(torch.from_numpy(array.copy()) for array in found.to_tuple())


def save(path: Path, network: nn.Module, examples: Sequence[Tensor], shapes: Sequence[Shape]) -> None:
    """Write a network as NAME.xml and NAME.bin. examples: inputs that it takes; shapes: of those it shall take."""
    import openvino

    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch")  # of the tracer: the shapes that are checked are fixed
        model = openvino.convert_model(
            network.eval(),
            example_input=tuple(examples),
            input=[openvino.PartialShape(list(shape)) for shape in shapes],
        )
    openvino.save_model(model, path, compress_to_fp16=False)
