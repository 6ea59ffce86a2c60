"""A synthetic head: a random person of known shape, drawn from any camera with any expression."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.heads.base import LEFT_EYE, REGION, RIGHT_EYE, HeadModel, PersonHead, Pose, skin, skinning_transforms
from models.heads.raster import rasterize
from models.synthetic import clothing, facial_hair, hair_styles, materials
from models.synthetic.anatomy import anatomy
from models.synthetic.background import behind, panorama
from models.synthetic.expressions import gaze_of
from models.synthetic.hair_growth import obstacle
from models.synthetic.identity import random_person
from models.synthetic.lighting import THIN, Lighting, bake_visibility, gather, random_lighting
from models.synthetic.materials import EyeLook, KeyLight
from models.synthetic.rasterization import draw, mesh_normals, normal_map
from models.synthetic.shading import CellCamera, Mesh, PixelBuffers, PosedStrands, Surfaces, shade
from models.synthetic.skin import paint_skin
from models.synthetic.strands import Strands, pose_strands, weights_of
from models.synthetic.traits import Traits, random_traits
from models.types import Array, Array64, Camera

MATERIAL = {
    "skin": materials.SKIN, "left_eye": materials.LEFT_EYE, "right_eye": materials.RIGHT_EYE, "eye_socket": materials.SOCKET,
    "mouth_inside": materials.MOUTH, "tongue": materials.TONGUE, "upper_teeth": materials.TEETH, "lower_teeth": materials.TEETH,
    "body": materials.SKIN,
}  # fmt: skip


@dataclass(frozen=True)
class HeadSample:
    """One picture and its ground truth; arrays are (H, W) or (H, W, C) float32.

    color: sRGB over the background. foreground: sRGB multiplied by the matte, so that `over` puts it on any background.
    matte: [0, 1]. normals: unit, world frame, of the visible surface with its hair; 0 outside. depth: metres along the camera's
    z, 0 outside. pose_map: unit normals of the head in this pose with no expression, world frame; 0 outside. face: (H, W)
    bool, where bare skin of the face shows. hair: (H, W) bool, where strands (hair, beard, brows) do.
    """

    color: Array
    foreground: Array
    matte: Array
    normals: Array
    depth: Array
    pose_map: Array
    face: NDArray[np.bool_]
    hair: NDArray[np.bool_]
    camera: Camera
    coefficients: Array
    pose: Pose

    def over(self, background: NDArray[np.floating] | float) -> Array:
        """The head over a colour (3,), a grey value or a picture (H, W, 3), (H, W, 3) float32 sRGB."""
        return np.asarray(self.foreground + (1 - self.matte[..., None]) * np.asarray(background, np.float32), np.float32)


@dataclass(frozen=True)
class SyntheticHead:
    """Made by `SyntheticHead.random`. person: the rig with identity (K,) and offset (V, 3) metres; traits: what skin, hair and
    clothes were made from; light: of the scene; scene: (96, 257, 3) float32 sRGB panorama behind the head."""

    seed: int
    traits: Traits
    person: PersonHead
    identity: Array
    offset: Array
    light: Lighting
    scene: Array
    strands: Strands
    _parts: _Parts
    _lit: dict[bytes, tuple[Array, Array]] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def random(model: HeadModel, seed: int, *, light: Lighting | None = None, **traits: Any) -> SyntheticHead:
        """The head with number `seed`, always the same. Further names force traits, as in `hair_style="bob"` or `glasses="none"`.

        Raises `VisavisError` for a trait that does not exist.
        """
        streams = [np.random.default_rng([seed, i]) for i in range(8)]
        chosen = random_traits(streams[0], **traits)
        person, identity, offset = random_person(model, streams[1])
        lighting = light or random_lighting(streams[2])
        parts, strands = _assemble(person, chosen, streams[3])
        return SyntheticHead(seed, chosen, person, identity, offset, lighting, panorama(streams[4]), strands, parts)

    def render(
        self, camera: Camera, coefficients: NDArray[np.floating], pose: Pose | None = None, *, supersample: int = 2,
        background: NDArray[np.floating] | float | None = None,
    ) -> HeadSample:  # fmt: skip
        """Draw the head. coefficients: (52,) in [0, 1]. pose: its gaze is used as it is; without a pose the head is at the origin
        and the eyes turn as the eyeLook coefficients say. supersample: cells per pixel and axis. background: as in
        `HeadSample.over`; None is the head's own scene."""
        model, p, s = self.person.model, self._parts, self.strands
        c = np.asarray(coefficients, np.float32)
        pose = pose or Pose(gaze=gaze_of(model, c))
        transforms = skinning_transforms(self.person.joints, pose)
        base = skin(self.person.expressed(c), model.weights, transforms)
        extra = skin(p.extra, p.extra_weights, transforms)
        vertices = np.concatenate([base, extra])
        points, point_normals = pose_strands(self.strands, p.strand_weights, self.person, base, transforms)
        light, strand_light = self._lighting(pose)
        fine = camera.resized(camera.width * supersample, camera.height * supersample)
        seen = draw(vertices, p.faces, p.both_sides, p.cut, points, self.strands.half_width, self.strands.start, fine)
        lens = np.full(seen.depth.shape, np.inf, np.float32)
        if len(p.lens_faces):
            head = pose.head
            lens = rasterize(p.lens @ head[:3, :3].T + head[:3, 3], p.lens_faces, fine, cull=False).depth
        picture = PixelBuffers.empty(camera.height, camera.width)
        shade(
            supersample, seen, lens,
            Mesh(p.faces, p.material, mesh_normals(vertices, p.faces), light, p.canonical),
            PosedStrands(points, point_normals, strand_light, s.strand_of, s.along, s.color, s.kind),
            self._surfaces(transforms), self._cell_camera(fine),
            KeyLight(self.light.key_direction.astype(np.float32), np.asarray(self.light.key_color, np.float32)), picture,
        )  # fmt: skip
        neutral = skin(self.person.rest, model.weights, transforms)
        pose_map = normal_map(neutral, p.head_faces, camera)
        strands = (seen.segment >= 0).reshape(camera.height, supersample, camera.width, supersample).mean(axis=(1, 3)) > 0.5
        color, matte, normals, depth, face = picture
        sample = HeadSample(color, color, matte, normals, depth, pose_map, face, strands, camera, c, pose)
        return replace(sample, color=sample.over(behind(self.scene, camera) if background is None else background))

    def _surfaces(self, transforms: Array64) -> Surfaces:
        """The materials under joint transforms (J, 4, 4)."""
        p, joints = self._parts, [LEFT_EYE, RIGHT_EYE]
        turns = np.ascontiguousarray(transforms[joints, :3, :3], np.float32)
        iris = np.asarray(self.traits.eye_color, np.float32)
        eyes = EyeLook(self.person.model.joints[joints], turns, iris, p.eye_params)
        return Surfaces(p.atlas, eyes, p.cloth_colors, p.cloth_patterns, p.lens_color)

    def _cell_camera(self, camera: Camera) -> CellCamera:
        """A camera in cells, with the exposure of this head's light."""
        return CellCamera(
            np.ascontiguousarray(camera.world_to_camera[:3, :3], np.float32),
            np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32),
            (self.light.exposure * self.light.white_balance).astype(np.float32),
        )

    def _lighting(self, pose: Pose) -> tuple[Array, Array]:
        """Light at vertices and strand points, kept for the next view of the same pose."""
        key = pose.head[:3, :3].tobytes()
        if key not in self._lit:
            if len(self._lit) >= 4:
                self._lit.clear()
            p, head = self._parts, pose.head[:3, :3]
            self._lit[key] = (
                gather(p.seen, p.rest_normals, self.light, head),
                _along(
                    gather(p.seen_strands, self.strands.normals[::THIN], self.light, head, self.strands.tangents[::THIN]),
                    len(self.strands.points),
                ),
            )
        return self._lit[key]


