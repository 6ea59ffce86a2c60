"""The certificate of a server that speaks TLS itself: an operator's files, or a self-signed one for a local network.

Browsers give camera and microphone to secure pages only (W3C Secure Contexts), so phones and headsets need HTTPS even at home. A
self-signed certificate (RFC 5280) is made once for the machine's names and addresses and kept, so that each browser warns once.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from models.atomic import atomic_write
from models.errors import StorageError, VisavisError

FILE = "self-signed.pem"
VALID, RENEW = datetime.timedelta(days=397), datetime.timedelta(days=30)
"""How long a certificate is valid (browsers take no longer one), and how long before its end a new one is made."""


@dataclass(frozen=True)
class Certificate:
    """context: for the server's side. fingerprint: SHA-256 in hexadecimal pairs, empty for an operator's own certificate."""

    context: ssl.SSLContext
    fingerprint: str = ""


def from_files(certificate: Path, key: Path) -> Certificate:
    """An operator's PEM files. Raises `VisavisError` when they are none or do not belong together."""
    context = _context()
    try:
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no PEM"
        raise VisavisError(
            f"a PEM certificate and its key without a password were expected at {certificate} and {key} ({reason}); "
            "change --tls-certificate or --tls-key"
        ) from None
    return Certificate(context)


def self_signed(folder: Path) -> Certificate:
    """The certificate kept in `folder`, or a new one where none fits. Raises `VisavisError` where none can be kept."""
    path, names = folder / FILE, _names()
    now = datetime.datetime.now(datetime.UTC)
    found = _read(path)
    if found is None or found.not_valid_after_utc - now < RENEW or not names <= _names_of(found):
        found = _make(path, names, now)
    context = _context()
    context.load_cert_chain(path)
    return Certificate(context, found.fingerprint(hashes.SHA256()).hex(":").upper())


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _names() -> set[str]:
    """What others may call this machine: its name, and its addresses but those that change by themselves."""
    found = [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    addresses = {text for text in found if not ipaddress.ip_address(text).is_link_local and ":" not in text}
    host = socket.gethostname()
    return {"localhost", "127.0.0.1", "::1", host, f"{host.partition('.')[0]}.local", *addresses}


def _names_of(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def _read(path: Path) -> x509.Certificate | None:
    try:
        data = path.read_bytes()
        serialization.load_pem_private_key(data, None)
        return x509.load_pem_x509_certificate(data)
    except (OSError, ValueError, TypeError):
        return None


def _make(path: Path, names: set[str], now: datetime.datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Visavis, self-signed")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic_write(path) as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(pem)
    except (OSError, StorageError):
        raise VisavisError(f"the certificate cannot be kept at {path}; choose another folder with --state") from None
    return made


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
