"""Networks on ONNX Runtime: on the processor, on CUDA, or on TensorRT by way of ONNX Runtime's provider."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.engines.base import Arrays, EngineError, Profile, TensorSpec, check
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
    """See `base.Engine`. network: an ONNX file's bytes. threads: of the processor. half: whether a GPU may
    compute with less than float32: TensorRT in half precision, CUDA's products in TF32. profile: the shapes that TensorRT builds
    for, without which it would build again at each new one.

    Raises `MissingPartError` without onnxruntime, without the provider or where that cannot be loaded, `EngineError` for what is
    no network.
    """

    def __init__(
        self,
        network: bytes,
        *,
        provider: Provider = "cpu",
        threads: int = 1,
        half: bool = False,
        profile: Profile | None = None,
    ) -> None:
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
        if provider != "cpu":
            _load_cuda(onnxruntime)
            chosen.insert(0, (PROVIDERS["cuda"], {"use_tf32": str(int(half))}))
        if provider == "tensorrt":
            chosen.insert(0, (PROVIDERS["tensorrt"], {"trt_fp16_enable": half, **_shapes(profile or {})}))
        try:
            self._session: Any = onnxruntime.InferenceSession(network, options, providers=chosen)
        except Exception as error:  # its errors share no class of their own
            reason = re.sub(r"\s+", " ", str(error))[:160]
            raise EngineError(f"a network in ONNX was expected, ONNX Runtime refuses it ({reason}); export it again") from None
        if self._session.get_providers()[0] != PROVIDERS[provider]:  # it goes on without a word
            raise MissingPartError(
                f"ONNX Runtime for {provider} is there, but cannot be loaded; onnxruntime-gpu, CUDA and cuDNN have to fit"
            )
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


def _load_cuda(onnxruntime: Any) -> None:
    """CUDA's and cuDNN's libraries as torch brought them; ONNX Runtime looks for those of the system alone."""
    import torch  # noqa: F401 - which loads its own

    if hasattr(onnxruntime, "preload_dlls"):  # from 1.21 on
        with contextlib.redirect_stdout(None):  # it prints what it does not find
            onnxruntime.preload_dlls()


def _shapes(profile: Profile) -> dict[str, str]:
    """The options of ONNX Runtime's TensorRT that say for which shapes it builds: x:1x4,y:1x4."""
    return {
        f"trt_profile_{size}_shapes": ",".join(f"{name}:{'x'.join(map(str, shapes[k]))}" for name, shapes in profile.items())
        for k, size in enumerate(("min", "opt", "max"))
        if profile
    }


def _spec(node: Any) -> TensorSpec:
    kind = re.sub(r"tensor\((.*)\)", r"\1", node.type)
    if kind not in TYPES:
        raise EngineError(f"the network takes or gives {node.type}, which is not supported; export it with another type")
    return TensorSpec(node.name, tuple(s if isinstance(s, int) else None for s in node.shape), np.dtype(TYPES[kind]))
