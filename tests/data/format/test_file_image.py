"""A file in memory holds what a file would, whatever was in its pages before; it is written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.data.format.atomic_files import write_temporary
from resolvent.data.format.file_image import FileImage

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 9000), st.binary(min_size=1, max_size=300)),
        st.tuples(st.just("truncate"), st.integers(0, 9000), st.just(b"")),
        st.tuples(st.just("read"), st.integers(0, 9000), st.just(b"x" * 50)),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, STEPS)
def test_it_is_a_file(first: list[tuple[str, int, bytes]], second: list[tuple[str, int, bytes]]) -> None:
    image = FileImage()
    for steps in (first, second):
        image.clear()
        plain = io.BytesIO()
        for what, place, data in steps:
            if what == "truncate":
                # BytesIO does not grow by truncate
                plain.seek(0, os.SEEK_END)
                plain.write(bytes(max(place - plain.tell(), 0)))
                plain.truncate(place)
                image.truncate(place)
                continue
            assert image.seek(place) == plain.seek(place)
            if what == "write":
                assert image.write(memoryview(data)) == plain.write(data)
            else:
                assert image.read(len(data)) == plain.read(len(data))
            assert image.tell() == plain.tell()
        assert bytes(image.content) == plain.getvalue()
        assert bytes(image.pages[: len(plain.getvalue())]) == plain.getvalue()
        assert len(image.pages) % 4096 == 0
        assert not any(image.pages[len(plain.getvalue()) :])


def test_hdf5_writes_the_same_file_again_and_larger_ones_between() -> None:
    image = FileImage()
    contents = []
    for size in (1000, 300_000, 1000):
        image.clear()
        with h5py.File(image, "w") as file:
            file["v"] = np.arange(size)
        contents.append(bytes(image.content))
        with h5py.File(io.BytesIO(contents[-1]), "r") as file:
            assert np.array_equal(file["v"], np.arange(size))
    assert contents[0] == contents[2]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 1_500_001])
@pytest.mark.parametrize("refused", ["nothing", "open", "write"])
def test_files_have_their_size_with_and_without_direct_writing(
    tmp_path: Path, size: int, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = FileImage()
    image.write(memoryview(np.random.default_rng(0).bytes(size)))
    real_open, real_write = os.open, os.write

    def refuse(real, condition):
        def call(*arguments):
            if condition(arguments):
                raise OSError(errno.EINVAL, "Invalid argument")
            return real(*arguments)

        return call

    if refused == "open":
        monkeypatch.setattr(os, "open", refuse(real_open, lambda a: a[1] & getattr(os, "O_DIRECT", 0)))
    if refused == "write":
        monkeypatch.setattr(os, "write", refuse(real_write, lambda a: True))
    written = write_temporary(image.content, tmp_path / "a.hdf5", image.pages)
    assert written.read_bytes() == bytes(image.content)
    assert [p.name for p in tmp_path.iterdir()] == [written.name]


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="direct writing is of Linux")
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    image = FileImage()
    image.write(memoryview(bytes(10_000)))
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        write_temporary(image.content, tmp_path / "a.hdf5", image.pages)
    assert not list(tmp_path.iterdir())
