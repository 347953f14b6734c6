# SPDX-License-Identifier: Apache-2.0
"""How exactly a scene network places objects, on pictures that no training saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from vla_perception.scene.detector import SceneDetector

from vla_training.scene.samples import NAMES, SceneSample

_RAYLEIGH_MEDIAN = 1.1774  # of a length in the plane, in deviations of one coordinate


def measure(detector: SceneDetector, samples: Iterable[SceneSample]) -> dict[str, Any]:
    """Return errors in the plane of the table [mm] and of height, and how many objects were missed or invented."""
    plane: list[float] = []
    height: list[float] = []
    missed = invented = visible = absent = 0
    for sample in samples:
        found = {d.name: d for d in detector.detect(sample.image, sample.camera, sample.hand)}
        for name, position, seen in zip(NAMES, sample.positions, sample.visible, strict=True):
            if seen:
                visible += 1
                if name in found:
                    error = np.asarray(found[name].position) - position
                    plane.append(1000 * float(np.hypot(error[0], error[1])))
                    height.append(1000 * abs(float(error[2])))
                else:
                    missed += 1
            elif not np.isfinite(position).all():
                absent += 1
                invented += name in found
    return {
        "median_mm": float(np.median(plane)),
        "p90_mm": float(np.percentile(plane, 90)),
        "height_median_mm": float(np.median(height)),
        "missed": {"share": missed / max(visible, 1), "of": visible},
        "invented": {"share": invented / max(absent, 1), "of": absent},
        "deviation_m": float(np.median(plane))
        / 1000
        / 1.1774,  # of one coordinate, from the median of a Rayleigh error
    }
