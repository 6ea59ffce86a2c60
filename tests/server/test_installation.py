"""A package that is missing or cannot be loaded is told in one sentence, with the command that mends it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from server import cli, installation
from server.commands import doctor

LINES = [
    "click>=8.1",
    "pi-heif>=1.0",
    'anny==0.6.2; extra == "bake"',
    "Onnx_Runtime>=1; extra == 'train'",
]


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "requires", lambda _: LINES)


def without(module: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {module!r}", name=module)


def test_requirements_with_the_extra_that_asks_for_them(declared: None) -> None:
    assert installation.requirements() == {"click": "", "pi-heif": "", "anny": "bake", "onnx-runtime": "train"}


@pytest.mark.parametrize(
    ("module", "command"),
    [("click", "pip install visavis`"), ("pi_heif", "pip install visavis`"), ("anny.body", "pip install 'visavis[bake]'`")],
)
def test_a_missing_package_is_named_with_the_command(declared: None, module: str, command: str) -> None:
    sentence = installation.explain(without(module))
    assert sentence is not None and sentence.endswith(command) and module.split(".")[0].replace("_", "-") in sentence


def test_a_module_of_nobody_s_is_not_explained(declared: None) -> None:
    assert installation.explain(without("server.nothing")) is None
    assert installation.explain(ImportError("cannot import name 'x' from 'click'", name="click", path="/a/click.py")) is None


@pytest.fixture
def broken_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cv2 whose compiled part the system cannot load."""
    (tmp_path / "cv2.abi3.so").write_text("no library")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)


def test_opencv_that_cannot_be_loaded_is_told_by_doctor_and_every_verb(
    broken_opencv: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ImportError) as caught:
        importlib.import_module("cv2")
    sentence = installation.explain(caught.value)
    assert sentence is not None and "cv2.abi3.so" in sentence and "--force-reinstall opencv-contrib-python-headless==" in sentence
    said = CliRunner().invoke(doctor.command, [])
    assert sentence in said.output and "opencv MISSING" in said.output

    def fails(*_: object, **__: object) -> None:
        raise caught.value

    monkeypatch.setattr(cli.cli, "main", fails)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2 and capsys.readouterr().err.strip() == f"visavis: {sentence}"
