# SPDX-License-Identifier: Apache-2.0
"""The variables of Google's RT-1 (google-research/robotics_transformer) by name, and what each is in our network.

Names are those of its training checkpoints, less `agent/_actor_network/` and `/.ATTRIBUTES/VARIABLE_VALUE`. The
EfficientNet's layers are numbered as Keras made them, those without variables left out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_policy.rt1.config import RT1Config

Array = NDArray[np.float32]
Arrays = Sequence[Array]
FIRST_EXPANDING = 2  # the two blocks of B3's first stage do not widen their input
NET = "_image_tokenizer/_tokenizer/net/layer_with_weights-"
TOKENIZER = "_image_tokenizer/_tokenizer"
LEARNER = "_image_tokenizer/_token_learner"
TRANSFORMER = "_transformer"
IGNORED = (
    "_action_token_emb/kernel",  # its output is multiplied by zero
    "_action_token_emb/bias",
    f"{NET}0/count",  # of pictures that the normalisation saw
)
# Rescaling(1 / sqrt(this)) follows Keras' normalisation by the square root of the stored "variance".
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225])


@dataclass(frozen=True, slots=True)
class Rule:
    """A tensor of our network, the variables that it is made of, and how."""

    ours: str
    theirs: tuple[str, ...]
    make: Callable[[Arrays], Array]


def rules(config: RT1Config) -> Iterator[Rule]:
    """Yield a rule for each tensor of the network, batch norms' counters and the missing bias left out."""
    yield from _backbone(config)
    yield _one("tokenizer.reduce.weight", f"{TOKENIZER}/conv1x1/kernel", _convolution)
    yield from _film("tokenizer.film", f"{TOKENIZER}/film_layer")
    yield from _norm("tokenizer.learner.norm", f"{LEARNER}/layernorm")
    yield from _dense("tokenizer.learner.mlp.0", f"{LEARNER}/mlp/_hidden_layer")
    yield from _dense("tokenizer.learner.mlp.3", f"{LEARNER}/mlp/_output_layer")
    yield from _dense("transformer.embed", f"{TRANSFORMER}/_token_emb")
    position = f"{TRANSFORMER}/_position_emb"  # a dense layer on one-hot positions
    yield Rule("transformer.position", (f"{position}/kernel", f"{position}/bias"), lambda each: each[0] + each[1])
    for index in range(config.layers):
        yield from _layer(f"transformer.layers.{index}", f"{TRANSFORMER}/_layers/{index}")
    yield from _dense("transformer.head", f"{TRANSFORMER}/_output_tokens")


def _backbone(config: RT1Config) -> Iterator[Rule]:
    ours = "tokenizer.backbone"
    yield _one(f"{ours}.mean", f"{NET}0/mean", lambda mean: mean.reshape(3, 1, 1) * 255.0)
    yield _one(f"{ours}.std", f"{NET}0/variance", _deviation)
    yield _one(f"{ours}.embeddings.convolution.weight", f"{NET}1/kernel", _convolution)
    yield from _batch_norm(f"{ours}.embeddings.batchnorm", f"{NET}2")
    at = 3
    for index in range(config.backbone_blocks):
        at = yield from _block(f"{ours}.blocks.{index}", at, expands=index >= FIRST_EXPANDING)
        yield from _film(f"{ours}.films.{index}", f"{NET}{at - 1}")
    if config.backbone_top:
        yield _one(f"{ours}.top_layers.0.weight", f"{NET}{at}/kernel", _convolution)
        yield from _batch_norm(f"{ours}.top_layers.1", f"{NET}{at + 1}")


