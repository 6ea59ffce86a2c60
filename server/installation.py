"""What Visavis needs of its installation, and one sentence for a package that is missing or cannot be loaded."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

OPENCV = "opencv-contrib-python"
"""The build that mediapipe asks for, which needs a desktop's libGL; with "-headless" after it the build without windows."""

PACKAGES = {"cv2": f"{OPENCV}-headless", "PIL": "pillow", "skimage": "scikit-image"}
"""Modules whose package has another name."""

REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)[^;]*(?:;.*\bextra\s*==\s*[\"'](?P<extra>[^\"']+)[\"'])?")
"""As in a wheel's Requires-Dist (PEP 508): the package's name and the extra that asks for it."""


def requirements() -> dict[str, str]:
    """The packages that Visavis asks for, each with the first extra that does ("" for those that are always needed).

    Empty in a checkout that was never installed.
    """
    try:
        declared = requires("visavis") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, str] = {}
    for match in filter(None, map(REQUIREMENT.match, declared)):
        found.setdefault(match["name"].lower().replace("_", "-"), match["extra"] or "")
    return found


def explain(error: ImportError) -> str | None:
    """One sentence for a package that is missing or whose compiled part cannot be loaded; None when it is another error."""
    module = (error.name or "").split(".")[0]
    if isinstance(error, ModuleNotFoundError):
        package = PACKAGES.get(module, module.lower().replace("_", "-"))
        extra = requirements().get(package)
        if extra is None:
            return None
        wanted = f"'visavis[{extra}]'" if extra else "visavis"
        return f"the package {package} was expected, it is not installed; run `{_pip()} install {wanted}`"
    if not (error.path or "").endswith((".so", ".pyd")):
        return None
    if module == "cv2":
        how = f"run `{_pip()} install --no-deps --force-reinstall {OPENCV}-headless=={_opencv_version()}`"
        return f"OpenCV's build for desktops cannot be loaded here ({error}); {how}, which puts the build without windows there"
    return f"the package {module} cannot be loaded ({error}); install that library of the system"


def _pip() -> str:
    return f"{sys.executable} -m pip"


def _opencv_version() -> str:
    for name in (f"{OPENCV}-headless", OPENCV):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "4.11.0.86"
