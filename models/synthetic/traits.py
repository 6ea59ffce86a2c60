"""Description of a person, random or chosen: what skin, hair, clothes and glasses are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.errors import VisavisError

HAIR_STYLES = (
    "bald", "buzz", "crop", "side_part", "quiff", "slick", "receding", "bowl", "bob", "long", "wavy", "curly", "afro",
    "bun", "ponytail", "top_knot",
)  # fmt: skip
BEARDS = ("none", "stubble", "moustache", "goatee", "short", "full")
HATS = ("none", "cap", "beanie", "turban", "headscarf", "brim")
CLOTHES = ("tee", "crew", "v_neck", "turtleneck", "shirt", "jacket", "strappy")
PATTERNS = ("plain", "stripes", "checks", "knit", "dots")


@dataclass(frozen=True)
class Traits:
    """masculine, age, melanin: [0, 1]. blood, freckles, wrinkles, oil, makeup: [0, 1]. hair_color, eye_color, lip_color,
    cloth_colors: linear RGB. grey: share of grey hairs. hair_length: factor on the style's own length."""

    masculine: float
    age: float
    melanin: float
    undertone: float
    blood: float
    freckles: float
    oil: float
    makeup: float
    lip_color: tuple[float, float, float]
    hair_style: str
    hair_color: tuple[float, float, float]
    hair_length: float
    grey: float
    fringe: float
    beard: str
    hat: str
    glasses: str
    eye_color: tuple[float, float, float]
    clothes: str
    pattern: str
    cloth_colors: tuple[tuple[float, float, float], tuple[float, float, float]]

    @property
    def natural_color(self) -> tuple[float, float, float]:
        """Of brows and beard, linear: as the hair, unless that is dyed."""
        r, g, b = self.hair_color
        return self.hair_color if r >= 0.95 * g >= 0.8 * b else (0.03, 0.019, 0.013)

    @property
    def wrinkles(self) -> float:
        """How deep lines are, [0, 1]."""
        return float(np.clip((self.age - 0.35) / 0.6, 0, 1))


def random_traits(rng: np.random.Generator, **forced: Any) -> Traits:
    """A random person. `forced` sets fields by name. Raises `VisavisError` for a field or a style that does not exist."""
    masculine = float(rng.random())
    man = masculine > 0.5
    age = float(rng.beta(1.3, 1.5))
    melanin = float(rng.beta(1.1, 1.4))
    style = str(rng.choice(_styles(man, melanin, age)))
    grey = float(np.clip((age - 0.5) * rng.uniform(0, 2.6), 0, 1)) if age > 0.5 else float(rng.random() < 0.02) * 0.2
    cloth = tuple(_cloth_color(rng) for _ in range(2))
    beard = str(rng.choice(BEARDS, p=(0.34, 0.22, 0.08, 0.1, 0.15, 0.11))) if man else "none"
    hat_chance = rng.random()
    hat = "none" if hat_chance > 0.16 else str(rng.choice(["cap", "beanie", "turban", "brim"] if man else
                                                          ["beanie", "headscarf", "headscarf", "brim", "cap"]))  # fmt: skip
    made_up = 0.0 if man else float(rng.random() < 0.6) * rng.random()
    lip = np.array([(0.42, 0.03, 0.05), (0.30, 0.06, 0.08), (0.5, 0.14, 0.14), (0.16, 0.02, 0.05), (0.45, 0.1, 0.22)])
    traits = Traits(
        masculine=masculine, age=age, melanin=melanin, undertone=float(rng.normal(0, 1)), blood=float(rng.random()),
        freckles=float(rng.random() < 0.25 and melanin < 0.5) * float(rng.random()), oil=float(rng.random()), makeup=made_up,
        lip_color=_triple(lip[rng.integers(len(lip))]), hair_style=style, hair_color=_hair_color(rng, melanin),
        hair_length=float(np.exp(rng.normal(0, 0.22))), grey=grey,
        fringe=float(rng.random()) if rng.random() < 0.4 else 0.0, beard=beard, hat=hat,
        glasses=str(rng.choice(["none", "thin", "thick", "rimless", "sun"], p=(0.76, 0.09, 0.09, 0.03, 0.03))),
        eye_color=_eye_color(rng, melanin),
        clothes=str(rng.choice(CLOTHES, p=(0.18, 0.2, 0.14, 0.12, 0.18, 0.12, 0.06) if not man else
                               (0.2, 0.25, 0.1, 0.1, 0.2, 0.15, 0.0))),
        pattern=str(rng.choice(PATTERNS, p=(0.5, 0.15, 0.1, 0.2, 0.05))), cloth_colors=(cloth[0], cloth[1]),
    )  # fmt: skip
    choices = {"hair_style": HAIR_STYLES, "beard": BEARDS, "hat": HATS, "clothes": CLOTHES, "pattern": PATTERNS}
    for name, value in forced.items():
        if name not in Traits.__dataclass_fields__:
            raise VisavisError(f"a trait such as hair_style or melanin was expected, not {name!r}; see models.synthetic.traits")
        if name in choices and value not in choices[name]:
            raise VisavisError(f"{name} was expected to be one of {', '.join(choices[name])}, not {value!r}; choose one of them")
    return replace(traits, **forced)


