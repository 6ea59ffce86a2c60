from __future__ import annotations

import json
import typing

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
NAMES = st.sampled_from(["role", "key", "sdp", "yaw", "pitch", "distance", "sent", "resume", "version", "ice_servers"])
GOOD = st.one_of(*[st.from_type(cls) for cls in typing.get_args(protocol.Message)])


@settings(max_examples=200, deadline=None)
@given(GOOD)
def test_every_message_survives_the_wire(message: protocol.Message) -> None:
    try:
        back = protocol.decode(protocol.encode(message))
    except ProtocolError:  # from_type also makes floats that are not finite
        assert "NaN" in protocol.encode(message) or "Infinity" in protocol.encode(message)
    else:
        assert back == message


def refused_or_understood(text: str | bytes) -> None:
    outcome: object
    try:
        outcome = protocol.decode(text)
    except ProtocolError as error:
        outcome = str(error)
    assert isinstance(outcome, tuple(protocol.MESSAGES.values())) or "\n" not in str(outcome)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_refused_or_understood(text: str | bytes) -> None:
    refused_or_understood(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(protocol.MESSAGES)), st.dictionaries(NAMES | st.text(max_size=5), JSON, max_size=6))
def test_any_object_with_a_known_type_is_refused_or_understood(kind: str, fields: dict) -> None:
    refused_or_understood(json.dumps({**fields, "type": kind}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        '{"type": "camera", "yaw": 1e999, "pitch": 0, "distance": 1}',
        '{"type": "camera", "yaw": NaN, "pitch": 0, "distance": 1}',
        '{"type": "camera", "yaw": true, "pitch": 0, "distance": 1}',
        '{"type": "camera", "yaw": ' + "9" * 400 + ', "pitch": 0, "distance": 1}',
        '{"type": "camera", "yaw": ' + "9" * 5000 + ', "pitch": 0, "distance": 1}',
        '{"type": "hello", "role": "king"}',
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


def test_a_wrong_field_is_told_in_plain_words() -> None:
    for field, text in (("role", "'person' or 'viewer'"), ("key", "text"), ("version", "a whole number")):
        wrong = {"role": "viewer", field: ["x"]}
        with pytest.raises(ProtocolError, match=text) as error:
            protocol.decode(json.dumps({"type": "hello", **wrong}))
        assert "Literal" not in str(error.value) and "str" not in str(error.value)
