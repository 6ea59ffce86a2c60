"""Reflectance models: the light that skin, eyes, cloth, the inside of the mouth and strands send to the camera.

Each kernel writes linear RGB to `point.color`. Only `skin`, `eye` and `cloth` change `point.normal` (relief, cornea, folds).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.jit import kernel
from models.synthetic.noise import value_noise
from models.types import Array

f32 = np.float32
SKIN, LEFT_EYE, RIGHT_EYE, SOCKET, MOUTH, TONGUE, TEETH, CLOTH, HAT, RIM = range(10)
"""Materials of mesh faces."""
HAIR, WIRE, METAL = range(3)
"""Materials of strands."""
PLAIN, STRIPES, CHECKS, KNIT, DOTS = range(5)
"""Patterns of cloth."""


class Point(NamedTuple):
    """Working memory for one visible point; float32.

    position: (3,) metres on the template, or the unit direction from an eyeball's centre with z along the gaze. normal,
    to_camera, tangent (of a strand): (3,) unit, world frame. light: (4,) environment light, linear RGB, and the part
    of the key light that arrives, [0, 1]. texel: (6,) of the skin atlas. color: (3,) linear RGB, the result. map_normal: (3,)
    unit, what goes into the normal map.
    """

    position: Array
    normal: Array
    to_camera: Array
    tangent: Array
    light: Array
    texel: Array
    color: Array
    map_normal: Array


class KeyLight(NamedTuple):
    """direction: (3,) float32 unit, towards the light, world frame. color: (3,) float32 linear irradiance of a facing surface."""

    direction: Array
    color: Array


class EyeLook(NamedTuple):
    """centres: (2, 3) float32 metres, template. turns: (2, 3, 3) float32, rest -> world. iris: (3,) float32 linear RGB. params:
    (4,) float32: iris and pupil radius in radians, seed, redness [0, 1]. First axis: left, right."""

    centres: Array
    turns: Array
    iris: Array
    params: Array


@kernel(fastmath=True)
def _sample(atlas, u, v, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    height, width = atlas.shape[0], atlas.shape[1]
    u, v = u - f32(0.5), min(max(v - f32(0.5), f32(0.0)), f32(height - 1.001))
    iu, iv = int(np.floor(u)), int(v)
    a, b = u - f32(iu), v - f32(iv)
    x0, x1 = iu % width, (iu + 1) % width
    y1 = min(iv + 1, height - 1)
    wa, wb, wc, wd = (1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b
    for c in range(atlas.shape[2]):
        out[c] = wa * atlas[iv, x0, c] + wb * atlas[iv, x1, c] + wc * atlas[y1, x0, c] + wd * atlas[y1, x1, c]


@kernel(fastmath=True)
def _specular(n, view, key, sharpness):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Blinn-Phong with an integer exponent and Schlick's Fresnel term for skin."""
    hx, hy, hz = view[0] + key[0], view[1] + key[1], view[2] + key[2]
    inverse = f32(1.0) / np.sqrt(hx * hx + hy * hy + hz * hz + f32(1e-9))
    nh = max((n[0] * hx + n[1] * hy + n[2] * hz) * inverse, f32(0.0))
    vh = max((view[0] * hx + view[1] * hy + view[2] * hz) * inverse, f32(0.0))
    away = f32(1.0) - vh
    fresnel = f32(0.03) + f32(0.97) * away * away * away * away * away
    power, base = f32(1.0), nh
    while sharpness > 0:
        if sharpness & 1:
            power *= base
        base *= base
        sharpness >>= 1
    return fresnel * power


