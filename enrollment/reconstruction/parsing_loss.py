"""Hair where hair is: what the parsing network takes each pixel of a drawn picture for, against what it takes the truth's for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from enrollment.reconstruction.targets import Target
from models.tracking.parsing_torch import scaled, torch_parsing


class ParsingLoss:
    """The loss, and what the truth's pictures were taken for, each parsed once."""

    def __init__(self) -> None:
        self.truths: dict[int, Tensor] = {}

    def __call__(self, color: Tensor, target: Target, frame: int) -> Tensor:
        """Mean over the pixels of the Kullback-Leibler divergence of a drawn color's (H, W, 3) classes from the truth's, in nats.

        target: all of the frame with this number, not a window of it. Where nothing is known the picture counts as drawn right.
        """
        network = torch_parsing(color.device.type)
        if frame not in self.truths:
            with torch.no_grad():
                self.truths[frame] = network(scaled(target.image)).log_softmax(dim=0)
        drawn = torch.where(target.known[..., None] > 0, color, target.image)
        seen, truth = network(scaled(drawn)).log_softmax(dim=0), self.truths[frame]
        return functional.kl_div(seen, truth, reduction="sum", log_target=True) / truth[0].numel()
