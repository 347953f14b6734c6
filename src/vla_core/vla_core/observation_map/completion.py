# SPDX-License-Identifier: Apache-2.0
"""Completes a map from what a server or a checkpoint says about itself.

A map with `complete_from` is a catalogue: cameras without keys, and every state vector and action part that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vla_core.observation_map.camera import Camera
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap

IMAGES, STATE, ACTION = "observation.images.", "observation.state", "action"  # names of LeRobot features
SOURCES = ("gr00t", "lerobot")
FITS: tuple[Callable[[Camera, str], bool], ...] = (  # how a camera is found for a key, best first
    lambda camera, key: key in (camera.key, camera.name),
    lambda camera, key: camera.name in key,
    lambda camera, key: True,
)


def complete_from(template: ObservationMap, metadata: Mapping[str, Any]) -> ObservationMap:
    """Return the map with the keys that `metadata` tells.

    Args:
        template: a map with `complete_from`; any other is returned as it is. Bind it to its robot first.
        metadata: gr00t: the answer of `get_modality_config` as plain data: `video`, `state`, `action`, `language`, each
            with `modality_keys` and `delta_indices`; lerobot: features by name, each with `shape` and, where known,
            `names`, of a dataset's info.json or a checkpoint's `input_features` and `output_features` together.

    Raises:
        ObservationMapError: the metadata names something that the map does not know, or another number of columns.
    """
    if not template.complete_from:
        return template
    try:
        complete = {"gr00t": _gr00t, "lerobot": _lerobot}[template.complete_from]
    except KeyError:
        raise ObservationMapError(
            f"map {template.name}: complete_from is {template.complete_from!r}; valid are {', '.join(SOURCES)}"
        ) from None
    try:
        return complete(template, metadata)
    except (KeyError, TypeError) as error:
        raise ObservationMapError(
            f"map {template.name}: metadata is not {template.complete_from}'s: {type(error).__name__}: {error}"
        ) from error


def _gr00t(template: ObservationMap, metadata: Mapping[str, Any]) -> ObservationMap:
    keys = {name: tuple(metadata[name]["modality_keys"]) for name in ("video", "state", "action", "language")}
    action, name = template.action, f"map {template.name}"
    vectors = {vector.key: vector for vector in template.state}
    parts = {key: [p for p in action.parts if p.key == key] for key in {p.key for p in action.parts}} if action else {}
    _check_known(f"{name}: state", keys["state"], vectors)
    _check_known(f"{name}: action", keys["action"], parts)
    if not keys["language"]:
        raise ObservationMapError(f"{name}: metadata names no language key; valid is one")
    return replace(
        template,
        cameras=_cameras(template, keys["video"]),
        state=tuple(vectors[key] for key in keys["state"]),
        action=action and replace(action, parts=tuple(part for key in keys["action"] for part in parts[key])),
        prompt=keys["language"][0],
        history=tuple(int(index) for index in metadata["video"]["delta_indices"]),
        horizon=len(metadata["action"]["delta_indices"]),
        execute=min(template.execute, len(metadata["action"]["delta_indices"])),
        complete_from="",
    )


def _lerobot(template: ObservationMap, features: Mapping[str, Any]) -> ObservationMap:
    images = tuple(key.removeprefix(IMAGES) for key in features if key.startswith(IMAGES))
    state = template.state
    if STATE in features:
        names = tuple(features[STATE].get("names") or ())
        state = tuple(replace(vector, names=names) for vector in template.state)
        _check_width(template, "state", features[STATE], sum(vector.width for vector in state))
    if template.action:
        _check_width(template, "action", features[ACTION], template.action.width)
    state = state if STATE in features else ()
    return replace(template, cameras=_cameras(template, images), state=state, complete_from="")


def _check_known(what: str, keys: Sequence[str], known: Mapping[str, object]) -> None:
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise ObservationMapError(
            f"{what} {', '.join(unknown)} is unknown; the map knows {', '.join(known)}: write it in a map of your own"
        )


def _check_width(template: ObservationMap, what: str, feature: Mapping[str, Any], width: int) -> None:
    wanted = int(feature["shape"][0])
    if width != wanted:
        robot = f" of {template.robot.robot}" if template.robot else ""
        raise ObservationMapError(
            f"map {template.name}: {what} has {width} columns{robot}, the checkpoint {wanted}; "
            "write its parts in a map of your own"
        )


def _cameras(template: ObservationMap, keys: tuple[str, ...]) -> tuple[Camera, ...]:
    """Return a camera for each key: the one of that name, else one whose name is in it, else the first one free."""
    free = list(template.cameras)
    found: dict[str, Camera] = {}
    if len(keys) > len(free):
        raise ObservationMapError(
            f"map {template.name}: cameras {', '.join(keys)} are wanted; the map has {', '.join(c.name for c in free)}"
        )
    for fits in FITS:
        for key in keys:
            camera = next((c for c in free if key not in found and fits(c, key)), None)
            if camera is not None:
                found[key] = camera
                free.remove(camera)
    by_name = {camera.name: replace(camera, key=key) for key, camera in found.items()}
    return tuple(by_name[camera.name] for camera in template.cameras if camera.name in by_name)
