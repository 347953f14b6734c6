# SPDX-License-Identifier: Apache-2.0
"""A URDF as MuJoCo reads it: the chain below the base frame alone, without meshes and masses; and what is refused."""

from __future__ import annotations

import math

import mujoco
from vla_core.robot import RobotConfig, RobotConfigError
from vla_core.urdf.model_source import DescriptionError
from vla_core.urdf.text import reduced_urdf
from vla_core.urdf.tree import FIXED, SLIDING, Joint, Limit, Tree, UrdfError, parse_urdf

_ROUNDING = 1e-3  # [rad], [rad/s] by which the robot file's limits may exceed the description's


def urdf_spec(config: RobotConfig) -> mujoco.MjSpec:
    """Return the part of the robot's URDF below `base_frame`, every link as a body of its name.

    Raises:
        RobotConfigError: the URDF is missing or invalid, or is that of another arm than the robot file's.
    """
    source = config.model
    try:
        text = source.urdf()
        tree = parse_urdf(text)
        check_chain(config, tree)
    except (DescriptionError, UrdfError) as error:
        raise RobotConfigError(f"{config.robot}: {source.name}: {error}") from error
    return mujoco.MjSpec.from_string(reduced_urdf(text, config.base_frame))


def check_chain(config: RobotConfig, tree: Tree) -> None:
    """Raise UrdfError where the chain from base to tool is not the arm of the robot file."""
    moving = [joint for joint in tree.chain(config.base_frame, config.model.tcp_body) if joint.kind != FIXED]
    names = tuple(joint.name for joint in moving)
    check_order(names, config.joints)
    for index, joint in enumerate(moving):
        limit = usable_limit(joint)
        low, high = config.limits.lower[index], config.limits.upper[index]
        if low < limit.lower - _ROUNDING or high > limit.upper + _ROUNDING:
            raise UrdfError(
                f"the robot file lets {joint.name} go from {low:g} to {high:g} rad, the description from "
                f"{limit.lower:g} to {limit.upper:g}: narrow limits.lower and upper, or use the description of this arm"
            )
        velocity = config.limits.velocity[index]
        if velocity > limit.velocity + _ROUNDING:
            raise UrdfError(
                f"the robot file lets {joint.name} turn at {velocity:g} rad/s, the description at {limit.velocity:g}: "
                "lower limits.velocity, or use the description of this arm"
            )


def check_order(found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Raise UrdfError unless the description has exactly the joints of the robot file, in its order."""
    if found == wanted:
        return
    if sorted(found) == sorted(wanted):
        swapped = [name for name, other in zip(wanted, found, strict=True) if name != other]
        raise UrdfError(
            f"the robot file has the joints {', '.join(swapped)} in another order than the arm: "
            f"from base to tool it has {', '.join(found)}"
        )
    raise UrdfError(
        f"it is the description of another robot: from base to tool it has the joints {', '.join(found) or 'none'}; "
        f"the robot file says {', '.join(wanted)}"
    )


def usable_limit(joint: Joint) -> Limit:
    """Return the limit of an arm's joint; raises UrdfError for a joint that the controller cannot move."""
    if joint.kind == SLIDING:
        raise UrdfError(f"joint {joint.name!r} of the arm is prismatic; valid in an arm: revolute, continuous")
    if joint.mimic is not None:
        raise UrdfError(
            f"joint {joint.name!r} of the arm follows {joint.mimic.joint!r} (<mimic>); every joint from base to tool "
            "must be driven on its own"
        )
    if joint.limit is None:
        if joint.kind == "continuous":
            return Limit(-math.inf, math.inf, math.inf)
        raise UrdfError(
            f"joint {joint.name!r} has no <limit lower=… upper=… velocity=…/>, which every revolute joint needs"
        )
    return joint.limit
