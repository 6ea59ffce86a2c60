"""Operations on LANES neighbouring numbers at once, written out as LLVM vector code.

LLVM finds this code itself in most loops of the kernels. Not where it cannot know that two ranges of a buffer are apart
(it guards the loop, every time it runs), nor where the loop is short (it unrolls it first, and stays scalar). These few
spots are spelled out here: 16 floats are one AVX-512 register, two of AVX2, four of NEON; LLVM splits them as the
machine needs.

`buffer` is a 1D float32 array, places in it are uint64, and no bounds are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16  # pixels of a row that are worked on at a time

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FUSE = ("contract",)


class Emit:
    """Vector instructions for one call of an intrinsic; the first of its arguments is the buffer."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self._data = context.make_array(signature.args[0])(context, builder, arguments[0]).data

    def _pointer(self, place: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(self._data, [place]), _VECTOR.as_pointer())

    def load(self, place: Any) -> Any:
        return self.builder.load(self._pointer(place), align=4)

    def store(self, value: Any, place: Any) -> None:
        self.builder.store(value, self._pointer(place), align=4)

    def spread(self, number: Any) -> Any:
        """The same number in all lanes."""
        undefined, zero = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(self.builder.insert_element(undefined, number, zero), undefined, lanes)

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=_FUSE)

    def plus(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=_FUSE)

    def minus(self, a: Any, b: Any) -> Any:
        return self.builder.fsub(a, b, flags=_FUSE)

    def fused(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c, in one instruction where the machine has it."""
        return self._call("llvm.fmuladd", [a, b, c])

    def less(self, a: Any, b: Any, c: Any) -> Any:
        """a - b * c, in one instruction where the machine has it."""
        return self.fused(self.builder.fneg(b), c, a)

    def least(self, a: Any, b: Any) -> Any:
        """The smaller one; `b` where `a` is not a number."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def most(self, a: Any, b: Any) -> Any:
        """The larger one; `b` where `a` is not a number."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def number(self, place: Any) -> Any:
        """The single float at a place."""
        return self.builder.load(self.builder.gep(self._data, [place]), align=4)

    def constant(self, value: float) -> Any:
        """The same constant in all lanes."""
        return self.ramp([value] * LANES)

    def ramp(self, values: Sequence[float]) -> Any:
        """LANES constants."""
        return ir.Constant(_VECTOR, [float(np.float32(value)) for value in values])

    def add_to(self, place: Any, value: Any) -> None:
        self.store(self.plus(self.load(place), value), place)

    def total(self, value: Any) -> Any:
        """The sum over the lanes, in any order."""
        return self._call("llvm.vector.reduce.fadd", [ir.Constant(_FLOAT, 0.0), value], _FLOAT, ("reassoc",))

    def _call(self, name: str, arguments: list[Any], result: Any = _VECTOR, flags: tuple[str, ...] = ()) -> Any:
        """An LLVM intrinsic on vectors of LANES floats."""
        module, name = self.builder.module, f"{name}.v{LANES}f32"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(function, arguments, fastmath=flags)


@intrinsic
def add_scaled(typingctx: Any, buffer: Any, target: Any, source: Any, factor: Any) -> Any:
    """buffer[target + k] += buffer[source + k] * factor (float32)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit, (_, at, from_, number) = Emit(context, builder, signature, arguments), arguments
        emit.add_to(at, emit.times(emit.load(from_), emit.spread(number)))
        return context.get_dummy_value()

    return types.void(buffer, types.uint64, types.uint64, types.float32), generate


@intrinsic
def add_channel(typingctx: Any, buffer: Any, share: Any, factor: Any, sums: Any, weight: Any, gradient: Any) -> Any:
    """One channel's step of blend_backward.py, with g = buffer[gradient + k]:

    share += g * factor (float32); sums += g * weight. All but the factor are places.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emit(context, builder, signature, arguments)
        _, share_, factor_, sums_, weight_, gradient_ = arguments
        g = emit.load(gradient_)
        emit.add_to(share_, emit.times(g, emit.spread(factor_)))
        emit.add_to(sums_, emit.times(g, emit.load(weight_)))
        return context.get_dummy_value()

    place = types.uint64
    return types.void(buffer, place, types.float32, place, place, place), generate


@intrinsic
def scale_by_ramp(typingctx: Any, buffer: Any, place: Any, start: Any) -> Any:
    """buffer[place + k] *= start + k (start float32)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit, (_, at, number) = Emit(context, builder, signature, arguments), arguments
        ramp = emit.plus(emit.spread(number), emit.ramp(range(LANES)))
        emit.store(emit.times(emit.load(at), ramp), at)
        return context.get_dummy_value()

    return types.void(buffer, types.uint64, types.float32), generate


@intrinsic
def lane_sum(typingctx: Any, buffer: Any, place: Any) -> Any:
    """The sum of buffer[place : place + LANES], float32, in any order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emit(context, builder, signature, arguments)
        return emit.total(emit.load(arguments[1]))

    return types.float32(buffer, types.uint64), generate


@intrinsic
def take_shares(
    typingctx: Any, buffer: Any, weight: Any, share: Any, behind: Any, ratio: Any, free: Any, sums: Any, dy: Any
) -> Any:
    """One row's step of blend_backward.py, with s = weight * share and e = free * (s - behind * ratio):

    behind += s; sums += e; sums[LANES:] += e * dy; sums[2 * LANES:] += e * dy^2. All but dy (float32) are places.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emit(context, builder, signature, arguments)
        _, weight_, share_, behind_, ratio_, free_, sums_, dy_ = arguments
        s, b = emit.times(emit.load(weight_), emit.load(share_)), emit.load(behind_)
        e = emit.times(emit.load(free_), emit.minus(s, emit.times(b, emit.load(ratio_))))
        emit.store(emit.plus(b, s), behind_)
        step = ir.Constant(ir.IntType(64), LANES)
        for power in range(3):
            emit.add_to(sums_, e)
            sums_ = builder.add(sums_, step)
            e = emit.times(e, emit.spread(dy_)) if power < 2 else e
        return context.get_dummy_value()

    place = types.uint64
    return types.void(buffer, place, place, place, place, place, place, types.float32), generate
