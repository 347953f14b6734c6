# SPDX-License-Identifier: Apache-2.0
"""Messages of any type with random contents: each field within its type, at the edges of it or anywhere."""

from __future__ import annotations

import copy
import importlib
from functools import cache
from typing import Any

from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractString,
    Array,
    BasicType,
    BoundedSequence,
    NamespacedType,
)

from vla_trust.fuzz.mutate import Mutator

MAX_LENGTH = 6  # of a random sequence
BITS = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64}


@cache
def message_class(package: str, folder: str, name: str) -> Any:
    """Return the class of a message, such as ("std_msgs", "msg", "String")."""
    return getattr(importlib.import_module(f"{package}.{folder}"), name)


def random_message(mutator: Mutator, kind: Any) -> Any:
    """Return a message of the class `kind` with every field random."""
    message = kind()
    for name, slot in slots(kind):
        setattr(message, name, _value(mutator, slot))
    return message


def changed_message(mutator: Mutator, message: Any) -> Any:
    """Return a copy with one to a few fields random, at any depth."""
    changed = copy.deepcopy(message)
    for _ in range(1 + int(mutator.rng.expovariate(0.7))):
        _change(mutator, changed)
    return changed


def slots(kind: Any) -> list[tuple[str, Any]]:
    """Return the fields of a message class with their types."""
    names = [name for name in kind.get_fields_and_field_types() if name != "structure_needs_at_least_one_member"]
    types = [
        slot for name, slot in zip(kind.get_fields_and_field_types(), kind.SLOT_TYPES, strict=True) if name in names
    ]
    return list(zip(names, types, strict=True))


def _change(mutator: Mutator, message: Any) -> None:
    rng = mutator.rng
    fields = slots(type(message))
    if not fields:
        return
    name, slot = rng.choice(fields)
    old = getattr(message, name)
    if isinstance(slot, NamespacedType) and rng.random() < 0.85:
        _change(mutator, old)
    elif isinstance(slot, AbstractNestedType) and len(old) and rng.random() < 0.8:
        _change_item(mutator, message, name, slot)
    else:
        setattr(message, name, _value(mutator, slot))


def _change_item(mutator: Mutator, message: Any, name: str, slot: Any) -> None:
    """Change an item of a sequence, or its length."""
    rng, items = mutator.rng, list(getattr(message, name))
    place, pick = rng.randrange(len(items)), rng.random()
    fixed = isinstance(slot, Array)
    if pick < 0.2 and not fixed:
        del items[place]
    elif pick < 0.35 and not fixed and len(items) < 64:
        items.insert(place, copy.deepcopy(items[place]))
    elif isinstance(slot.value_type, NamespacedType):
        _change(mutator, items[place])
    else:
        items[place] = _value(mutator, slot.value_type)
    setattr(message, name, items)


def _value(mutator: Mutator, slot: Any) -> Any:
    if isinstance(slot, NamespacedType):
        return random_message(mutator, message_class(*slot.namespaced_name()))
    if isinstance(slot, AbstractNestedType):
        limit = slot.maximum_size if isinstance(slot, BoundedSequence) else MAX_LENGTH
        length = slot.size if isinstance(slot, Array) else mutator.rng.randrange(min(limit, MAX_LENGTH) + 1)
        return [_value(mutator, slot.value_type) for _ in range(length)]
    if isinstance(slot, AbstractString):
        text = mutator.word().encode("utf-8", "ignore").decode().replace("\0", "")
        return text[: slot.maximum_size] if slot.has_maximum_size() else text
    return _basic(mutator, slot)


def _basic(mutator: Mutator, slot: BasicType) -> Any:
    rng, name = mutator.rng, slot.typename
    if name == "boolean":
        return rng.random() < 0.5
    if name in ("octet", "byte"):
        return bytes([rng.randrange(256)])
    if name in BITS:
        bits, signed = BITS[name], not name.startswith("u")
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        number = rng.choice((low, high, 0, 1, 2, 3, rng.randrange(low, high + 1), rng.randrange(256)))
        return min(max(number, low), high)
    return _float(mutator, 3.4e38 if name == "float" else 1.7e308)


def _float(mutator: Mutator, most: float) -> float:
    number = mutator.number()
    if isinstance(number, int) or abs(number) > most:
        number = float(max(-most, min(most, number))) if number == number and abs(number) != float("inf") else number
    return float(number)
