"""The colour, normal and depth of every picture cell: skin, eyes, mouth, cloth, hair; and how cells make up pixels."""

from __future__ import annotations

import numpy as np

from models.jit import kernel
from models.synthetic.noise import value_noise
from models.types import Array

f32 = np.float32
SKIN, LEFT_EYE, RIGHT_EYE, SOCKET, MOUTH, TONGUE, TEETH, CLOTH, HAT, RIM = range(10)
"""What a face is made of."""
HAIR, WIRE, METAL, WRAP = range(4)
"""What a strand is made of."""
PLAIN, STRIPES, CHECKS, KNIT, DOTS = range(5)


def _encoding() -> Array:
    x = np.linspace(0, 1, 4096)
    return np.where(x < 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


ENCODE = _encoding()
"""(4096,) linear [0, 1] -> sRGB."""


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
def _normalize(n):  # type: ignore[no-untyped-def]  # pragma: no cover
    inverse = f32(1.0) / np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] + f32(1e-12))
    n[0] *= inverse
    n[1] *= inverse
    n[2] *= inverse


@kernel(fastmath=True)
def _skin(place, n, view, key, key_color, env, texel, width, height, atlas, out):  # type: ignore[no-untyped-def]  # pragma: no cover
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
    _normalize(n)
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
def _eye(direction, turn, view, key, key_color, env, iris, look, n, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """direction: unit, from the eyeball's centre at rest, z along the gaze. turn: (3, 3) rest -> world. look: iris and pupil
    radius in radians, seed, redness."""
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
    _normalize(n)
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
def _cloth(place, n, view, key, key_color, env, colors, pattern, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """colors: (2, 3). pattern: kind, scale (1 / m), seed, relief."""
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
    _normalize(n)
    facing = n[0] * key[0] + n[1] * key[1] + n[2] * key[2]
    diffuse = max((facing + f32(0.1)) / f32(1.1), f32(0.0))
    nv = max(n[0] * view[0] + n[1] * view[1] + n[2] * view[2], f32(0.0))
    fuzz = (f32(1.0) - nv) ** 3 * f32(0.25)
    for c in range(3):
        albedo = (colors[0, c] * (f32(1.0) - mix) + colors[1, c] * mix) * (f32(1.0) + weave)
        out[c] = (albedo + fuzz * (albedo * f32(0.7) + f32(0.02))) * (env[c] + key_color[c] * f32(0.5) * diffuse * env[3])


@kernel(fastmath=True)
def _flesh(material, place, n, view, key, key_color, env, out):  # type: ignore[no-untyped-def]  # pragma: no cover
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
def _strand(kind, color, tangent, n, view, key, key_color, env, along, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Kajiya and Kay's diffuse and highlight, with Marschner's two lobes: white to the root, coloured to the tip."""
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
        sharp = 70 if kind != WRAP else 6
        gloss = f32(16.0) if kind == METAL else (f32(9.0) if kind == WIRE else f32(0.2))
        spec = _specular(n, view, key, sharp) * gloss * env[3]
        diffuse = max(facing, f32(0.0)) * env[3]
        for c in range(3):
            tint = color[c] if kind == METAL else f32(1.0)
            out[c] = color[c] * (env[c] + key_color[c] * f32(0.5) * diffuse) + spec * tint * key_color[c]


@kernel(fastmath=True)
def resolve(  # type: ignore[no-untyped-def]  # pragma: no cover
    factor, face, bary, segment, ribbon, depth,
    faces, material, normals, light, canonical, atlas,
    points, strand_of, strand_normals, strand_light, strand_along, strand_color, strand_kind,
    eye_centres, eye_turns, iris, look, cloth_colors, cloth_patterns,
    camera_rotation, intrinsics, camera_position, key, key_color, gain, encode, lens_depth, lens_color,
    color, matte, out_normal, out_depth, bare,
):  # fmt: skip
    """Shade every cell and gather factor x factor of them into a pixel. Colours are sRGB, not yet over a background."""
    height, width = matte.shape
    texel, n, out = np.empty(6, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    env, place, view, tangent = np.empty(4, np.float32), np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    smooth = np.empty(3, np.float32)
    share = f32(1.0 / (factor * factor))
    atlas_h, atlas_w = f32(atlas.shape[0]), f32(atlas.shape[1])
    for y in range(height):
        for x in range(width):
            count, facial = 0, 0
            nearest = f32(np.inf)
            # skin, cloth or hair that fills the pixel is shaded along its diagonal only
            first, even = face[y * factor, x * factor], True
            hair = segment[y * factor, x * factor] >= 0
            for sy in range(y * factor, (y + 1) * factor):
                for sx in range(x * factor, (x + 1) * factor):
                    f = face[sy, sx]
                    if (segment[sy, sx] >= 0) != hair or (not hair and (f < 0 or material[f] != material[first])):
                        even = False
            even = even and (hair or material[first] == SKIN or material[first] >= CLOTH)
            weight = factor if even else 1
            for sy in range(y * factor, (y + 1) * factor):
                for sx in range(x * factor, (x + 1) * factor):
                    f, s = face[sy, sx], segment[sy, sx]
                    if f < 0 and s < 0:
                        continue
                    if even and sx - x * factor != sy - y * factor:
                        continue
                    count += weight
                    d = depth[sy, sx]
                    # towards the camera, in the world
                    px, py = (
                        (f32(sx) + f32(0.5) - intrinsics[2]) / intrinsics[0],
                        (f32(sy) + f32(0.5) - intrinsics[3]) / intrinsics[1],
                    )
                    for a in range(3):
                        view[a] = -(camera_rotation[0, a] * px + camera_rotation[1, a] * py + camera_rotation[2, a])
                    _normalize(view)
                    if s >= 0:
                        t, across = ribbon[sy, sx, 0], ribbon[sy, sx, 1]
                        strand = strand_of[s]
                        kind = strand_kind[strand]
                        for a in range(3):
                            tangent[a] = points[s + 1, a] - points[s, a]
                            n[a] = strand_normals[s, a] * (1 - t) + strand_normals[s + 1, a] * t
                        _normalize(tangent)
                        for a in range(4):
                            env[a] = strand_light[s, a] * (1 - t) + strand_light[s + 1, a] * t
                        # a ribbon is round: its normal leans to the side and, for hair, follows the lock it lies in
                        sidex = tangent[1] * view[2] - tangent[2] * view[1]
                        sidey = tangent[2] * view[0] - tangent[0] * view[2]
                        sidez = tangent[0] * view[1] - tangent[1] * view[0]
                        inverse = f32(1.0) / np.sqrt(sidex * sidex + sidey * sidey + sidez * sidez + f32(1e-6))
                        bend = -across * inverse * (f32(0.35) if kind == HAIR else f32(0.9))
                        nt = n[0] * tangent[0] + n[1] * tangent[1] + n[2] * tangent[2]
                        mix = f32(0.45) if kind == HAIR else (f32(1.0) if kind != WRAP else f32(0.3))
                        back = f32(0.0)
                        nv = n[0] * view[0] + n[1] * view[1] + n[2] * view[2]
                        if kind in (WIRE, METAL):
                            back = f32(1.5)
                        elif nv < 0.15:
                            back = f32(0.15) - nv
                        n[0] += -mix * nt * tangent[0] + bend * sidex + back * view[0]
                        n[1] += -mix * nt * tangent[1] + bend * sidey + back * view[1]
                        n[2] += -mix * nt * tangent[2] + bend * sidez + back * view[2]
                        _normalize(n)
                        along = strand_along[s] * (1 - t) + strand_along[s + 1] * t
                        _strand(kind, strand_color[strand], tangent, n, view, key, key_color, env, along, out)
                        for a in range(3):
                            smooth[a] = n[a]
                        if kind == HAIR:
                            # darker to the root; each strand has its own value
                            tone = f32(0.72) + f32(0.28) * min(along * f32(2.5), f32(1.0))
                            for c in range(3):
                                out[c] *= tone
                    else:
                        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
                        wa, wb = bary[sy, sx, 0], bary[sy, sx, 1]
                        wc = f32(1.0) - wa - wb
                        for a in range(3):
                            n[a] = wa * normals[i, a] + wb * normals[j, a] + wc * normals[k, a]
                            place[a] = wa * canonical[i, a] + wb * canonical[j, a] + wc * canonical[k, a]
                        _normalize(n)
                        if n[0] * view[0] + n[1] * view[1] + n[2] * view[2] < f32(-0.25):
                            for a in range(3):
                                n[a] = -n[a]
                        for a in range(4):
                            env[a] = wa * light[i, a] + wb * light[j, a] + wc * light[k, a]
                        for a in range(3):
                            smooth[a] = n[a]
                        m = material[f]
                        if m == SKIN:
                            _skin(place, n, view, key, key_color, env, texel, atlas_w, atlas_h, atlas, out)
                            # the face: skin in front of the ears and above the neck
                            if (
                                place[2] > f32(0.012)
                                and place[1] > f32(-0.105) + f32(0.25) * (f32(0.09) - place[2])
                                and place[1] < f32(0.098)
                            ):
                                facial += weight
                        elif m in (LEFT_EYE, RIGHT_EYE):
                            e = 0 if m == LEFT_EYE else 1
                            for a in range(3):
                                place[a] -= eye_centres[e, a]
                            _normalize(place)
                            _eye(place, eye_turns[e], view, key, key_color, env, iris, look, smooth, out)
                            for a in range(3):
                                smooth[a] = n[a]
                        elif m >= CLOTH:
                            row = m - CLOTH
                            _cloth(place, n, view, key, key_color, env, cloth_colors[row], cloth_patterns[row], out)
                            for a in range(3):
                                smooth[a] = n[a]
                        else:
                            _flesh(m, place, n, view, key, key_color, env, out)
                    lens = lens_depth[sy, sx] < d
                    for c in range(3):
                        value = out[c] * gain[c]
                        # a film's shoulder, then sRGB
                        value = value * (f32(1.0) + value * f32(0.16)) / (f32(1.0) + f32(0.55) * value)
                        value = encode[int(min(max(value, f32(0.0)), f32(1.0)) * f32(4095.0) + f32(0.5))]
                        if lens:
                            value = value * (f32(1.0) - lens_color[3]) + lens_color[c] * lens_color[3]
                        color[y, x, c] += value * share * f32(weight)
                        out_normal[y, x, c] += smooth[c]
                    if d < nearest:
                        nearest = d
            if count > 0:
                matte[y, x] = f32(count) * share
                norm = np.sqrt(out_normal[y, x, 0] ** 2 + out_normal[y, x, 1] ** 2 + out_normal[y, x, 2] ** 2)
                for c in range(3):
                    out_normal[y, x, c] /= max(norm, f32(1e-6))
                # depth of the nearest surface alone: a mean over an edge would lie in the air
                total, near = f32(0.0), 0
                for sy in range(y * factor, (y + 1) * factor):
                    for sx in range(x * factor, (x + 1) * factor):
                        if depth[sy, sx] < nearest + f32(0.01):
                            total += depth[sy, sx]
                            near += 1
                out_depth[y, x] = total / f32(near)
                bare[y, x] = facial * 2 > factor * factor
