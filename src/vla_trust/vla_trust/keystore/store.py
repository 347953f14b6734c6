# SPDX-License-Identifier: Apache-2.0
"""A keystore as rmw reads it: an authority, and six files for each enclave, made by the program openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vla_trust.keystore.documents import VALID_DAYS, governance, permissions
from vla_trust.keystore.enclaves import Enclave

AUTHORITY = "CN=vla keystore CA"
SIX = ("identity_ca.cert.pem", "cert.pem", "key.pem", "permissions_ca.cert.pem", "governance.p7s", "permissions.p7s")
TIMEOUT_S = 30.0


class KeystoreError(RuntimeError):
    """The keystore cannot be written; the text says why and what is valid."""


def write_keystore(folder: Path, found: Sequence[Enclave], domain: int) -> tuple[Path, ...]:
    """Write the authority and each enclave; return the enclaves' folders. An authority that is there is kept.

    Raises:
        KeystoreError: openssl is missing or fails, or the folder holds something else.
    """
    private, public = folder / "private", folder / "public"
    if folder.exists() and any(folder.iterdir()) and not (private / "ca.key.pem").is_file():
        raise KeystoreError(
            f"{folder} is not empty and no keystore; valid: a new folder, or one that this command made"
        )
    for place in (private, public, folder / "enclaves"):
        place.mkdir(parents=True, exist_ok=True)
    os.chmod(private, 0o700)
    if not (private / "ca.key.pem").is_file():
        _authority(private / "ca.key.pem", public / "ca.cert.pem")
    (folder / "enclaves/governance.xml").write_text(governance(domain), encoding="utf-8")
    _sign(folder, folder / "enclaves/governance.xml", folder / "enclaves/governance.p7s")
    return tuple(_enclave(folder, each, domain) for each in found)


def _enclave(folder: Path, enclave: Enclave, domain: int) -> Path:
    place = folder / "enclaves" / enclave.path.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    os.chmod(place, 0o700)
    _key(place / "key.pem")
    _certificate(folder, enclave.path, place)
    (place / "permissions.xml").write_text(permissions(enclave, domain), encoding="utf-8")
    _sign(folder, place / "permissions.xml", place / "permissions.p7s")
    authority = (folder / "public/ca.cert.pem").read_bytes()
    for name in ("identity_ca.cert.pem", "permissions_ca.cert.pem"):
        (place / name).write_bytes(authority)
    (place / "governance.p7s").write_bytes((folder / "enclaves/governance.p7s").read_bytes())
    return place


def _authority(key: Path, certificate: Path) -> None:
    _key(key)
    _openssl("req", "-x509", "-new", "-key", str(key), "-sha256", "-days", str(VALID_DAYS), "-subj", f"/{AUTHORITY}",
             "-addext", "basicConstraints=critical,CA:TRUE,pathlen:1", "-out", str(certificate))  # fmt: skip


def _key(path: Path) -> None:
    """Write a private key that its owner alone can read, from the first byte on."""
    made = _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(made)


def _certificate(folder: Path, name: str, place: Path) -> None:
    subject = "/CN=" + name.replace("/", r"\/")
    with tempfile.TemporaryDirectory(prefix="keystore-") as temporary:
        request, extensions = Path(temporary) / "request.pem", Path(temporary) / "extensions"
        extensions.write_text("basicConstraints=CA:FALSE\n", encoding="ascii")
        _openssl("req", "-new", "-key", str(place / "key.pem"), "-subj", subject, "-out", str(request))
        _openssl("x509", "-req", "-in", str(request), "-CA", str(folder / "public/ca.cert.pem"), "-CAkey",
                 str(folder / "private/ca.key.pem"), "-CAcreateserial", "-CAserial", str(Path(temporary) / "serial"),
                 "-sha256", "-days", str(VALID_DAYS), "-extfile", str(extensions),
                 "-out", str(place / "cert.pem"))  # fmt: skip


def _sign(folder: Path, document: Path, signed: Path) -> None:
    authority, key = str(folder / "public/ca.cert.pem"), str(folder / "private/ca.key.pem")
    _openssl(
        "smime",
        "-sign",
        "-text",
        "-md",
        "sha256",
        "-in",
        str(document),
        "-out",
        str(signed),
        "-signer",
        authority,
        "-inkey",
        key,
    )


def _openssl(*arguments: str) -> bytes:
    program = shutil.which("openssl")
    if program is None:
        raise KeystoreError("the program openssl is not installed; Debian and Ubuntu: apt-get install openssl")
    done = subprocess.run([program, *arguments], capture_output=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise KeystoreError(f"openssl {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout
