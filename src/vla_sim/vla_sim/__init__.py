# SPDX-License-Identifier: Apache-2.0
"""MuJoCo worlds, robots, tasks with success tests, the scripted expert."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "world.world": ("World",),
        "world.camera": ("Camera",),
        "world.dressing": ("Dressing",),
        "world.layout": ("sample_layout", "sample_task"),
        "world.robots": ("SimRobot", "get_robot"),
        "task.task": ("SuccessTest", "Task"),
        "settings": ("Settings",),
        "expert.policy": ("ExpertPolicy",),
    },
)