@kernel(fastmath=True)
def normalize(n):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Make n (3,) unit, in place."""
    inverse = f32(1.0) / np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] + f32(1e-12))
    n[0] *= inverse
    n[1] *= inverse
    n[2] *= inverse


@kernel(fastmath=True)
def skin(point, lamp, atlas):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Wrapped diffuse with red subsurface light at shadow edges, two Blinn-Phong lobes; relief from the atlas's slopes."""
    n, view, key, key_color, env, out = point.normal, point.to_camera, lamp.direction, lamp.color, point.light, point.color
    place, texel = point.position, point.texel
    height, width = f32(atlas.shape[0]), f32(atlas.shape[1])
    x, y, z = place[0], place[1], place[2]
    u = (np.arctan2(x, z) * f32(0.15915494) + f32(0.5)) * width
    v = (f32(0.5) - np.arctan2(y, np.sqrt(x * x + z * z)) * f32(0.31830989)) * height
    _sample(atlas, u, v, texel)
    # relief: the normal leans against the slope; columns run along (ny-free) horizontal tangents
    tx, tz = n[2], -n[0]
    length = np.sqrt(tx * tx + tz * tz) + f32(1e-5)
    tx, tz = tx / length, tz / length
    bx, by, bz = -n[1] * tz, n[0] * tz - n[2] * tx, n[1] * tx  # downwards on the surface
    fade = min(f32(1.0), length * f32(2.0)) * f32(0.55)
    n[0] -= fade * (texel[3] * tx + texel[4] * bx)
    n[1] -= fade * texel[4] * by
    n[2] -= fade * (texel[3] * tz + texel[4] * bz)
    normalize(n)
    facing = n[0] * key[0] + n[1] * key[1] + n[2] * key[2]
    gloss = texel[5]
    ambient = (env[0] + env[1] + env[2]) * f32(0.33333)
    spec = (_specular(n, view, key, 14) * f32(1.65) + _specular(n, view, key, 55) * f32(3.9) * gloss) * gloss
    lit = spec * env[3] * max(min(facing * f32(4.0) + f32(0.4), f32(1.0)), f32(0.0))
    nv = max(n[0] * view[0] + n[1] * view[1] + n[2] * view[2], f32(0.0))
    edge = (f32(1.0) - nv) * (f32(1.0) - nv)
    edge = edge * edge * (f32(1.0) - nv)
    sheen = ambient * (f32(0.018) + f32(0.22) * edge) * (f32(0.4) + gloss)
    for c in range(3):
        wrap = f32(0.34) if c == 0 else (f32(0.13) if c == 1 else f32(0.07))
        diffuse = max((facing + wrap) / (f32(1.0) + wrap), f32(0.0))
        shadow = env[3] * (f32(1.3) - f32(0.3) * env[3]) if c == 0 else env[3]
        # light that goes in beside a shadow comes out red
        out[c] = texel[c] * (env[c] + key_color[c] * f32(0.5) * diffuse * shadow) + key_color[c] * lit * f32(0.5) + sheen


