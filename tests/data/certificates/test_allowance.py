"""No certificate stands on an allowance that forgives anything, and nothing is generated that could not pass."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from resolvent.data import Compression, Dataset, check_format, generate, make_problem, verify
from resolvent.data.certificates.allowance import LARGEST_SHARE, forgiven_too_much
from resolvent.data.format.compression import COMPRESSIONS, ERROR_BOUNDED
from resolvent.data.format.digests import combined_digest, config_hash, digest_of_fields, field_digest, file_sha256
from resolvent.data.format.folder import read_manifest
from resolvent.data.format.layout import field_dataset, field_shape
from resolvent.data.moments import sample_moments
from resolvent.data.problems import PROBLEMS, Problem
from resolvent.solvers import InputError
from resolvent.solvers.choice.spec import SolverSpec

SMALL: dict[str, dict[str, Any]] = {
    "advection": {"resolution": 32, "snapshots": 2},
    "allen_cahn": {"resolution": 16, "final_time": 1.0, "snapshots": 2},
    "burgers": {"resolution": 32, "final_time": 0.1, "snapshots": 2},
    "convection_diffusion": {"resolution": 10},
    "darcy": {"resolution": 10},
    "elasticity": {"resolution": (6, 8)},
    "heat": {"resolution": (6, 8), "snapshots": 2, "substeps": 2},
    "helmholtz": {"resolution": 14, "k0": 7.0, "modes": 16},
    "kuramoto_sivashinsky": {"resolution": 32, "length": 16.0, "final_time": 2.0, "snapshots": 2},
    "navier_stokes": {"resolution": 16, "final_time": 1.0, "snapshots": 2},
    "poisson": {"resolution": 10},
    "reaction_diffusion": {"resolution": 32, "final_time": 0.5, "snapshots": 2},
    "riesz": {"resolution": 20},
    "thermal": {"resolution": 8},
}


def _small(name: str, **settings: Any) -> Problem:
    return make_problem(name, **{**SMALL[name], **settings})


def test_every_problem_is_tried() -> None:
    assert set(SMALL) == set(PROBLEMS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SMALL)
def test_what_is_generated_passes_or_is_refused_in_one_line(name: str, dtype: str, tmp_path: Path) -> None:
    problem = _small(name)
    lossless = [c for c in COMPRESSIONS if c not in ERROR_BOUNDED]  # the numbers are the same: one of them a problem
    for compression in (lossless[(list(SMALL).index(name) + (dtype == "float32")) % len(lossless)], *ERROR_BOUNDED):
        for bound in (1e-8, 1e-3, 1e3) if compression in ERROR_BOUNDED else (None,):
            out = tmp_path / f"{compression}{bound}"
            try:
                generate(
                    problem,
                    out,
                    splits={"train": 1},
                    dtype=dtype,
                    compression=Compression(compression, bound),
                    progress=False,
                )
            except InputError as error:
                refused = str(error)
                assert bound is not None
                assert bound > 1e-8 or problem.exact_outputs
                assert re.search("^[^\n]* use a [^\n]*$", refused)
                continue
            report = verify(out)
            assert report.ok, (compression, bound, report.failures)
            assert bound is None or bound < 1e3
            assert 0.0 < (report.certified_to or 0.0) <= LARGEST_SHARE


def _forge(
    folder: Path,
    edit: Callable[[dict[str, np.ndarray]], None] = lambda fields: None,
    configure: Callable[[dict[str, Any]], None] = lambda config: None,
    attributes: dict[str, Any] | None = None,
) -> None:
    """Change the fields of sample 0 and the configuration, and make every checksum agree again."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    configure(config)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = []
    for record in read_manifest(folder).values():
        with h5py.File(folder / record.file, "r+") as file:
            names = [str(n) for group in ("t0_fields", "auxiliary") for n in file[group].attrs["field_names"]]
            stored = {n: field_dataset(file, n) for n in names}
            varying = {n for n, d in stored.items() if d.attrs["sample_varying"]}
            fields = {n: d[0].reshape(field_shape(d)) if n in varying else d[...] for n, d in stored.items()}
            edit(fields)
            for n, values in fields.items():
                if n in varying:
                    stored[n][0] = values.reshape(stored[n].shape[1:])
                if stored[n].attrs["role"] == "output":
                    stored[n].attrs.update(attributes or {})
                if f"moments_{n}" in file["provenance"]:
                    file[f"provenance/moments_{n}"][0] = sample_moments(values)
            digest = digest_of_fields({n: field_digest(n, values) for n, values in fields.items()})
            file["provenance/digest"][0] = np.frombuffer(digest, np.uint8)
            file.attrs["config"] = json.dumps(config, sort_keys=True)
            file["provenance"].attrs["config_hash"] = record.config = config_hash(config)
            record.digest = combined_digest(bytes(d) for d in file["provenance/digest"][:])
        record.sha256, record.size = file_sha256(folder / record.file), (folder / record.file).stat().st_size
        lines.append(record.line())
    (folder / "manifest.jsonl").write_bytes(b"".join(lines))


