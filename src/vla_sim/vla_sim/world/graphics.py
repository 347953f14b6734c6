# SPDX-License-Identifier: Apache-2.0
"""Which of MuJoCo's headless renderers works on this machine. Imports MuJoCo only once that is settled."""

from __future__ import annotations

import os
import sys


class GraphicsError(RuntimeError):
    """MuJoCo can render with none of the renderers."""


def ensure_renderer() -> None:
    """Open a tiny GL context for a trial. If EGL fails, start this process over with OSMesa, once.

    MuJoCo reads MUJOCO_GL when it is imported, so there is no other way back. Raises GraphicsError.
    """
    chosen = os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        import mujoco

        context = mujoco.GLContext(16, 16)
        context.make_current()
        mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_50).free()
        context.free()
    except Exception as error:
        if chosen != "egl":
            raise GraphicsError(
                f"MuJoCo cannot render with MUJOCO_GL={chosen} ({type(error).__name__}: {error}). Valid: egl, osmesa; "
                "on Debian and Ubuntu: apt-get install libegl1 libgl1, or libosmesa6"
            ) from error
        print(f"EGL does not work here ({type(error).__name__}: {error}); trying OSMesa", file=sys.stderr, flush=True)
        os.environ["MUJOCO_GL"] = "osmesa"
        os.environ.pop("PYOPENGL_PLATFORM", None)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
