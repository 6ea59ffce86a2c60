"""The wheel in an environment of its own: what is in it, and that `visavis serve` serves the page that it carries.

The environment is empty but for the wheel and a path to the packages that this one has: no network is needed, and nothing of the
checkout can be imported. CONTRIBUTING.md says how to try the wheel with packages from the registry.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import models
from tests.client_web.conftest import built_page  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "enrollment", "realtime", "server")


def without_checkout() -> dict[str, str]:
    """The variables of the environment, without those that lead Python to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


@pytest.fixture(scope="module")
def built(
    built_page: None,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    """The source archive and the wheel that is made of it, which is how `make wheel` makes them."""
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=out)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (source,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return source, wheel


@pytest.fixture(scope="module")
def environment(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel in it, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index"]
    done = subprocess.run([*command, str(built[1])], capture_output=True, text=True, timeout=240, env=without_checkout())
    assert done.returncode == 0, done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    # the path alone: .pth files there, of which one leads to the checkout, are not read. Written late, or pip finds Visavis there
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """The variables of somebody who has no checkout and starts Visavis for the first time."""
    return without_checkout() | {"XDG_STATE_HOME": str(tmp_path / "state")}


def test_the_wheel_holds_the_page_and_all_data_and_no_tests(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        found = set(wheel.namelist())
    data = {p.relative_to(ROOT).as_posix() for part in PACKAGES for p in (ROOT / part).rglob("*") if p.is_file()}
    code = {name for name in data if "__pycache__" not in name}
    assert code - found == set()
    page = {f"server/call/web_page/{p.relative_to(ROOT / 'client_web/dist')}" for p in (ROOT / "client_web/dist").rglob("*.*")}
    assert {"server/call/web_page/index.html"} < page and page - found == set()
    assert {f"{part}/py.typed" for part in PACKAGES} < found
    info = f"visavis-{models.__version__}.dist-info"
    assert {name.split("/")[0] for name in found} == {*PACKAGES, info}
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} < found


def test_the_source_archive_makes_a_wheel_without_node(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        found = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"client_web/dist/index.html", "client_web/src/main.ts", "client_web/package-lock.json", "setup.py"} < found
    assert not any("node_modules" in name or name.startswith("tests") for name in found)


def test_no_wheel_is_made_without_the_page(built: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(built[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    (source / "client_web" / "dist" / "index.html").unlink()
    command = [sys.executable, "setup.py", "build_py", "--build-lib", str(tmp_path / "lib")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=source)
    assert done.returncode != 0 and "run `make web` first" in done.stderr
    assert not (tmp_path / "lib" / "server" / "call" / "web_page").exists()


def test_nothing_comes_from_the_checkout(environment: Path, clean: dict[str, str], tmp_path: Path) -> None:
    program = "import models, server.call.page_folder as p; print(models.__file__); print(p.page_folder())"
    done = subprocess.run([environment / "python", "-c", program], capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(environment.parent)) for line in done.stdout.splitlines())


def test_doctor_finds_everything(environment: Path, clean: dict[str, str], tmp_path: Path) -> None:
    command = [environment / "visavis", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean, timeout=120)
    said = json.loads(done.stdout)
    assert said["web_page"] and said["packages"]["aiortc"]
    assert [p for p in said["problems"] if "opencv" not in p.lower()] == []
    version = subprocess.run([environment / "visavis", "--version"], capture_output=True, text=True, env=clean, timeout=60)
    assert models.__version__ in version.stdout


@pytest.fixture
def served(environment: Path, clean: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The person's address at a server that was started with `visavis serve`."""
    from models import avatar_file
    from models.heads.anny import AnnyHead
    from tests.models import makers

    avatar = tmp_path / "small.avatar"
    avatar_file.save(makers.avatar(AnnyHead()), avatar)
    command = [environment / "visavis", "serve", "--avatar", str(avatar), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=clean) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["person"].replace("//localhost:", "//127.0.0.1:")
        finally:
            server.terminate()
            server.wait(30)


def test_serve_serves_the_page(served: str) -> None:
    def get(path: str) -> tuple[str, str]:
        with urllib.request.urlopen(path, timeout=30) as answer:
            return answer.headers["content-type"].split(";")[0], answer.read().decode()

    base = served.split("/room/")[0]
    assert json.loads(get(f"{base}/healthz")[1]) == {"status": "ok"}
    kind, page = get(served)
    assert kind == "text/html"
    script, style = re.search(r'src="(/assets/[^"]+\.js)"', page), re.search(r'href="(/assets/[^"]+\.css)"', page)
    assert script is not None and style is not None
    kind, text = get(base + script[1])
    assert kind == "text/javascript" and "/ws" in text
    assert get(base + style[1])[0] == "text/css"
