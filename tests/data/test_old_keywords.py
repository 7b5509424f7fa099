"""Keywords that were replaced still work, for one version, and say what to write instead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.data import Chains, Compression, Dataset, from_arrays, generate, import_dataset, make_problem

SPLITS = {"train": 8}


def _generated(out: Path, **settings: Any) -> dict[str, Any]:
    generate(make_problem("poisson", resolution=8, modes=8), out, splits=SPLITS, progress=False, **settings)
    return Dataset(out).config


def test_error_bounds(tmp_path: Path) -> None:
    new = _generated(tmp_path / "new", compression=Compression("sz3", 1e-4, "relative"))
    with pytest.warns(DeprecationWarning, match=r"generate\(error_bound, error_bound_mode=\) .* use compression=Comp"):
        old = _generated(tmp_path / "old", compression="sz3", error_bound=1e-4, error_bound_mode="relative")
    assert old == new
    x = np.random.default_rng(0).normal(size=(4, 8))
    with pytest.warns(DeprecationWarning, match="from_arrays"):
        dataset = from_arrays(x, x, tmp_path / "a", compression="zfp", error_bound=1e-3)
    assert (dataset.config["compression"], dataset.config["error_bound"]) == ("zfp", 1e-3)
    np.savez(tmp_path / "s.npz", x=x, y=x)
    with pytest.warns(DeprecationWarning, match="import_dataset"):
        dataset = import_dataset(tmp_path / "s.npz", tmp_path / "b", compression="sz3", error_bound=1e-3)
    assert dataset.config["error_bound"] == 1e-3


def test_chains_and_what_they_announce(tmp_path: Path) -> None:
    told: list[str] = []
    new = _generated(tmp_path / "new", strategy=Chains("auto", 4))
    with pytest.warns(DeprecationWarning, match="will go with the next version") as warned:
        generate(
            make_problem("poisson", resolution=8, modes=8), tmp_path / "old", splits=SPLITS, strategy="auto", chain=4,
            sort="none", announce=told.append,
        )  # fmt: skip
    assert len(warned) == 2
    assert Dataset(tmp_path / "old").config == new
    assert len(told) == 1


def test_executors(tmp_path: Path) -> None:
    new = _generated(tmp_path / "new")
    with ThreadPoolExecutor(2) as pool, pytest.warns(DeprecationWarning, match="use engine="):
        old = _generated(tmp_path / "old", executor=pool)
    assert old == new


def test_new_spellings_do_not_warn(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    _generated(tmp_path / "a", compression="lzf", strategy="constant_matrix", engine="local")
    assert not [w for w in recwarn if issubclass(w.category, DeprecationWarning)]
