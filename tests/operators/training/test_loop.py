"""The training loop: it learns, resumes exactly, leaves the test split alone, and says what went wrong."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.operators import (
    FNO,
    NormalizedOperator,
    TrainSettings,
    build_operator,
    evaluate_operator,
    load_operator,
    predict,
    train,
)
from resolvent.operators.training.optimizers import OPTIMIZERS
from resolvent.solvers import InputError

ARGUMENTS = {"in_channels": 1, "out_channels": 1, "ndim": 1, "modes": 6, "width": 6, "layers": 2, "projection": 8}


def settings(**changes: Any) -> TrainSettings:
    return TrainSettings(**{"epochs": 4, "batch_size": 8, "lr": 1e-2, "accelerator": "cpu", "threads": 1, **changes})


def model(**changes: Any) -> FNO:
    built = build_operator("fno", seed=0, **{**ARGUMENTS, **changes})
    assert isinstance(built, FNO)
    return built


def rows(folder: Path) -> list[dict[str, float]]:
    """Return the log without the times, which no two runs share."""
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if "seconds" not in key} for line in lines]


def state(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "last.ckpt", weights_only=True)


def assert_equal(one: Any, other: Any) -> None:
    """Compare nested dictionaries, lists and tensors bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


def assert_same_run(one: Path, other: Path) -> None:
    """Compare logs, last and best weights, optimiser state and best metric bit for bit."""
    assert rows(one) == rows(other)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    a, b = state(one), state(other)
    assert (a["step"], a["best_epoch"], a["best_valid"]) == (b["step"], b["best_epoch"], b["best_valid"])
    for key, value in a["model"].items():
        assert torch.equal(value, b["model"][key]), key
    assert_equal(a["optimizer"], b["optimizer"])
    assert_equal(a["average"], b["average"])


def test_learns_a_translation_at_every_resolution(translation: Callable[..., Any], tmp_path: Path) -> None:
    """u(x) = 10 + 3·a(x − ¼), from 48 samples on 24 cells; then on grids it has never seen, coarser and finer."""
    dataset = translation(n=24, train=48)
    report = train(model(), dataset, tmp_path, settings(epochs=30, batch_size=4))
    best = load_operator(tmp_path)
    errors = {n: evaluate_operator(best, translation(n=n))["relative_l2"] for n in (24, 16, 31, 96)}
    assert errors[24] < 0.02
    assert max(errors.values()) < 1.3 * errors[24] + 1e-3
    assert report.best_valid < 0.02
    assert report.epochs_done == 30
    assert not report.interrupted


