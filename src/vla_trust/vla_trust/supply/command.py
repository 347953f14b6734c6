# SPDX-License-Identifier: Apache-2.0
"""`vla sbom` and `vla audit`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_core.files import write_text

from vla_trust.supply.audit import audit, pins, read_advisories
from vla_trust.supply.sbom import bill_of_materials, installed


def sbom_main(arguments: Sequence[str] | None = None) -> int:
    """Write the bill of materials."""
    parser = argparse.ArgumentParser(
        prog="vla sbom", description="Bill of materials of the environment (CycloneDX 1.5)."
    )
    parser.add_argument("--out", type=Path, help="file; standard output without it")
    options = parser.parse_args(arguments)
    text = json.dumps(bill_of_materials(installed()), indent=2) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        write_text(options.out, text)
    return 0


def audit_main(arguments: Sequence[str] | None = None) -> int:
    """Print what is wrong with the installed packages; return 0 where nothing is."""
    parser = argparse.ArgumentParser(
        prog="vla audit",
        description="Installed packages against the pins of requirements/, the hashes of their wheels and advisories. "
        "Without --advisories known vulnerabilities are not looked up: no service is asked.",
    )
    parser.add_argument(
        "--advisories", type=Path, help="JSON list of {package, affected, id}, exported where there is a network"
    )
    root = Path(os.environ.get("VLA_ROOT", "."))
    parser.add_argument("--requirements", type=Path, default=root / "requirements", help="folder of the pins")
    options = parser.parse_args(arguments)
    try:
        advisories = read_advisories(options.advisories) if options.advisories else []
    except (OSError, ValueError) as error:
        print(f"vla audit: {error}", file=sys.stderr)
        return 2
    packages, wanted = installed(), pins(options.requirements)
    found = list(audit(packages, wanted, advisories))
    for each in found:
        print(f"{each.kind:9} {each.package}: {each.text}")
    looked = f"{len(advisories)} advisories" if options.advisories else "no list of advisories given"
    print(f"{len(packages)} packages, {len(wanted)} pins, {looked}: {len(found)} findings")
    return 1 if found else 0
