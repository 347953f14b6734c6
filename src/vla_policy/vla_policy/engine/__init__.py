# SPDX-License-Identifier: Apache-2.0
"""Networks compiled for the processor at hand, in place of PyTorch's eager execution."""

from vla_policy.engine.cache import Prepared, checkpoint_key
from vla_policy.engine.choice import AUTO, EAGER, ENGINES, OPENVINO, choose
from vla_policy.engine.openvino import Compiled, available

__all__ = ["AUTO", "EAGER", "ENGINES", "OPENVINO", "Compiled", "Prepared", "available", "checkpoint_key", "choose"]
