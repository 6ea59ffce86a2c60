"""Networks on ONNX Runtime: on the processor, on CUDA, or on TensorRT by way of ONNX Runtime's provider."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.engines.base import Arrays, EngineError, TensorSpec, check
from models.errors import MissingPartError

Provider = Literal["cpu", "cuda", "tensorrt"]
PROVIDERS: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
TYPES = {"float": np.float32, "float16": np.float16, "double": np.float64, "int64": np.int64, "int32": np.int32, "bool": np.bool_}


def available() -> tuple[Provider, ...]:
    """What this machine's ONNX Runtime can run on, the processor first; empty where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return ()
    there = onnxruntime.get_available_providers()
    return tuple(provider for provider, name in PROVIDERS.items() if name in there)


class OnnxEngine:
    """See `base.Engine`. network: an ONNX file's bytes. threads: of the processor.

    Raises `MissingPartError` without onnxruntime or without the provider, `EngineError` for what is no network.
    """

    def __init__(self, network: bytes, *, provider: Provider = "cpu", threads: int = 1, half: bool = False) -> None:
        if provider not in available():
            package = "onnxruntime" if provider == "cpu" else "onnxruntime-gpu"
            raise MissingPartError(
                f"ONNX Runtime for {provider} is not installed here; install {package} or choose another engine"
            )
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores are shared with a call
        chosen: list[Any] = [PROVIDERS["cpu"]]
        if provider == "cuda":
            chosen.insert(0, PROVIDERS["cuda"])
        if provider == "tensorrt":
            chosen[:0] = [(PROVIDERS["tensorrt"], {"trt_fp16_enable": half}), PROVIDERS["cuda"]]
        try:
            self._session: Any = onnxruntime.InferenceSession(network, options, providers=chosen)
        except Exception as error:  # its errors share no class of their own
            reason = re.sub(r"\s+", " ", str(error))[:160]
            raise EngineError(f"a network in ONNX was expected, ONNX Runtime refuses it ({reason}); export it again") from None
        self.description = f"ONNX Runtime on {provider}" + (f", threads: {threads}" if provider == "cpu" else "")
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """See `base.Engine`."""
        if self._session is None:
            raise EngineError("an open engine was expected, this one is closed; make another")
        check(feeds, self.inputs)
        try:
            out = self._session.run(None, dict(feeds))
        except Exception as error:
            reason = re.sub(r"\s+", " ", str(error))[-160:]
            raise EngineError(f"the network stopped ({reason}); export it again, or choose another engine") from None
        return {spec.name: array for spec, array in zip(self.outputs, out, strict=True)}

    def close(self) -> None:
        """See `base.Engine`."""
        self._session = None


def _spec(node: Any) -> TensorSpec:
    kind = re.sub(r"tensor\((.*)\)", r"\1", node.type)
    if kind not in TYPES:
        raise EngineError(f"the network takes or gives {node.type}, which is not supported; export it with another type")
    return TensorSpec(node.name, tuple(s if isinstance(s, int) else None for s in node.shape), np.dtype(TYPES[kind]))
