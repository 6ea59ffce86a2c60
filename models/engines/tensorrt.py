"""Networks on NVIDIA TensorRT, by its own Python API (10.12 and later, 11): strongly typed, so the precision is the network's.

Half precision is put into the network before (`models.engines.half`), with the layers that need it left in float32; TensorRT 11
has no other way, and 10 accepts it. Nothing here has run on a GPU yet: `tests/gpu/fake_tensorrt.py` holds it to the documented
API, and `tests/gpu/acceptance.sh` runs it where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.engines.base import Arrays, EngineError, Profile, TensorSpec, check
from models.errors import MissingPartError

if TYPE_CHECKING:
    from torch import Tensor

WORKSPACE = 1 << 30
"""Bytes of GPU memory that TensorRT may try kernels with while it builds."""


def module() -> Any:
    """TensorRT's Python package. Raises `MissingPartError`; the registry's package of that name is a stub."""
    try:
        import tensorrt
    except Exception:  # the stub raises what it likes
        tensorrt = None
    if tensorrt is None or not hasattr(tensorrt, "Builder"):
        raise MissingPartError(
            "TensorRT is not installed here; install tensorrt from NVIDIA's own index (docs/gpu.md), or choose another engine"
        )
    return tensorrt


def version() -> str:
    """Of the package. Raises `MissingPartError`."""
    return str(module().__version__)


def build(network: bytes, profile: Profile) -> bytes:
    """An engine's plan for this GPU, which takes seconds to minutes. network: an ONNX file's bytes.

    Raises `EngineError` when TensorRT cannot read or build the network, `MissingPartError` without TensorRT.
    """
    trt = module()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    definition = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(definition, logger)
    if not parser.parse(network):
        reason = parser.get_error(0).desc() if parser.num_errors else "no reason given"
        raise EngineError(f"a network that TensorRT can read was expected; it says: {str(reason)[:160]}; export it again")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    shapes = builder.create_optimization_profile()
    names = {definition.get_input(k).name for k in range(definition.num_inputs)}
    if names != set(profile):
        raise EngineError(f"shapes of the inputs {', '.join(sorted(names))} were expected, {', '.join(sorted(profile))} came")
    for name, (least, usual, most) in profile.items():
        shapes.set_shape(name, least, usual, most)
    config.add_optimization_profile(shapes)
    plan = builder.build_serialized_network(definition, config)
    if plan is None:
        raise EngineError("TensorRT could not build the network for this GPU; its own log says why, another engine is used")
    return bytes(plan)


def _strongly_typed(trt: Any) -> int:
    """Flags for the network: TensorRT 11 knows no other typing, and may have dropped the flag."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


class TensorRtEngine:
    """See `base.Engine`. plan: of `build`, made on this GPU with this version. device: torch's, where the arrays lie.

    Raises `EngineError` for a plan that TensorRT does not take.
    """

    def __init__(self, plan: bytes, device: str = "cuda") -> None:
        import torch

        trt = module()
        self._torch, self._device = torch, torch.device(device)
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine: Any = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise EngineError("an engine for this GPU and this version of TensorRT was expected, another came; it is built again")
        self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError("TensorRT has no memory left for the network on this GPU; another engine is used")
        names = [self._engine.get_tensor_name(k) for k in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        self.inputs = tuple(self._spec(trt, name) for name in names if is_input[name])
        self.outputs = tuple(self._spec(trt, name) for name in names if not is_input[name])
        self.description = f"TensorRT {trt.__version__}"

    def _spec(self, trt: Any, name: str) -> TensorSpec:
        shape = tuple(None if size < 0 else int(size) for size in self._engine.get_tensor_shape(name))
        return TensorSpec(name, shape, np.dtype(trt.nptype(self._engine.get_tensor_dtype(name))))

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """See `base.Engine`."""
        if self._context is None:
            raise EngineError("an open engine was expected, this one is closed; make another")
        check(feeds, self.inputs)
        torch = self._torch
        made = self.on_device({n: torch.from_numpy(np.ascontiguousarray(a)).to(self._device) for n, a in feeds.items()})
        return {name: tensor.cpu().numpy() for name, tensor in made.items()}

    def on_device(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name, on the device, by its current stream and without waiting for it. feeds: all inputs, in the
        dtypes of `inputs`, on the device."""
        if self._context is None:
            raise EngineError("an open engine was expected, this one is closed; make another")
        torch, context = self._torch, self._context
        there = {name: tensor.contiguous() for name, tensor in feeds.items()}
        for name, tensor in there.items():
            if not context.set_input_shape(name, tuple(tensor.shape)):
                raise EngineError(f"the input {name} has a shape that the engine was not built for; build it for larger ones")
            context.set_tensor_address(name, tensor.data_ptr())
        made = {}
        for spec in self.outputs:
            shape = tuple(int(size) for size in context.get_tensor_shape(spec.name))
            made[spec.name] = torch.empty(shape, dtype=torch.from_numpy(np.zeros(1, spec.dtype)).dtype, device=self._device)
            context.set_tensor_address(spec.name, made[spec.name].data_ptr())
        stream = torch.cuda.current_stream(self._device) if self._device.type == "cuda" else None
        if not context.execute_async_v3(0 if stream is None else stream.cuda_stream):
            raise EngineError("TensorRT could not run the network; its own log says why, choose another engine")
        return made

    def close(self) -> None:
        """See `base.Engine`."""
        self._context = self._engine = None
