from __future__ import annotations

import json
import math
import typing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ProtocolError
from server.call import protocol

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FROM_PAGE, TO_PAGE = typing.get_args(protocol.FromPage), typing.get_args(protocol.ToPage)
FIELDS = sorted({field.name for cls in FROM_PAGE for field in msgspec.structs.fields(cls)})
PLAIN = {
    str: st.text(st.characters(codec="utf-8"), max_size=20),
    int: st.integers(0, 1 << 40),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


def messages(kinds: tuple[type, ...]) -> st.SearchStrategy:
    """Of every kind, with every field set."""

    def value(hint: typing.Any) -> st.SearchStrategy:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Literal:
            return st.sampled_from(args)
        if origin is list:
            return st.lists(value(args[0]), max_size=3)
        if origin is dict:
            return st.dictionaries(value(args[0]), value(args[1]), max_size=3)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return struct(hint)
        return PLAIN.get(hint, st.booleans())

    def struct(cls: type) -> st.SearchStrategy:
        return st.builds(cls, **{field.name: value(field.type) for field in msgspec.structs.fields(cls)})

    return st.one_of(*map(struct, kinds))


@settings(max_examples=200, deadline=None)
@given(messages(FROM_PAGE), messages(TO_PAGE))
def test_every_message_survives_the_wire(up: protocol.FromPage, down: protocol.ToPage) -> None:
    assert protocol.decode(protocol.encode(up)) == up
    assert protocol.decode_from_server(protocol.encode(down)) == down


def refused_or_understood(text: str | bytes) -> None:
    outcome: object
    try:
        outcome = protocol.decode(text)
    except ProtocolError as error:
        outcome = str(error)
    assert isinstance(outcome, FROM_PAGE) or ("\n" not in str(outcome) and len(str(outcome)) < 300)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_refused_or_understood(text: str | bytes) -> None:
    refused_or_understood(text)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([cls.__struct_config__.tag for cls in FROM_PAGE]),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), JSON, max_size=6),
)
def test_any_object_with_a_known_type_is_refused_or_understood(kind: str, fields: dict) -> None:
    refused_or_understood(json.dumps({**fields, "type": kind}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 90_000,
        '{"type": "viewer_camera", "yaw": 1e999}',
        '{"type": "viewer_camera", "yaw": NaN}',
        '{"type": "viewer_camera", "yaw": true}',
        '{"type": "viewer_camera", "yaw": ' + "9" * 5000 + "}",
        '{"type": "viewer_camera", "focus": 1.5}',
        '{"type": "viewer_camera", "focus": ' + "9" * 20 + "}",
        '{"type": "join", "name": "' + "x" * 41 + '"}',
        '{"type": "join", "order": -2}',
        '{"type": "moderate", "act": "promote"}',
        '{"type": "hello"}',
        '{"type": "hello", "key": "' + "x" * 2049 + '"}',
        '{"type": "welcome", "resume": "", "role": "host"}',
        '{"type": "offer"}',
        '{"type": "offer", "sdp": 5}',
        '{"type": ["offer"]}',
        b"\xff\xfe",
        "x" * (protocol.MAX_MESSAGE + 1),
    ],
)
def test_these_are_refused(text: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode(text)


def test_what_newer_pages_add_is_ignored_and_what_is_left_out_has_its_default() -> None:
    assert protocol.decode('{"type": "join", "mood": "good"}') == protocol.Join()
    assert protocol.decode('{"type": "viewer_camera", "yaw": 1e300}') == protocol.ViewerCamera(yaw=1e300)
    assert math.isfinite(protocol.ViewerCamera().distance)
