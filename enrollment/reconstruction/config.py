"""What the optimiser does: every mechanism has a switch. docs/mechanisms.md lists the codes of the mechanisms (G10, F8)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rates:
    """Adam's learning rates, a step. Lengths in units of the triangle; logarithm of scales, logit of opacities."""

    means: float = 2e-3
    rotations: float = 2e-3
    log_scales: float = 5e-3
    logits: float = 2e-2
    colors: float = 4e-3
    expression: float = 4e-3
    """Residuals of coefficients and gaze (radians), the fast group of G10."""
    pose: float = 4e-4
    """Residuals of head and body, radians and metres, the slow group."""
    identity: float = 2e-3
    """Residuals of identity, standard deviations."""
    offset: float = 2e-5
    """Residuals of the static offset, metres."""
    networks: float = 5e-3


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss."""

    ssim: float = 0.2
    """Of 1 - SSIM against 1 - this of L1 (Kerbl et al. 2023, eq. 7)."""
    square: float = 0.0
    """Of the mean square difference: where poses are off by a pixel, a soft edge is nearer than a sharp one elsewhere."""
    gradient: float = 0.5
    """Of the multi-scale gradient term, a cheap stand-in for a perceptual one."""
    perceptual: float = 0.02
    """Of the distance by `perceptual`, where that is on."""
    parsing: float = 3e-4
    """Of the divergence by `parsing`, where that is on."""
    alpha: float = 0.5
    position: float = 1e-2
    scale: float = 1.0
    """GaussianAvatars (Qian et al. 2024, sec. 3.3): means longer than 1.0, scales larger than 0.6 triangles."""
    normal: float = 0.05
    smooth: float = 0.05
    """Of the offset's roughness, (mm / edge)^2."""
    rig: float = 1e-3
    """Of the squares of expression residuals and identity residuals."""
    view_offset: float = 1.0
    """Of COIN's absolute offsets (FaceCraft4D eq. 4)."""
    consistent: float = 0.5
    """Of the multi-scale gradient term on the consistent colours alone, in LPIPS's place (FaceCraft4D eq. 3)."""


@dataclass(frozen=True)
class ReconstructConfig:
    """steps: in all. size: larger side of a training picture, pixels. crops: part of the steps that look at a window of the
    full picture instead of all of it shrunk; a frame that is no larger than `size` is always seen whole.
    """

    steps: int = 600
    size: int = 320
    crops: float = 0.5
    oversampled: int = 1
    """Pictures are drawn this many times larger, then averaged: the rasterizer's blur of half a pixel adds up along outlines,
    where many Gaussians lie behind each other."""
    seed: int = 0
    device: str = "cpu"
    """Where pictures are drawn and compared; posing and Adam stay on the CPU."""
    rates: Rates = field(default_factory=Rates)
    weights: Weights = field(default_factory=Weights)
    rig: bool = False
    """G10: residuals on the rig's parameters. Without, poses stay as the capture has them, and posing costs nothing."""
    normals: bool = True
    """G14: the shortest axes follow the frame's normals, or the mesh's where it has none. Without, Gaussians that no frame shows
    from the side stand out as thorns there."""
    normals_every: int = 1
    """Steps from one that looks at normals, so many times as strongly, to the next: it takes twice as long."""
    perceptual: bool = False
    """A network for natural pictures compares a window of the picture with the truth (`enrollment.reconstruction.perceptual`)."""
    parsing: bool = False
    """The parsing network is to take each pixel for what it takes the truth's for (`enrollment.reconstruction.parsing_loss`)."""
    parsing_every: int = 10
    """Steps from one that asks it, so many times as strongly and of the whole frame, to the next: it takes three times as
    long."""
    regularise: bool = True
    densify: bool = False
    densify_every: int = 150
    grow: float = 0.02
    """Part of the Gaussians that is split each time, those with the largest gradient of their position on the picture."""
    most: int = 80_000
    """Gaussians; splitting stops there."""
    prune: bool = True
    transparent: float = 0.02
    """Opacity under which a Gaussian is removed."""
    pull: float = 0.05
    """Part of the way back to the instant avatar that a Gaussian goes each step when no frame sees it."""
    pull_seen: float = 0.0
    """The same for those that are seen."""
    enough: float = 1.0
    """How well a Gaussian must be seen to count as seen here; less frees those that lie half behind others."""
    warp_spread: float = 0.0
    """Standard deviation, in pixels of a picture 256 wide, of smooth warps by which frames may differ from each other; the
    first frame is taken as it is (`enrollment.reconstruction.photometric_warp`). 0: none are estimated."""
    coin: bool = False
    """F8, F9: a small network takes what only single frames say about colours; the first frame's is baked in at the end."""
    dynamics: bool = False
    """G13: a small network changes all attributes with the expression."""
    deformation: bool = False
    """G12: a UNet on the position map moves vertices with the expression."""
    check_every: int = 50
    """Steps between two looks at the loss, checkpoints and progress."""

    @staticmethod
    def for_photos(count: int) -> ReconstructConfig:
        """What suits `count` photos: one cannot tell pose from shape, so the rig stays and Gaussians stay near their start; more
        show outlines from other sides, each in its own light."""
        if count == 1:
            return ReconstructConfig(steps=500, pull_seen=0.01)
        return ReconstructConfig(steps=800, rig=True, coin=True, pull_seen=0.001, rates=Rates(offset=1e-4))

    @staticmethod
    def for_clip() -> ReconstructConfig:
        """What suits a clip, whose poses are tracked and not exact. Neither dynamics nor deformation: what they learn from the
        expressions of a short clip is wrong for others."""
        rates = Rates(means=1e-2, rotations=5e-3, log_scales=1e-2, colors=6e-3, offset=1e-4)
        return ReconstructConfig(steps=1900, rig=True, enough=0.2, normals_every=2, rates=rates, weights=Weights(square=4.0))
