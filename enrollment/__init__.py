"""Enrollment: photos or a clip of a person -> an avatar of 3D Gaussians.

`enroll` is the public call; `enroll_to_file` writes its result beside a preview sheet. Both are imported on first use, so that
importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enrollment.options import EnrollOptions, Quality, RefineOptions
    from enrollment.to_file import SavedEnrollment, enroll_to_file
    from enrollment.workflow import EnrollmentResult, enroll

__all__ = ["EnrollOptions", "EnrollmentResult", "Quality", "RefineOptions", "SavedEnrollment", "enroll", "enroll_to_file"]

_MODULES = {
    "EnrollOptions": "options", "Quality": "options", "RefineOptions": "options", "SavedEnrollment": "to_file",
    "enroll_to_file": "to_file", "EnrollmentResult": "workflow", "enroll": "workflow",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
