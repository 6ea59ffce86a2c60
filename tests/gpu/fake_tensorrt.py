"""TensorRT's Python package as its documentation describes version 11, on the processor: so that what calls it can be tried
without a GPU. It refuses names, orders and types that the documentation does not have, and runs networks with ONNX Runtime on
the memory that it is given the addresses of."""

from __future__ import annotations

import ctypes
import enum
import pickle
import sys
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

VERSION = "11.4.1"
_FLOATS = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.INT64: "int64"}
_runs: list[str] = []


class DataType(enum.Enum):
    FLOAT, HALF, INT64 = "float32", "float16", "int64"


class TensorIOMode(enum.Enum):
    NONE, INPUT, OUTPUT = range(3)


class MemoryPoolType(enum.Enum):
    WORKSPACE, DLA_MANAGED_SRAM = range(2)


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED, PREFER_AOT_PYTHON_PLUGINS, PREFER_JIT_PYTHON_PLUGINS = range(3)  # the first is ignored since 11.0


class _Severity(enum.Enum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class Logger:
    Severity = _Severity
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = _Severity

    def __init__(self, min_severity: _Severity = _Severity.WARNING) -> None:
        assert isinstance(min_severity, _Severity)


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name


class _Network:
    def __init__(self) -> None:
        self.model: onnx.ModelProto | None = None

    @property
    def num_inputs(self) -> int:
        assert self.model is not None, "parse first"
        return len(self.model.graph.input)

    def get_input(self, index: int) -> _Named:
        assert self.model is not None
        return _Named(self.model.graph.input[index].name)


class _Error:
    def __init__(self, text: str) -> None:
        self._text = text

    def desc(self) -> str:
        return self._text


class OnnxParser:
    def __init__(self, network: _Network, logger: Logger) -> None:
        assert isinstance(network, _Network) and isinstance(logger, Logger)
        self._network, self._errors = network, list[_Error]()

    def parse(self, model: bytes) -> bool:
        assert isinstance(model, bytes)
        try:
            self._network.model = onnx.load_from_string(model)
            onnx.checker.check_model(self._network.model)
        except Exception as error:
            self._errors = [_Error(f"ModelImporter: {str(error)[:80]}")]
        return not self._errors

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> _Error:
        return self._errors[index]


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, Any] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002 - as documented
        for shape in (min, opt, max):
            assert isinstance(shape, tuple) and all(isinstance(size, int) and size > 0 for size in shape)
        assert all(a <= b <= c for a, b, c in zip(min, opt, max, strict=True))
        self.shapes[input] = (min, opt, max)


class _Config:
    def __init__(self) -> None:
        self.profiles: list[_Profile] = []

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        assert isinstance(pool, MemoryPoolType) and isinstance(pool_size, int)

    def add_optimization_profile(self, profile: _Profile) -> int:
        assert isinstance(profile, _Profile)
        self.profiles.append(profile)
        return len(self.profiles) - 1


class Builder:
    def __init__(self, logger: Logger) -> None:
        assert isinstance(logger, Logger)

    def create_network(self, flags: int = 0) -> _Network:
        assert isinstance(flags, int) and flags & ~0b1 == 0
        return _Network()

    def create_builder_config(self) -> _Config:
        return _Config()

    def create_optimization_profile(self) -> _Profile:
        return _Profile()

    def build_serialized_network(self, network: _Network, config: _Config) -> memoryview | None:
        model = network.model
        assert model is not None and len(config.profiles) == 1, "a network with free sizes needs a profile"
        shapes = config.profiles[0].shapes
        if {node.name for node in model.graph.input} != set(shapes):
            return None
        for node in model.graph.input:  # a size that the network fixes is that of all three shapes
            sizes = [d.dim_value if d.HasField("dim_value") else None for d in node.type.tensor_type.shape.dim]
            for shape in shapes[node.name]:
                if len(shape) != len(sizes) or any(a not in (None, b) for a, b in zip(sizes, shape, strict=True)):
                    return None
        _runs.append("build")
        return memoryview(pickle.dumps((VERSION, model.SerializeToString(), shapes)))


class Runtime:
    def __init__(self, logger: Logger) -> None:
        assert isinstance(logger, Logger)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> _Engine | None:
        assert isinstance(serialized_engine, bytes)
        try:
            version, model, shapes = pickle.loads(serialized_engine)
        except Exception:
            return None
        return _Engine(model, shapes) if version == VERSION else None


class _Engine:
    def __init__(self, model: bytes, shapes: dict[str, Any]) -> None:
        graph = onnx.load_from_string(model).graph
        self.shapes = shapes
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._nodes = {node.name: (mode, node.type.tensor_type) for mode, nodes in (
            (TensorIOMode.INPUT, graph.input), (TensorIOMode.OUTPUT, graph.output)) for node in nodes}  # fmt: skip

    @property
    def num_io_tensors(self) -> int:
        return len(self._nodes)

    def get_tensor_name(self, index: int) -> str:
        return list(self._nodes)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return self._nodes[name][0]

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType(_FLOATS[self._nodes[name][1].elem_type])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in self._nodes[name][1].shape.dim)

    def create_execution_context(self) -> _Context:
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine, self._shapes, self._addresses = engine, dict[str, tuple[int, ...]](), dict[str, int]()

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self._engine.get_tensor_mode(name) == TensorIOMode.INPUT
        least, _, most = self._engine.shapes[name]
        fits = len(shape) == len(least) and all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True))
        if fits:
            self._shapes[name] = shape
        return fits

    def set_tensor_address(self, name: str, memory: int) -> bool:
        assert isinstance(memory, int) and memory > 0 and self._engine.get_tensor_mode(name) != TensorIOMode.NONE
        self._addresses[name] = memory
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        batch = next(iter(self._shapes.values()))[0]
        shape = self._shapes.get(name, self._engine.get_tensor_shape(name))
        return tuple(batch if size < 0 else size for size in shape)

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert isinstance(stream_handle, int)
        engine = self._engine
        if set(self._addresses) != set(engine._nodes) or set(self._shapes) != set(engine.shapes):
            return False  # what has no address or no shape
        names = [engine.get_tensor_name(k) for k in range(engine.num_io_tensors)]
        arrays = {name: self._array(name) for name in names}
        feeds = {name: arrays[name] for name in names if engine.get_tensor_mode(name) == TensorIOMode.INPUT}
        made = [name for name in names if name not in feeds]
        for name, value in zip(made, engine.session.run(made, feeds), strict=True):
            arrays[name][...] = value
        _runs.append("run")
        return True

    def _array(self, name: str) -> np.ndarray:
        kind, shape = np.dtype(self._engine.get_tensor_dtype(name).value), self.get_tensor_shape(name)
        size = int(np.prod(shape)) * kind.itemsize
        buffer = (ctypes.c_byte * size).from_address(self._addresses[name])
        return np.frombuffer(memoryview(buffer), kind).reshape(shape)


def nptype(kind: DataType) -> type:
    assert isinstance(kind, DataType)
    return np.dtype(kind.value).type


def install(monkeypatch: pytest.MonkeyPatch, version: str = VERSION) -> list[str]:
    """Let `import tensorrt` find this. Returns what is done from now on: "build" and "run"."""
    module = ModuleType("tensorrt")
    for thing in (
        DataType, TensorIOMode, MemoryPoolType, NetworkDefinitionCreationFlag, Logger, OnnxParser, Builder, Runtime, nptype,
    ):  # fmt: skip
        setattr(module, thing.__name__, thing)
    setattr(module, "__version__", version)  # noqa: B010 - a module has none of its own
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    _runs.clear()
    return _runs
