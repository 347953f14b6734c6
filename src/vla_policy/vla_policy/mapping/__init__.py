# SPDX-License-Identifier: Apache-2.0
"""Between observations and action chunks and the numbers of a policy that an observation map describes."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "inputs": ("decode_observation", "encode_observation", "encode_state"),
        "actions": ("decode_actions", "encode_actions", "join_arrays", "split_arrays"),
        "token_actions": ("chunk_of_tokens", "check_trained", "map_for"),
        "fitting": ("check_fits", "check_same"),
    },
)
