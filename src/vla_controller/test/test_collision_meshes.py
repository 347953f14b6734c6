# SPDX-License-Identifier: Apache-2.0
"""The capsules of the Franka arms against meshes of the same links: what they call clear is clear, and not much more.

The meshes take no part in the collision model: the FR3 has its maker's (franky-sim), the Panda those of rtb-data.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial import cKDTree
from vla_controller.arm.arm_model import arm_model
from vla_controller.arm.collision import Clearance
from vla_core.robot import RobotConfig, load_robot_config

FILES = {
    "fr3": ("franky_sim", "assets/meshes/{}_coll.stl"),
    "panda": ("rtbdata", "meshes/FRANKA-EMIKA/Panda/{}.stl"),
}
FOLDED = {  # the hand in the base; the meshes say so too
    "fr3": [1.11, 1.284, -0.567, -2.678, 0.376, 1.044, 1.141],
    "panda": [0.78, -0.789, -2.614, -2.974, 1.784, 3.382, 0.607],
}


def triangles(path: Path) -> np.ndarray:
    """Corners (k, 3, 3) [m] of a binary STL file."""
    raw = path.read_bytes()
    row = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")])
    return np.frombuffer(raw, row, int(np.frombuffer(raw, "<u4", 1, 80)[0]), 84)["corners"].astype(float)


def surface(path: Path) -> np.ndarray:
    """Points (k, 3) [m] on a mesh: corners, middles of edges, middles of triangles."""
    corners = triangles(path)
    edges = 0.5 * (corners + np.roll(corners, 1, axis=1))
    return np.unique(
        np.concatenate((corners.reshape(-1, 3), edges.reshape(-1, 3), corners.mean(axis=1))).round(4), axis=0
    )


class Links:
    """The meshes of one arm, in any pose, beside its capsules."""

    def __init__(self, config: RobotConfig) -> None:
        package, pattern = FILES[config.robot]
        assert config.collision is not None
        self.config, self.model = config, arm_model(config)
        self._data, self.clearance = mujoco.MjData(self.model), Clearance(self.model, config.collision)
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        self.bodies = [f"{config.robot}_link{k}" for k in range(8)] + ["hand"]
        self._points = {
            body: surface(Path(found.origin).parent / pattern.format(body.removeprefix(f"{config.robot}_")))
            for body in self.bodies
        }
        self._trees = {body: cKDTree(points) for body, points in self._points.items()}

    def capsules(self, q: np.ndarray) -> tuple[float, str]:
        """Least distance [m] of two bodies by their capsules, less the margin, and which ones; the table left out."""
        rows = zip(self.clearance.distances(q), self.clearance.gaps, strict=True)
        return min((float(distance), gap.name) for distance, gap in rows if "table" not in gap.name)

    def distance(self, q: np.ndarray, a: str, b: str) -> float:
        """Least distance [m] between points of two meshes, 0.2 m at most."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self.model, self._data)
        (ra, pa), (rb, pb) = ((self._data.body(n).xmat.reshape(3, 3), self._data.body(n).xpos) for n in (a, b))
        points = (self._points[b][:: max(1, len(self._points[b]) // 1500)] @ rb.T + pb - pa) @ ra
        return min(0.2, float(self._trees[a].query(points, distance_upper_bound=0.2)[0].min()))

    def nearest(self, q: np.ndarray, apart: int = 2) -> tuple[float, str]:
        """Least distance [m] of meshes ``apart`` joints or more from each other, modelled or not, and which ones."""
        pairs = [(a, b) for k, a in enumerate(self.bodies) for b in self.bodies[k + apart :]]
        return min((self.distance(q, a, b), f"{a} and {b}") for a, b in pairs)

    def poses(self, count: int, wanted: Callable[[float], bool]) -> list[np.ndarray]:
        """Poses within the limits whose least distance by capsules is ``wanted``."""
        rng, found = np.random.default_rng(3), list[np.ndarray]()
        while len(found) < count:
            q = rng.uniform(self.config.limits.lower, self.config.limits.upper)
            if wanted(self.capsules(q)[0]):
                found.append(q)
        return found


@pytest.fixture(scope="module", params=["fr3", "panda"])
def links(request: pytest.FixtureRequest) -> Links:
    return Links(load_robot_config(request.param))


def test_around_home_nothing_is_near_anything(links: Links) -> None:
    config, rng = links.config, np.random.default_rng(0)
    assert links.capsules(config.home)[0] > 0.05
    assert links.nearest(config.home)[0] > 0.02
    for _ in range(50):
        q = config.home + rng.uniform(-0.3, 0.3, 7)
        assert links.capsules(np.clip(q, config.limits.lower, config.limits.upper))[0] > 0.0


def test_poses_that_just_pass_do_not_touch(links: Links) -> None:
    for q in links.poses(20, lambda distance: 0.0 <= distance < 0.01):
        distance, which = links.nearest(q)
        assert distance > 0.002, f"{which} at {q.tolist()}"


def test_wherever_it_passes_no_links_without_a_pair_come_near_each_other(links: Links) -> None:
    for q in links.poses(20, lambda distance: distance >= 0.0):
        distance, which = links.nearest(q)
        assert distance > 0.002, f"{which} at {q.tolist()}"


def test_a_folded_arm_is_seen_to_touch_itself(links: Links) -> None:
    q = np.array(FOLDED[links.config.robot])
    assert np.all(q >= links.config.limits.lower)
    assert np.all(q <= links.config.limits.upper)
    assert links.nearest(q)[0] < 0.002
    assert links.capsules(q)[0] < -0.02


def test_what_is_refused_is_near(links: Links) -> None:
    for q in links.poses(10, lambda distance: -0.01 < distance < 0.0):
        assert links.nearest(q, 3)[0] < 0.08
