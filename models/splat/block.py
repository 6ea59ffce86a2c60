"""One block of BLOCK x BLOCK pixels, drawn in the machine's registers, written out as LLVM vector code.

A lane is a pixel. T and the three colours of the block are read once, every splat of a batch that touches the block is laid
over them (steps 4 and 5 of base.py), nearest first, and they are written back once; a splat's numbers are read as needed.

A pixel that is finished keeps its T with the sign turned: then T - alpha T is under T_MIN for whatever comes later, and no
second flag is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from models.splat import base
from models.splat.lanes import LANES, Emit

BLOCK = 4  # pixels
STATE = 4 * LANES  # floats of a block's state: T, red, green, blue; in each the pixels row by row
BATCH = 64  # splats that are worked on at a time, as a mask has bits
FIELDS = 9  # numbers of a splat of a batch, in this order; u and v count from the centre of the tile's first pixel
U, V, A, SHEAR, C, L, RED, GREEN, BLUE = range(FIELDS)

LOG2_ALPHA_MIN = float(np.log2(base.ALPHA_MIN))
# 2^f for f in [-1/2, 1/2], smallest largest relative error, the highest power first.
_EXP2 = (1.3264727e-3, 9.6715127e-3, 5.5507337e-2, 0.24022242, 0.69314698, 1.0)
_ROUND = 1.5 * 2.0**23  # added to a small number: rounds it to a whole one, which then stands in the lowest bits
_MANTISSA_BITS = 23

_LONG = ir.IntType(64)
_WHOLE = ir.VectorType(ir.IntType(32), LANES)
_SIGN = -(2**31)


@intrinsic
def blend_block(typingctx: Any, buffer: Any, state: Any, batch: Any, touching: Any, column: Any, row: Any, least: Any) -> Any:
    """Lay the splats of a batch over a block; whether T of any unfinished pixel is over `least` (float32) after that.

    buffer: (B,) float32. state, batch: places in it (uint64) of the block's STATE floats and of the batch: field f of splat j is
    at batch + f * BATCH + j. touching: uint64, not 0, bit j set where splat j is to be drawn. column, row: of the block's first
    pixel in the tile (float32).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = BlockEmit(context, builder, signature, arguments)
        _, state_, batch_, touching_, column_, row_, least_ = arguments
        places = [builder.add(state_, ir.Constant(_LONG, k * LANES)) for k in range(4)]
        x, y = emit.places(column_, row_)
        before, start = [emit.load(place) for place in places], builder.block
        loop, after = builder.append_basic_block("splats"), builder.append_basic_block("drawn")
        builder.branch(loop)

        builder.position_at_end(loop)
        left = builder.phi(_LONG)
        values = [builder.phi(value.type) for value in before]
        splat = builder.cttz(left, ir.Constant(ir.IntType(1), 1))
        rest = builder.and_(left, builder.sub(left, ir.Constant(_LONG, 1)))
        drawn = emit.splat(emit.fields(batch_, splat), x, y, values)
        builder.cbranch(builder.icmp_unsigned("!=", rest, ir.Constant(_LONG, 0)), loop, after)
        for phi, first, again in zip([left, *values], [touching_, *before], [rest, *drawn], strict=True):
            phi.add_incoming(first, start)
            phi.add_incoming(again, loop)

        builder.position_at_end(after)
        for value, place in zip(drawn, places, strict=True):
            emit.store(value, place)
        unfinished = builder.fcmp_ordered(">", drawn[0], emit.spread(least_))
        return builder.icmp_unsigned("!=", builder.bitcast(unfinished, ir.IntType(LANES)), ir.Constant(ir.IntType(LANES), 0))

    place = types.uint64
    number = types.float32
    return types.boolean(buffer, place, place, types.uint64, number, number, number), generate