@kernel(fastmath=True)
def eye(point, lamp, eyes, side):  # type: ignore[no-untyped-def]  # pragma: no cover
    """An eyeball with veins, fibres of the iris and a cornea that reflects. side: 0 left, 1 right."""
    direction, view, key, key_color, env = point.position, point.to_camera, lamp.direction, lamp.color, point.light
    n, out, iris, look, turn = point.map_normal, point.color, eyes.iris, eyes.params, eyes.turns[side]
    ex, ey, ez = direction[0], direction[1], direction[2]
    off = np.sqrt(ex * ex + ey * ey)
    angle = np.arctan2(off, ez)
    rim, pupil = look[0], look[1]
    inside = min(max((rim + f32(0.035) - angle) / f32(0.07), f32(0.0)), f32(1.0))
    inside = inside * inside * (f32(3.0) - f32(2.0) * inside)
    around = np.arctan2(ey, ex)
    seed = int(look[2])
    # white of the eye: yellowish, redder and veined to the corners
    corner = min(off * off * f32(1.3), f32(1.0))
    vein = (
        max(value_noise(ex * f32(26.0), ey * f32(60.0), ez * f32(9.0), seed) - f32(0.35), f32(0.0)) * corner * look[3] * f32(1.3)
    )
    white = (
        f32(0.52) - f32(0.12) * corner,
        f32(0.47) - f32(0.19) * corner - f32(0.3) * vein,
        f32(0.45) - f32(0.19) * corner - f32(0.3) * vein,
    )
    fibre = f32(0.5) * value_noise(np.cos(around) * f32(9.0), np.sin(around) * f32(9.0), angle * f32(4.0), seed)
    fibre += f32(0.5) * value_noise(np.cos(around) * f32(21.0), np.sin(around) * f32(21.0), angle * f32(5.0), seed + 1)
    radial = min(max((angle - pupil) / (rim - pupil), f32(0.0)), f32(1.0))
    collar = np.exp(-(((radial - f32(0.22)) * f32(6.0)) ** 2))
    ring = f32(1.0) - f32(0.75) * max(radial - f32(0.72), f32(0.0)) / f32(0.28)
    dark = min(max((angle - pupil) / f32(0.045), f32(0.0)), f32(1.0))
    # the iris is a bowl: the side away from the light is the bright one
    nx, ny, nz = -f32(1.3) * ex, -f32(1.3) * ey, ez
    kx = turn[0, 0] * key[0] + turn[1, 0] * key[1] + turn[2, 0] * key[2]
    ky = turn[0, 1] * key[0] + turn[1, 1] * key[1] + turn[2, 1] * key[2]
    kz = turn[0, 2] * key[0] + turn[1, 2] * key[1] + turn[2, 2] * key[2]
    bowl = max(nx * kx + ny * ky + nz * kz, f32(0.0))
    ball = max(ex * kx + ey * ky + ez * kz + f32(0.25), f32(0.0)) / f32(1.25)
    # the upper lid shades the upper part of the ball
    lid = f32(1.0) - f32(0.55) * min(max(ey * f32(2.4) - f32(0.10), f32(0.0)), f32(1.0))
    side = f32(1.0) - f32(0.3) * min(max(abs(ex) * f32(1.6) - f32(0.5), f32(0.0)), f32(1.0))
    shade = lid * side
    visible = min(env[3] * f32(1.25), f32(1.0))
    for c in range(3):
        colored = iris[c] * (f32(0.85) + f32(0.75) * fibre) * ring * (f32(1.0) + f32(0.5) * collar)
        if c == 0:
            colored += iris[1] * collar * f32(0.35)
        colored = colored * dark + f32(0.002)
        albedo = white[c] * (f32(1.0) - inside) + colored * inside
        light = (env[c] + f32(0.03)) * shade + key_color[c] * f32(0.5) * visible * lid * (
            ball * (f32(1.0) - inside) + f32(1.5) * bowl * inside
        )
        out[c] = albedo * light
    # cornea: steeper than the ball, mirrors the key and a soft window above
    bulge = f32(1.75) if angle < rim + f32(0.1) else f32(1.0)
    cx, cy, cz = ex * bulge, ey * bulge, ez
    for a in range(3):
        n[a] = turn[a, 0] * cx + turn[a, 1] * cy + turn[a, 2] * cz
    normalize(n)
    hx, hy, hz = view[0] + key[0], view[1] + key[1], view[2] + key[2]
    inverse = f32(1.0) / np.sqrt(hx * hx + hy * hy + hz * hz + f32(1e-9))
    nh = max((n[0] * hx + n[1] * hy + n[2] * hz) * inverse, f32(0.0))
    strength = (key_color[0] + key_color[1] + key_color[2]) * f32(0.3333)
    glint = (min(nh ** f32(220.0) * f32(3.0), f32(1.3)) * (f32(0.3) + strength)) * min(visible + f32(0.15), f32(1.0))
    # and always something bright beside the camera, as in every room
    hx, hy, hz = view[0] + f32(0.45) * view[2], view[1] + f32(0.55), view[2] - f32(0.45) * view[0]
    inverse = f32(1.0) / np.sqrt(hx * hx + hy * hy + hz * hz + f32(1e-9))
    nh = max((n[0] * hx + n[1] * hy + n[2] * hz) * inverse, f32(0.0))
    glint += min(nh ** f32(300.0) * f32(2.0), f32(1.0)) * (f32(0.08) + f32(0.5) * (env[0] + env[1] + env[2]) * f32(0.333))
    nv = n[0] * view[0] + n[1] * view[1] + n[2] * view[2]
    up = f32(2.0) * nv * n[1] - view[1]
    window = min(max((up - f32(0.45)) * f32(7.0), f32(0.0)), f32(1.0)) * f32(0.10) * lid
    for c in range(3):
        out[c] += glint + window * (env[c] + f32(0.3))


