# SPDX-License-Identifier: Apache-2.0
"""Governance and permissions of DDS Security as XML, of the form that sros2 writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vla_trust.keystore.enclaves import Enclave

SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
DDS = "http://www.omg.org/spec/DDS-SECURITY/20170901"
VALID_DAYS = 3650  # of the certificates too

_GOVERNANCE = (
    ("allow_unauthenticated_participants", "false"),
    ("enable_join_access_control", "true"),
    ("discovery_protection_kind", "ENCRYPT"),
    ("liveliness_protection_kind", "ENCRYPT"),
    ("rtps_protection_kind", "SIGN"),
)
_TOPICS = (
    ("topic_expression", "*"),
    ("enable_discovery_protection", "true"),
    ("enable_liveliness_protection", "true"),
    ("enable_read_access_control", "true"),
    ("enable_write_access_control", "true"),
    ("metadata_protection_kind", "ENCRYPT"),
    ("data_protection_kind", "ENCRYPT"),
)


def governance(domain: int) -> str:
    """Return governance.xml: everything authenticated, encrypted and under access control in a domain."""
    root = _root("omg_shared_ca_governance.xsd")
    rule = SubElement(SubElement(root, "domain_access_rules"), "domain_rule")
    _domain(rule, domain)
    for name, value in _GOVERNANCE:
        SubElement(rule, name).text = value
    topic = SubElement(SubElement(rule, "topic_access_rules"), "topic_rule")
    for name, value in _TOPICS:
        SubElement(topic, name).text = value
    return _text(root)


def permissions(enclave: Enclave, domain: int, now: datetime | None = None) -> str:
    """Return permissions.xml of an enclave: what it may write and read, all else denied."""
    begun = (now or datetime.now(UTC)) - timedelta(days=1)
    root = _root("omg_shared_ca_permissions.xsd")
    grant = SubElement(SubElement(root, "permissions"), "grant", name=enclave.path)
    SubElement(grant, "subject_name").text = f"CN={enclave.path}"
    validity = SubElement(grant, "validity")
    SubElement(validity, "not_before").text = f"{begun:%Y-%m-%dT%H:%M:%S}"
    SubElement(validity, "not_after").text = f"{begun + timedelta(days=VALID_DAYS):%Y-%m-%dT%H:%M:%S}"
    rule = SubElement(grant, "allow_rule")
    _domain(rule, domain)
    _allow(rule, "publish", enclave.publishes)
    _allow(rule, "subscribe", enclave.subscribes)
    SubElement(grant, "default").text = "DENY"
    return _text(root)


def _root(schema: str) -> Element:
    return Element("dds", {"xmlns:xsi": SCHEMA, "xsi:noNamespaceSchemaLocation": f"{DDS}/{schema}"})


def _domain(rule: Element, domain: int) -> None:
    SubElement(SubElement(rule, "domains"), "id").text = str(domain)


def _allow(rule: Element, what: str, topics: Sequence[str]) -> None:
    listed = SubElement(SubElement(rule, what), "topics")
    for topic in topics:
        SubElement(listed, "topic").text = topic


def _text(root: Element) -> str:
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
