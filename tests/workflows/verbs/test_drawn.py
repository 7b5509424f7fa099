"""Test ``train draw=NAME`` and ``evaluate`` without data: the commands, what they write, resume and refusals."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.data import from_arrays, make_spectral_problem
from resolvent.operators import DrawnSamples, load_operator
from resolvent.workflows.cli import main
from resolvent.workflows.compose import compose_verb

SMALL = ["train", "draw=spectral_poisson", "draw.modes=5", "draw.points=4", "operator=neural_spectral"]
SMALL += ["operator.width=4", "operator.layers=1", "operator.output_scale=1e-3", "epoch_size=48", "valid_size=4"]
SMALL += ["batch_size=8", "optimizer=adam", "weight_decay=0.0", "lr=1e-2", "threads=1"]
REACTION = ["train", "draw=spectral_reaction_diffusion", "draw.modes=[6,9]", "draw.points=8", "draw.slabs=8"]
REACTION += ["draw.slab_points=6", "draw.reference_modes=17", *SMALL[4:]]
QUICK = ["test_functions=6", "baseline_samples=12", "batch_size=4", "samples=2"]


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text()))


def evaluation(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "evaluation.json").read_text()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train two models, one for each problem."""
    folder = tmp_path_factory.mktemp("drawn")
    assert main([*SMALL, "epochs=8", f"out={folder / 'poisson'}"]) == 0
    assert main([*REACTION, "epochs=2", "operator.position=coordinates", f"out={folder / 'reaction'}"]) == 0
    return folder


def test_train_leaves_a_whole_run_folder_and_infers_the_network(made: Path) -> None:
    names = {"config.yaml", "result.json", "log.jsonl", "metrics.csv", "training.png", "last.ckpt"}
    assert names | {"model.safetensors", "model.json"} == {p.name for p in (made / "poisson").iterdir()}
    assert result(made / "poisson")["training.best_valid"] < 0.6
    poisson, reaction = (load_operator(made / name).arguments() for name in ("poisson", "reaction"))
    assert poisson["gauge"] == "mean"
    assert (poisson["bases"], poisson["modes"], poisson["arrays"]) == (["fourier"] * 2, [5, 5], "coefficients")
    assert (reaction["bases"], reaction["modes"]) == (["chebyshev", "fourier"], [6, 9])
    assert (reaction["constraints"], reaction["gauge"]) == (["initial", "none"], "none")


