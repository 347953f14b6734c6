# SPDX-License-Identifier: Apache-2.0
"""Public names of a package, imported when they are first used.

Nodes import their package before they listen to signals, and a policy without a network must not load one: so
`__init__` may name a package's API, and may not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, modules: Mapping[str, tuple[str, ...]]) -> tuple[Callable[[str], Any], list[str]]:
    """Return `__getattr__` (PEP 562) and `__all__` of a package.

    Args:
        package: its `__name__`.
        modules: the names that each of its modules offers, by the module's name within the package.
    """
    places = {name: f"{package}.{module}" for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return get, sorted(places)
