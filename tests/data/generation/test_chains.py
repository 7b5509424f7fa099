"""Samples solved as chains: bits of the chain alone, whatever the shards, workers, engine and interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from resolvent.data import (
    Chains,
    Compression,
    Dataset,
    Problem,
    check_format,
    generate,
    make_problem,
    open_engine,
    verify,
)
from resolvent.data.format.folder import read_manifest
from resolvent.data.generation import chains
from resolvent.data.problems.steady.poisson import Poisson
from resolvent.solvers import STRATEGIES, InputError, LinearSystem, SolveResult, SolverSpec, Status
from resolvent.workflows.cli import main

SMALL: dict[str, dict[str, Any]] = {
    "poisson": {"resolution": 8, "modes": 8},
    "darcy": {"resolution": 8, "medium": "lognormal", "modes": 8},
    "helmholtz": {"resolution": 16, "k0": 6.0, "modes": 8},
    "convection_diffusion": {"resolution": 8, "peclet_high": 20.0, "modes": 8},
    "thermal": {"resolution": 5, "geometry": "varying"},
    "elasticity": {"resolution": 5, "modes": 8},
    "riesz": {"resolution": 32},
}
DRIFT = SolverSpec("gmres", {"rtol": 1e-9}, "ilu0", {})


def _small(name: str) -> Problem:
    return make_problem(name, **SMALL[name])


def _rows(folder: Path, split: str = "train") -> dict[str, np.ndarray]:
    return Dataset(folder).provenance(split)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_auto_solves_and_certifies_every_steady_problem(name: str, tmp_path: Path) -> None:
    report = generate(_small(name), tmp_path / "a", splits={"train": 6, "test": 2}, strategy=Chains("auto", 4))
    assert verify(tmp_path / "a").ok
    assert check_format(tmp_path / "a") == []
    assert report.residual_max <= 1e-10
    rows = _rows(tmp_path / "a")
    assert rows["chain"].tolist() == [0, 0, 0, 0, 1, 1]
    assert set(rows["status"]) == {"converged"}
    assert report.family["chains"] == 3  # chain 1 is cut by the end of train: each of its shards solves it
    assert report.family["outside"] == 4
    assert sum(report.family["plan"].values()) == 8
    # The solutions are those of independent solves, to the tolerance.
    generate(_small(name), tmp_path / "b", splits={"train": 6, "test": 2})
    mine, theirs = Dataset(tmp_path / "a"), Dataset(tmp_path / "b")
    for field in mine.fields:
        a, b = mine.read("train", field), theirs.read("train", field)
        if field not in mine.output_fields:
            np.testing.assert_array_equal(a, b)
        else:
            assert np.abs(a - b).max() <= 1e-6 * np.abs(b).max()


def test_what_is_solved_by_itself_has_the_bits_of_independent_generation(tmp_path: Path) -> None:
    auto = generate(_small("darcy"), tmp_path / "a", splits={"train": 6}, strategy=Chains("auto", 3))
    alone = generate(_small("darcy"), tmp_path / "b", splits={"train": 6})
    assert auto.family["plan"] == {"independent": 6}
    assert auto.content_digest == alone.content_digest
    assert "family" not in yaml.safe_load((tmp_path / "b" / "config.yaml").read_text())
    assert "family" not in (tmp_path / "b" / "manifest.jsonl").read_text()


def test_a_family_is_recognised_and_its_plan_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    problem = make_problem("poisson", resolution=10, legacy="skr")
    began = time.perf_counter()
    report = generate(
        problem,
        tmp_path / "a",
        splits={"train": 64},
        strategy=Chains("auto", 32),
        progress=lambda at: told.append(at.found),
        shard_size=32,
    )
    took = time.perf_counter() - began
    assert report.family["plan"] == {"superposition": 64}
    assert report.family["full_solves"] <= 2 * 20
    assert report.family["chains"] == 2
    assert report.family["outside"] == 0
    said = [text for text in dict.fromkeys(told) if text]
    assert len(said) == 1
    assert "constant" in said[0]
    assert "superposition" in said[0]
    assert set(report.seconds) == {"sampling", "analysis", "ordering", "solving", "writing", "total"}
    assert report.seconds["analysis"] > 0
    rows = _rows(tmp_path / "a")
    assert (rows["seconds_analysis"] > 0).all()
    # Samples share what their chain took: together they took no longer than the run.
    assert 0.0 < sum(rows[name].sum() for name in rows if name.startswith("seconds_")) <= took
    with h5py.File(Dataset(tmp_path / "a").path(Dataset(tmp_path / "a").shards[1])) as file:
        found = json.loads(bytes(file["chains/report"][0]))
        assert file["chains/number"][:].tolist() == [1]
    assert found["found"]["groups"][0]["matrices"] == "constant"
    assert found["ledger"]["full_solves"] == report.family["full_solves"] // 2
    config = yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())
    assert config["family"] == {"strategy": "auto", "chain": 32, "sort": "none"}
    # A second look at the finished folder counts from the manifest.
    again = generate(problem, tmp_path / "a", splits={"train": 64}, strategy=Chains("auto", 32))
    assert (again.computed, again.family) == (0, report.family)


@pytest.mark.parametrize("sort", ["none", "greedy", "hilbert", "pca"])
def test_bits_do_not_depend_on_shards_workers_or_place(sort: str, tmp_path: Path) -> None:
    """Chains solved in other shards, cut by splits, started elsewhere: sample i is the same."""
    problem = _small("convection_diffusion")
    settings: dict[str, Any] = {"strategy": "recycling", "chain": 4, "sort": sort, "solver": DRIFT}
    whole = generate(problem, tmp_path / "a", splits={"train": 16}, shard_size=16, **settings)
    many = generate(problem, tmp_path / "b", splits={"train": 16}, shard_size=4, **settings)
    cut = generate(problem, tmp_path / "c", splits={"train": 6, "valid": 7, "test": 3}, **settings)
    assert whole.content_digest == many.content_digest == cut.content_digest
    generate(problem, tmp_path / "d", splits={"test": 3}, start=9, **settings)
    np.testing.assert_array_equal(
        Dataset(tmp_path / "d").read("test", "solution"), Dataset(tmp_path / "a").read("train", "solution")[9:12]
    )
    if sort == "greedy":
        two = generate(problem, tmp_path / "e", splits={"train": 16}, shard_size=4, workers=2, **settings)
        assert two.content_digest == whole.content_digest
        other = generate(problem, tmp_path / "f", splits={"train": 16}, **{**settings, "chain": 8})
        assert other.content_digest != whole.content_digest  # the chain's length is part of what a sample is
        assert verify(tmp_path / "f").ok
        unsorted = generate(problem, tmp_path / "g", splits={"train": 16}, **{**settings, "sort": "none"})
        assert unsorted.content_digest != whole.content_digest


def test_dask_gives_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    settings: dict[str, Any] = {"splits": {"train": 16}, "strategy": Chains("warm_start", 4, "greedy")}
    here = generate(_small("thermal"), tmp_path / "a", shard_size=8, **settings)
    with open_engine("dask", 2) as engine:
        there = generate(_small("thermal"), tmp_path / "b", shard_size=4, engine=engine, **settings)
    assert there.content_digest == here.content_digest


SCRIPT = """
import sys
from resolvent.data import Chains, generate, make_problem
from resolvent.solvers import SolverSpec
if __name__ == "__main__":
    generate(make_problem("convection_diffusion", resolution=8, peclet_high=20.0, modes=8), sys.argv[1],
             splits={"train": 240}, shard_size=4, workers=2, strategy=Chains("recycling", 4, "greedy"),
             solver=SolverSpec("gmres", {"rtol": 1e-9}, "ilu0", {}))
