"""Files of strangers that are broken or mean harm: refused with one line each, before anything large is allocated."""

from __future__ import annotations

import io
import pickle
import resource
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
import yaml

from resolvent.data import Dataset, import_dataset, verify
from resolvent.solvers import InputError

X = np.random.default_rng(0).normal(size=(4, 6, 6))


class _Harmful:
    """A pickle of this runs a function when it is loaded without care."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return print, ("the pickle has run",)


def _h5(edit: Callable[[h5py.File], Any]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["x-coordinate"] = np.arange(6.0)
            edit(file)

    return make


def _set(name: str, values: Any) -> Callable[[h5py.File], None]:
    return lambda file: file.__setitem__(name, values)


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(4, 2, 6), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(4, 2, 6))
    file.create_virtual_dataset("tensor", layout)


def _zip(members: dict[str, bytes], compress: int = zipfile.ZIP_STORED) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compress) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return make


def _npy(shape: tuple[int, ...], dtype: str = "<f8", content: bytes = b"") -> bytes:
    """An array whose header promises a shape, whatever follows."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def _array(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def _mat(values: dict[str, Any], spoil: Callable[[bytes], bytes] = bytes, **options: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        scipy.io.savemat(path, values, **options)
        path.write_bytes(spoil(path.read_bytes()))

    return make


