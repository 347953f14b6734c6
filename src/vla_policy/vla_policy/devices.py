# SPDX-License-Identifier: Apache-2.0
"""Where a policy computes."""

import torch

from vla_policy.errors import ConfigurationError


def chosen_device(name: str) -> str:
    """The device to compute on; auto: a GPU if there is one. Raises ConfigurationError with the valid ones."""
    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name == "auto":
        return valid[-1]
    try:
        device = torch.device(name)
        there = device.type in valid and (device.index or 0) < max(torch.cuda.device_count(), 1)
    except RuntimeError:  # not even the form of a device
        there = False
    if not there:
        raise ConfigurationError(f"device is {name!r}; valid here are {', '.join(valid)}, auto")
    return name
