"""All that is optimised, and how it is drawn: Gaussians, the rig's residuals, and the small networks that are switched on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from enrollment.reconstruction.capture import Frame
from enrollment.reconstruction.config import ReconstructConfig
from enrollment.reconstruction.posing import FAST, SLOW, Rig, as_tensors, fixed_frames, rig_rate
from enrollment.reconstruction.splats import NAMES, Splats
from enrollment.reconstruction.targets import WHITE
from models import binding
from models.avatar import Avatar
from models.binding_autograd import to_world
from models.heads.base import PersonHead
from models.nets.coin import Coin
from models.nets.deformation import Deformation
from models.nets.dynamics import Dynamics
from models.splat.choose import differentiable_colors
from models.splat.reference import shortest_axes
from models.torch_binding import Frames, triangle_frames
from models.types import Camera

REACH = 0.25
"""Metres from the middle of the head that the networks see as 1."""
FULLY_SEEN = 1.0
"""Blending weight summed over the picture, in units of the Gaussian's area, from which it counts as seen; a fully visible one
of a closed surface has 3, one that shines through cracks 0.1."""
LATE, SETTLED = 0.5, 0.1
"""Part of all steps from which the Gaussians' learning rates fall exponentially, and the part of them that is left in the end."""
MOST_LOOKS = 24
"""Frames in which it is measured how well each Gaussian is seen."""


@dataclass(frozen=True)
class DrawnFrame:
    """color: (H, W, 3) on white, what the frame is said to look like. consistent: the same without COIN's offsets; the same
    tensor when it is off. alpha: (H, W). normals: (H, W, 3) or None. view_offset: mean absolute offset of COIN, or None."""

    color: Tensor
    consistent: Tensor
    alpha: Tensor
    normals: Tensor | None
    view_offset: Tensor | None


