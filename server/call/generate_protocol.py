"""Write `client_web/src/protocol.ts` from the structs of `server/call/protocol.py`, with the numbers that both sides share, and
`client_web/src/drive/format.ts` (`server/call/drive_format.py`).

`python -m server.call.generate_protocol` writes the files; with `--check` it writes nothing and exits with status 1 when one
on disk is not what would be written.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from realtime.room import framing, layout
from server.call import drive_format, protocol

TARGET = Path(__file__).resolve().parents[2] / "client_web" / "src" / "protocol.ts"

_HEADER = """\
// Generated from server/call/protocol.py by `python -m server.call.generate_protocol`. Change that file, not this one.
"""

_READER = """\
export class ProtocolError extends Error {}

/** A message as JSON text. */
export function encode(message: Message): string {
  return JSON.stringify(message);
}

/** JSON text as a message, missing fields filled with their defaults. Throws `ProtocolError` for anything else. */
export function decode(text: string): Message {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new ProtocolError("a JSON object was expected, the message is not JSON");
  }
  if (!isObject(data) || typeof data.type !== "string" || !Object.hasOwn(MESSAGES, data.type)) {
    throw new ProtocolError(`a message with one of the types ${Object.keys(MESSAGES).join(", ")} was expected`);
  }
  const shape = MESSAGES[data.type as keyof typeof MESSAGES];
  return { type: data.type, ...build(shape, data, data.type) } as unknown as Message;
}

type Check = (value: unknown, where: string) => unknown;
interface Field {
  check: Check;
  fallback?: () => unknown;
}
type Shape = Record<string, Field>;

function build(shape: Shape, data: Record<string, unknown>, where: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(shape)) {
    if (Object.hasOwn(data, name)) result[name] = field.check(data[name], `${where}.${name}`);
    else if (field.fallback) result[name] = field.fallback();
    else throw new ProtocolError(`${where} needs ${name}, which is missing`);
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(where: string, expected: string): never {
  throw new ProtocolError(`${where} should be ${expected}; it is not`);
}

const text: Check = (value, where) => (typeof value === "string" ? value : refuse(where, "text"));
const flag: Check = (value, where) => (typeof value === "boolean" ? value : refuse(where, "true or false"));
const number: Check = (value, where) => (Number.isFinite(value) ? value : refuse(where, "a finite number"));
const integer: Check = (value, where) => (Number.isSafeInteger(value) ? value : refuse(where, "an integer"));

function oneOf(...choices: string[]): Check {
  return (value, where) => (choices.includes(value as string) ? value : refuse(where, choices.join(" or ")));
}

function list(item: Check): Check {
  return (value, where) => (Array.isArray(value) ? value.map((v) => item(v, where)) : refuse(where, "a list"));
}

function table(item: Check): Check {
  return (value, where) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, item(v, `${where}.${k}`)]))
      : refuse(where, "an object");
}

function object(shape: Shape): Check {
  return (value, where) => (isObject(value) ? build(shape, value, where) : refuse(where, "an object"));
}
"""


MESSAGES: list[type[msgspec.Struct]] = list(dict.fromkeys(typing.get_args(protocol.FromPage | protocol.ToPage)))
_NUMBERS = {
    "VERSION": protocol.VERSION,
    "MAX_MESSAGE": protocol.MAX_MESSAGE,
    "MAX_NAME": protocol.MAX_NAME,
    "MAX_SOUND_LINES": protocol.MAX_SOUND_LINES,
    "MAX_ROOM": framing.MAX_ROOM,
    "CONNECT_LIMIT": protocol.CONNECT_LIMIT,
    "SILENCE_LIMIT": protocol.SILENCE_LIMIT,
    "PICTURE_LIMIT": protocol.PICTURE_LIMIT,
    "MAX_PITCH": layout.MAX_PITCH,
    "MIN_DISTANCE": layout.MIN_DISTANCE,
    "MAX_DISTANCE": layout.MAX_DISTANCE,
}
"""MAX_ROOM in pixels, times in seconds; MAX_PITCH in radians, distances in metres: the limits of `ViewerCamera`."""


def render() -> str:
    """The whole of protocol.ts as text."""
    parts = _parts_of(MESSAGES)
    blocks = [
        _HEADER,
        "".join(f"export const {name} = {value};\n" for name, value in _NUMBERS.items()),
        f"export type Role = {_type(protocol.Role)};\nexport type Act = {_type(protocol.Act)};\n"
        f"export type Background = {_type(protocol.Background)};\n\n"
        "/** sRGB, as the server draws them. */\n"
        f"export const BACKGROUNDS: Record<Background, readonly [number, number, number]> = {_colors()};\n",
        *(_interface(cls) for cls in [*parts, *MESSAGES]),
        "export type Message =\n" + "\n".join(f"  | {cls.__name__}" for cls in MESSAGES) + ";\n",
        _READER,
        *(f"const {_shape_name(cls)}: Shape = {_shape(cls, '')};\n" for cls in parts),
        "const MESSAGES = {\n"
        + "".join(f"  {_tag(cls)}: {_shape(cls, '  ')},\n" for cls in MESSAGES)
        + '} satisfies Record<Message["type"], Shape>;\n',
    ]
    return "\n".join(blocks)


def _colors() -> str:
    return "{ " + ", ".join(f"{name}: {json.dumps(color)}" for name, color in framing.BACKGROUNDS.items()) + " }"


def _tag(cls: type[msgspec.Struct]) -> str | int | None:
    """The message's `type`; `None` for a struct inside messages."""
    return cls.__struct_config__.tag