def _styles(man: bool, melanin: float, age: float) -> list[str]:
    if man:
        styles = ["buzz", "crop", "crop", "side_part", "side_part", "quiff", "slick", "bowl", "curly", "long", "top_knot", "bald"]
    else:
        styles = ["bob", "bob", "long", "long", "wavy", "wavy", "curly", "bun", "ponytail", "crop", "bowl", "side_part", "long"]
    if man and age > 0.4:
        styles += ["receding"] * 4 + ["bald"] * 2
    if melanin > 0.6:
        styles += ["afro"] * 3 + ["buzz"] * (2 if man else 1)
    return styles


def _hair_color(rng: np.random.Generator, melanin: float) -> tuple[float, float, float]:
    """Linear. Fair skin may go with any colour, dark skin with black and brown; seldom it is dyed."""
    black, dark, brown, light, blond, red = (
        np.array(c) for c in ((0.009, 0.008, 0.008), (0.028, 0.017, 0.012), (0.072, 0.040, 0.022), (0.15, 0.09, 0.05),
                              (0.36, 0.25, 0.13), (0.22, 0.065, 0.022))
    )  # fmt: skip
    if rng.random() < 0.012:
        return _triple(rng.uniform(0.03, 0.5, 3))
    fair = np.clip(1.3 - 2.4 * melanin, 0, 1)
    place = rng.random() ** (1.0 + 3 * (1 - fair))
    ramp = np.stack([black, dark, brown, light, blond])
    x = place * (len(ramp) - 1.001)
    i = int(x)
    color = ramp[i] ** (1 - (x - i)) * ramp[i + 1] ** (x - i)
    if fair > 0.4 and rng.random() < 0.15:
        color = red * rng.uniform(0.5, 1.4)
    return _triple(color * np.exp(rng.normal(0, 0.1, 3)))


def _eye_color(rng: np.random.Generator, melanin: float) -> tuple[float, float, float]:
    brown = np.array([0.09, 0.035, 0.014]) * np.exp(rng.normal(0, 0.5))
    if melanin > 0.45 or rng.random() < 0.35:
        return _triple(brown)
    other = np.array([(0.17, 0.30, 0.45), (0.22, 0.28, 0.16), (0.24, 0.30, 0.33), (0.20, 0.14, 0.05)])
    return _triple(other[rng.integers(len(other))] * np.exp(rng.normal(-0.1, 0.25)))


def _cloth_color(rng: np.random.Generator) -> tuple[float, float, float]:
    """Mostly muted: grey, black, white, navy; sometimes bright."""
    value = rng.choice([0.012, 0.04, 0.12, 0.35, 0.7])
    return _triple(np.clip(value * np.exp(rng.normal(0, 0.6 * rng.random() ** 2 + 0.04, 3)), 0.005, 0.8))


def _triple(values: Any) -> tuple[float, float, float]:
    a, b, c = (float(v) for v in values)
    return a, b, c
