from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import AvatarFileError
from models.exchange import ply
from models.tensor_file import MalformedError
from models.types import Gaussians
from tests.models.exchange import making

WORLD = making.world(50)
IN_FILE = making.turned(WORLD)
DATA = ply.encode(WORLD)


def same(a: Gaussians, b: Gaussians) -> None:
    np.testing.assert_array_equal(a.means, b.means)
    np.testing.assert_allclose(np.abs((a.rotations * b.rotations).sum(axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(a.scales, b.scales, rtol=2e-6)
    np.testing.assert_allclose(a.opacities, b.opacities, atol=2e-6)
    np.testing.assert_allclose(a.colors, b.colors, atol=2e-6)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_what_is_written_is_read(tmp_path: Path, degree: int) -> None:
    path = tmp_path / "a.ply"
    ply.save(WORLD, path, degree)
    same(ply.load(path), WORLD)


def test_the_header_is_that_of_the_format() -> None:
    head = ply.encode(WORLD, 3).split(b"end_header\n")[0].decode().splitlines()
    assert head[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 50"]
    names = ["x", "y", "z", "nx", "ny", "nz", *(f"f_dc_{i}" for i in range(3)), *(f"f_rest_{i}" for i in range(45))]
    names += ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    assert head[3:] == [f"property float {name}" for name in names]


def test_a_row_holds_what_the_page_says() -> None:
    row = np.array(struct.unpack("<17f", DATA.split(b"end_header\n", 1)[1][: 17 * 4]))
    np.testing.assert_allclose(row[:3], IN_FILE.means[0])
    np.testing.assert_allclose(0.5 + row[6:9] / np.sqrt(4 * np.pi), WORLD.colors[0], atol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-row[9])), WORLD.opacities[0], atol=1e-6)
    np.testing.assert_allclose(np.exp(row[10:13]), WORLD.scales[0], rtol=1e-6)
    np.testing.assert_allclose(row[13:] * np.sign(row[13:] @ IN_FILE.rotations[0]), IN_FILE.rotations[0], atol=1e-6)


def test_values_without_a_logarithm_are_written() -> None:
    g = making.world(3)
    g.opacities[:2], g.scales[0] = [0, 1], 0
    back = ply.decode(ply.encode(g))
    np.testing.assert_allclose(back.opacities, g.opacities, atol=2e-6)
    assert back.scales[0].max() < 1e-11


def variant(order: str, kind: str, names: list[str], newline: str = "\n", before: str = "", more: bytes = b"") -> bytes:
    """The same Gaussians as other programs might write them."""
    columns = ply.columns_of(IN_FILE, 1)
    columns["red"] = np.full(50, 200.0)
    head = ["ply", f"format {order} 1.0", "comment made elsewhere", *before.splitlines(), "element vertex 50"]
    head += [*(f"property {kind} {n}" for n in names), "end_header", ""]
    table = np.stack([columns[n] for n in names], axis=1)
    if order == "ascii":
        body = newline.join(" ".join(f"{v:.9g}" for v in row) for row in table).encode() + newline.encode()
    else:
        codes = {"float": "f4", "float32": "f4", "double": "f8"}
        body = table.astype((">" if order == "binary_big_endian" else "<") + codes[kind]).tobytes()
    return newline.join(head).encode() + more + body


ANY_ORDER = [*sorted(ply.columns_of(WORLD, 1), reverse=True), "red"]


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("kind", ["float", "float32", "double"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_other_writers_are_understood(order: str, kind: str, newline: str) -> None:
    same(ply.decode(variant(order, kind, ANY_ORDER, newline)), WORLD)


def test_an_element_before_the_gaussians_is_skipped() -> None:
    data = variant(
        "binary_little_endian", "float", ANY_ORDER, before="element camera 2\nproperty int id", more=b"\1\0\0\0\2\0\0\0"
    )
    same(ply.decode(data), WORLD)


def test_an_infinite_logit_is_an_opacity_of_one() -> None:
    columns = ply.columns_of(WORLD)
    columns["opacity"] = np.full(50, np.inf)
    assert (ply.decode(ply.write_columns(columns)).opacities == 1).all()


HEAD = "ply\nformat binary_little_endian 1.0\n"
PACKED = (HEAD + "element vertex 9\nproperty uint packed_position\nend_header\n").encode() + bytes(36)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "does not begin"),
        (b"plyish", "does not begin"),
        (b"ply\nformat ascii 1.0\n", "does not end"),
        (DATA[:-1], "ends before"),
        (DATA + b"\0", "longer"),
        (DATA.replace(b"vertex 50", b"vertex 51"), "ends before"),
        (DATA.replace(b"vertex 50", b"vertex 99999999999"), "are allowed"),
        (DATA.replace(b"vertex 50", b"vertex 0"), "are allowed"),
        (DATA.replace(b"vertex 50", b"vertex -1"), "does not know"),
        (DATA.replace(b"float opacity", b"float opacitx"), "'opacity'"),
        (DATA.replace(b"float opacity", b"quark opacity"), "does not know"),
        (DATA.replace(b"float rot_0", b"float rot_1"), "twice"),
        (DATA.replace(b"float nx", b"list uchar int nx"), "lists"),
        (DATA.replace(b"element vertex", b"element splats"), "no element"),
        (DATA.replace(b"1.0", b"2.0", 1), "does not know"),
        (DATA.replace(b"format binary_little_endian 1.0\n", b""), "how the numbers"),
        ((HEAD + "element vertex 1\n" + "property float x\n" * 300 + "end_header\n").encode(), "more than 256"),
        (PACKED, "it is packed"),
        (variant("ascii", "float", ANY_ORDER)[:-300], "ends before|not a row|do not have"),
        (variant("ascii", "float", ANY_ORDER).replace(b".", b"x", 40), "."),
    ],
)  # fmt: skip
def test_what_is_no_ply_of_gaussians_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(data)
    with pytest.raises(AvatarFileError, match=reason) as error:
        ply.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "value"), [("x", np.nan), ("scale_1", 100.0), ("f_dc_0", np.inf), ("opacity", np.nan)])