def test_evaluate_beside_baselines_estimates_and_classical_solvers(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("poisson", "reaction"):
        out = tmp_path / name
        assert main(["evaluate", f"model={made / name}", *QUICK, "resolution=[12,10]", f"out={out}"]) == 0
        printed = capsys.readouterr().out
        assert "estimate / error: median" in printed
        assert "at the model's error: spectral solver" in printed
        rows = evaluation(out)
        labels = [row["model"] for row in rows]
        baselines = ["mean field", "PCA + linear regression", "PCA + kernel ridge"]
        assert labels[:4] == ["neural_spectral", *baselines]
        assert len(labels) > 5
        assert all(label.startswith("spectral solver, ") for label in labels[4:])
        assert rows[-1]["relative L2"] < 1e-3 < rows[4]["relative L2"]
        assert all(row["estimate"] is None for row in rows[1:])
        assert {p.name for p in out.glob("*.png")} == {"estimates.png", f"predictions_spectral_{LONG[name]}.png"}
        assert result(out)["rows.neural_spectral.relative_l2"] == rows[0]["relative L2"]
    assert main(["evaluate", f"model={made / 'poisson'}", *QUICK, "baselines=false", f"out={tmp_path / 'b'}"]) == 0
    fine = evaluation(tmp_path / "b")
    assert [row["model"][:8] for row in fine[1:]] == ["spectral"] * len(fine[1:])
    # The same test functions on finer cells: the error is that of functions, not of a grid.
    assert fine[0]["relative L2"] == pytest.approx(evaluation(tmp_path / "poisson")[0]["relative L2"], rel=1e-3)


LONG = {"poisson": "poisson", "reaction": "reaction_diffusion"}


def test_the_estimate_of_a_solution_is_its_error(made: Path, tmp_path: Path) -> None:
    """Check Poisson's equation, whose test functions the basis holds: the two differ by what they are relative to."""
    assert main(["evaluate", f"model={made / 'poisson'}", *QUICK, "baselines=false", f"out={tmp_path}"]) == 0
    row = evaluation(tmp_path)[0]
    assert row["estimate"] == pytest.approx(row["relative L2"], rel=row["relative L2"] + 0.05)


def test_stopped_and_resumed_is_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*SMALL, "draw.boundary=dirichlet", "epochs=4", "supervised=0.5"]
    assert main([*command, f"out={tmp_path / 'whole'}"]) == 0
    draw, calls = DrawnSamples.draw, []

    def stopping(self: DrawnSamples, rng: Any, count: int) -> Any:
        calls.append(count)
        if len(calls) == 16:  # in the third epoch of six batches
            os.kill(os.getpid(), signal.SIGINT)
        return draw(self, rng, count)

    with monkeypatch.context() as patched:
        patched.setattr(DrawnSamples, "draw", stopping)
        assert main([*command, f"out={tmp_path / 'parts'}"]) == 130
    assert result(tmp_path / "parts")["training.epochs_done"] == 2
    assert main([*command, f"out={tmp_path / 'parts'}"]) == 0
    assert result(tmp_path / "parts")["training.resumed_from"] == 2
    whole, parts = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    rows = [[line.rsplit(",", 2)[0] for line in (tmp_path / n / "metrics.csv").open()] for n in ("whole", "parts")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["physics=2.0"], "settings.loss.physics (1.0 there, 2.0 now)"),
        (["residual_norm=L2"], 'settings.loss.norm ("H-1" there, "L2" now)'),
        (["supervised=1.0"], "settings.loss.data (0.0 there, 1.0 now)"),
        (["epoch_size=56"], "data.train (48 there, 56 now)"),
        (["draw.length=0.3"], "data.content.length (0.2 there, 0.3 now)"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(
    made: Path, capsys: pytest.CaptureFixture[str], settings: list[str], words: str
) -> None:
    before = (made / "poisson" / "model.safetensors").read_bytes()
    assert main([*SMALL, "epochs=8", *settings, f"out={made / 'poisson'}"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "is of another run" in printed
    assert words in printed
    assert (made / "poisson" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train"], "or draw=NAME"),
        ([*SMALL, "data=sets/x"], "two things to train on"),
        (["train", "data=sets/x", "physics=2.0"], "physics=2.0 is for training on a residual"),
        ([*SMALL, "history=1"], "history=1 is for stored samples"),
        ([*SMALL, "loss=h1"], "loss=h1 is for stored samples"),
        ([*SMALL, "physics=0.0"], "nothing to minimise"),
        ([*SMALL, "residual_norm=H1"], "unknown norm 'H1'"),
        (["train", "draw=spectral_poisson"], "operator=fno maps values on grids"),
        ([*SMALL, "operator.modes=7"], "set draw.modes"),
        ([*SMALL, "operator.bases=chebyshev"], "contradicts draw=spectral_poisson"),
        ([*SMALL, "operator.gauge=none"], "wants gauge=mean"),
        ([*SMALL, "operator.arrays=cells"], "wants arrays=coefficients"),
        ([*SMALL, "draw.boundary=dirichlet", "operator.constraints=[2.0,1.0]"], "wants constraints="),
        ([*SMALL, "draw.boundary=robin"], "unknown boundary 'robin'"),
        ([*SMALL, "+draw.boundry=robin"], "did you mean 'boundary'"),
        ([*SMALL, "epoch_size=0"], "epoch_size"),
    ],
)
def test_contradictions_are_one_line(
    command: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, f"out={tmp_path / 'run'}"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed
    assert not (tmp_path / "run").exists()


def test_what_agrees_with_the_problem_may_be_given(tmp_path: Path) -> None:
    given = ["operator.modes=5", "operator.bases=fourier", "operator.constraints=none", "operator.gauge=origin"]
    assert main([*SMALL, *given, "epochs=1", f"out={tmp_path / 'run'}"]) == 0
    assert load_operator(tmp_path / "run").arguments()["gauge"] == "origin"


def test_evaluation_refuses_in_one_line(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for settings, words in (
        (["test_functions=0"], "test_functions is 0"),
        (["resolution=[8,8,8]"], "functions of 2 variables"),
        (["resolution=0"], "resolution is 0"),
        (["baseline_samples=1"], "expected at least 2"),
        (["batch_size=0"], "batch_size"),
    ):
        command = ["evaluate", f"model={made / 'poisson'}", *QUICK, *settings, f"out={tmp_path / 'e'}"]
        assert main(command) == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert words in printed


def test_on_stored_cells_where_they_determine_the_coefficients(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = make_spectral_problem("spectral_poisson", modes=5, points=4)
    drawn = problem.test_functions(6)
    f, u = problem.as_inputs(drawn), problem.reference(drawn, *problem.basis.cell_centres((12, 10)))
    f = problem.basis.to_cells(f, (12, 10))
    splits = {"train": 0, "valid": 0, "test": 6}
    from_arrays(f, u, tmp_path / "periodic", boundary="periodic", splits=splits)
    from_arrays(f, u, tmp_path / "walls", boundary="wall", splits=splits)
    from_arrays(f[:, 0], u[:, 0], tmp_path / "lines", boundary="periodic", splits=splits)
    command = ["evaluate", f"model={made / 'poisson'}", "baselines=false"]
    assert main([*command, f"data={tmp_path / 'periodic'}", f"out={tmp_path / 'e'}"]) == 0
    assert main([*command, *QUICK, "resolution=[12,10]", f"out={tmp_path / 'd'}"]) == 0
    stored, own = (evaluation(tmp_path / name)[0] for name in ("e", "d"))
    assert stored["relative L2"] == pytest.approx(own["relative L2"], rel=1e-5)  # the same functions
    capsys.readouterr()
    for model, data, words in (
        ("poisson", tmp_path / "walls", "generate it with problem.boundary=periodic"),
        ("reaction", tmp_path / "lines", "functions of 2 variables, the first of them time: leave data= out"),
        ("reaction", tmp_path / "periodic", "in chebyshev and fourier functions"),
    ):
        assert main(["evaluate", f"model={made / model}", f"data={data}", f"out={tmp_path / 'x'}"]) == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert words in printed


def test_experiments_are_the_problems_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = compose_verb("train", ["experiment=poisson_nsm"])
    assert (config.draw.name, config.operator.name, config.evaluate) == ("spectral_poisson", "neural_spectral", True)
    small = ["epochs=1", "epoch_size=16", "valid_size=2", "operator.width=2", "operator.layers=1", "threads=1"]
    small += ["draw.modes=5", "draw.points=4"]
    assert main(["train", "experiment=poisson_nsm", *small]) == 0
    rows = evaluation(tmp_path / "runs" / "poisson_nsm" / "evaluation")
    assert np.isfinite(rows[0]["relative L2"])
    assert rows[-1]["relative L2"] < 1e-12
