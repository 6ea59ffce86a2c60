"""For all tests: no test asserts a time, so hypothesis has no deadline; what CI runs, it runs the same way every time; and one
head model, one real face and one enrollment of it are shared by all."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from tests import shared
from tests.parts import ENROLLING, OPTIMISING, PORTRAITS, pytest_addoption, pytest_ignore_collect

__all__ = ["pytest_addoption", "pytest_ignore_collect"]

if TYPE_CHECKING:
    from enrollment.instant.pipeline import Enrollment
    from enrollment.portrait.portrait import Portrait
    from models.heads.base import HeadModel

gc.disable()  # until all is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads would spin between two steps, with half of the cores
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("fast", deadline=None, max_examples=10)  # `make test-fast`
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True, scope="session")
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What programs keep for the user stays out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


SLOW = (
    *ENROLLING,
    *OPTIMISING,
    *PORTRAITS,
    "client_web/test_camera_hints.py",
    "gpu",
    "models/diffusion/test_export.py",
    "models/exchange/test_viewers.py",
    "models/heads/test_anny.py",
    "models/heads/test_flame.py",
    "models/heads/test_torch_head.py",
    "models/synthetic",
    "models/test_level_of_detail.py",
    "models/test_outputs.py",
    "network",
    "packaging",
    "realtime/room",
    "realtime/test_offline.py",
    "server/api/test_app.py",
    "server/benchmarks",
    "server/call/attacks",
    "server/call/test_avatar_kept.py",
    "server/call/test_call.py",
    "server/call/test_logs.py",
    "server/call/test_whip.py",
    "server/commands/test_enroll.py",
    "server/commands/test_synth_heads.py",
    "server/commands/test_train.py",
    "server/evaluation",
    "server/jobs",
    "server/test_cli.py",
    "server/test_service.py",
)
"""What `make test-fast` leaves out, besides what needs an enrollment: these train, measure, make heads, or wait for processes
that fail."""
NEEDS_ENROLLMENT = {"enrolled", "portrait", "enrolled_before"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in `SLOW` or needs the enrollment, and what drives a browser."""
    for item in items:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        needed = {*getattr(item, "fixturenames", ())}
        if path.startswith(tuple(f"{name}/" for name in SLOW)) or path in SLOW or NEEDS_ENROLLMENT & needed:
            item.add_marker("slow")
        if {"chromium", "page"} & needed:
            item.add_marker("e2e")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is imported by now stays to the end, so no collection looks through it again; and a test makes more than Python's 700
    objects between two collections. That takes about a tenth of the time of the API's tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="module")
def one_torch_thread() -> Iterator[None]:
    """Torch's threads spin, also while the rasterizer's work: networks as small as a test's are quicker on one."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def model() -> HeadModel:
    from models.heads.anny import AnnyHead

    return AnnyHead()


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """A portrait photo, (512, 512, 3) uint8 sRGB (NASA, public domain)."""
    import skimage.data

    return np.asarray(skimage.data.astronaut(), np.uint8)


@pytest.fixture(scope="session")
def stages() -> list[tuple[str, float]]:
    """What the one enrollment told of its progress; filled by `enrolled`."""
    return []


@pytest.fixture(scope="session")
def enrolled(stages: list[tuple[str, float]]) -> Enrollment:
    """Of the astronaut."""
    made, told = shared.enrollment()
    stages += told
    return made


@pytest.fixture
def enrolled_before(enrolled: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever enrolls the astronaut gets the enrollment that is there, with the own consent: for tests of what comes after it."""
    from enrollment import workflow

    def given(_: object, *, consent: str = "", **__: object) -> Enrollment:
        return replace(enrolled, avatar=replace(enrolled.avatar, provenance={**enrolled.avatar.provenance, "consent": consent}))

    monkeypatch.setattr(workflow, "enroll_instant", given)


@pytest.fixture
def hardly_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the thirty steps in which an avatar is fitted to its photo, which take most of the time: for tests of all else."""
    from enrollment.instant import own_view

    monkeypatch.setattr(own_view, "STEPS", 2)


@pytest.fixture(scope="session")
def portrait(enrolled: Enrollment) -> Portrait:
    """The astronaut, checked, cropped and matted."""
    return enrolled.portraits[0]


@pytest.fixture(scope="session")
def stable_diffusion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion's layout with random weights: four latent channels, two levels, an autoencoder that halves twice."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    out: Path = tmp_path_factory.mktemp("sd") / "tiny-sd"
    torch.manual_seed(0)
    UNet2DConditionModel(
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=4,
    ).save_pretrained(out / "unet", safe_serialization=True)
    AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
    ).save_pretrained(out / "vae", safe_serialization=True)
    return out