def _torch(values: Any, spoil: Callable[[bytes], bytes] = bytes, **options: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        torch.save(values, path, **options)
        path.write_bytes(spoil(path.read_bytes()))

    return make


def _repacked(path: Path) -> None:
    torch.save({"x": torch.zeros(4, 1000, 1000)}, path)
    content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            new.writestr(item.filename, old.read(item))


def _bomb(path: Path) -> None:
    """300 MB of zeros in 300 kB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("u.npy", "w", force_zip64=True) as out,
    ):
        out.write(_npy((300, 1000, 125)))
        for _ in range(300):
            out.write(bytes(1_000_000))


def _lying_archive(path: Path) -> None:
    """The directory of the archive declares 8 TB for a member of a few bytes."""
    _zip({"u.npy": _npy((10**6, 10**6))})(path)


def _nan(values: np.ndarray) -> np.ndarray:
    spoilt = values.copy()
    spoilt[2, 3, 1] = np.nan
    return spoilt


T = np.zeros((4, 2, 6))
TENSOR = torch.from_numpy(X)

# name: (file name, how it is made, words of the line)
HOSTILE: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "empty HDF5": ("a.h5", lambda p: p.write_bytes(b""), "is empty"),
    "no HDF5 at all": ("a.hdf5", lambda p: p.write_bytes(b"hello" * 99), "cannot be read as HDF5"),
    "HDF5 without data": ("a.h5", _h5(lambda f: None), "none of PDEBench's layouts"),
    "external link": (
        "a.h5",
        _h5(_set("tensor", h5py.ExternalLink("/etc/passwd", "/x"))),
        "external link to /etc/passwd",
    ),
    "external link in a group": (
        "a.h5",
        _h5(_set("0000/data", h5py.ExternalLink("../other.h5", "/x"))),
        "/0000/data is an external link",
    ),
    "soft link": ("a.h5", _h5(_set("tensor", h5py.SoftLink("/../../x"))), "soft link to /../../x"),
    "virtual dataset": ("a.h5", _h5(_virtual), "virtual dataset"),
    "numbers in another file": (
        "a.h5",
        _h5(lambda f: f.create_dataset("tensor", (4, 2, 6), "u1", external=[("/etc/hostname", 0, 48)])),
        "keeps its numbers in /etc/hostname",
    ),
    "huge declared shape, chunked": (
        "a.h5",
        _h5(lambda f: f.create_dataset("tensor", (10**6, 10**4, 10**4), "f8", chunks=(1, 10, 10))),
        r"declares 8e\+14 bytes",
    ),
    "huge declared shape, contiguous": (
        "a.h5",
        _h5(lambda f: f.create_dataset("tensor", (10**5, 10**4, 10**3), "f8")),
        r"declares 8e\+12 bytes",
    ),
    "huge coordinates": (
        "a.h5",
        _h5(lambda f: (f.__setitem__("tensor", T), f.create_dataset("t-coordinate", (10**12,), "f4"))),
        "t-coordinate declares",
    ),
    "text of any length": ("a.h5", _h5(_set("tensor", ["a", "b"])), "dtype object"),
    "references": (
        "a.h5",
        _h5(lambda f: f.create_dataset("tensor", (4, 2, 6), dtype=h5py.ref_dtype)),
        "dtype object",
    ),
    "compound type": ("a.h5", _h5(_set("tensor", np.zeros((4, 2, 6), dtype=[("a", "f8")]))), "expected numbers"),
    "complex numbers": ("a.h5", _h5(_set("tensor", T + 1j)), "expected an array of real numbers"),
    "a group for an array": ("a.h5", _h5(lambda f: f.create_group("tensor")), "/tensor is a group"),
    "no samples": ("a.h5", _h5(_set("tensor", np.zeros((0, 2, 6)))), r"/tensor is of shape \(0, 2, 6\)"),
    "too few axes": ("a.h5", _h5(_set("tensor", np.zeros((4, 6)))), r"expected \(N, T, \*space\)"),
    "coordinates that do not fit": (
        "a.h5",
        _h5(_set("tensor", np.zeros((4, 2, 7)))),
        "x-coordinate has 6 entries for 7",
    ),
    "times that do not fit": (
        "a.h5",
        _h5(lambda f: (f.__setitem__("tensor", T), f.__setitem__("t-coordinate", np.arange(9.0)))),
        "t-coordinate has 9 entries for 2 steps",
    ),
    "times that go back": (
        "a.h5",
        _h5(lambda f: (f.__setitem__("tensor", T), f.__setitem__("t-coordinate", np.array([1.0, 0.0])))),
        "times that increase",
    ),
    "variables of several shapes": (
        "a.h5",
        _h5(lambda f: (f.__setitem__("Vx", T), f.__setitem__("Vy", T[:3]))),
        "expected all .* alike",
    ),
    "name that leaves the folder": ("a.h5", _h5(_set("..%2Fx", T)), "letters, digits"),
    "forged metadata": (
        "a.h5",
        _h5(lambda f: (f.__setitem__("tensor", T), f.attrs.__setitem__("resolvent", '{"name": "../../x"}'))),
        "malformed",
    ),
    "not a number": ("a.h5", _h5(_set("tensor", _nan(X))), r"tensor holds nan in sample 2 at \[3, 1\]"),
    "samples of several shapes": (
        "a.h5",
        lambda p: _groups(p),
        "expected one",
    ),
    "damaged chunk": ("a.h5", lambda p: _damaged_chunk(p), "cannot be read .*damaged or compressed by a filter"),
    "unknown filter": ("a.h5", lambda p: _unknown_filter(p), "cannot be read .*filter"),
    "empty archive": ("a.npz", lambda p: p.write_bytes(b""), "cannot be read as .npz"),
    "truncated archive": ("a.npz", lambda p: (np.savez(p, x=X, y=X), p.write_bytes(p.read_bytes()[:900])), "truncated"),
    "pickle in an archive": ("a.npz", _zip({"x.npy": _array(np.array([_Harmful()], dtype=object))}), "pickled objects"),
    "archive that expands": ("a.npz", _bomb, "declares 3e.08 bytes"),
    "array that declares more than there is": ("a.npz", _lying_archive, r"u.npy declares 8e\+12 bytes"),
    "member that leaves the folder": ("a.npz", _zip({"../x.npy": _array(X)}), "holds '../x.npy'"),
    "program in an archive": ("a.npz", _zip({"x.py": b"import os"}), "holds 'x.py'"),
    "words for numbers": ("a.npz", lambda p: np.savez(p, x=np.full((4, 6), "a"), y=X), "expected real numbers"),
    "mismatched lengths": ("a.npz", lambda p: np.savez(p, x=X[:3], y=X), r"different numbers of samples \(x 3, y 4\)"),
    "mismatched grids": ("a.npz", lambda p: np.savez(p, x=X, y=X[:, :5]), "do not share a grid"),
    "infinite": ("a.npz", lambda p: np.savez(p, x=X, y=np.full_like(X, np.inf)), "y holds inf"),
    "pickle that runs": ("a.pt", _torch({"x": _Harmful()}), "wants to run .*print"),
    "bare pickle": ("a.pt", lambda p: p.write_bytes(pickle.dumps({"x": _Harmful()})), "no zip file"),
    "torch's old format": ("a.pt", _torch({"x": TENSOR}, _use_new_zipfile_serialization=False), "older format"),
    "truncated tensors": ("a.pt", _torch({"x": TENSOR, "y": TENSOR}, lambda b: b[: len(b) // 2]), "truncated"),
    "repacked tensors": ("a.pt", _repacked, "compressed, which torch.save never does"),
    "expanded tensor": (
        "a.pt",
        _torch({"x": torch.zeros(1).expand(10**4, 10**4, 10**4), "y": TENSOR}),
        "declares shape",
    ),
    "sparse tensor": ("a.pt", _torch({"x": TENSOR[0].to_sparse(), "y": TENSOR}), "plain dense numbers"),
    "list of tensors": ("a.pt", _torch([TENSOR, TENSOR]), "holds a list"),
    "no MATLAB file": ("a.mat", lambda p: p.write_bytes(b"MATLAB 4.2" + bytes(200)), "no MATLAB file of version"),
    "truncated MATLAB file": ("a.mat", _mat({"a": X, "u": X}, lambda b: b[:1000]), "truncated"),
    "damaged compression": (
        "a.mat",
        _mat({"a": X, "u": X}, lambda b: b[:300] + bytes(8) + b[308:], do_compression=True),
        "truncated or damaged",
    ),
    "element of 4 GB": (
        "a.mat",
        lambda p: p.write_bytes(
            b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, 2**32 - 16) + bytes(64)
        ),
        "declares 4294967280 bytes",
    ),
    "MATLAB structure": ("a.mat", _mat({"a": {"b": 1.0}, "u": X[0], "v": X[0]}), "cannot be told"),
    "MATLAB text": ("a.mat", _mat({"note": "text"}), "holds nothing"),
    "unknown ending": ("a.xlsx", lambda p: p.write_bytes(b"x"), "unknown ending '.xlsx'"),
    "missing": ("a.h5", lambda p: None, "no such file"),
}


def _damaged_chunk(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("tensor", data=X[:, None], chunks=(1, 1, 6, 6), compression="gzip", fletcher32=True)
        place = file["tensor"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + 20] ^= 255
    path.write_bytes(content)


def _unknown_filter(path: Path) -> None:
    with h5py.File(path, "w") as file:
        filters = {"compression": 511, "allow_unknown_filter": True}
        tensor = file.create_dataset("tensor", (4, 1, 6, 6), "f8", chunks=(1, 1, 6, 6), **filters)
        for k in range(4):
            tensor.id.write_direct_chunk((k, 0, 0, 0), X[k].tobytes())


def _groups(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["0000/data"], file["0001/data"] = np.zeros((2, 6, 1)), np.zeros((3, 6, 1))


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, make, words = HOSTILE[name]
    make(tmp_path / file)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=words) as raised:
        import_dataset(tmp_path / file, tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert "the pickle has run" not in capfd.readouterr().out
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(".")]


# What somebody puts into a finished dataset: (edit of a shard, words of verify's line, its number in FORMAT.md)
SHARD = "data/train/darcy_00001.hdf5"


def _replace(name: str, make: Callable[[h5py.File, str], Any]) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]
        make(file, name)

    return edit


SPOILT: dict[str, tuple[Callable[[h5py.File], Any], str, str]] = {
    "external link": (
        _replace("t0_fields/solution", lambda f, n: f.__setitem__(n, h5py.ExternalLink("/etc/passwd", "/x"))),
        "external link",
        "4.1",
    ),
    "soft link": (
        _replace("t0_fields/solution", lambda f, n: f.__setitem__(n, h5py.SoftLink("/t0_fields/source"))),
        "soft link",
        "4.1",
    ),
    "huge field": (
        _replace(
            "t0_fields/solution", lambda f, n: f.create_dataset(n, (10**9, 1, 16, 16), "f8", chunks=(1, 1, 16, 16))
        ),
        "declares",
        "4.2",
    ),
    "huge time axis": (
        _replace("dimensions/time", lambda f, n: f.create_dataset(n, (10**11,), "f8")),
        "declares",
        "4.2",
    ),
    "objects": (
        _replace("provenance/status", lambda f, n: f.create_dataset(n, (4,), h5py.string_dtype())),
        "dtype object",
        "4.1",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_shard_that_points_elsewhere_is_not_read(name: str, darcy_folder: Path) -> None:
    edit, words, line = SPOILT[name]
    with h5py.File(darcy_folder / SHARD, "r+") as file:
        edit(file)
    failures = [f for f in verify(darcy_folder).failures if f.what == "cannot be opened"]
    assert [(f.shard, f.line) for f in failures] == [(SHARD, line)]
    assert words in failures[0].value
    with pytest.raises(InputError, match=words):
        Dataset(darcy_folder).read("train", "solution")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("kind", "pickle", "2.2"),
        ("splits", {"train": -1}, "2.3"),
        ("splits", {"train": "10", "valid": 4}, "2.3"),
        ("splits", {"train": 10**30}, "2.3"),
        ("shard_size", 0, "2.3"),
        ("start", True, "2.3"),
        ("dtype", "object", "2.4"),
        ("compression", "../x", "2.5"),
        ("problem", {"name": "../../etc/passwd", "settings": {}}, "2.8"),
        ("problem", "darcy", "2.6"),
        ("solver", None, "2.6"),
    ],
)
def test_hostile_configuration(key: str, value: Any, line: str, darcy_folder: Path) -> None:
    config = yaml.safe_load((darcy_folder / "config.yaml").read_text())
    (darcy_folder / "config.yaml").write_text(yaml.safe_dump({**config, key: value}))
    for read in (Dataset, verify):
        with pytest.raises(InputError, match=f"breaks FORMAT {line}") as raised:
            read(darcy_folder)
        assert "\n" not in str(raised.value)


def test_files_of_a_folder_that_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no file in \.hdf5"):
        import_dataset(tmp_path, tmp_path / "out")
    np.savez(tmp_path / "a.npz", x=X, y=X)
    np.savez(tmp_path / "b.npz", x=X, y=X)
    with pytest.raises(InputError, match="several files of no split"):
        import_dataset(tmp_path, tmp_path / "out")
    shutil.move(tmp_path / "a.npz", tmp_path / "a_train.npz")
    np.savez(tmp_path / "b_test.npz", x=X[:, :5], y=X[:, :5])
    (tmp_path / "b.npz").unlink()
    with pytest.raises(InputError, match="the split test has another space"):
        import_dataset(tmp_path, tmp_path / "out")