@intrinsic
def store_block(typingctx: Any, buffer: Any, state: Any, background: Any, out: Any, first: Any, step: Any) -> Any:
    """Write a block over the background as bytes, rounded to the nearest.

    buffer, state: as in `blend_block`. background: three float32. out: (H, W, 3) uint8, contiguous; first: uint64, the place in
    it, counted in bytes, of the block's first pixel; step: uint64, bytes from row to row. The whole block is within the picture.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = BlockEmit(context, builder, signature, arguments)
        _, state_, background_, out_, first_, step_ = arguments
        t, *colors = (emit.load(builder.add(state_, ir.Constant(_LONG, k * LANES))) for k in range(4))
        t = emit.size(t)
        behind = [emit.spread(builder.extract_value(background_, k)) for k in range(3)]
        red, green, blue = (emit.byte(emit.fused(t, back, color)) for back, color in zip(behind, colors, strict=True))
        # A pixel is four bytes of a lane, the lowest first in memory on every machine that numba compiles for.
        shifts = [ir.Constant(_WHOLE, [8 * k] * LANES) for k in range(3)]
        green, blue = builder.shl(green, shifts[1]), builder.shl(blue, shifts[2])
        packed = builder.bitcast(builder.or_(builder.or_(red, green), blue), ir.VectorType(ir.IntType(8), 4 * LANES))
        data = context.make_array(signature.args[3])(context, builder, out_).data
        for row in range(BLOCK):
            lanes = [4 * (row * BLOCK + k) + channel for k in range(BLOCK) for channel in range(3)]
            pixels = builder.shuffle_vector(packed, packed, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))
            place = builder.gep(data, [builder.add(first_, builder.mul(step_, ir.Constant(_LONG, row)))])
            builder.store(pixels, builder.bitcast(place, pixels.type.as_pointer()), align=1)
        return context.get_dummy_value()

    place = types.uint64
    return types.void(buffer, place, types.UniTuple(types.float32, 3), out, place, place), generate


class BlockEmit(Emit):
    """Vector instructions for the 16 pixels of a block."""

    def places(self, column: Any, row: Any) -> tuple[Any, Any]:
        """x and y of the block's pixels in the tile."""
        x, y = self.ramp([k % BLOCK for k in range(LANES)]), self.ramp([k // BLOCK for k in range(LANES)])
        return self.plus(x, self.spread(column)), self.plus(y, self.spread(row))

    def fields(self, batch: Any, splat: Any) -> list[Any]:
        """The splat's FIELDS numbers, each in all lanes."""
        places = (self.builder.add(batch, ir.Constant(_LONG, k * BATCH)) for k in range(FIELDS))
        return [self.spread(self.number(self.builder.add(place, splat))) for place in places]

    def alpha(self, fields: list[Any], dx: Any, dy: Any) -> tuple[Any, Any]:
        """What a splat covers of each pixel at (dx, dy) from its centre, and the same before the clamp where it touches."""
        a, shear, c, level = fields[A : L + 1]
        sheared = self.fused(shear, dy, dx)
        log_alpha = self.less(self.less(level, self.times(c, dy), dy), self.times(a, sheared), sheared)
        density = self.exp2(self.most(log_alpha, self.constant(LOG2_ALPHA_MIN - 1.0)))
        touched = self.builder.fcmp_ordered(">=", log_alpha, self.constant(LOG2_ALPHA_MIN))
        opaque = self.least(density, self.constant(base.ALPHA_MAX))
        return self.builder.select(touched, opaque, self.constant(0.0)), density

    def transmitted(self, t: Any, alpha: Any) -> tuple[Any, Any]:
        """T after a splat, its sign turned where the pixel is finished; and where it is not."""
        behind = self.less(t, alpha, t)
        is_open = self.builder.fcmp_ordered(">", behind, self.constant(base.T_MIN))
        signed = self.builder.or_(self.builder.bitcast(t, _WHOLE), ir.Constant(_WHOLE, [_SIGN] * LANES))
        return self.builder.select(is_open, behind, self.builder.bitcast(signed, t.type)), is_open

    def splat(self, fields: list[Any], x: Any, y: Any, values: list[Any]) -> list[Any]:
        """T and the colours after one splat."""
        alpha, _ = self.alpha(fields, self.minus(x, fields[U]), self.minus(y, fields[V]))
        after, is_open = self.transmitted(values[0], alpha)
        weight = self.builder.select(is_open, self.times(alpha, values[0]), self.constant(0.0))
        colors = [self.fused(weight, field, value) for field, value in zip(fields[RED:], values[1:], strict=True)]
        return [after, *colors]

    def exp2(self, x: Any) -> Any:
        """2^x for x in [-126, 127]."""
        builder = self.builder
        shifted = builder.fadd(x, self.constant(_ROUND))
        f = builder.fsub(x, builder.fsub(shifted, self.constant(_ROUND)))
        power = self.constant(_EXP2[0])
        for factor in _EXP2[1:]:
            power = self.fused(power, f, self.constant(factor))
        whole = builder.shl(builder.bitcast(shifted, _WHOLE), ir.Constant(_WHOLE, [_MANTISSA_BITS] * LANES))
        return builder.bitcast(builder.add(builder.bitcast(power, _WHOLE), whole), x.type)

    def size(self, value: Any) -> Any:
        """The absolute value."""
        whole = self.builder.and_(self.builder.bitcast(value, _WHOLE), ir.Constant(_WHOLE, [2**31 - 1] * LANES))
        return self.builder.bitcast(whole, value.type)

    def byte(self, value: Any) -> Any:
        """[0, 1] to 0 .. 255, rounded to the nearest, int32."""
        inside = self.least(self.most(value, self.constant(0.0)), self.constant(1.0))
        scaled = self.fused(inside, self.constant(255.0), self.constant(0.5))
        return self.builder.fptosi(scaled, _WHOLE)