def _noise(fields: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    for name, values in fields.items():
        if name.startswith(("solution", "displacement", "field")):
            values[...] = (1e200 if values.dtype == np.float64 else 1e30) * rng.normal(size=values.shape)
            if "initial" in fields:
                values[0] = fields["initial"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "settings"), [*((n, {}) for n in SMALL), ("poisson", {"boundary": "neumann"}), ("darcy", {"dimension": 3})]
)
def test_noise_is_no_solution(name: str, settings: dict[str, Any], dtype: str, tmp_path: Path) -> None:
    problem = _small(name, **settings) if "dimension" not in settings else make_problem(name, resolution=5, **settings)
    generate(problem, tmp_path / "a", splits={"train": 1}, dtype=dtype, progress=False)
    _forge(tmp_path / "a")
    assert verify(tmp_path / "a").ok  # the forger knows the format
    _forge(tmp_path / "a", _noise)
    failures = verify(tmp_path / "a").failures
    assert failures[0].line in ("11.2", "11.4")
    assert all(f.sample == 0 and "\n" not in str(f) for f in failures)


@pytest.mark.parametrize("name", ["darcy", "heat", "riesz"])
@pytest.mark.parametrize(("dtype", "size"), [("float64", 1e20), ("float32", 1e8), ("float32", 1e4)])
def test_a_coefficient_out_of_all_measure(name: str, dtype: str, size: float, tmp_path: Path) -> None:
    def edit(fields: dict[str, np.ndarray]) -> None:
        fields["coefficient"][2:5] = size

    generate(_small(name), tmp_path / "a", splits={"train": 1}, dtype=dtype, progress=False)
    _forge(tmp_path / "a", edit)
    failures = verify(tmp_path / "a").failures
    assert {f.sample for f in failures if f.line in ("11.2", "11.4")} == {0}


@pytest.mark.parametrize("rtol", [1e10, 0.5])
@pytest.mark.parametrize("name", ["darcy", "burgers"])
def test_a_tolerance_that_forgives_everything(rtol: float, name: str, tmp_path: Path) -> None:
    def configure(config: dict[str, Any]) -> None:
        config["solver"]["settings"]["rtol"] = rtol

    generate(_small(name), tmp_path / "a", splits={"train": 1}, progress=False)
    _forge(tmp_path / "a", configure=configure)
    (failure,) = verify(tmp_path / "a").failures
    assert (failure.sample, failure.line) == (0, "11.4")
    assert "certifies nothing: expected at most 0.01" in str(failure)


