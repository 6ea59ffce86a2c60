"""A small network whose input and output stay on the device: torch runs it at once, TensorRT takes over when it is built."""

from __future__ import annotations

import copy
import logging
import re
import threading
from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.engines import tensorrt
from models.engines.base import Profile
from models.engines.export import exported
from models.engines.switching import TOLERANCE, difference
from models.engines.tensorrt import TensorRtEngine

log = logging.getLogger(__name__)

INPUT, OUTPUT = "input", "output"
_building = threading.Lock()
"""One engine is built at a time: a room's people come together, and a call runs on the same GPU."""


class OnDevice:
    """Called by one thread with a tensor on the network's device; nothing waits for the device, on its current stream.

    network: one tensor to one. trial: an input of the only shape. make: the engine of an ONNX file's bytes that takes over, or
    None; it is built in a thread, from a copy, and taken when it says the same of `trial` within `TOLERANCE`.
    """

    def __init__(self, network: nn.Module, trial: Tensor, name: str, make: Callable[[bytes], TensorRtEngine] | None) -> None:
        self._network, self._name = network, name
        self._engine: TensorRtEngine | None = None
        self._building: threading.Thread | None = None
        if make is not None:
            self._building = threading.Thread(target=self._build, args=(make, trial), name="engine-build", daemon=True)
            self._building.start()

    @property
    def description(self) -> str:
        """What runs it now, for the log."""
        return "torch" if self._engine is None else self._engine.description

    def wait(self, timeout: float | None = None) -> None:
        """Until the engine is built or has failed."""
        if self._building is not None:
            self._building.join(timeout)

    def __call__(self, x: Tensor) -> Tensor:
        """What the network says."""
        engine = self._engine
        return torch.as_tensor(self._network(x)) if engine is None else engine.on_device({INPUT: x})[OUTPUT]

    def _build(self, make: Callable[[bytes], TensorRtEngine], trial: Tensor) -> None:
        try:
            with _building, torch.no_grad():
                graph = exported(copy.deepcopy(self._network).cpu(), {INPUT: trial.cpu()}, OUTPUT, batched=False)
                engine = make(graph)
                ours, theirs = (t.cpu().numpy() for t in (self._network(trial), engine.on_device({INPUT: trial})[OUTPUT]))
            apart = difference({OUTPUT: ours}, {OUTPUT: theirs})
            if not apart <= TOLERANCE:
                log.warning("%s stays in torch: %s differs by %.3f", self._name, engine.description, apart)
                engine.close()
                return
            self._engine = engine
            log.info("%s goes over from torch to %s", self._name, engine.description)
        except Exception as error:  # whatever CUDA or TensorRT has to say; torch goes on
            log.warning("%s stays in torch: %s", self._name, re.sub(r"\s+", " ", str(error) or type(error).__name__)[:200])


def for_person(graph: bytes, shape: tuple[int, ...]) -> TensorRtEngine:
    """TensorRT's engine of one person's network, in float32: for one so small, half precision would win nothing. It is kept
    nowhere, as it holds what was learned of a face, which has to go when the avatar goes."""
    profile: Profile = {INPUT: (shape, shape, shape)}
    return TensorRtEngine(tensorrt.build(graph, profile))
