# SPDX-License-Identifier: Apache-2.0
"""Checks of promises: fuzzing, least-privilege DDS permissions, bill of materials and audit."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "fuzz.mutate": ("Mutator",),
        "fuzz.run": ("Report", "fuzz"),
        "fuzz.target": ("Target",),
        "keystore.enclaves": ("Enclave", "enclaves"),
        "keystore.store": ("write_keystore",),
        "supply.sbom": ("bill_of_materials",),
    },
)