"""


def test_killed_and_run_again(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    out, manifest = tmp_path / "a", tmp_path / "a" / "manifest.jsonl"
    (tmp_path / "script.py").write_text(SCRIPT)
    process = start([sys.executable, str(tmp_path / "script.py"), str(out)])
    patience = time.monotonic() + 300
    while (not manifest.exists() or manifest.read_bytes().count(b"\n") < 3) and time.monotonic() < patience:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    finished = manifest.read_bytes().count(b"\n")
    assert 3 <= finished < 60
    settings: dict[str, Any] = {"strategy": Chains("recycling", 4, "greedy"), "solver": DRIFT}
    problem = _small("convection_diffusion")
    report = generate(problem, out, splits={"train": 240}, **settings)  # the shard size that is there
    assert (report.shards_skipped, report.shards_computed) == (finished, 60 - finished)
    whole = generate(problem, tmp_path / "b", splits={"train": 240}, shard_size=240, **settings)
    assert report.content_digest == whole.content_digest
    assert verify(out).ok


@pytest.mark.parametrize("status", [Status.MAXITER, Status.CONVERGED])
def test_a_sample_that_misses_the_tolerance_is_solved_by_itself(
    status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third solution of a family is spoilt, whether the solver says so or not: the certificate decides."""
    real = chains.solve_sequence

    def spoilt(*arguments: Any, **settings: Any) -> Any:
        solved = real(*arguments, **settings)
        for result in solved.results[::3]:
            result.x, result.status = result.x * (1.0 + 1e-6), status
        return solved

    monkeypatch.setattr(chains, "solve_sequence", spoilt)
    report = generate(_small("poisson"), tmp_path / "a", splits={"train": 8}, strategy=Chains("constant_matrix", 4))
    assert report.family["plan"] == {"constant_matrix": 4, "independent": 4}
    assert verify(tmp_path / "a").ok
    alone = np.flatnonzero(_rows(tmp_path / "a")["strategy"] == "independent")
    assert alone.tolist() == [0, 3, 4, 7]
    generate(_small("poisson"), tmp_path / "b", splits={"train": 8})
    mine, theirs = (Dataset(tmp_path / n).read("train", "solution") for n in "ab")
    np.testing.assert_array_equal(mine[alone], theirs[alone])


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != "independent"])
def test_every_strategy_certifies_what_it_was_not_made_for(strategy: str, tmp_path: Path) -> None:
    report = generate(_small("darcy"), tmp_path / "a", splits={"train": 6}, strategy=Chains(strategy, 3))
    assert report.residual_max <= 1e-10
    assert verify(tmp_path / "a").ok
    # Recorded as solved by itself is what has the bits of that, and nothing else.
    generate(_small("darcy"), tmp_path / "b", splits={"train": 6})
    mine, theirs = (Dataset(tmp_path / n).read("train", "solution") for n in "ab")
    alone = (mine == theirs).reshape(6, -1).all(axis=1)
    names = _rows(tmp_path / "a")["strategy"]
    assert [name == "independent" for name in names] == alone.tolist()
    assert set(names) <= {strategy, "independent"} or strategy == "auto"


