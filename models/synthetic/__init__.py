"""Synthetic heads: random people with known geometry, materials and light, drawn as ground truth for training and measuring.

`SyntheticHead.random(model, seed)` makes a person and `SyntheticHead.render` draws it (`head.py`); its steps are

| step | modules |
|---|---|
| who it is | `traits` (random description), `identity` (shape), `expressions`, `poses`, `cameras` |
| head model | `anatomy` (skin atlas, where features lie) |
| surfaces | `skin` (atlas of albedo, relief, gloss), `clothing` (clothes, collars, hats, glasses), `noise` (random fields) |
| hair | `hair_styles`, `facial_hair`, `hair_growth` (paths of hairs), `strands` (the polylines, and how they follow the head) |
| light | `lighting` (spherical harmonics, key light, baked visibility), `background` |
| picture | `rasterization` (what is visible), `materials` (reflectance), `shading` (pixels) |
| output | `export` (files of `visavis synth-heads`), `contact_sheet` |

Importing this package is free; numba compiles at the first use and keeps the result on disk.
"""