@pytest.mark.parametrize("rtol", [math.nan, math.inf, -1.0, 0.0, True, 10**400], ids=str)
def test_a_tolerance_that_is_none(rtol: Any, tmp_path: Path) -> None:
    generate(_small("darcy"), tmp_path / "a", splits={"train": 1}, progress=False)
    config = yaml.safe_load((tmp_path / "a/config.yaml").read_text())
    config["solver"]["settings"]["rtol"] = rtol
    (tmp_path / "a/config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match=r"^[^\n]* breaks FORMAT 2\.6: [^\n]*rtol[^\n]*$"):
        verify(tmp_path / "a")


@pytest.mark.parametrize("value", [math.nan, datetime.date(2020, 1, 1)], ids=str)
def test_a_setting_that_is_no_json(value: Any, tmp_path: Path) -> None:
    generate(_small("darcy"), tmp_path / "a", splits={"train": 1}, progress=False)
    config = yaml.safe_load((tmp_path / "a/config.yaml").read_text())
    config["problem"]["settings"]["low"] = value
    (tmp_path / "a/config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match=r"^[^\n]* breaks FORMAT 3\.3: it cannot be written as JSON [^\n]*$"):
        verify(tmp_path / "a")


@pytest.mark.parametrize(("compression", "mode"), [("zfp", "absolute"), ("sz3", "absolute"), ("sz3", "relative")])
@pytest.mark.parametrize("bound", [1e3, 1e300])
def test_an_error_bound_that_forgives_everything(compression: str, mode: str, bound: float, tmp_path: Path) -> None:
    about = {"compression": compression, "error_bound": bound, "error_bound_mode": mode, "error_measured": 0.0}

    def edit(fields: dict[str, np.ndarray]) -> None:
        fields["solution"][...] = np.random.default_rng(0).normal(size=fields["solution"].shape)

    def configure(config: dict[str, Any]) -> None:
        config.update({key: value for key, value in about.items() if key != "error_measured"})

    generate(_small("darcy"), tmp_path / "a", splits={"train": 1}, progress=False)
    _forge(tmp_path / "a", edit, configure, {**about, "compression_ratio": 1.0})
    report = verify(tmp_path / "a")
    assert [f.line for f in report.failures if f.sample == 0] == ["11.4"]
    assert (report.certified_to or 0.0) > 1.0


@pytest.mark.parametrize("key", ["residual", "error_estimate", "balance_drift"])
def test_a_recorded_infinity(key: str, tmp_path: Path) -> None:
    generate(_small("heat"), tmp_path / "a", splits={"train": 1}, progress=False)
    for value in (math.inf, -math.inf, math.nan):
        with h5py.File(tmp_path / "a/data/train/heat_00000.hdf5", "r+") as file:
            file[f"provenance/{key}"][0] = value
        _forge(tmp_path / "a")
        failures = [f for f in verify(tmp_path / "a").failures if f.sample == 0]
        assert [f.line for f in failures] == ["11.1" if key == "residual" else "11.3"]


def test_what_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    """The allowance of float32 grows with the square of the resolution: on a long thin grid this takes few cells."""
    problem = make_problem("poisson", resolution=(3, 2048))
    with pytest.raises(InputError, match=r"sample 0 of poisson: rounding to float32 may .* use dtype=float64$"):
        generate(problem, tmp_path / "a", splits={"train": 1}, dtype="float32", progress=False)
    generate(problem, tmp_path / "b", splits={"train": 1}, dtype="float64", progress=False)
    assert verify(tmp_path / "b").ok


def test_a_loose_tolerance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rtol=0\.1: nothing is certified by .* use rtol=0\.01 or less"):
        generate(_small("darcy"), tmp_path / "a", splits={"train": 1}, solver=SolverSpec("cg", {"rtol": 0.1}))
    assert not (tmp_path / "a").exists()
    generate(_small("darcy"), tmp_path / "b", splits={"train": 3}, solver=SolverSpec("cg", {"rtol": 0.01}))
    report = verify(tmp_path / "b")
    assert report.ok
    assert report.certified_to == report.residual_max
    assert f"certified to {report.certified_to:.1e}" in report.summary()
    assert json.loads(json.dumps(report.to_dict()))["certified_to"] == report.certified_to
    assert check_format(tmp_path / "b") == []
    Dataset(tmp_path / "b").close()


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0, 1.0])
def test_each_number_is_looked_at(wrong: float) -> None:
    assert forgiven_too_much(0.0, LARGEST_SHARE, LARGEST_SHARE) == ""
    assert forgiven_too_much(0.0, wrong, 0.0)
    assert forgiven_too_much(0.0, 0.0, wrong)