@dataclass(frozen=True)
class _Parts:
    """Meshes, materials and baked light of one head. Arrays over vertices hold the person's vertices first, then `extra`."""

    faces: NDArray[np.int32]
    head_faces: NDArray[np.int32]
    material: NDArray[np.uint8]
    both_sides: NDArray[np.bool_]
    cut: Array
    canonical: Array
    extra: Array
    extra_weights: Array
    atlas: Array
    rest_normals: Array
    seen: NDArray[np.uint8]
    seen_strands: NDArray[np.uint8]
    strand_weights: Array
    eye_params: Array
    cloth_colors: Array
    cloth_patterns: Array
    lens: Array
    lens_faces: NDArray[np.int32]
    lens_color: Array


def _assemble(person: PersonHead, traits: Traits, rng: np.random.Generator) -> tuple[_Parts, Strands]:
    model, a = person.model, anatomy(person.model)
    normals = mesh_normals(person.rest, model.faces)
    top = clothing.clothes(person, normals, traits, rng)
    around = obstacle(person, np.concatenate([person.rest, top.vertices]))
    garments = [top]
    neck = clothing.collar(person, around, traits, rng)
    garments += [neck] if neck else []
    garments += clothing.hat(person, around, traits, rng)
    frame, lens, lens_faces, lens_color = clothing.glasses(person, traits, rng)

    mask = hair_styles.scalp_mask(a, traits, rng)
    if traits.hat == "headscarf":
        grown, shadow = Strands.none(), mask * 0.5
    else:
        grown, shadow = hair_styles.grow_hair(a, person, traits, mask, around, traits.hat != "none", rng)
    small = [
        facial_hair.brows(a, person, traits, rng), facial_hair.lashes(person, traits, rng),
        facial_hair.beard(a, person, traits, rng), frame,
    ]  # fmt: skip
    strands = Strands.join([grown, *small])
    atlas = paint_skin(a, traits, shadow, rng)

    count = len(person.rest)
    faces, material = [model.faces], [np.array([MATERIAL[n] for n in REGION], np.uint8)[model.region]]
    offset = count
    for g in garments:
        faces.append(g.faces + offset)
        material.append(np.full(len(g.faces), g.material, np.uint8))
        offset += len(g.vertices)
    all_faces, all_material = np.concatenate(faces), np.concatenate(material)
    cut = np.ones(count, np.float32)
    body = np.setdiff1d(model.region_vertices("body"), model.region_vertices("skin"))
    hidden = clothing.neckline(model.template[body], traits, np.random.default_rng(0)) > 0.035
    cut[body[hidden]] = -1
    cut = np.concatenate([cut, *(g.cut for g in garments)])
    extra = np.concatenate([g.vertices for g in garments])
    vertices = np.concatenate([person.rest, extra])
    rest_normals = mesh_normals(vertices, all_faces)
    seen, seen_strands = bake_visibility(vertices, rest_normals, all_faces, cut, strands.points, strands.normals)
    colors, pattern = clothing.patterns(traits, rng)
    parts = _Parts(
        faces=all_faces, head_faces=np.ascontiguousarray(model.faces), material=all_material,
        both_sides=all_material >= materials.CLOTH, cut=cut,
        canonical=np.concatenate([model.template, *(g.canonical for g in garments)]).astype(np.float32),
        extra=extra, extra_weights=np.concatenate([g.weights for g in garments]), atlas=atlas, rest_normals=rest_normals,
        seen=seen, seen_strands=seen_strands, strand_weights=weights_of(strands.points, person.joints),
        eye_params=np.array([rng.uniform(0.37, 0.43), rng.uniform(0.13, 0.22), rng.integers(1 << 16), rng.random()], np.float32),
        cloth_colors=colors, cloth_patterns=pattern, lens=lens, lens_faces=lens_faces, lens_color=lens_color,
    )  # fmt: skip
    return parts, strands


def _along(few: Array, count: int) -> Array:
    """Light at every `THIN`-th strand point -> at all of them."""
    return np.repeat(few, THIN, axis=0)[:count]
