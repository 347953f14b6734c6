# SPDX-License-Identifier: Apache-2.0
"""Objects and their positions in the base frame, from one picture of a calibrated camera."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from vla_perception.errors import ImageError
from vla_perception.scene.network import SceneNetwork, config_from, peaks
from vla_perception.scene.projection import CameraPose
from vla_perception.scene.support import Hand, Supports, place

WEIGHTS = Path(__file__).parent / "weights"
Image = NDArray[np.uint8]


class SceneWeightsError(Exception):
    """The weights are missing, damaged or of another network."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object. position: its centre in the base frame [m]; pixel: column, row; deviation: [m], from the card."""

    name: str
    position: tuple[float, float, float]
    pixel: tuple[float, float]
    confidence: float
    deviation: float = math.nan


class SceneDetector:
    """The network that ships, or one from `vla train scene`."""

    def __init__(self, folder: Path | None = None, threshold: float = 0.6, threads: int = 0) -> None:
        """Load `folder`; objects of less confidence than `threshold` count as absent. Raises SceneWeightsError."""
        folder = folder or WEIGHTS
        try:
            self.card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
            self._network = SceneNetwork(config_from(self.card["network"])).eval().requires_grad_(False)
            self._network.load_state_dict(load_file(folder / "model.safetensors"))
        except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            valid = "valid is a folder of `vla train scene` (card.json, model.safetensors)"
            raise SceneWeightsError(f"no scene network in {folder}: {error}; {valid}") from error
        if threads:
            torch.set_num_threads(threads)
        self._threshold, self._supports = threshold, Supports()
        self._deviation = float(self.card.get("measured", {}).get("deviation_m", math.nan))

    @property
    def names(self) -> tuple[str, ...]:
        """The objects that it knows."""
        return self._network.config.names

    def detect(self, image: Image, camera: CameraPose, hand: Hand | None = None) -> tuple[Detection, ...]:
        """Return what a picture (H, W, 3) RGB of any size shows. Raises ImageError.

        camera: of a picture of that size; hand: tool and gripper at that moment, which tell a held object from
        one behind it.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ImageError(f"picture is {image.dtype} {image.shape}; valid is uint8 (height, width, 3)")
        size, wanted = image.shape[:2], self._network.config.image_size
        if size != wanted:
            image = cv2.resize(image, (wanted[1], wanted[0]), interpolation=cv2.INTER_AREA)
            camera = camera.scaled((size[0], size[1]), wanted)
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255.0)
            found = peaks(maps)[0].double().numpy()  # (n, 4)
        rows = dict(zip(self.names, found.tolist(), strict=True))
        supports, container = self._supports, None
        if supports.container in rows and rows[supports.container][0] >= self._threshold:
            _, u, v, height = rows[supports.container]
            container = place(supports.container, (u, v), height, camera, None, None, supports)
        detections = []
        for name, (confidence, u, v, height) in rows.items():
            if confidence < self._threshold:
                continue
            position = place(name, (u, v), height, camera, container, hand, supports)
            if np.isfinite(position).all():
                pixel = ((u + 0.5) * size[1] / wanted[1] - 0.5, (v + 0.5) * size[0] / wanted[0] - 0.5)
                detections.append(Detection(name, position, pixel, confidence, self._deviation))
        return tuple(detections)
