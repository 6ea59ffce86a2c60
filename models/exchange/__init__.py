"""Avatars in other systems' files. Each module reads or writes one format and says in its first lines what gets lost.

    ply               3D Gaussian Splatting: a still head, exact
    spz               Niantic's packed splats: a still head, about a tenth of the size
    gaussian_avatars  GaussianAvatars: Gaussians in triangle frames, with their FLAME head; read and written
    web_avatar        what our own page draws by itself: takes expressions and poses, quantised; written, read for measuring
    lam               LAM's zip for the browser: a head that takes 51 ARKit expressions; written only

What they hold is in docs/conventions.md's space wherever the format does not ask for another.
"""

from __future__ import annotations

FORMATS = ("ply", "gaussian-avatars", "lam", "spz", "web")
"""Names of the formats, as the command line has them."""