def test_float32_and_error_bounds_go_with_chains(tmp_path: Path) -> None:
    pytest.importorskip("hdf5plugin")
    generate(
        _small("poisson"), tmp_path / "a", splits={"train": 8}, strategy=Chains("auto", 4),
        compression=Compression("sz3", 1e-6), dtype="float32",
    )  # fmt: skip
    assert verify(tmp_path / "a").ok


class _Restless(Poisson):
    """Cannot be solved sample by sample."""

    def solve(self, *arguments: Any, **settings: Any) -> SolveResult:
        raise InputError("nothing to solve it with")


def test_an_error_names_the_sample(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^sample 0 of poisson: nothing to solve it with$"):
        generate(_Restless(8, modes=8), tmp_path / "a", splits={"train": 2}, strategy=Chains("superposition", 4),
                 solver=SolverSpec("cg", {"rtol": 1e-10, "maxiter": 1}, "jacobi", {}))  # fmt: skip
    assert list(tmp_path.iterdir()) == []


class _Renamed(Poisson):
    def system(self, parameters: Any) -> LinearSystem:
        return super().system(parameters)._replace(nullspace=np.ones(self.shape[0] ** 2))


@pytest.mark.parametrize(
    ("problem", "arguments", "match"),
    [
        ("poisson", {"strategy": "recycle"}, r"unknown strategy 'recycle'.*did you mean 'recycling'"),
        ("poisson", {"strategy": "auto", "length": 0}, "chain is 0: expected an integer of at least 1"),
        ("poisson", {"strategy": "independent", "length": -3}, "chain is -3"),
        ("poisson", {"strategy": "auto", "sort": "best"}, "unknown sort 'best'"),
        (
            "poisson",
            {"strategy": "independent", "sort": "greedy"},
            "sort=greedy orders the samples of a chain.*strategy=independent",
        ),
        ("poisson", {"strategy": "scaling", "sort": "pca"}, "sort=pca orders the samples of a chain.*strategy=scaling"),
        (
            "poisson",
            {"strategy": "auto", "length": 4, "shard_size": 6},
            "shard_size is 6, no multiple of chain=4: use shard_size=8",
        ),
        ("heat", {"strategy": "recycling"}, "strategy=recycling is for steady problems, and heat is not"),
        ("singular", {"strategy": "auto"}, "strategy=auto is for regular systems.*strategy=independent"),
    ],
)
def test_mistakes_are_named_in_one_line(problem: str, arguments: dict[str, Any], match: str, tmp_path: Path) -> None:
    made = _Renamed(8, modes=8) if problem == "singular" else make_problem(problem, resolution=8, modes=8)
    size = arguments.get("shard_size")
    chains = {key: value for key, value in arguments.items() if key != "shard_size"}
    with pytest.raises(InputError, match=match) as raised:
        generate(made, tmp_path / "a", splits={"train": 8}, strategy=Chains(**chains), shard_size=size)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_shards_are_whole_chains(tmp_path: Path) -> None:
    generate(_small("poisson"), tmp_path / "a", splits={"train": 1300}, strategy=Chains("auto", 300))
    assert yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())["shard_size"] == 600
    assert [len(s) for s in Dataset(tmp_path / "a").shards] == [600, 600, 100]
    assert all(record.family is not None for record in read_manifest(tmp_path / "a").values())