def test_report_and_files(translation: Callable[..., Any], tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    network = model()
    report = train(network, translation(), tmp_path, settings(), progress=lambda *call: calls.append(call))
    found = rows(tmp_path)
    assert [row["epoch"] for row in found] == [1, 2, 3, 4]
    assert [row["step"] for row in found] == [3, 6, 9, 12]  # 20 samples in batches of 8
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "last.ckpt",
        "log.jsonl",
        "metrics.csv",
        "model.json",
        "model.safetensors",
    ]
    with (tmp_path / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["valid_l2"]) for row in table] == [row["valid_l2"] for row in found]
    best = min(found, key=lambda row: row["valid_l2"])
    assert (report.best_epoch, report.best_valid) == (best["epoch"], best["valid_l2"])
    assert (report.steps, report.epochs_done, report.resumed_from, report.interrupted) == (12, 4, 0, False)
    assert report.train_loss == found[-1]["train_loss"]
    assert report.parameters == network.parameter_count()
    assert report.seconds > 0.0
    logged = [json.loads(line)["processor_seconds"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert min(logged) > 0.0
    assert report.processor_seconds == pytest.approx(sum(logged))
    resumed = train(model(), translation(), tmp_path, settings())
    assert resumed.resumed_from == 4
    assert resumed.processor_seconds == report.processor_seconds
    json.dumps(report.to_dict())
    assert [call[:2] for call in calls] == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    description = json.loads((tmp_path / "model.json").read_text())
    assert description["metrics"]["valid_l2"] == report.best_valid
    assert description["fields"] == {"inputs": ["input0"], "outputs": ["output0"], "resolution": [24]}


def test_progress_is_shown_unless_it_is_turned_off(
    translation: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(model(), translation(), tmp_path / "shown", settings(epochs=2))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"train: {done}/2 epochs" for done in range(3)]
    last = rows(tmp_path / "shown")[-1]
    assert lines[-1].endswith(f"loss {last['train_loss']:.4g}, valid {last['valid_l2']:.4g}")
    train(model(), translation(), tmp_path / "quiet", settings(epochs=1), progress=False)
    assert capsys.readouterr().out == ""


def test_the_report_prints_short_and_as_a_table(translation: Callable[..., Any], tmp_path: Path) -> None:
    report = train(model(), translation(), tmp_path, settings(epochs=2), progress=False)
    assert repr(report) == (
        f"TrainReport({str(tmp_path)!r}: 2 epochs, best validation error {report.best_valid:.4g} in epoch "
        f"{report.best_epoch}, {report.seconds:.3g} s)"
    )
    assert "interrupted" in repr(replace(report, interrupted=True))
    assert "no epoch finished" in repr(replace(report, epochs_done=0, best_epoch=0))
    table = report._repr_html_()
    assert f"{report.best_valid:.4g} in epoch {report.best_epoch}" in table
    assert table.count("<tr>") == table.count("</tr>") == 7


def test_the_best_model_is_the_one_saved(translation: Callable[..., Any], tmp_path: Path) -> None:
    dataset = translation()
    report = train(model(), dataset, tmp_path, settings())
    best = load_operator(tmp_path)
    assert isinstance(best, NormalizedOperator)
    assert evaluate_operator(best, dataset, "valid")["relative_l2"] == pytest.approx(report.best_valid, rel=1e-5)


SECOND_ORDER = ("soap", "muon", "psgd", "shampoo")

VARIANTS: dict[str, dict[str, Any]] = {
    "onecycle": {},
    "step": {"scheduler": "step", "step_epochs": 2},
    "ema": {"ema": 0.9},
    "sgd": {"optimizer": "sgd", "scheduler": "linear"},
    **{name: {"optimizer": name, "ema": 0.5} for name in SECOND_ORDER},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_resumed_equals_uninterrupted(translation: Callable[..., Any], tmp_path: Path, variant: str) -> None:
    if variant in SECOND_ORDER:
        pytest.importorskip("pytorch_optimizer")
    np.random.seed(1)  # noqa: NPY002 (nothing may depend on it)
    chosen = settings(grad_clip=1.0, loss="h1", weight_decay=1e-2, batch_size=4, **VARIANTS[variant])
    train(model(), translation(), tmp_path / "whole", chosen)

    class Enough(Exception):
        """Stands for a kill after two epochs."""

    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise Enough

    with pytest.raises(Enough):
        train(model(), translation(), tmp_path / "parts", chosen, progress=stop)
    assert len(rows(tmp_path / "parts")) == 2
    torch.manual_seed(12345)  # whatever the process did in between
    np.random.seed(2)  # noqa: NPY002
    other_weights = build_operator("fno", seed=99, **ARGUMENTS)  # the checkpoint's are used
    report = train(other_weights, translation(), tmp_path / "parts", chosen)
    assert (report.resumed_from, report.epochs_done) == (2, 4)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_killed_between_log_and_checkpoint(
    translation: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch whose checkpoint was not written is repeated, and appears once."""
    train(model(), translation(), tmp_path / "whole", settings())

    def crash(folder: Path, checkpoint: Any) -> None:
        if len(checkpoint.rows) == 3:
            raise MemoryError
        write(folder, checkpoint)

    from resolvent.operators.training import loop as training

    write = training.write_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_checkpoint", crash)
        with pytest.raises(MemoryError):
            train(model(), translation(), tmp_path / "parts", settings())
    train(model(), translation(), tmp_path / "parts", settings())
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_is_left_as_it_is(translation: Callable[..., Any], tmp_path: Path) -> None:
    first = train(model(), translation(), tmp_path, settings())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    again = train(model(), translation(), tmp_path, settings())
    assert (again.best_valid, again.best_epoch, again.steps) == (first.best_valid, first.best_epoch, first.steps)
    assert again.resumed_from == 4
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_resume_false_starts_again(translation: Callable[..., Any], tmp_path: Path) -> None:
    train(model(), translation(), tmp_path, settings(epochs=2))
    report = train(model(), translation(), tmp_path, settings(lr=1e-3, resume=False))
    assert report.resumed_from == 0
    assert len(rows(tmp_path)) == 4


def test_a_run_without_end_can_be_lengthened(translation: Callable[..., Any], tmp_path: Path) -> None:
    train(model(), translation(), tmp_path / "whole", settings(scheduler="constant"))
    for epochs in (1, 4):
        train(model(), translation(), tmp_path / "parts", settings(scheduler="constant", epochs=epochs))
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_another_run_in_the_same_folder_is_refused(translation: Callable[..., Any], tmp_path: Path) -> None:
    train(model(), translation(), tmp_path, settings(epochs=1))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"settings\.lr \(0\.01 there, 0\.02 now\).*resume=false"):
        train(model(), translation(), tmp_path, settings(epochs=1, lr=2e-2))
    with pytest.raises(InputError, match=r"operator\.width \(6 there, 8 now\)"):
        train(model(width=8), translation(), tmp_path, settings(epochs=1))
    with pytest.raises(InputError, match=r"data\.train \(20 there, 21 now\)"):
        train(model(), translation(train=21), tmp_path, settings(epochs=1))
    changed = translation()
    changed.config = {"name": "other"}
    with pytest.raises(InputError, match=r'data\.content\.name \("arrays" there, "other" now\)'):
        train(model(), changed, tmp_path, settings(epochs=1))
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_arguments_that_an_operator_has_got_since_had_their_defaults(
    translation: Callable[..., Any], tmp_path: Path
) -> None:
    train(model(), translation(), tmp_path, settings(epochs=2))
    earlier = state(tmp_path)
    del earlier["run"]["operator"]["nodes"]
    torch.save(earlier, tmp_path / "last.ckpt")
    assert train(model(), translation(), tmp_path, settings(epochs=2)).resumed_from == 2
    with pytest.raises(InputError, match=r"operator.nodes \(false there, true now\)"):
        train(model(nodes=True), translation(), tmp_path, settings(epochs=2))


def test_damaged_checkpoint_is_named(translation: Callable[..., Any], tmp_path: Path) -> None:
    train(model(), translation(), tmp_path, settings(epochs=1))
    whole = (tmp_path / "last.ckpt").read_bytes()
    for content in (whole[:1000], b"", b"no checkpoint"):
        (tmp_path / "last.ckpt").write_bytes(content)
        with pytest.raises(InputError, match=r"last.ckpt is damaged; delete it"):
            train(model(), translation(), tmp_path, settings(epochs=1))
    torch.save({**torch.load(io.BytesIO(whole), weights_only=True), "format_version": 99}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match="format version 99"):
        train(model(), translation(), tmp_path, settings(epochs=1))


def test_the_test_split_is_not_read(translation: Callable[..., Any], tmp_path: Path) -> None:
    dataset = translation()
    train(model(), dataset, tmp_path, settings(epochs=1))
    assert set(dataset.reads) == {"train", "valid"}


def test_streaming_equals_memory(translation: Callable[..., Any], tmp_path: Path) -> None:
    for name, in_memory in (("held", True), ("streamed", False)):
        train(model(), translation(), tmp_path / name, settings(epochs=2, in_memory=in_memory))
    assert_same_run(tmp_path / "held", tmp_path / "streamed")


def test_units_do_not_matter(translation: Callable[..., Any], tmp_path: Path) -> None:
    """Outputs of 10²⁵, whose squares float32 cannot hold, train like outputs of order one."""
    for name, factor in (("one", 1.0), ("huge", 2.0**83)):
        dataset = translation()
        for split, (inputs, outputs) in dataset.content.items():
            dataset.content[split] = (inputs, factor * outputs)
        train(model(), dataset, tmp_path / name, settings(epochs=2))
    one, huge = rows(tmp_path / "one"), rows(tmp_path / "huge")
    assert [r["valid_l2"] for r in huge] == pytest.approx([r["valid_l2"] for r in one], rel=1e-5)


def test_a_loss_of_ones_own(translation: Callable[..., Any], tmp_path: Path) -> None:
    """It gets inputs, outputs and targets in physical units, decides what is learned, and belongs to the run."""
    dataset = translation()
    seen: list[tuple[float, float]] = []

    def twice_the_input(inputs: torch.Tensor, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append((float(inputs.mean()), float(targets.mean())))
        return (outputs - 2.0 * inputs).square().mean()

    network = model()
    train(network, dataset, tmp_path, settings(epochs=25, batch_size=20), loss=twice_the_input)
    inputs, targets = dataset.content["train"]
    assert seen[0] == pytest.approx((inputs.mean(), targets.mean()), abs=1e-5)
    losses = [row["train_loss"] for row in rows(tmp_path)]
    assert losses[0] > 50.0  # the targets' mean is 10: the untrained model stands there
    assert losses[-1] < 0.2 * losses[0]
    with pytest.raises(InputError, match=r'settings\.loss \(".*there, "l2" now\)'):
        train(model(), dataset, tmp_path, settings(epochs=25, batch_size=20))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(translation: Callable[..., Any], tmp_path: Path, optimizer: str) -> None:
    if optimizer in SECOND_ORDER:
        pytest.importorskip("pytorch_optimizer")
    rate = {"sgd": 0.3, "shampoo": 0.1}.get(optimizer, 1e-2)
    train(
        model(), translation(), tmp_path, settings(optimizer=optimizer, epochs=12, batch_size=4, lr=rate, grad_clip=1.0)
    )
    losses = [row["train_loss"] for row in rows(tmp_path)]
    assert losses[-1] < 0.6 * losses[0]


def test_averaged_weights_are_what_is_validated_and_saved(translation: Callable[..., Any], tmp_path: Path) -> None:
    dataset, network = translation(), model()
    train(network, dataset, tmp_path, settings(ema=0.8, epochs=2))
    kept = state(tmp_path)
    best = load_operator(tmp_path)
    report = json.loads((tmp_path / "model.json").read_text())["metrics"]
    assert evaluate_operator(best, dataset, "valid")["relative_l2"] == pytest.approx(report["valid_l2"], rel=1e-5)
    assert report["epoch"] == 2
    averages = dict(zip(sorted(dict(best.named_parameters())), kept["average"]["weights"], strict=True))
    for name, value in best.named_parameters():
        assert torch.equal(value, averages[name])
        assert not torch.equal(value, kept["model"][name])
    assert kept["average"]["steps"] == 6


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_compiled_equals_eager(
    translation: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Captured by torch.compile and run as it was captured: the same numbers, and a resumed run is the same one."""
    captured = []

    def capture(graph: Any, examples: Any) -> Any:
        captured.append(graph)
        return graph.forward

    whole = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module, **keywords: whole(module, backend=capture))
    train(model(), translation(), tmp_path / "eager", settings(epochs=2))
    assert not captured
    for epochs in (1, 2):
        chosen = settings(epochs=epochs, compile=True, scheduler="constant")
        train(model(), translation(), tmp_path / "parts", chosen)
    train(model(), translation(), tmp_path / "compiled", settings(epochs=2, compile=True))
    assert captured
    eager, compiled = rows(tmp_path / "eager"), rows(tmp_path / "compiled")
    assert [row["valid_l2"] for row in compiled] == pytest.approx([row["valid_l2"] for row in eager], rel=1e-4)


def test_double_precision(translation: Callable[..., Any], tmp_path: Path) -> None:
    train(model(), translation(), tmp_path, settings(epochs=1, precision="64-true"))
    best = load_operator(tmp_path)
    assert best.parameter_dtype() == torch.float64
    assert {value.dtype for value in best.state_dict().values()} == {torch.float64}
    loss = rows(tmp_path)[0]["train_loss"]
    assert loss != float(torch.tensor(loss, dtype=torch.float32))  # it was not rounded to single precision


def test_mixed_precision(translation: Callable[..., Any], tmp_path: Path) -> None:
    for precision in ("32-true", "bf16-mixed"):
        train(model(), translation(), tmp_path / precision, settings(epochs=3, precision=precision))
    full, mixed = (rows(tmp_path / p)[-1]["valid_l2"] for p in ("32-true", "bf16-mixed"))
    assert mixed != full
    assert mixed == pytest.approx(full, rel=0.2)
    assert load_operator(tmp_path / "bf16-mixed").parameter_dtype() == torch.float32


def test_one_device_takes_the_steps_of_fabric_and_does_not_import_it(
    translation: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resolvent.operators.training import loop as training

    chosen = settings(epochs=2, grad_clip=0.1, ema=0.9)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "lightning_fabric", None)  # importing it is an error
        train(model(), translation(), tmp_path / "one", chosen)
        with pytest.raises(ImportError):
            train(model(), translation(), tmp_path / "mixed", settings(precision="bf16-mixed"))
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    monkeypatch.setattr(training, "start_fabric", lambda chosen: fabric)
    train(model(), translation(), tmp_path / "fabric", chosen)
    assert_same_run(tmp_path / "one", tmp_path / "fabric")


def test_divergence_is_said_and_the_best_model_kept(
    translation: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"no longer finite in epoch 1: lower lr \(now 1e\+30\).*no model was saved"):
        train(model(), translation(), tmp_path / "wild", settings(lr=1e30, scheduler="constant"))
    from resolvent.operators.training import loop as training

    rate = training.learning_rate
    monkeypatch.setattr(training, "learning_rate", lambda s, step, n: math.nan if step >= 2 * n else rate(s, step, n))
    with pytest.raises(InputError, match=r"in epoch 3.*the best model, of epoch [12] .* is kept in"):
        train(model(), translation(), tmp_path / "late", settings())
    assert len(rows(tmp_path / "late")) == 2
    load_operator(tmp_path / "late")


def test_mistakes_are_named_before_anything_is_written(translation: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InputError, match="in_channels=2, out_channels=1, ndim=1 and the dataset in_channels=1"):
        train(model(in_channels=2), translation(), out, settings())
    without = translation(train=1)
    without.splits.pop("train")
    with pytest.raises(InputError, match="no samples in its train split"):
        train(model(), without, out, settings())
    with pytest.raises(InputError, match="16-mixed needs a GPU"):
        train(model(), translation(), out, settings(precision="16-mixed"))
    broken = translation()
    broken.content["train"][1][3, 0, 2] = math.nan
    with pytest.raises(InputError, match="training outputs hold NaN"):
        train(model(), broken, out, settings())
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="needs as many CUDA devices"):
            train(model(), translation(), out, settings(accelerator="cuda"))
    assert not out.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file"):
        train(model(), translation(), tmp_path / "file", settings())


def test_the_callers_state_is_left_alone(translation: Callable[..., Any], tmp_path: Path) -> None:
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    train(model(), translation(), tmp_path, settings(epochs=1, threads=2))
    assert torch.get_num_threads() == threads
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.parametrize(("split", "side"), [("valid", 0), ("valid", 1), ("train", 0)])
def test_data_that_are_not_finite_are_named_as_such(
    translation: Callable[..., Any], tmp_path: Path, split: str, side: int
) -> None:
    """No learning rate mends them, and a model that brings its own statistics has never looked at them."""
    broken = translation()
    broken.content[split][side][3, 0, 2] = math.nan
    network = NormalizedOperator(model()) if split == "train" else model()
    with pytest.raises(InputError, match=f"the {split} split holds NaN or infinite values .*no model was saved"):
        train(network, broken, tmp_path, settings())


def constant_beside(translation: Callable[..., Any], value: float) -> Any:
    """Return the translation data with a second output that is `value` everywhere."""
    dataset = translation()
    for split, (inputs, outputs) in dataset.content.items():
        dataset.content[split] = (inputs, np.concatenate((outputs, np.full_like(outputs, value)), axis=1))
    dataset.output_fields = ["output0", "output1"]
    return dataset


@pytest.mark.parametrize("value", [0.0, 7.0, 1e20])
def test_a_constant_output_does_not_spoil_the_others(
    translation: Callable[..., Any], tmp_path: Path, value: float
) -> None:
    dataset = constant_beside(translation, value)
    train(model(out_channels=2), dataset, tmp_path / "two", settings(epochs=12))
    train(model(), translation(), tmp_path / "one", settings(epochs=12))
    alone = evaluate_operator(load_operator(tmp_path / "one"), translation(), "valid")["relative_l2"]
    fields = evaluate_operator(load_operator(tmp_path / "two"), dataset, "valid")["fields"]
    assert fields["output0"]["relative_l2"] < 1.2 * alone
    assert fields["output1"]["relative_l2"] < 1e-6


def test_a_residual_still_learns_where_targets_are_zero(translation: Callable[..., Any], tmp_path: Path) -> None:
    """Targets that only fill a place do not fix the outputs."""
    dataset = translation()
    dataset.content["train"][1][:] = 0.0

    def loss(inputs: torch.Tensor, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs - inputs).square().mean()

    train(model(), dataset, tmp_path / "run", settings(epochs=2), loss=loss)
    assert np.abs(predict(load_operator(tmp_path / "run"), dataset.content["train"][0])).max() > 0.1


def test_a_small_variation_about_a_large_mean_is_learned(translation: Callable[..., Any], tmp_path: Path) -> None:
    """Inputs 1e6 ± 1e-2 in float64: as without the 1e6, which float32 would leave no digit of."""
    plain, shifted = translation(), translation()
    for inputs, _ in plain.content.values():
        inputs *= 1e-2
    for split, (inputs, outputs) in plain.content.items():
        shifted.content[split] = (inputs + 2.0**20, outputs)
    errors = []
    for name, dataset in (("plain", plain), ("shifted", shifted)):
        train(model(), dataset, tmp_path / name, settings(epochs=12))
        errors.append(evaluate_operator(load_operator(tmp_path / name), dataset, "valid")["relative_l2"])
    assert errors[1] == pytest.approx(errors[0], rel=0.2)
