"""C2PA content credentials (C2PA specification 2.x): signed manifests in the pictures and clips that Visavis writes.

A manifest says that the file was created by Visavis, which is a trained algorithm's work; nothing of the person, the photo or the
machine is in it. The operator's certificate is named by two environment variables; without them one is made on this machine and
kept in the user's state folder, whose signer other programs do not know. Nothing is fetched from anywhere. Without the package
c2pa-python (`pip install visavis[provenance]`) files are written unsigned, and `note` says so.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import platformdirs

import models
from models import provenance
from models.errors import VisavisError

CERTIFICATE, KEY = "VISAVIS_C2PA_CERTIFICATE", "VISAVIS_C2PA_KEY"
"""Variables that name the operator's PEM files: the chain, signer first, and an ECDSA P-256 key."""
SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False},
}
MAX_PEM = 64 * 1024
UNSIGNED = "the files are not signed: c2pa-python is not installed (pip install visavis[provenance])"
UNKEPT = "the files are not signed: no signing key can be kept in the user's state folder; look at its disk and rights"


def note() -> str:
    """Why what is written now is not signed; empty when it is. Raises `VisavisError` for an operator's files that do not work."""
    return _signer()[1]


def sign(data: bytes, media_type: str) -> bytes:
    """A picture with a manifest; as it is where nothing can be signed. media_type: image/png or image/jpeg."""
    signer, _ = _signer()
    if signer is None:
        return data
    made = io.BytesIO()
    _sign(signer, media_type, io.BytesIO(data), made)
    return made.getvalue()


@contextmanager
def signed(out: BinaryIO, media_type: str) -> Iterator[BinaryIO]:
    """A stream to write a clip to; it is in `out`, signed, when the block ends without an error."""
    signer, _ = _signer()
    if signer is None:
        yield out
        return
    with tempfile.TemporaryFile() as plain, tempfile.TemporaryFile() as made:
        yield cast("BinaryIO", plain)
        plain.seek(0)
        _sign(signer, media_type, plain, made)
        made.seek(0)
        shutil.copyfileobj(made, out)


def _sign(signer: Any, media_type: str, plain: Any, made: Any) -> None:
    import c2pa

    agent = {"name": "Visavis", "version": models.__version__}
    action = {"action": "c2pa.created", "digitalSourceType": provenance.SOURCE_TYPE, "softwareAgent": agent}
    manifest = {"claim_generator_info": [agent], "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}]}
    with c2pa.Context.from_dict(SETTINGS) as context, c2pa.Builder(json.dumps(manifest), context=context) as builder:
        builder.sign(signer, media_type, plain, made)


@lru_cache(1)
def _signer() -> tuple[Any, str]:
    """What signs, and why nothing does. Once a process."""
    chain, key = os.environ.get(CERTIFICATE, ""), os.environ.get(KEY, "")
    if bool(chain) != bool(key):
        raise VisavisError(f"{CERTIFICATE} and {KEY} were expected together, one of them came alone; set both")
    try:
        import c2pa
    except ImportError:
        return None, UNSIGNED
    try:
        pem = (
            (_read(Path(chain)), _read(Path(key)))
            if chain
            else _own(Path(platformdirs.user_state_dir("visavis", appauthor=False)))
        )
    except OSError as error:
        if chain:
            raise VisavisError(f"{CERTIFICATE} or {KEY} cannot be read ({error.strerror}); name PEM files") from None
        return None, UNKEPT
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(alg=b"es256", sign_cert=pem[0], private_key=pem[1], ta_url=None))
        _sign(signer, "image/png", io.BytesIO(_tiny()), io.BytesIO())
    except c2pa.C2paError:
        if chain:
            raise VisavisError(
                f"a C2PA signing certificate with its ECDSA P-256 key was expected in {CERTIFICATE} and {KEY}, these do not work"
            ) from None
        return None, UNKEPT
    return signer, ""


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_PEM)


def _own(state: Path) -> tuple[bytes, bytes]:
    """The chain and key of this machine, made at the first time. Of two programs that start at once, both get the first's."""
    path = state / "c2pa" / "signer.pem"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 600
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(_make())
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            os.unlink(temporary)
    key, mark, rest = _read(path).partition(b"-----END PRIVATE KEY-----\n")
    return rest, key + mark


def _make() -> bytes:
    """PEM of a key, its certificate, and the authority that signed that (C2PA allows no self-signed signer, 14.5.1)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    authority, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(common: str) -> x509.Name:
        organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Visavis, a local signer")
        return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common)])

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        usage = x509.KeyUsage(not is_authority, False, False, False, False, is_authority, is_authority, False, False)
        builder = (
            x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("Authority"))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(is_authority, None), True).add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
        )  # fmt: skip
        if not is_authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    plain = serialization.NoEncryption()
    key = signer.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return key + certificate("Signer", signer, is_authority=False) + certificate("Authority", authority, is_authority=True)


def _tiny() -> bytes:
    """A picture to try a signer with."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "PNG")
    return stream.getvalue()
