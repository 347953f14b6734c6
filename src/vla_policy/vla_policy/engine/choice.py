# SPDX-License-Identifier: Apache-2.0
"""Which engine computes: the one asked for, or the fastest that is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from vla_policy.engine.cache import Part, Prepared, checkpoint_key
from vla_policy.engine.openvino import available
from vla_policy.errors import ConfigurationError

AUTO, EAGER, OPENVINO = "auto", "eager", "openvino"
ENGINES = (AUTO, EAGER, OPENVINO)
LOG = logging.getLogger(__name__)


def choose(engine: object, device: str, folder: Path, parts: Callable[[], Mapping[str, Part]]) -> Prepared | None:
    """Return the compiled parts of the checkpoint in `folder`, or None for PyTorch's eager execution.

    auto: compiled where they are prepared already; openvino: prepared now if they are not. parts: makes what is
    compiled. Raises ConfigurationError for an unknown engine.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"engine is {engine!r}; valid are {', '.join(ENGINES)}")
    if engine == EAGER or device != "cpu":
        return None
    if not available():
        if engine == OPENVINO:
            LOG.warning(
                "engine: eager, for OpenVINO is not installed: pip install --no-deps -r requirements/engine.txt"
            )
        return None
    prepared = Prepared(checkpoint_key(folder))
    if prepared.ready():
        return prepared
    if engine == AUTO:
        LOG.info("engine: eager; engine:=openvino prepares this checkpoint once, and auto takes it from then on")
        return None
    LOG.info("engine: preparing OpenVINO for %s, once", folder)
    try:
        prepared.make(parts())
    except Exception as error:  # whatever the compiler raises for an operation that it does not know
        LOG.warning("engine: eager, for OpenVINO cannot compile this network: %s", str(error)[:300])
        return None
    return prepared
