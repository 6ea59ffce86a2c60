"""Dataclasses from the nested tables of a TOML file, checked key by key.

Tables become dataclasses, lists become tuples; a whole number is accepted where a float is expected.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any, get_type_hints

from models.errors import VisavisError

MAX_BYTES = 1 << 20
"""Size limit of a configuration file."""


def read_toml(path: Path, error: type[VisavisError]) -> dict[str, Any]:
    """The tables of a TOML file. Raises `error`, one sentence, when the file is missing, too large or not TOML."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"a TOML file was expected at {path}, which cannot be read ({problem.strerror}); check the path") from None
    if len(text) > MAX_BYTES:
        raise error(f"a configuration of at most {MAX_BYTES >> 10} KB was expected, {path.name} is larger; shorten it")
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise error(f"{path.name} is not valid TOML ({problem}); correct it there") from None


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`old` with the values of `new` in their place; tables are merged, not replaced."""
    out = dict(old)
    for key, value in new.items():
        out[key] = merged(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
    return out


def build(kind: Any, values: Any, error: type[VisavisError], where: str = "") -> Any:
    """An instance of the dataclass `kind` from `values`; keys that are left out have the defaults of `kind`.

    where: prefix of the keys in messages. Raises `error`, one sentence, for an unknown key or a value of another type.
    """
    if not isinstance(values, dict):
        raise error(f"{where.rstrip('.') or 'the configuration'} must be a section of keys; write it as a TOML table")
    hints = get_type_hints(kind)
    for key in values:
        if key not in hints:
            known = ", ".join(f"{where}{k}" for k in hints)
            raise error(f"the configuration has no key {where}{key}; remove it or use one of: {known}")
    return kind(**{key: _value(hints[key], value, error, f"{where}{key}") for key, value in values.items()})


def _value(hint: Any, value: Any, error: type[VisavisError], where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return value if type(value) is hint else build(hint, value, error, f"{where}.")
    if hint in (tuple[int, ...], tuple[bool, ...]):
        inner = int if hint == tuple[int, ...] else bool
        if isinstance(value, list | tuple) and value and all(type(v) is inner for v in value):
            return tuple(value)
    elif type(value) is hint or (hint is float and type(value) is int):
        if isinstance(value, float) and not math.isfinite(value):
            raise error(f"the configuration key {where} must be a finite number, but is {value!r}; correct it")
        return hint(value)
    name = getattr(hint, "__name__", str(hint)) if not str(hint).startswith("tuple") else "a list of numbers or truth values"
    raise error(f"the configuration key {where} must be {name}, but is {value!r}; correct it")
