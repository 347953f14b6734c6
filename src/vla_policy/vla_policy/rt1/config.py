# SPDX-License-Identifier: Apache-2.0
"""The shape of an RT-1 network, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from vla_policy.errors import ConfigurationError

BACKBONE_BLOCKS: Mapping[str, int] = {"lite0": 16, "b3": 26}
INSTRUCTIONS = ("words", "vector")
LATER = frozenset({"picture_size", "fill_history", "instruction", "token_width", "norm_epsilon"})  # not in old files


class ConfigError(ConfigurationError):
    """A network configuration that cannot be built; says what was received and what is valid."""


@dataclass(frozen=True, slots=True)
class RT1Config:
    """Everything that fixes the parameter shapes of an `RT1Network`.

    `feed_forward` 0 is RT-1's single Dense(d_model); a positive value is the hidden width of a two-layer GELU MLP.
    """

    backbone: str = "lite0"
    image_size: tuple[int, int] = (128, 160)  # height, width [px] of what the backbone sees
    backbone_blocks: int = 11  # MBConv blocks kept
    backbone_top: bool = False  # keep the backbone's own last 1x1 convolution
    frozen_blocks: int = 5  # leading MBConv blocks (and the stem) that are never trained, so cacheable
    film_from_block: int = 5  # first MBConv block that is followed by FiLM
    map_channels: int = 256
    map_position_embedding: bool = True
    tokens_per_frame: int = 8
    history: int = 1  # frames
    d_model: int = 192
    layers: int = 4
    heads: int = 4
    key_dim: int = 48
    feed_forward: int = 384
    dropout: float = 0.1
    action_dims: int = 11
    bins: int = 256
    instruction_dim: int = 384
    instruction_tokens: int = 32  # longest instruction read, in word pieces
    instruction_queries: int = 4
    instruction_in_tokens: bool = True  # add the conditioning vector to each image token
    proprio: tuple[str, ...] = ()
    state_tokens: int = 0
    aux_outputs: int = 6  # training-only head: goal-object xyz and target xyz [m]; 0 leaves it out
    picture_size: tuple[int, ...] = ()  # height, width [px] of what it is given, stretched to image_size; (): that size
    fill_history: bool = True  # the first frame of an episode fills the history; False: the history grows
    instruction: str = "words"  # what it reads: word pieces of the sentence encoder, or one vector
    token_width: int = 0  # of the image tokens that the Transformer reads; 0: d_model
    norm_epsilon: float = 1e-5  # of the layer norms

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONE_BLOCKS:
            raise ConfigError(f"backbone {self.backbone!r} is unknown; valid: {sorted(BACKBONE_BLOCKS)}")
        if not 0 < self.backbone_blocks <= BACKBONE_BLOCKS[self.backbone]:
            raise ConfigError(
                f"backbone_blocks {self.backbone_blocks}: {self.backbone} has 1 to {BACKBONE_BLOCKS[self.backbone]}"
            )
        if not 0 <= self.frozen_blocks <= self.film_from_block <= self.backbone_blocks:
            raise ConfigError(
                "0 <= frozen_blocks <= film_from_block <= backbone_blocks does not hold: "
                f"{self.frozen_blocks}, {self.film_from_block}, {self.backbone_blocks}"
            )
        if not 1 <= self.history <= 15:
            raise ConfigError(f"history must be 1 to 15 frames, got {self.history}")
        if bool(self.proprio) != (self.state_tokens > 0):
            raise ConfigError(f"proprio {self.proprio} and state_tokens {self.state_tokens}: give both or neither")
        if self.instruction not in INSTRUCTIONS:
            raise ConfigError(f"instruction {self.instruction!r} is unknown; valid: {', '.join(INSTRUCTIONS)}")
        if len(self.picture_size) not in (0, 2) or min(self.picture_size, default=1) < 1:
            raise ConfigError(f"picture_size is {self.picture_size}; valid: height and width [px], or nothing")
        if min(self.image_size) < 32:
            raise ConfigError(f"image_size (height, width) must be at least 32 px, got {self.image_size}")

    @property
    def given_size(self) -> tuple[int, int]:
        """(height, width) [px] of the pictures that the network takes."""
        return (self.picture_size[0], self.picture_size[1]) if self.picture_size else self.image_size

    @property
    def width_of_tokens(self) -> int:
        """Numbers of an image token as the Transformer reads it."""
        return self.token_width or self.d_model

    @property
    def tokens_per_step(self) -> int:
        """Sequence length of one time step: image, state and action tokens."""
        return self.tokens_per_frame + self.state_tokens + self.action_dims

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible dict; `from_json` inverts it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RT1Config:
        """Raises ConfigError for unknown or missing keys and for values that do not fit together.

        A key that checkpoints of earlier versions lack takes its default, which is what those versions did.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(f"the network is {type(data).__name__}; valid is an object")
        names = {field.name for field in fields(cls)}
        unknown, missing = set(data) - names, names - set(data) - LATER
        if unknown or missing:
            raise ConfigError(f"unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        try:
            return cls(**values)
        except ConfigError:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"a value has the wrong type: {error}") from error


LITE = RT1Config()
"""Fine-tunes in an hour on two CPU cores: EfficientNet-Lite0 with ImageNet weights, cut at stride 16."""

B3 = RT1Config(
    backbone="b3",
    image_size=(300, 300),
    backbone_blocks=26,
    backbone_top=True,
    frozen_blocks=0,
    film_from_block=0,
    map_channels=512,
    map_position_embedding=False,
    history=6,
    d_model=512,
    layers=8,
    heads=8,
    key_dim=128,
    feed_forward=0,
    instruction_in_tokens=False,
    aux_outputs=0,
    fill_history=False,
    norm_epsilon=1e-6,
)
"""The paper's size: 300 px, 81 to 8 tokens a frame, 6 frames, about 35 M parameters."""

NAMED_CONFIGS: Mapping[str, RT1Config] = {"lite": LITE, "b3": B3}


def named_config(name: str, **changes: Any) -> RT1Config:
    """The configuration of that name with fields replaced, for example `named_config("lite", history=3)`."""
    if name not in NAMED_CONFIGS:
        raise ConfigError(f"configuration {name!r} is unknown; valid: {sorted(NAMED_CONFIGS)}")
    return replace(NAMED_CONFIGS[name], **changes)