@kernel(fastmath=True)
def cloth(point, lamp, colors, pattern):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Woven or knitted cloth with folds and fuzz. colors: (2, 3) linear. pattern: kind, scale (1 / m), seed, relief."""
    n, view, key, key_color, env, out = point.normal, point.to_camera, lamp.direction, lamp.color, point.light, point.color
    place = point.position
    kind, scale, seed = int(pattern[0]), pattern[1], int(pattern[2])
    x, y = place[0] * scale, place[1] * scale
    mix = f32(0.0)
    if kind == STRIPES:
        mix = f32(1.0) if (y * f32(0.5)) % f32(1.0) > f32(0.55) else f32(0.0)
    elif kind == CHECKS:
        a = f32(0.5) if (x * f32(0.5)) % f32(1.0) > f32(0.6) else f32(0.0)
        mix = a + (f32(0.5) if (y * f32(0.5)) % f32(1.0) > f32(0.6) else f32(0.0))
    elif kind == DOTS:
        a, b = (x % f32(1.0)) - f32(0.5), (y % f32(1.0)) - f32(0.5)
        mix = f32(1.0) if a * a + b * b < f32(0.05) else f32(0.0)
    folds = value_noise(place[0] * f32(22.0), place[1] * f32(9.0), place[2] * f32(22.0), seed) * f32(0.30)
    weave = value_noise(place[0] * f32(420.0), place[1] * f32(420.0), place[2] * f32(420.0), seed + 3) * f32(0.10)
    if kind == KNIT:
        angle = np.arctan2(place[0], place[2]) * f32(34.0)
        knit = np.sin(angle + f32(0.5) * np.sin(place[1] * f32(900.0)))
        weave += knit * f32(0.16)
        n[0] += f32(0.22) * knit * n[2]
        n[2] -= f32(0.22) * knit * n[0]
    n[0] += folds * f32(0.5)
    n[1] += f32(0.5) * value_noise(place[0] * f32(14.0), place[1] * f32(26.0), place[2] * f32(14.0), seed + 5) * pattern[3]
    normalize(n)
    facing = n[0] * key[0] + n[1] * key[1] + n[2] * key[2]
    diffuse = max((facing + f32(0.1)) / f32(1.1), f32(0.0))
    nv = max(n[0] * view[0] + n[1] * view[1] + n[2] * view[2], f32(0.0))
    fuzz = (f32(1.0) - nv) ** 3 * f32(0.25)
    for c in range(3):
        albedo = (colors[0, c] * (f32(1.0) - mix) + colors[1, c] * mix) * (f32(1.0) + weave)
        out[c] = (albedo + fuzz * (albedo * f32(0.7) + f32(0.02))) * (env[c] + key_color[c] * f32(0.5) * diffuse * env[3])


@kernel(fastmath=True)
def mouth(material, point, lamp):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Teeth, tongue, the inside of the mouth and eye sockets: wet, darker with depth."""
    n, view, key, key_color, env, out = point.normal, point.to_camera, lamp.direction, lamp.color, point.light, point.color
    place = point.position
    facing = n[0] * key[0] + n[1] * key[1] + n[2] * key[2]
    diffuse = max((facing + f32(0.3)) / f32(1.3), f32(0.0)) * env[3]
    r, g, b, wet = f32(0.26), f32(0.06), f32(0.055), f32(0.5)
    dim = f32(1.0)
    if material == TEETH:
        r, g, b, wet = f32(0.66), f32(0.58), f32(0.46), f32(0.8)
        # gaps between the teeth, darker towards the back
        gap = abs((place[0] * f32(135.0)) % f32(1.0) - f32(0.5)) * f32(2.0)
        dim = (f32(0.75) + f32(0.25) * min(gap * f32(5.0), f32(1.0))) * min(
            max((place[2] - f32(0.058)) * f32(30.0), f32(0.15)), f32(1.0)
        )
    elif material == TONGUE:
        r, g, b, wet = f32(0.40), f32(0.13), f32(0.12), f32(0.5)
        dim = min(max((place[2] - f32(0.045)) * f32(26.0), f32(0.2)), f32(1.0))
    elif material == MOUTH:
        dim = min(max((place[2] - f32(0.068)) * f32(26.0), f32(0.03)), f32(1.0))
    elif material == SOCKET:
        r, g, b, wet = f32(0.34), f32(0.13), f32(0.11), f32(0.7)
        dim = min(max((place[2] - f32(0.072)) * f32(80.0), f32(0.1)), f32(1.0))
    spec = _specular(n, view, key, 60) * f32(8.5) * wet * env[3] * dim
    r, g, b = r * dim, g * dim, b * dim
    out[0] = r * (env[0] + f32(0.1) + key_color[0] * f32(0.5) * diffuse) + spec * key_color[0] * f32(0.5)
    out[1] = g * (env[1] + f32(0.1) + key_color[1] * f32(0.5) * diffuse) + spec * key_color[1] * f32(0.5)
    out[2] = b * (env[2] + f32(0.1) + key_color[2] * f32(0.5) * diffuse) + spec * key_color[2] * f32(0.5)