def _block(ours: str, at: int, expands: bool) -> Generator[Rule, None, int]:
    """Rules of one MBConv block whose first layer has number `at`; returns the number after its FiLM layer."""
    if expands:
        yield _one(f"{ours}.expansion.expand_conv.weight", f"{NET}{at}/kernel", _convolution)
        yield from _batch_norm(f"{ours}.expansion.expand_bn", f"{NET}{at + 1}")
        at += 2
    depthwise = f"{ours}.depthwise_conv"
    yield _one(f"{depthwise}.depthwise_conv.weight", f"{NET}{at}/depthwise_kernel", _depthwise)
    yield from _batch_norm(f"{depthwise}.depthwise_norm", f"{NET}{at + 1}")
    for number, name in ((at + 2, "reduce"), (at + 3, "expand")):
        yield _one(f"{ours}.squeeze_excite.{name}.weight", f"{NET}{number}/kernel", _convolution)
        yield _one(f"{ours}.squeeze_excite.{name}.bias", f"{NET}{number}/bias", _same)
    yield _one(f"{ours}.projection.project_conv.weight", f"{NET}{at + 4}/kernel", _convolution)
    yield from _batch_norm(f"{ours}.projection.project_bn", f"{NET}{at + 5}")
    return at + 7


def _layer(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _norm(f"{ours}.norm_attention", f"{theirs}/layernorm1")
    yield from _norm(f"{ours}.norm_feed_forward", f"{theirs}/layernorm2")
    parts = [f"{theirs}/mha1/_{part}_dense" for part in ("query", "key", "value")]
    packed = f"{ours}.query_key_value"
    yield Rule(f"{packed}.weight", tuple(f"{part}/kernel" for part in parts), _heads_in)
    yield Rule(f"{packed}.bias", tuple(f"{part}/bias" for part in parts), _heads_bias)
    yield _one(f"{ours}.attention_out.weight", f"{theirs}/mha1/_output_dense/kernel", _heads_out)
    yield _one(f"{ours}.attention_out.bias", f"{theirs}/mha1/_output_dense/bias", _same)
    yield from _dense(f"{ours}.feed_forward", f"{theirs}/ff")


def _one(ours: str, theirs: str, make: Callable[[Array], Array]) -> Rule:
    return Rule(ours, (theirs,), lambda each: make(each[0]))


def _dense(ours: str, theirs: str) -> Iterator[Rule]:
    yield _one(f"{ours}.weight", f"{theirs}/kernel", _transposed)
    yield _one(f"{ours}.bias", f"{theirs}/bias", _same)


def _film(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _dense(f"{ours}.gamma", f"{theirs}/_projection_mult")
    yield from _dense(f"{ours}.beta", f"{theirs}/_projection_add")


def _norm(ours: str, theirs: str) -> Iterator[Rule]:
    yield _one(f"{ours}.weight", f"{theirs}/gamma", _same)
    yield _one(f"{ours}.bias", f"{theirs}/beta", _same)


def _batch_norm(ours: str, theirs: str) -> Iterator[Rule]:
    yield from _norm(ours, theirs)
    yield _one(f"{ours}.running_mean", f"{theirs}/moving_mean", _same)
    yield _one(f"{ours}.running_var", f"{theirs}/moving_variance", _same)


def _same(value: Array) -> Array:
    return value


def _transposed(value: Array) -> Array:
    return value.T


def _convolution(value: Array) -> Array:
    return value.transpose(3, 2, 0, 1)  # height, width, in, out -> out, in, height, width


def _depthwise(value: Array) -> Array:
    return value.transpose(2, 3, 0, 1)  # height, width, channel, 1 -> channel, 1, height, width


def _deviation(variance: Array) -> Array:
    deviation = 255.0 * np.sqrt(variance.astype(np.float64) * IMAGENET_DEVIATION)
    return np.asarray(deviation, np.float32).reshape(3, 1, 1)


def _heads_in(parts: Arrays) -> Array:
    """Query, key and value (width, heads, key_dim) -> (3 * heads * key_dim, width)."""
    return np.concatenate([part.reshape(part.shape[0], -1).T for part in parts])


def _heads_bias(parts: Arrays) -> Array:
    """Query, key and value (heads, key_dim) -> (3 * heads * key_dim,)."""
    return np.concatenate([part.reshape(-1) for part in parts])


def _heads_out(value: Array) -> Array:
    """(heads, key_dim, width) -> (width, heads * key_dim)."""
    return value.reshape(-1, value.shape[-1]).T
