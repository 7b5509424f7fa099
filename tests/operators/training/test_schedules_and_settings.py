"""Test learning rates as functions of the step, and the checks of the settings."""

from __future__ import annotations

import math

import pytest
import torch

from resolvent.operators import TrainSettings
from resolvent.operators.training.loop import learning_rate
from resolvent.operators.training.schedules import SCHEDULERS
from resolvent.solvers import InputError


def rates(scheduler: str, epochs: int = 10, steps: int = 20, **settings: float | list[int]) -> list[float]:
    chosen = TrainSettings(epochs=epochs, lr=0.5, scheduler=scheduler, **settings)  # type: ignore[arg-type]
    return [learning_rate(chosen, step, steps) for step in range(epochs * steps)]


def test_onecycle_is_pytorchs() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=200, pct_start=0.3, final_div_factor=1e4 / 25, cycle_momentum=False
    )
    found = []
    for _ in range(200):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    ours = rates("onecycle", warmup=0.3)
    # PyTorch puts the peak on step 0.3·200 − 1 of 199, we at 0.3 of the run: a step apart at most.
    assert max(abs(a - b) for a, b in zip(ours, found, strict=True)) < 0.5 * 0.02
    assert ours[0] == pytest.approx(0.5 / 25)
    assert ours[-1] == pytest.approx(0.5e-4)
    assert max(ours) == pytest.approx(0.5, rel=1e-3)


def test_cosine_constant_and_step() -> None:
    cosine = rates("cosine", warmup=0.0)
    assert cosine[0] == pytest.approx(0.5)
    assert cosine[-1] == pytest.approx(0.0, abs=1e-12)
    assert cosine[100] == pytest.approx(0.25 * (1 + math.cos(math.pi * 100 / 199)))
    warm = rates("cosine", warmup=0.1)
    assert 0.0 < warm[0] < warm[10] < warm[19] <= 0.5
    assert set(rates("constant")) == {0.5}
    assert rates("step", step_epochs=4, step_factor=0.1)[:: 4 * 20] == pytest.approx([0.5, 0.05, 0.005])
    assert rates("step", step_epochs=[1, 3], step_factor=0.1)[::20][:4] == pytest.approx([0.5, 0.05, 0.05, 0.005])
    assert rates("linear", warmup=0.0)[::199] == pytest.approx([0.5, 0.0])
    falling = rates("exponential", warmup=0.0)
    assert falling[199] == pytest.approx(0.5e-3)
    assert falling[1] / falling[0] == pytest.approx(falling[101] / falling[100])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
def test_rates_are_positive_and_bounded(scheduler: str, warmup: float) -> None:
    found = rates(scheduler, warmup=warmup)
    assert all(-1e-15 <= rate <= 0.5 + 1e-15 for rate in found)
    assert all(math.isfinite(rate) for rate in rates(scheduler, epochs=1, steps=1, warmup=warmup))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs=0 is not usable; expected an integer of at least"),
        ({"epochs": 2.5}, "epochs=2.5 is not usable; expected an integer of at least"),
        ({"batch_size": -1}, "batch_size=-1 is not usable; expected an integer of at least"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"lr": math.nan}, "lr=nan"),
        ({"lr": "fast"}, "lr='fast'"),
        ({"weight_decay": -1e-4}, "weight_decay=-0.0001"),
        ({"grad_clip": 0.0}, "grad_clip=0.0"),
        ({"warmup": 1.5}, "warmup=1.5.*at most 1"),
        ({"ema": 1.5}, "ema=1.5.*at most 1"),
        ({"step_epochs": [4, 2]}, r"step_epochs=\[4, 2\] is not usable; expected .* ascending"),
        ({"compile": "yes"}, "compile='yes'"),
        ({"optimizer_settings": [1]}, r"optimizer_settings=\[1\] is not usable"),
        ({"optimizer": "adamm"}, "unknown optimizer 'adamm'.*did you mean"),
        ({"scheduler": "onecicle"}, "did you mean 'onecycle'"),
        ({"loss": "l3"}, "unknown loss 'l3'"),
        ({"precision": "bf16"}, "unknown precision"),
        ({"accelerator": "tpu"}, "unknown accelerator"),
        ({"seed": -1}, "seed=-1 is not usable; expected an integer of at least"),
        ({"threads": 0}, "threads=0 is not usable; expected an integer of at least"),
        ({"workers": -1}, "workers=-1 is not usable; expected an integer of at least"),
        ({"devices": 0}, "devices=0 is not usable; expected an integer of at least"),
    ],
)
def test_bad_settings(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainSettings(**arguments)  # type: ignore[arg-type]


def test_what_a_resumed_run_must_share() -> None:
    one = TrainSettings(threads=1, resume=False, workers=2, accelerator="cpu")
    assert one.outcome() == TrainSettings().outcome()
    assert TrainSettings(lr=1e-3).outcome() != TrainSettings().outcome()
    assert TrainSettings(epochs=9).outcome() != TrainSettings().outcome()
    assert TrainSettings(epochs=9, scheduler="constant").outcome() == TrainSettings(scheduler="constant").outcome()