@kernel(fastmath=True)
def strand(kind, color, point, lamp):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Kajiya and Kay's diffuse and highlight, with Marschner's two lobes: white to the root, coloured to the tip."""
    n, view, key, key_color, env, out = point.normal, point.to_camera, lamp.direction, lamp.color, point.light, point.color
    tangent = point.tangent
    tk = tangent[0] * key[0] + tangent[1] * key[1] + tangent[2] * key[2]
    tv = tangent[0] * view[0] + tangent[1] * view[1] + tangent[2] * view[2]
    sine_k = np.sqrt(max(f32(1.0) - tk * tk, f32(0.0)))
    facing = n[0] * key[0] + n[1] * key[1] + n[2] * key[2]
    if kind == HAIR:
        diffuse = sine_k * max((facing + f32(0.45)) / f32(1.45), f32(0.0))
        sine_v = np.sqrt(max(f32(1.0) - tv * tv, f32(0.0)))
        first, second = tk - f32(0.12), tk + f32(0.16)
        sine_1, sine_2 = np.sqrt(max(f32(1.0) - first * first, f32(0.0))), np.sqrt(max(f32(1.0) - second * second, f32(0.0)))
        a = max(sine_1 * sine_v - first * tv, f32(0.0))
        a = a * a * a * a
        a = a * a * a * a
        a = a * a * a * a * f32(0.05)  # to the 64th
        b = max(sine_2 * sine_v - second * tv, f32(0.0))
        b = b * b * b * b
        b = b * b * b * b
        lit = max(min(facing * f32(2.0) + f32(0.6), f32(1.0)), f32(0.0)) * env[3]
        for c in range(3):
            out[c] = color[c] * (f32(1.15) * env[c] + key_color[c] * f32(0.5) * diffuse * env[3])
            out[c] += key_color[c] * lit * (a + b * (f32(0.20) * color[c] + f32(0.042) * np.sqrt(color[c])))
            out[c] += env[c] * (f32(0.010) + f32(0.04) * color[c])
    else:
        gloss = f32(16.0) if kind == METAL else f32(9.0)
        spec = _specular(n, view, key, 70) * gloss * env[3]
        diffuse = max(facing, f32(0.0)) * env[3]
        for c in range(3):
            tint = color[c] if kind == METAL else f32(1.0)
            out[c] = color[c] * (env[c] + key_color[c] * f32(0.5) * diffuse) + spec * tint * key_color[c]