def test_the_command_prints_what_was_found_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "problem=poisson", "problem.modes=8", "problem.resolution=8", "samples=40", "splits=[32,4,4]"]
    words += ["strategy=auto", "chain=8", f"out={tmp_path / 'a'}"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.count("one factorisation, all right-hand sides at once") == 1
    assert "6 chains" in printed  # four in train; valid and test each solve the fifth
    assert "2 of them cut" in printed or "8 samples outside" in printed
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert result["family.plan.constant_matrix"] == 40
    assert "constant_matrix" in (tmp_path / "a" / "log.jsonl").read_text()
    assert main(["inspect", f"data={tmp_path / 'a'}"]) == 0
    assert "strategy=auto, chains of 8" in capsys.readouterr().out
    assert main([*words, "sort=greedy"]) == 2
    assert "another configuration (family.sort is 'none' there, 'greedy' here)" in capsys.readouterr().err
    assert main(["generate", "strategy=sometimes", f"out={tmp_path / 'b'}"]) == 2
    assert "unknown strategy 'sometimes'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [("strategy", "some", "2.9"), ("chain", 0, "2.9"), ("sort", 3, "2.9"), ("shard_size", 6, "2.9")],
)
def test_the_checker_knows_the_configuration_of_chains(key: str, value: Any, line: str) -> None:
    config = {
        "kind": "problem", "problem": {"name": "poisson", "settings": {}}, "splits": {"train": 8}, "start": 0,
        "seed": 0, "solver": {"settings": {"rtol": 1e-10}}, "dtype": "float64", "compression": "gzip", "shard_size": 8,
        "family": {"strategy": "auto", "chain": 4, "sort": "none"},
    }  # fmt: skip
    from resolvent.data.format.config import config_violation

    assert config_violation(config) is None
    spoilt = {**config, key: value} if key == "shard_size" else {**config, "family": {**config["family"], key: value}}
    found = config_violation(spoilt)
    assert found is not None
    assert found[0] == line


def test_the_checker_names_what_a_spoilt_shard_breaks(tmp_path: Path) -> None:
    generate(_small("poisson"), tmp_path / "a", splits={"train": 4}, strategy=Chains("auto", 2))
    path = tmp_path / "a" / "data" / "train" / "poisson_00000.hdf5"
    with h5py.File(path, "r+") as file:
        file["provenance/chain"][...] = 7
    assert [v.line for v in check_format(tmp_path / "a")] == ["9.6"]
    with h5py.File(path, "r+") as file:
        file["provenance/chain"][...] = [0, 0, 1, 1]
        del file["chains/report"]
    assert [v.line for v in check_format(tmp_path / "a")] == ["9.6"]