class Scene:
    """Everything that the optimiser changes, over one set of frames."""

    def __init__(self, avatar: Avatar, person: PersonHead, frames: Sequence[Frame], config: ReconstructConfig) -> None:
        torch.manual_seed(config.seed)
        self.config, self.person, self.frames = config, person, frames
        self.rasterize = differentiable_colors(config.device)
        self.splats = Splats.of(avatar.gaussians)
        self.faces = torch.from_numpy(person.model.faces).long()
        self.rig = Rig(person, avatar.identity, avatar.offset, frames) if config.rig or config.deformation else None
        self.fixed = [fixed_frames(person, frame) for frame in frames] if self.rig is None else []
        self.rest = as_tensors(binding.frames(person.rest, person.model.faces))
        self.expressions = torch.from_numpy(np.stack([np.asarray(frame.coefficients, np.float32) for frame in frames]))
        self.coin = Coin(len(frames)) if config.coin else None
        self.dynamics = Dynamics() if config.dynamics else None
        self.deformation = Deformation(person) if config.deformation else None

    def parameters(self) -> dict[str, Tensor]:
        """All trainable tensors by name."""
        out = dict(self.splats.now)
        if self.rig is not None and self.config.rig:
            out |= {f"rig.{name}": tensor for name, tensor in self.rig.residuals.items()}
        for name, network in self.networks().items():
            out |= {f"{name}.{key}": tensor for key, tensor in network.named_parameters()}
        return out

    def networks(self) -> dict[str, nn.Module]:
        """Those that are switched on."""
        three = {"coin": self.coin, "dynamics": self.dynamics, "deformation": self.deformation}
        return {name: network for name, network in three.items() if network is not None}

    def rates(self, step: int) -> dict[str, float]:
        """The learning rate of each parameter at a step."""
        r, of_rig = self.config.rates, rig_rate(step, self.config.steps)
        at = max(0.0, step / max(self.config.steps, 1) - LATE) / (1 - LATE)
        out = {name: getattr(r, name) * SETTLED**at for name in NAMES}
        out |= {f"rig.{name}": of_rig * r.expression for name in FAST}
        out |= {f"rig.{name}": of_rig * r.pose for name in SLOW}
        out |= {"rig.identity": of_rig * r.identity, "rig.offset": of_rig * r.offset}
        return out | {name: r.networks for name in self.parameters() if "." in name and not name.startswith("rig.")}

    def expression(self, index: int) -> Tensor:
        """(52,) coefficients of a frame as they are now, without gradient."""
        base = self.expressions[index]
        return base if self.rig is None else (base + self.rig.residuals["coefficients"][index]).detach()

    def triangles(self, index: int) -> Frames:
        """The triangles' frames of a frame."""
        if self.rig is None:
            return self.fixed[index]
        moved = None if self.deformation is None else self.deformation(self.expression(index))
        return triangle_frames(self.rig(index, moved), self.faces)

    def places(self) -> Tensor:
        """(N, 3) where the Gaussians rest, metres over REACH; what the networks know a Gaussian by. Without gradient."""
        now = self.splats.now
        with torch.no_grad():
            return to_world(self.splats.face, now["means"], now["rotations"], now["log_scales"], self.rest)[0] / REACH

    def draw(self, index: int, camera: Camera, *, normals: bool = False) -> DrawnFrame:
        """One frame from a camera in its world."""
        p: dict[str, Tensor] = dict(self.splats.now)
        places = self.places() if self.coin is not None or self.dynamics is not None else None
        if self.dynamics is not None and places is not None:
            change = self.dynamics(places, self.expression(index))
            p = {name: tensor + getattr(change, name) for name, tensor in p.items()}
        means, rotations, scales = to_world(
            self.splats.face, p["means"], p["rotations"], p["log_scales"].exp(), self.triangles(index)
        )
        features, offsets = [p["colors"]], None
        if self.coin is not None and places is not None:
            offsets = self.coin(index, p["colors"], places)
            features.append(p["colors"] + offsets)
        if normals:
            features.append(shortest_axes(means, rotations, scales, camera))
        stacked = torch.cat(features, dim=1)
        behind = torch.full((stacked.shape[1],), WHITE)
        if normals:
            behind[-3:] = 0.0
        tensors = [t.to(self.config.device) for t in (means, rotations, scales, p["logits"].sigmoid(), stacked)]
        by = self.config.oversampled
        fine = camera.resized(camera.width * by, camera.height * by)
        out, alpha = self.rasterize(*tensors, fine, behind.to(self.config.device))
        if by > 1:
            out, alpha = avg_pool2d(out.movedim(-1, 0), by).movedim(0, -1), avg_pool2d(alpha[None], by)[0]
        return DrawnFrame(
            out[..., 3:6] if offsets is not None else out[..., :3], out[..., :3], alpha, out[..., -3:] if normals else None,
            None if offsets is None else offsets.abs().mean(),
        )  # fmt: skip

    def look(self, cameras: Sequence[Camera]) -> None:
        """Measure how well the frames, seen through `cameras`, show each Gaussian; kept in `splats.seen`."""
        best = torch.zeros(len(self.splats))
        now = self.splats.now
        for index in np.unique(np.linspace(0, len(self.frames) - 1, MOST_LOOKS).astype(int)):
            camera = cameras[index]
            with torch.no_grad():
                world = to_world(
                    self.splats.face, now["means"], now["rotations"], now["log_scales"].exp(), self.triangles(int(index))
                )
                m = torch.from_numpy(camera.world_to_camera[2].astype(np.float32))
                z = (world[0] @ m[:3] + m[3]).clamp(min=0.01)
                area = world[2].sort(dim=1).values[:, 1:].prod(dim=1) * camera.fx * camera.fy / z**2
            ones = torch.ones(len(best), 3, requires_grad=True)
            tensors = [t.to(self.config.device) for t in (*world, now["logits"].detach().sigmoid(), ones)]
            out, _ = self.rasterize(*tensors, camera, torch.zeros(3, device=self.config.device))
            out[..., 0].sum().backward()
            assert ones.grad is not None
            best = torch.maximum(best, ones.grad[:, 0] / area.clamp(min=1e-9))
        self.splats.seen = (best / FULLY_SEEN).clamp(0, 1)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that makes up the state, by name."""
        out = {f"now.{name}": tensor for name, tensor in self.splats.now.items()}
        out |= {f"first.{name}": tensor for name, tensor in self.splats.first.items()}
        out |= {"face": self.splats.face, "seen": self.splats.seen}
        others = {name: tensor for name, tensor in self.parameters().items() if name not in NAMES}
        return {name: tensor.detach() for name, tensor in (out | others).items()}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go back to what `tensors` said."""
        self.splats.face, self.splats.seen = tensors["face"].long().clone(), tensors["seen"].clone()
        self.splats.first = {name: tensors[f"first.{name}"].clone() for name in NAMES}
        self.splats.now = {name: tensors[f"now.{name}"].clone().requires_grad_() for name in NAMES}
        for name, parameter in self.parameters().items():
            if name not in NAMES:
                parameter.copy_(tensors[name])

    def avatar(self, avatar: Avatar) -> Avatar:
        """The avatar with the Gaussians and the rig's shape as they are now, COIN's offsets of the first frame in its colours."""
        bound = self.splats.bound()
        colors = bound.colors
        if self.coin is not None:
            colors = self.coin.baked(0, self.splats.now["colors"].detach(), self.places()).numpy()
        identity, offset = (avatar.identity, avatar.offset) if self.rig is None else self.rig.shape()
        return replace(
            avatar, identity=identity, offset=offset, gaussians=replace(bound, colors=colors),
            provenance={**avatar.provenance, "quality": "standard"},
        )  # fmt: skip
