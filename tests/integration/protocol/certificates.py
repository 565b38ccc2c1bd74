"""Certificates of an hour's use, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.requirements import missing


def certificate_for(name: str, folder: Path) -> tuple[Path, Path]:
    """A key and a self-signed certificate for a name, in a folder."""
    if shutil.which("openssl") is None:
        missing("openssl", "install openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    asked = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    extension = ["-addext", f"subjectAltName=DNS:{name}"]
    command = ["openssl", "req", "-x509", *asked, *extension, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate
