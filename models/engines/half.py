"""Half precision put into a network: what multiplies gets float16, what adds many numbers up or divides stays in float32."""

from __future__ import annotations

import importlib.util
import warnings

from models.errors import MissingPartError

KEPT = ("Softmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "ReduceMean", "Pow", "Sqrt", "Erf", "Exp")
"""Operators that stay in float32: they overflow or lose too much in half."""


def converted(network: bytes) -> bytes:
    """An ONNX file's bytes with weights and arithmetic in float16; inputs and outputs stay as they are.

    Raises `MissingPartError` without the packages onnx and onnxruntime.
    """
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        raise MissingPartError("half precision needs the packages onnx and onnxruntime; install visavis[engines]")
    import onnx
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    blocked = [*float16.DEFAULT_OP_BLOCK_LIST, *KEPT]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of each weight that is too small for half precision
        model = float16.convert_float_to_float16(onnx.load_from_string(network), keep_io_types=True, op_block_list=blocked)
    sorted_ = OnnxModel(model)
    sorted_.topological_sort()  # the casts that were added stand at the end
    return bytes(sorted_.model.SerializeToString())