def _plain(hint: Any) -> Any:
    """A type without its constraints."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _parts_of(messages: Sequence[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """Structs that appear inside messages, inner ones first."""
    found: list[type[msgspec.Struct]] = []

    def walk(hint: Any) -> None:
        for arg in typing.get_args(hint):
            walk(arg)
        if _is_struct(hint) and hint not in found:
            for field in msgspec.structs.fields(hint):
                walk(field.type)
            found.append(hint)

    for cls in messages:
        for field in msgspec.structs.fields(cls):
            walk(field.type)
    return found


def _interface(cls: type[msgspec.Struct]) -> str:
    lines = ["/** " + " ".join((inspect.getdoc(cls) or "").split()) + " */", f"export interface {cls.__name__} {{"]
    if _tag(cls) is not None:
        lines.append(f"  type: {json.dumps(_tag(cls))};")
    lines += [f"  {f.name}: {_type(f.type)};" for f in msgspec.structs.fields(cls)]
    return "\n".join([*lines, "}"]) + "\n"


def _type(hint: Any) -> str:
    hint = _plain(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(json.dumps(a) for a in args)
    if origin is list:
        return f"{_type(args[0])}[]"
    if origin is dict:
        return f"Record<{_type(args[0])}, {_type(args[1])}>"
    if _is_struct(hint):
        return typing.cast(type, hint).__name__
    return {str: "string", bool: "boolean", int: "number", float: "number"}[hint]


def _check(hint: Any) -> str:
    hint = _plain(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"oneOf({', '.join(json.dumps(a) for a in args)})"
    if origin is list:
        return f"list({_check(args[0])})"
    if origin is dict:
        return f"table({_check(args[1])})"
    if _is_struct(hint):
        return f"object({_shape_name(typing.cast(type, hint))})"
    return {str: "text", bool: "flag", int: "integer", float: "number"}[hint]


def _shape_name(cls: type) -> str:
    return cls.__name__[0].lower() + cls.__name__[1:] + "Shape"


def _shape(cls: type[msgspec.Struct], indent: str) -> str:
    lines = []
    for f in msgspec.structs.fields(cls):
        field = f"check: {_check(f.type)}"
        if f.default is not msgspec.NODEFAULT:
            field += _fallback(f.default)
        elif f.default_factory is not msgspec.NODEFAULT:
            field += _fallback(f.default_factory())
        lines.append(f"{indent}  {f.name}: {{ {field} }},\n")
    return "{\n" + "".join(lines) + indent + "}" if lines else "{}"


def _fallback(default: Any) -> str:
    value = json.dumps(msgspec.to_builtins(default))
    return f", fallback: () => {f'({value})' if value.startswith('{') else value}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m server.call.generate_protocol", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with status 1 when a file differs")
    options = parser.parse_args(arguments)
    stale = 0
    for target, wanted in ((TARGET, render()), (drive_format.TARGET, drive_format.render())):
        if target.exists() and target.read_text(encoding="utf-8") == wanted:
            continue
        if options.check:
            stale = 1
            print(f"{target} is not what the server says; run `python -m server.call.generate_protocol`", file=sys.stderr)
        else:
            target.write_text(wanted, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
