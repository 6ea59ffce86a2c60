"""The gradient of one block of pixels (block.py), nearest splat first as it was drawn.

With g the gradient at a pixel and d = g . colour a splat's share of it (blend_backward.py has the derivation),

    e = d loss / d ln(alpha) = w d - behind alpha / (1 - alpha),
    behind = (sum of w d over the splats further back) - T_final g_alpha + T_final g . background.

Over all splats of a pixel that is g . (picture) - T_final g_alpha, and what a splat drew is taken off as it is met; so the same
splats are left out behind a finished block as when it was drawn.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from models.splat import base
from models.splat.block import RED, BlockEmit, U, V
from models.splat.lanes import LANES

STATE = 5 * LANES  # floats of a block's state: T, what is behind, the gradients by red, green, blue
SUMS = LANES  # floats a splat of a batch, in this order: e times 1, dx, dx^2, dy, dx dy, dy^2; 0; the gradients by the colours
USED = 10  # of them

_LONG = ir.IntType(64)


@intrinsic
def blend_block_backward(
    typingctx: Any, buffer: Any, state: Any, batch: Any, sums: Any, touching: Any, column: Any, row: Any
) -> Any:
    """Go through the splats of a batch as `blend_block`, and add what the block says about splat j to the SUMS floats at
    sums + j * SUMS; whether any pixel is unfinished after that. state: of the block's STATE floats; the rest as there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emit(context, builder, signature, arguments)
        _, state_, batch_, sums_, touching_, column_, row_ = arguments
        places = [builder.add(state_, ir.Constant(_LONG, k * LANES)) for k in range(5)]
        x, y = emit.places(column_, row_)
        t, behind, *gradients = [emit.load(place) for place in places]
        before, start = [t, behind], builder.block
        loop, after = builder.append_basic_block("splats"), builder.append_basic_block("gone")
        builder.branch(loop)

        builder.position_at_end(loop)
        left = builder.phi(_LONG)
        values = [builder.phi(value.type) for value in before]
        splat = builder.cttz(left, ir.Constant(ir.IntType(1), 1))
        rest = builder.and_(left, builder.sub(left, ir.Constant(_LONG, 1)))
        *again, total = emit.splat_backward(emit.fields(batch_, splat), x, y, values, gradients)
        emit.add_to(builder.add(sums_, builder.mul(splat, ir.Constant(_LONG, SUMS))), total)
        builder.cbranch(builder.icmp_unsigned("!=", rest, ir.Constant(_LONG, 0)), loop, after)
        for phi, first, then in zip([left, *values], [touching_, *before], [rest, *again], strict=True):
            phi.add_incoming(first, start)
            phi.add_incoming(then, loop)

        builder.position_at_end(after)
        for value, place in zip(again, places[:2], strict=True):
            emit.store(value, place)
        unfinished = builder.fcmp_ordered(">", again[0], emit.constant(0.0))
        return builder.icmp_unsigned("!=", builder.bitcast(unfinished, ir.IntType(LANES)), ir.Constant(ir.IntType(LANES), 0))

    place, number = types.uint64, types.float32
    return types.boolean(buffer, place, place, place, types.uint64, number, number), generate


class _Emit(BlockEmit):
    def splat_backward(self, fields: list[Any], x: Any, y: Any, values: list[Any], gradients: list[Any]) -> list[Any]:
        """T and what is behind after one splat, and the splat's SUMS."""
        builder, (t, behind) = self.builder, values
        zero, one = self.constant(0.0), self.constant(1.0)
        dx, dy = self.minus(x, fields[U]), self.minus(y, fields[V])
        covered, density = self.alpha(fields, dx, dy)
        after, is_open = self.transmitted(t, covered)
        alpha = builder.select(is_open, covered, zero)
        weight = self.times(alpha, t)
        share = self.times(fields[RED], gradients[0])
        for field, gradient in zip(fields[RED + 1 :], gradients[1:], strict=True):
            share = self.fused(field, gradient, share)
        drawn = self.times(weight, share)
        behind = self.minus(behind, drawn)
        ratio = builder.fdiv(alpha, self.minus(one, alpha), flags=("arcp",))
        free = builder.fcmp_ordered("<=", density, self.constant(base.ALPHA_MAX))
        e = builder.select(free, self.less(drawn, behind, ratio), zero)
        ex, ey = self.times(e, dx), self.times(e, dy)
        moments = [e, ex, self.times(ex, dx), ey, self.times(ex, dy), self.times(ey, dy)]
        return [after, behind, self.totals([*moments, zero, *(self.times(weight, g) for g in gradients)])]

    def totals(self, vectors: list[Any]) -> Any:
        """Lane k of the result is the sum over the lanes of vectors[k], at most LANES of them.

        Two vectors become one with the sums of their halves, side by side; so on until one is left.
        """
        width = LANES
        vectors = vectors + [self.constant(0.0)] * (LANES - len(vectors))
        while width > 1:
            width //= 2
            low = [k for k in range(2 * LANES) if not k & width]
            high = [k | width for k in low]
            vectors = [self._halves(a, b, low, high) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def _halves(self, a: Any, b: Any, low: list[int], high: list[int]) -> Any:
        first, second = (
            self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)) for lanes in (low, high)
        )
        return self.plus(first, second)
