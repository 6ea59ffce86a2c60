"""The Gaussian dynamics field (GeoDiff4D sec. 3.3): a light MLP that changes every Gaussian's attributes with the expression.

Wrinkles, blushing, lips that part: what one set of attributes cannot show for all expressions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.corrections import CHANNELS
from models.nets.coin import position_embedding

CODE, HIDDEN, OCTAVES = 16, 48, 4
SIZE = {"means": 0.5, "rotations": 0.2, "log_scales": 0.3, "logits": 1.0, "colors": 0.2}
"""A raw output of 1 means this much."""


@dataclass(frozen=True)
class Residuals:
    """What is added to N Gaussians; shapes as in CHANNELS, logits (N,)."""

    means: Tensor
    rotations: Tensor
    log_scales: Tensor
    logits: Tensor
    colors: Tensor

    @staticmethod
    def split(flat: Tensor) -> Residuals:
        """From (N, 14) columns in the order of CHANNELS."""
        parts = dict(zip(CHANNELS, flat.split(list(CHANNELS.values()), dim=1), strict=True))
        return Residuals(**{name: part[:, 0] if name == "logits" else part for name, part in parts.items()})


class Dynamics(nn.Module):
    """Residuals for N Gaussians from their resting places and an expression, 52 coefficients or a latent of any length.

    The last layer starts at zero: untrained, it changes nothing. Without bias on its way in, the expression of all zeros is
    the reference: its own residuals are subtracted, so that the resting face stays what the Gaussians say.
    """

    def __init__(self, expression: int = 52, *, code: int = CODE, hidden: int = HIDDEN, octaves: int = OCTAVES) -> None:
        super().__init__()
        self.octaves = octaves
        self.code = nn.Linear(expression, code, bias=False)
        self.place = nn.Linear(6 * octaves, hidden)
        self.mixed = nn.Linear(code, hidden, bias=False)
        self.last = nn.Linear(hidden, sum(CHANNELS.values()), bias=False)
        nn.init.zeros_(self.last.weight)
        self.register_buffer("size", torch.cat([torch.full((n,), SIZE[name]) for name, n in CHANNELS.items()]), persistent=False)

    size: Tensor

    def flat(self, points: Tensor, expression: Tensor) -> Tensor:
        """(N, 14) residuals. points: (N, 3), scaled to about [-1, 1]. expression: (E,)."""
        place = self.place(position_embedding(points, self.octaves))
        moved = torch.relu(place + self.mixed(torch.tanh(self.code(expression))))
        return torch.as_tensor(self.size * self.last(moved - torch.relu(place)))

    def forward(self, points: Tensor, expression: Tensor) -> Residuals:
        """The residuals by name."""
        return Residuals.split(self.flat(points, expression))
