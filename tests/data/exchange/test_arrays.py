"""Users' own arrays: shapes, names, splits, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resolvent.data import Dataset, cell_centres, describe, format_description, from_arrays
from resolvent.data.format.digests import file_sha256
from resolvent.solvers import InputError


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


@pytest.mark.parametrize("space", [(12,), (6, 9), (4, 5, 6)])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_round_trip(tmp_path: Path, space: tuple[int, ...], channels: int | None) -> None:
    shape = (20, *space) if channels is None else (20, channels, *space)
    names = None if channels is None else {"inputs": [f"a{i}" for i in range(channels)], "outputs": ["u"]}
    x = _random(*shape)
    y = _random(20, *space) if channels is None else _random(20, 1, *space)
    dataset = from_arrays(x, y, tmp_path / "a", names=names, shard_size=6)
    assert dataset.splits == {"train": 16, "valid": 2, "test": 2}
    assert dataset.resolution == space
    inputs, outputs = (
        np.concatenate(parts) for parts in zip(*(dataset.arrays(s) for s in dataset.splits), strict=True)
    )
    np.testing.assert_array_equal(inputs, x.reshape(20, channels or 1, *space))
    np.testing.assert_array_equal(outputs, y.reshape(20, 1, *space))
    np.testing.assert_array_equal(dataset.axes[0], cell_centres(space[0]))


def test_one_array_with_channels_and_one_without(tmp_path: Path) -> None:
    dataset = from_arrays(_random(5, 2, 8, 8), _random(5, 8, 8), tmp_path / "a", splits={"train": 5})
    assert (dataset.input_fields, dataset.output_fields) == (["input_0", "input_1"], ["output"])


def test_channels_are_guessed_where_nothing_tells(tmp_path: Path) -> None:
    assert from_arrays(_random(4, 2, 64), _random(4, 2, 64), tmp_path / "a").resolution == (64,)
    assert from_arrays(_random(4, 32, 64), _random(4, 32, 64), tmp_path / "b").resolution == (32, 64)
    given = [cell_centres(2), cell_centres(64)]
    assert from_arrays(_random(4, 2, 64), _random(4, 2, 64), tmp_path / "c", axes=given).resolution == (2, 64)


def test_dtype_units_axes_shuffle(tmp_path: Path) -> None:
    x, y = _random(10, 8).astype("f4"), _random(10, 8).astype("f4")
    axis = np.linspace(-1, 1, 8)
    dataset = from_arrays(
        x, y, tmp_path / "a", name="mine", names={"inputs": ["k"], "outputs": ["p"]}, units={"p": "Pa"}, axes=[axis],
        boundary="periodic", shuffle_seed=3, splits={"train": 6, "test": 2},
    )  # fmt: skip
    assert dataset.dtype == np.float32
    rows = np.concatenate([dataset.provenance(s)["index"] for s in dataset.splits])
    assert sorted(set(rows)) != list(range(8))
    assert len(set(rows)) == 8
    np.testing.assert_array_equal(dataset.read("test", "p"), y[rows[6:]])
    np.testing.assert_array_equal(dataset.axes[0], axis)
    described = describe(tmp_path / "a")
    assert described["fields"]["p"]["units"] == "Pa"
    assert "no equations" in format_description(described)
    assert from_arrays(x.astype(int), y, tmp_path / "b").dtype == np.float64
    assert from_arrays(x.astype("f8"), y, tmp_path / "c", dtype="float32").dtype == np.float32


def test_again_completes_and_other_arrays_are_refused(tmp_path: Path) -> None:
    x, y = _random(10, 8, 8), _random(10, 8, 8)
    from_arrays(x, y, tmp_path / "a", shard_size=2)
    path = tmp_path / "a/data/train/arrays_00001.hdf5"
    sha256 = file_sha256(path)
    path.unlink()
    from_arrays(x, y, tmp_path / "a", shard_size=2)
    assert file_sha256(path) == sha256
    with pytest.raises(InputError, match=r"another configuration \(digest is"):
        from_arrays(x + 1, y, tmp_path / "a", shard_size=2)
    np.testing.assert_array_equal(Dataset(tmp_path / "a").read("train", "input"), x[:8])


@pytest.mark.parametrize(
    ("x", "y", "arguments", "message"),
    [
        (_random(5, 8), _random(6, 8), {}, "inputs hold 5 samples and outputs 6"),
        (_random(5, 8), _random(5, 9), {}, r"grid \(8,\) and outputs on \(9,\)"),
        (_random(5), _random(5), {}, r"expected \(N, \*space\)"),
        (_random(0, 8), _random(0, 8), {}, "N of at least 1"),
        (_random(5, 8) + 1j, _random(5, 8), {}, "complex128: expected real"),
        (np.array([["a"]]), _random(1, 1), {}, "expected real numbers"),
        (np.where(np.arange(40).reshape(5, 8) == 19, np.nan, 1.0), _random(5, 8), {}, r"hold nan at \[2, 3\]"),
        (_random(5, 8), _random(5, 8), {"names": {"input": ["a"]}}, "did you mean 'inputs'"),
        (_random(5, 8), _random(5, 8), {"names": {"inputs": ["a", "b"]}}, "the array has 1 channels"),
        (_random(5, 8), _random(5, 8), {"names": {"inputs": ["a/b"]}}, "letters, digits"),
        (_random(5, 8), _random(5, 8), {"names": {"inputs": ["u"], "outputs": ["u"]}}, "repeat one"),
        (_random(5, 8), _random(5, 8), {"name": "../x"}, "letters, digits"),
        (_random(5, 8), _random(5, 8), {"units": {"outptu": "m"}}, "did you mean 'output'"),
        (_random(5, 8), _random(5, 8), {"splits": {"train": 6}}, "splits sum to 6 but the arrays hold 5"),
        (_random(5, 8), _random(5, 8), {"dtype": "int8"}, "unknown dtype"),
        (_random(5, 8), _random(5, 8), {"boundary": "walls"}, "did you mean 'wall'"),
        (_random(5, 8), _random(5, 8), {"axes": [np.zeros(7)]}, r"x is of shape \(7,\), expected \(8,\)"),
        (_random(2, 3, 3, 3, 3), _random(2, 3, 3, 3, 3), {}, "4 axes in space"),
    ],
)
def test_refused(tmp_path: Path, x: np.ndarray, y: np.ndarray, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        from_arrays(x, y, tmp_path / "a", **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