def test_numbers_that_cannot_be_are_refused(name: str, value: float) -> None:
    columns = ply.columns_of(WORLD)
    columns[name] = np.full(50, value)
    with pytest.raises(MalformedError, match="finite"):
        ply.decode(ply.write_columns(columns))


def test_a_quaternion_without_length_is_refused() -> None:
    columns = ply.columns_of(WORLD) | {f"rot_{i}": np.zeros(50) for i in range(4)}
    with pytest.raises(MalformedError, match="without length"):
        ply.decode(ply.write_columns(columns))


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ply", tmp_path):
        with pytest.raises(AvatarFileError, match="cannot be read"):
            ply.load(path)


def opens_or_refuses(data: bytes) -> None:
    try:
        g = ply.decode(data)
    except MalformedError:
        return
    assert len(g) <= ply.MAX_GAUSSIANS
    assert np.isfinite(g.means).all() and np.isfinite(g.scales).all() and (g.scales >= 0).all()
    assert ((g.colors >= 0) & (g.colors <= 1)).all()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_never_break_it(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([DATA[:900], variant("ascii", "float", ANY_ORDER)])))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, min(len(whole), 700) - 1))] = data.draw(st.integers(0, 255))
    opens_or_refuses(bytes(whole))
    opens_or_refuses(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian", "x"]),
    st.lists(st.tuples(st.sampled_from(["vertex", "face"]), st.integers(-1, 1 << 40)), max_size=3),
    st.lists(
        st.sampled_from([f"property {t} {n}" for t in ("float", "list uchar int", "char") for n in ply.NEEDED]), max_size=20
    ),
    st.binary(max_size=200),
)
def test_made_up_headers_never_break_it(order: str, elements: list[tuple[str, int]], lines: list[str], body: bytes) -> None:
    head = ["ply", f"format {order} 1.0"]
    for name, count in elements:
        head += [f"element {name} {count}", *lines]
    opens_or_refuses("\n".join([*head, "end_header", ""]).encode() + body)
