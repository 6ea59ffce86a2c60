from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509

from models.errors import VisavisError
from server.call import certificate


def test_one_is_made_for_this_machine_and_kept(tmp_path: Path) -> None:
    first = certificate.self_signed(tmp_path / "state")
    path = tmp_path / "state" / certificate.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert certificate.self_signed(tmp_path / "state").fingerprint == first.fingerprint and len(first.fingerprint) == 95
    found = x509.load_pem_x509_certificate(path.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    assert found.not_valid_after_utc - found.not_valid_before_utc <= datetime.timedelta(days=398)


@pytest.mark.parametrize("why", ["damaged", "old", "of other addresses"])
def test_a_new_one_is_made_where_the_old_does_not_fit(tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = certificate.self_signed(tmp_path)
    if why == "damaged":
        (tmp_path / certificate.FILE).write_bytes(b"nonsense")
    elif why == "old":
        monkeypatch.setattr(certificate, "RENEW", datetime.timedelta(days=398))
    else:
        monkeypatch.setattr(certificate, "_names", lambda: {"localhost", "192.0.2.77"})
    assert certificate.self_signed(tmp_path).fingerprint != first.fingerprint


def test_what_cannot_be_kept_or_is_no_certificate_is_one_sentence(tmp_path: Path) -> None:
    certificate.self_signed(tmp_path)
    good, bad = tmp_path / certificate.FILE, tmp_path / "bad.pem"
    bad.write_text("nonsense")
    assert certificate.from_files(good, good).fingerprint == ""
    for pair in ((bad, bad), (good, bad), (tmp_path / "none.pem", good), (tmp_path, good)):
        with pytest.raises(VisavisError, match="--tls-certificate") as error:
            certificate.from_files(*pair)
        assert "\n" not in str(error.value)
    with pytest.raises(VisavisError, match="--state"):
        certificate.self_signed(good / "below")
