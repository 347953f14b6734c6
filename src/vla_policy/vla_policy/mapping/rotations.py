# SPDX-License-Identifier: Apache-2.0
"""Rotation forms: one table, each entry with its inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from vla_core.action import ActionValueError
from vla_core.observation_map.part import RotationForm

FloatArray = NDArray[np.float64]
SMALLEST = 1e-6  # norm below which a quaternion or a column has no direction


@dataclass(frozen=True, slots=True)
class _Form:
    read: Callable[[FloatArray], Rotation]  # of (n, w) numbers
    write: Callable[[Rotation], FloatArray]


def _quaternion(order: list[int]) -> _Form:
    """A quaternion whose column k is number order[k] of x y z w; written with w >= 0."""

    def read(numbers: FloatArray) -> Rotation:
        _check_norm("quaternion", numbers)
        xyzw = np.empty_like(numbers)
        xyzw[:, order] = numbers
        return Rotation.from_quat(xyzw)

    return _Form(read, lambda rotation: rotation.as_quat(canonical=True)[:, order])


def _from_axes(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return matrices (n, 3, 3) whose rows are the axes made orthonormal."""
    _check_norm("rotation_6d", first)
    x = first / np.linalg.norm(first, axis=1, keepdims=True)
    y = second - np.sum(x * second, axis=1, keepdims=True) * x
    _check_norm("rotation_6d", y)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _check_norm(what: str, vectors: FloatArray) -> None:
    if np.any(np.linalg.norm(vectors, axis=1) < SMALLEST):
        raise ActionValueError(f"{what} of length 0; valid are numbers that name a rotation")


FORMS: Mapping[RotationForm, _Form] = {
    RotationForm.ROTATION_VECTOR: _Form(Rotation.from_rotvec, Rotation.as_rotvec),
    RotationForm.RPY: _Form(lambda n: Rotation.from_euler("xyz", n), lambda r: r.as_euler("xyz")),
    RotationForm.QUATERNION_XYZW: _quaternion([0, 1, 2, 3]),
    RotationForm.QUATERNION_WXYZ: _quaternion([3, 0, 1, 2]),
    RotationForm.ROTATION_6D: _Form(
        lambda n: Rotation.from_matrix(_from_axes(n[:, :3], n[:, 3:]).transpose(0, 2, 1)),
        lambda r: r.as_matrix().transpose(0, 2, 1)[:, :2].reshape(-1, 6),
    ),
    RotationForm.ROTATION_6D_ROWS: _Form(
        lambda n: Rotation.from_matrix(_from_axes(n[:, :3], n[:, 3:])),
        lambda r: r.as_matrix()[:, :2].reshape(-1, 6),
    ),
}


def read_rotations(form: RotationForm, numbers: FloatArray) -> Rotation:
    """Return the rotations of numbers (n, w). Raises ActionValueError where they name none."""
    return FORMS[form].read(np.asarray(numbers, dtype=np.float64))


def write_rotations(form: RotationForm, rotations: Rotation) -> FloatArray:
    """Return the numbers (n, w) of n rotations."""
    return np.asarray(FORMS[form].write(rotations), dtype=np.float64)
