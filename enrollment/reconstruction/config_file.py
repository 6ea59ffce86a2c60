"""A TOML file that changes what the optimiser does: `visavis enroll --config FILE.toml`.

The keys are the fields of `ReconstructConfig`; those that are left out stay as suits the input (photos, clip or folder).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from enrollment.reconstruction.config import Rates, ReconstructConfig, Weights
from models.dataclass_config import build, merged, read_toml
from models.errors import VisavisError

NETWORKS = {"dynamics": True, "deformation": True}
"""What `--networks` switches on."""
OF_OPTIONS = {"device": "--device"}
"""Fields that an option of the command line sets."""
MOST_STEPS, MOST_SIZE, MOST_GAUSSIANS, MOST_OVERSAMPLED = 1_000_000, 4096, 2_000_000, 8
RANGES: dict[str, tuple[float, float]] = {
    "steps": (1, MOST_STEPS), "size": (16, MOST_SIZE), "crops": (0, 1), "oversampled": (1, MOST_OVERSAMPLED),
    "seed": (0, 2**63 - 1), "densify_every": (1, MOST_STEPS), "grow": (0, 1), "most": (1, MOST_GAUSSIANS), "transparent": (0, 1),
    "parsing_every": (1, MOST_STEPS),
    "pull": (0, 1), "pull_seen": (0, 1), "enough": (1e-3, 10), "warp_spread": (0, 64), "check_every": (1, MOST_STEPS),
}  # fmt: skip
"""Inclusive ranges of the numbers; rates and weights lie in [0, 1000]."""
MOST_FACTOR = 1000.0


class ReconstructConfigError(VisavisError):
    """A configuration of the optimiser that cannot be read, or that asks for something that does not exist."""


def read_changes(path: Path) -> dict[str, Any]:
    """The changes that a TOML file makes, checked. Raises `ReconstructConfigError`, one sentence."""
    changes = read_toml(path, ReconstructConfigError)
    for key, option in OF_OPTIONS.items():
        if key in changes:
            raise ReconstructConfigError(f"the configuration has no key {key}, which the option {option} sets; use the option")
    changed(ReconstructConfig(), changes)
    return changes


def changed(config: ReconstructConfig, changes: dict[str, Any]) -> ReconstructConfig:
    """`config` with `changes` (nested tables). Raises `ReconstructConfigError` for unknown keys and values out of range."""
    made: ReconstructConfig = build(ReconstructConfig, merged(dataclasses.asdict(config), changes), ReconstructConfigError)
    for key, (low, high) in RANGES.items():
        _require(key, getattr(made, key), low, high)
    for name, section in (("rates", made.rates), ("weights", made.weights)):
        _require_section(name, section)
    return made


def _require_section(name: str, section: Rates | Weights) -> None:
    for field in dataclasses.fields(section):
        _require(f"{name}.{field.name}", getattr(section, field.name), 0, MOST_FACTOR)


def _require(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ReconstructConfigError(f"the configuration key {key} must lie in {low:g} to {high:g}, but is {value!r}; correct it")
