"""What an avatar is: head models, Gaussians, files, pictures. Depends on no other part of Visavis.

Importing it also sees to it that the libraries in use find a place for their caches (`models.caches`).
"""

from models import caches

__version__ = "0.1.0"
"""Of Visavis; pyproject.toml reads it here."""

caches.prepare()
