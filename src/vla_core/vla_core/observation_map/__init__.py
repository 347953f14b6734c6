# SPDX-License-Identifier: Apache-2.0
"""The observation map: what a policy sees and says, read from one YAML file. Format: docs/observation-map.md."""

from vla_core.lazy import lazy_exports

REFERENCE = "front"  # name of the only camera where no map is given

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "errors": ("ObservationMapError",),
        "camera": ("Camera", "Fit", "Interpolation", "Transport"),
        "part": ("GripperSense", "Normalisation", "Part", "PartKind", "RotationForm", "Unit"),
        "observation_map": ("Action", "ActionFrame", "ObservationMap", "Relative", "StateVector"),
        "reading": ("from_dict", "to_dict"),
        "presets": ("load_map", "map_names", "map_of_checkpoint"),
        "completion": ("complete_from",),
    },
)
