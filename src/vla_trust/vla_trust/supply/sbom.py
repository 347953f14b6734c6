# SPDX-License-Identifier: Apache-2.0
"""Bill of materials of the installed environment, as CycloneDX 1.5 JSON."""

from __future__ import annotations

import hashlib
import importlib.metadata
import uuid
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def installed() -> list[Distribution]:
    """Return the installed distributions by name, each once: the first found is the one that is imported."""
    found: dict[str, Distribution] = {}
    for each in importlib.metadata.distributions():
        if each.metadata["Name"]:
            found.setdefault(canonicalize_name(each.metadata["Name"]), each)
    return [found[name] for name in sorted(found)]


def bill_of_materials(distributions: Iterable[Distribution]) -> dict[str, Any]:
    """Return the bill: a component with version, licence and the hash of its RECORD for each, and who needs whom."""
    rows = list(distributions)
    names = {canonicalize_name(each.metadata["Name"]): _reference(each) for each in rows}
    components = [_component(each) for each in rows]
    serial = uuid.uuid5(NAMESPACE, "\n".join(each["bom-ref"] for each in components))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "vla", "bom-ref": "vla"}},
        "components": components,
        "dependencies": [{"ref": _reference(each), "dependsOn": _needs(each, names)} for each in rows],
    }


def _reference(each: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(each.metadata['Name'])}@{each.version}"


def _component(each: Distribution) -> dict[str, Any]:
    reference = _reference(each)
    component: dict[str, Any] = {"type": "library", "name": each.metadata["Name"], "version": each.version}
    component |= {"purl": reference, "bom-ref": reference}
    told: Any = each.metadata  # an email.message.Message
    licence = told.get("License-Expression") or (told.get("License") or "").split("\n")[0][:80]
    if licence:
        component["licenses"] = [{"license": {"name": licence}}]
    if record := each.read_text("RECORD"):  # names and hashes of all its files
        component["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(record.encode()).hexdigest()}]
    return component


def _needs(each: Distribution, names: Mapping[NormalizedName, str]) -> list[str]:
    """Return the references of what a distribution requires here, of what is installed."""
    found = set()
    for text in each.requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            found.add(names.get(canonicalize_name(wanted.name), ""))
    return sorted(found - {""})
