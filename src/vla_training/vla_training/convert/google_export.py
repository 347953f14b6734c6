# SPDX-License-Identifier: Apache-2.0
"""The smaller export of Google's RT-1 (`variables/`): variables by number instead of by name.

`model_variables/N` counts in the order in which the training checkpoint's objects were walked. Query, key and value
have one shape, and where the walk put them depends on the version of Keras: the object graph at the end of the data
tells them apart by the names that their layers had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vla_training.convert.bundle import Bundle, BundleError, wire
from vla_training.convert.google_rt1 import FIRST_EXPANDING, LEARNER, NET, TOKENIZER, TRANSFORMER

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
PREFIX, SUFFIX = "model_variables/", "/.ATTRIBUTES/VARIABLE_VALUE"
ATTENTION = {"query": "_query_dense", "key": "_key_dense", "value": "_value_dense", "attention_output": "_output_dense"}
DENSE = ("kernel", "bias")
NORM = ("gamma", "beta")
BATCH_NORM = (*NORM, "moving_mean", "moving_variance")
FILM = tuple(f"_projection_{part}/{kind}" for part in ("add", "mult") for kind in DENSE)
Shape = tuple[int, ...]


def is_export(bundle: Bundle) -> bool:
    """Whether the variables have numbers."""
    return any(name.startswith(PREFIX) for name in bundle.entries)


def export_names(bundle: Bundle) -> dict[str, str]:
    """Return the names of the training checkpoint, and what each is called here. Raises BundleError."""
    count = sum(name.startswith(PREFIX) for name in bundle.entries)
    stored = [f"{PREFIX}{number}{SUFFIX}" for number in range(1, count + 1)]
    missing = [name for name in stored if name not in bundle.entries]
    if missing:
        raise BundleError(f"{bundle.prefix} has {count} numbered variables, but no {missing[0]}")
    shapes = [bundle.entries[name].shape for name in stored]
    names = list(_order(shapes, _attention_parts(bundle, stored)))
    if len(names) != count:
        raise BundleError(f"{bundle.prefix} has {count} variables; a network of these shapes has {len(names)}")
    return dict(zip(names, stored, strict=True))


def _order(shapes: list[Shape], parts: list[str]) -> Iterator[str]:
    """Names of the training checkpoint in the order of the numbers; `parts`: the attention's layers in that order."""
    convolutions = sum(len(shape) == 4 for shape in shapes)
    blocks = sum(len(shape) == 4 and shape[0] > 1 and shape[3] == 1 for shape in shapes)  # depthwise kernels
    top = convolutions > 2 + 5 * blocks - min(blocks, FIRST_EXPANDING)
    layers = sum(len(shape) == 3 for shape in shapes) // 4
    yield from _under("_action_token_emb", DENSE)
    yield f"{TOKENIZER}/conv1x1/kernel"
    for index, kinds in enumerate(_net(blocks, top)):
        yield from _under(f"{NET}{index}", kinds)
    yield from _under(f"{TOKENIZER}/film_layer", FILM)
    yield from _under(f"{LEARNER}/mlp/_hidden_layer", DENSE)
    yield from _under(f"{LEARNER}/mlp/_output_layer", DENSE)
    yield from _under(f"{LEARNER}/layernorm", NORM)
    for index in range(layers):
        layer = f"{TRANSFORMER}/_layers/{index}"
        yield from _under(f"{layer}/layernorm1", NORM)
        for part in parts[4 * index : 4 * index + 4]:
            yield from _under(f"{layer}/mha1/{part}", DENSE)
        yield from _under(f"{layer}/ff", DENSE)
        yield from _under(f"{layer}/layernorm2", NORM)
    for name in ("_output_tokens", "_position_emb", "_token_emb"):
        yield from _under(f"{TRANSFORMER}/{name}", DENSE)


def _net(blocks: int, top: bool) -> Iterator[tuple[str, ...]]:
    """Variables of each layer of the EfficientNet that has any."""
    convolution = [("kernel",), BATCH_NORM]
    yield ("mean", "variance", "count")
    yield from convolution
    for index in range(blocks):
        yield from convolution if index >= FIRST_EXPANDING else ()
        yield from (("depthwise_kernel",), BATCH_NORM, DENSE, DENSE, *convolution, FILM)
    yield from convolution if top else ()


def _under(prefix: str, names: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{prefix}/{name}" for name in names)


def _attention_parts(bundle: Bundle, stored: list[str]) -> list[str]:
    """The attention's dense layers, four for each layer of the Transformer, in the order of the numbers."""
    full_names = _full_names(bundle.string(GRAPH))
    parts = []
    for name in stored:
        if len(bundle.entries[name].shape) == 3:
            found = [ours for part, ours in ATTENTION.items() if f"/{part}/" in full_names.get(name, "")]
            if len(found) != 1:
                raise BundleError(
                    f"{name} is a part of an attention layer, but its name {full_names.get(name, '')!r} does not say "
                    f"which; valid are {', '.join(ATTENTION)}"
                )
            parts += found
    wrong = [
        parts[at : at + 4] for at in range(0, len(parts), 4) if sorted(parts[at : at + 4]) != sorted(ATTENTION.values())
    ]
    if wrong:
        raise BundleError(f"an attention layer has {', '.join(wrong[0])}; valid is each of {', '.join(ATTENTION)}")
    return parts


def _full_names(graph: bytes) -> Mapping[str, str]:
    """Names that the variables had in their layers, by their names in the checkpoint (TrackableObjectGraph)."""
    names: dict[str, str] = {}
    for node_number, node in wire.fields(graph):
        if node_number != 1:
            continue
        for number, attribute in wire.fields(wire.content(node)):
            if number == 2:
                values = dict(wire.fields(wire.content(attribute)))
                names[wire.text(values.get(3, b""))] = wire.text(values.get(2, b""))
    return names
