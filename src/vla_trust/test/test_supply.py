# SPDX-License-Identifier: Apache-2.0
"""Bill of materials and audit of the environment."""

import json
from pathlib import Path

import pytest
from vla_trust.supply.audit import audit, pins, read_advisories
from vla_trust.supply.command import audit_main, sbom_main
from vla_trust.supply.sbom import bill_of_materials, installed

ROOT = Path(__file__).resolve().parents[3]


def test_bill_names_what_is_installed_and_who_needs_whom(tmp_path) -> None:
    out = tmp_path / "sbom.json"
    assert sbom_main(["--out", str(out)]) == 0
    bill = json.loads(out.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    found = {each["name"].lower(): each for each in bill["components"]}
    assert {"numpy", "torch", "mujoco", "pytest"} <= set(found)
    assert found["numpy"]["purl"] == f"pkg:pypi/numpy@{found['numpy']['version']}"
    references = {each["bom-ref"] for each in bill["components"]}
    assert len(references) == len(bill["components"])
    assert all(set(row["dependsOn"]) <= references for row in bill["dependencies"])
    assert bill == bill_of_materials(installed())


def test_every_requirement_is_pinned_to_one_version() -> None:
    wanted = pins(ROOT / "requirements")
    lines = {
        line.split("==")[0].split("[")[0].lower()
        for path in (ROOT / "requirements").glob("*.txt")
        for line in path.read_text().splitlines()
        if line.strip() and not line.startswith(("#", "-"))
    }
    assert len(wanted) == len(lines) > 40


def test_installed_packages_are_those_of_the_pins() -> None:
    found = [each for each in audit(installed(), pins(ROOT / "requirements"), [], hashes=False) if each.kind == "pin"]
    assert not found


def test_audit_finds_other_versions_advisories_and_changed_code(tmp_path) -> None:
    package = tmp_path / "demo-1.0.dist-info"
    package.mkdir()
    (tmp_path / "demo.py").write_text("x = 2\n")
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    (package / "RECORD").write_text("demo.py,sha256=AAAA,6\n")
    from importlib.metadata import Distribution

    each = Distribution.at(package)
    rows = [{"package": "Demo", "affected": "<1.1", "id": "X-1"}, {"package": "demo", "affected": "<1.0", "id": "X-2"}]
    found = {(finding.kind, finding.text.split(":")[0]) for finding in audit([each], {"demo": "1.1"}, rows)}
    assert {kind for kind, _ in found} == {"pin", "changed", "advisory"}
    assert ("advisory", "X-1") in found
    assert ("advisory", "X-2") not in found


def test_lists_of_another_form_are_refused(tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    with pytest.raises(ValueError, match="valid"):
        read_advisories(path)
    assert audit_main(["--advisories", str(path)]) == 2
