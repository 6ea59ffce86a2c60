"""Standard quality: the instant avatar's Gaussians, optimised against everything that a capture shows.

GaussianAvatars' optimisation (Qian et al. 2024) as both papers build on it, from a start that already looks like the person,
with the mechanisms of `enrollment.reconstruction.config`. What no frame shows stays as the instant avatar has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch
from torch import Tensor

from enrollment.reconstruction import checkpoint, losses
from enrollment.reconstruction.adam import Adam
from enrollment.reconstruction.baking import with_corrections
from enrollment.reconstruction.capture import Capture, Frame
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.parsing_loss import ParsingLoss
from enrollment.reconstruction.perceptual import perceptual
from enrollment.reconstruction.photometric import photometric
from enrollment.reconstruction.photometric_warp import PhotometricWarp
from enrollment.reconstruction.scene import DrawnFrame, Scene
from enrollment.reconstruction.targets import Target, Targets
from models.avatar import Avatar
from models.errors import CaptureError
from models.heads.base import HeadModel
from models.progress import ProgressCallback, no_progress

BAD_STEPS = 3
"""Steps in a row without a finite loss after which the run ends."""
GROW_FROM, GROW_TO = 0.15, 0.6
"""Parts of all steps between which Gaussians are split."""
WARP_FROM = 0.1
"""Part of all steps before frames are warped: the renderings must resemble the frames first."""
GAUSSIAN_BYTES, PIXEL_BYTES = 3500, 900
"""Memory a Gaussian (parameters, moments, the rasterizer's lists) and a pixel of a training picture; measured."""
PARSING_BYTES = 350 * 2**20
"""Memory that the parsing network takes to say how a picture should change; measured."""
SPARE = 0.8
"""Part of the free memory that may be used."""


class StopReason(Enum):
    """Why an optimisation ended; the value is a sentence for the person, empty for a run that was finished."""

    FINISHED = ""
    CANCELLED = "the run was stopped; the best so far was kept"
    NOT_FINITE = f"{BAD_STEPS} steps in a row had no finite loss; the last good state was kept"


@dataclass(frozen=True)
class Reconstruction:
    """avatar: the optimised one. frames: of the capture, in refined poses when the rig was refined. steps: done.
    losses: mean of each `check_every` steps. stop: why the run ended.
    warnings: the capture's. skipped: steps that had no finite loss. baking_loss: decibels that the frames lose when drawn with
    the avatar's corrections in place of the networks that were switched on; 0 without any."""

    avatar: Avatar
    frames: tuple[Frame, ...]
    steps: int
    losses: tuple[float, ...]
    stop: StopReason
    warnings: tuple[str, ...]
    skipped: int
    baking_loss: float

    @property
    def stopped(self) -> str:
        """Why the run ended early, one sentence; empty for a run that was finished."""
        return self.stop.value


def reconstruct(
    avatar: Avatar,
    model: HeadModel,
    capture: Capture,
    config: ReconstructConfig | None = None,
    *,
    progress: ProgressCallback = no_progress,
    cancelled: Callable[[], bool] = lambda: False,
    checkpoint_path: Path | None = None,
    watch: Callable[[Avatar], None] | None = None,
) -> Reconstruction:
    """Optimise `avatar` on `model` against `capture`.

    checkpoint_path: where the state is kept; a run that finds one of the same task there goes on with it. watch: gets the avatar
    as it is, without what networks add, every `check_every` steps. When `cancelled` says so, or on KeyboardInterrupt, the best so
    far is returned. Raises `CaptureError` when the memory would not do.
    """
    config = config or ReconstructConfig()
    avatar = replace(avatar, corrections=None)  # they are of networks that are trained anew, or not at all
    require_memory(len(avatar.gaussians), capture, config)
    with _one_thread():
        run = _Run(avatar, model, capture, config, checkpoint_path)
        return run.go(progress, cancelled, watch)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread: the rasterizer has threads of its own, and torch's, which wait by spinning, get in their way
    (measured on two busy cores: 0.13 s a step with one, 1.1 s with two)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def needed_bytes(gaussians: int, capture: Capture, config: ReconstructConfig) -> int:
    """Memory that a run takes at most."""
    most = max(gaussians, config.most) if config.densify else gaussians
    sizes = [(f.camera.width, f.camera.height) for f in capture.frames]
    shrunk = [w * h * min(1.0, config.size / max(w, h)) ** 2 for w, h in sizes]
    full = sum(w * h for w, h in sizes) * 12 if config.normals else 0
    parsing = PARSING_BYTES if config.parsing else 0
    return int(most * GAUSSIAN_BYTES + 32 * sum(shrunk) + max(shrunk) * PIXEL_BYTES + full + parsing)


def require_memory(gaussians: int, capture: Capture, config: ReconstructConfig) -> None:
    """Raises `CaptureError` when a run would need more than this machine has free."""
    needed, free = needed_bytes(gaussians, capture, config), psutil.virtual_memory().available
    if needed > SPARE * free:
        raise CaptureError(
            f"about {needed / 2**30:.1f} GB of memory were expected to be free for {gaussians} Gaussians and "
            f"{len(capture.frames)} frames, {free / 2**30:.1f} GB are; use fewer frames or a smaller size"
        )


def _task(avatar: Avatar, capture: Capture, config: ReconstructConfig) -> str:
    """What tells this run from any other."""
    g = avatar.gaussians
    arrays = [a for f in capture.frames for a in (f.image, f.matte, f.camera.world_to_camera, f.pose.head, f.coefficients)]
    return checkpoint.fingerprint(g.means, g.colors, g.opacities, avatar.identity, avatar.offset, *arrays, config)


class _Run:
    """One optimisation and its state."""

    def __init__(
        self, avatar: Avatar, model: HeadModel, capture: Capture, config: ReconstructConfig, checkpoint_path: Path | None
    ) -> None:
        self.avatar, self.capture, self.config, self.path = avatar, capture, config, checkpoint_path
        self.model = model
        person = avatar.person(model)
        self.targets = Targets(capture.frames, person, config.size, normals=config.normals, rng_seed=config.seed)
        self.scene = Scene(avatar, person, capture.frames, config)
        self.adam, self.parsing = Adam(), ParsingLoss()
        self.warp = PhotometricWarp(config.warp_spread) if config.warp_spread else None
        self.losses: list[float] = []
        self.done, self.bad, self.skipped = 0, 0, 0
        self.screen_gradients = torch.zeros(len(self.scene.splats))  # of the loss by each Gaussian's position on the picture
        self.best: tuple[float, dict[str, Tensor]] = (math.inf, {})
        self.task = "" if checkpoint_path is None else _task(avatar, capture, config)
        if not self._resume():
            self.scene.look([target.camera for target in self.targets.whole])
            self._keep(math.inf)

    def go(
        self, progress: ProgressCallback, cancelled: Callable[[], bool], watch: Callable[[Avatar], None] | None
    ) -> Reconstruction:
        """Step until the end, until too many steps in a row went wrong, or until cancelled."""
        stop, window = StopReason.FINISHED, list[float]()
        try:
            while self.done < self.config.steps:
                if cancelled():
                    stop = StopReason.CANCELLED
                    break
                loss = self._step()
                self.done += 1
                if loss is None:
                    self.bad, self.skipped = self.bad + 1, self.skipped + 1
                    if self.bad == BAD_STEPS:
                        stop = StopReason.NOT_FINITE
                        break
                else:
                    self.bad = 0
                    window.append(loss)
                self._densify_and_prune()
                if self.done % self.config.check_every == 0 or self.done == self.config.steps:
                    mean = sum(window) / len(window) if window else math.inf
                    window = []
                    self._check(mean)
                    stage = f"refining, {len(self.scene.splats)} Gaussians, loss {mean:.4f}"
                    progress(stage, self.done / self.config.steps)
                    if watch is not None:
                        watch(self.scene.avatar(self.avatar))
        except KeyboardInterrupt:
            stop = StopReason.CANCELLED
        if window and stop is not StopReason.NOT_FINITE:
            self._check(sum(window) / len(window))
        return self._result(stop)

    def _result(self, stop: StopReason) -> Reconstruction:
        """The best state as an avatar, with the networks baked."""
        self.scene.restore(self.best[1])
        frames = self.capture.frames
        if self.scene.rig is not None:
            frames = self.scene.rig.refined(frames)
        made = with_corrections(self.scene.avatar(self.avatar), self.model, self.scene, frames, self.targets.whole)
        return Reconstruction(
            made, frames, self.done, tuple(self.losses), stop, self.capture.warnings, self.skipped,
            made.corrections.loss_db if made.corrections is not None else 0.0,
        )  # fmt: skip

    def _step(self) -> float | None:
        """One step of Adam; its loss, or None when that or a gradient was not finite and nothing was changed."""
        parsed = self.config.parsing and self.done % self.config.parsing_every == 0
        index, target = self.targets.draw(self.done, 0.0 if parsed else self.config.crops)
        target = target.to(self.config.device)
        parameters = self.scene.parameters()
        for p in parameters.values():
            p.grad = None
        with_normals = target.normals is not None and self.done % self.config.normals_every == 0
        drawn, whole = self.scene.draw(index, target.camera, normals=with_normals), target
        if self.warp is not None and index and self.done >= WARP_FROM * self.config.steps:
            target = self.warp(target, drawn.color.detach(), drawn.alpha.detach())
        loss = self._loss(drawn, target)
        if parsed:
            loss = loss + self.config.weights.parsing * self.config.parsing_every * self.parsing(drawn.color, whole, index)
        if not torch.isfinite(loss):
            return None
        loss.backward()
        if not all(p.grad is None or torch.isfinite(p.grad).all() for p in parameters.values()):
            return None
        if self.config.densify:
            self._accumulate_gradients(target)
        self.adam.step(parameters, self.scene.rates(self.done))
        self.scene.splats.pull(self.config.pull, self.config.pull_seen, self.config.enough)
        if self.scene.rig is not None:
            self.scene.rig.project()
        return float(loss.detach())

    def _loss(self, drawn: DrawnFrame, target: Target) -> Tensor:
        w, known = self.config.weights, target.known
        is_here = drawn.color.device.type == "cpu"
        total = (photometric if is_here else losses.photometric)(drawn.color, drawn.alpha, target, w)
        if drawn.normals is not None and target.normals is not None:
            there = target.normals.abs().amax(dim=2) > 0
            weight = known * target.matte * there * (drawn.alpha.detach() > 0.5)
            total = total + w.normal * self.config.normals_every * losses.normal_error(drawn.normals, target.normals, weight)
        if self.config.perceptual:
            rng = np.random.default_rng((self.config.seed, self.done, 1))
            total = total + w.perceptual * perceptual(drawn.color, target, rng)
        if drawn.view_offset is not None:
            total = total + w.view_offset * drawn.view_offset
            total = total + w.consistent * losses.gradients(drawn.consistent, target.image, known)
        if self.config.regularise:
            long, large = self.scene.splats.excess()
            total = total + w.position * long + w.scale * large
        if self.scene.rig is not None and self.config.rig:
            total = total + w.smooth * self.scene.rig.roughness() + w.rig * self.scene.rig.size()
        return total

    def _accumulate_gradients(self, target: Target) -> None:
        """Moving average of each Gaussian's positional gradient, over the steps that have one."""
        grad = self.scene.splats.now["means"].grad
        if grad is not None:
            size, mean = grad.norm(dim=1), self.screen_gradients
            self.screen_gradients = torch.where(size > 0, 0.9 * mean + 0.1 * size * target.camera.width, mean)

    def _densify_and_prune(self) -> None:
        c, splats = self.config, self.scene.splats
        if self.done % c.densify_every:
            return
        if c.densify and GROW_FROM * c.steps <= self.done <= GROW_TO * c.steps:
            count = min(int(c.grow * len(splats)), c.most - len(splats))
            if count > 0:
                splats.split((self.screen_gradients * splats.seen).topk(count).indices, self.adam)
        if c.prune:
            splats.prune(c.transparent, self.adam)
        self.screen_gradients = torch.zeros(len(splats))

    def _check(self, loss: float) -> None:
        self.losses.append(loss)
        self._keep(loss)
        if self.path is not None:
            moments = {f"adam.{name}.{i}": t for name, three in self.adam.state.items() for i, t in enumerate(three)}
            best = {f"best.{name}": tensor for name, tensor in self.best[1].items()}
            numbers = {"done": self.done, "losses": self.losses, "skipped": self.skipped, "best": self.best[0]}
            state = {**self.scene.tensors(), **moments, **best, "screen_gradients": self.screen_gradients}
            if self.warp is not None:
                state["warp"] = self.warp.shared
            checkpoint.save(self.path, self.task, numbers, state)

    def _keep(self, loss: float) -> None:
        """Remember the state if it is the best so far."""
        if loss < self.best[0] or not self.best[1]:
            self.best = (loss, {name: tensor.clone() for name, tensor in self.scene.tensors().items()})

    def _resume(self) -> bool:
        """Go on where a checkpoint of the same task stopped."""
        found = checkpoint.load(self.path, self.task) if self.path is not None else None
        if found is None:
            return False
        numbers, tensors = found
        self.scene.restore(tensors)
        self.done, self.losses, self.skipped = numbers["done"], numbers["losses"], numbers["skipped"]
        self.screen_gradients = tensors["screen_gradients"]
        if self.warp is not None:
            self.warp.shared = tensors["warp"]
        self.best = (numbers["best"], {name[5:]: tensor for name, tensor in tensors.items() if name.startswith("best.")})
        for name in self.scene.parameters():
            if f"adam.{name}.0" in tensors:
                self.adam.state[name] = (tensors[f"adam.{name}.0"], tensors[f"adam.{name}.1"], tensors[f"adam.{name}.2"])
        return True
