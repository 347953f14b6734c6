# SPDX-License-Identifier: Apache-2.0
"""The values of `robot:=`: the two arms with files for Gazebo, and every robot file whose description is a URDF."""

from collections.abc import Mapping
from contextlib import suppress

from vla_core.config_file import config_names
from vla_core.robot import RobotConfigError, load_robot_config
from vla_core.urdf.model_source import DescriptionError

from .description import FileText, Rule, Setting, Value
from .gazebo import GAZEBO

SHIPPED = ("fr3", "wx250s")  # with a URDF, a world and controllers in config/gazebo
DESCRIPTION = "{share}/config/gazebo/{robot}.urdf"


def described() -> dict[str, str]:
    """Return the other robot files by name, with the path of their URDF, empty where it comes on a topic.

    A file that cannot be used is left out: `vla robot check` says why.
    """
    found: dict[str, str] = {}
    for name in config_names("robots"):
        if name in SHIPPED:
            continue
        with suppress(RobotConfigError, DescriptionError):
            model = load_robot_config(name).model
            if model.is_urdf:
                found[name] = "" if model.topic else str(model.path())
    return found


DESCRIBED = described()
ROBOTS = (*SHIPPED, *DESCRIBED)
DESCRIPTIONS: Mapping[Value, Setting] = {
    **{name: FileText(DESCRIPTION) for name in SHIPPED},
    **{name: FileText(path.replace("{", "{{").replace("}", "}}")) for name, path in DESCRIBED.items()},
}
ROBOT_RULES = (
    *(
        Rule({"robot": (name,), **GAZEBO}, "no world and no controllers for it are in config/gazebo")
        for name in DESCRIBED
    ),
    *(
        Rule(
            {"robot": (name,), "publish_description": (True,)},
            "its description comes from its own drivers: publish_description:=false",
        )
        for name, path in DESCRIBED.items()
        if not path
    ),
)
