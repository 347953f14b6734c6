# SPDX-License-Identifier: Apache-2.0
"""A remote policy whose robot does a part of the work: it sends JPEG, or image tokens of its own vision encoder."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.edge.fallback import FallbackPolicy
from vla_policy.edge.options import ENCODED, IMAGE, JPEG, EdgeOptions
from vla_policy.errors import ConfigurationError, ServerRefusedError, UnavailableError
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.registry import create as create_by_name
from vla_policy.remote.credentials import Credentials, read_token
from vla_policy.remote.policy import RemotePolicy
from vla_policy.remote.protocols import make_server
from vla_policy.remote.server import Inputs, RemoteServer
from vla_policy.serve.requests import ENCODED as ENCODED_KEY

LOG = logging.getLogger(__name__)
OPTIONS = EdgeOptions


class EdgePolicy(RemotePolicy):
    """The robot's half; the other half is `vla serve`."""

    name = "edge"

    def __init__(
        self, server: RemoteServer, observation_map: ObservationMap, options: EdgeOptions, encoder: Policy | None = None
    ) -> None:
        """encoder: with the server's weights, for send=encoded; closed with this policy."""
        super().__init__(server, observation_map, options)
        self._edge, self._encoder = options, encoder

    def reset(self, instruction: str) -> None:
        """Begin a new task. Raises InstructionError where the encoder cannot serve it."""
        super().reset(instruction)
        if self._encoder is not None:
            self._encoder.reset(instruction)

    def close(self) -> None:
        """Close the connection and release the encoder."""
        super().close()
        if self._encoder is not None:
            self._encoder.close()

    def _accept(self, metadata: Mapping[str, Any]) -> None:
        super()._accept(metadata)
        about = metadata.get("vla") if self._own else None
        if about is None and self._edge.send != IMAGE:
            raise ServerRefusedError(f"{self._edge.server} is not `vla serve`; valid with others is send=image")
        theirs = "" if about is None else about.get("encoder", "")
        if self._encoder is not None and theirs != self._encoder.encoder_id:
            raise ServerRefusedError(
                f"the server's vision encoder is {theirs or 'none'}, this one {self._encoder.encoder_id}; valid are "
                "the same weights on both sides"
            )

    def _inputs(self, observation: Observation) -> Inputs:
        inputs: dict[str, Any] = dict(super()._inputs(observation))
        for camera in self._map.cameras if self._edge.send != IMAGE else ():
            image = inputs.pop(camera.key)
            if self._edge.send == JPEG:
                inputs[camera.key] = encode_jpeg(image, self._edge.jpeg_quality)
        if self._encoder is not None:
            inputs[ENCODED_KEY] = self._encoder.encode(observation).astype(np.float16)
        return inputs


def encode_jpeg(image: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Return an image (height, width, 3) as the bytes of a JPEG file, colours at full resolution."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def create(config: PolicyConfig) -> Policy:
    """Make the policy of `config.options` and connect it; `checkpoint` is the encoder's.

    Raises ConfigurationError for options that are not valid and for a server that refuses or does not fit, and what
    loading the encoder or the fallback raises.
    """
    given: dict[str, Any] = dict(config.options)
    options = EdgeOptions(**{item.name: given[item.name] for item in fields(EdgeOptions) if item.name in given})
    if config.observation_map is None:
        raise ConfigurationError("policy edge needs a map; valid is for example map:=rt1")
    if options.fallback:  # a server that never answers a first observation must not stop the arm for long
        options = replace(options, first_reply_timeout=options.reply_timeout)
    credentials = Credentials(
        read_token(options.token_file), options.ca_file, options.certificate_file, options.key_file
    )
    others = replace(config, own_options={})  # these are edge's
    encoder = create_by_name(options.encoder, others) if options.send == ENCODED else None
    if encoder is not None and not encoder.encoder_id:
        raise ConfigurationError(f"policy {options.encoder} has no vision encoder apart; valid is send=jpeg")
    policy = EdgePolicy(make_server(options.server, credentials), config.observation_map, options, encoder)
    try:
        policy.connect()
    except UnavailableError as error:
        LOG.warning("no policy server yet: %s", error)
    if not options.fallback:
        return policy
    local = create_by_name(options.fallback, replace(others, checkpoint=options.fallback_checkpoint))
    return FallbackPolicy(policy, local, options.reply_timeout, options.probe_period)
