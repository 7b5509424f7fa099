"""Compare a GPU with a CPU: the same numbers, to single precision."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from resolvent.operators import FNO, TrainSettings, build_operator, evaluate_operator, load_operator, train

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("space", [(16,), (9, 12), (6, 7, 8)])
def test_forward_equals_the_cpu(space: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = FNO(1, 2, ndim=len(space), modes=3, width=6, layers=2, projection=8, padding=0.25)
    inputs = torch.randn(3, 1, *space)
    expected = model(inputs)
    found = model.cuda()(inputs.cuda()).cpu()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_training_equals_the_cpu(translation: Callable[..., Any], tmp_path: Path, precision: str) -> None:
    arguments = {"in_channels": 1, "out_channels": 1, "ndim": 1, "modes": 6, "width": 6, "layers": 2, "projection": 8}
    found = []
    for accelerator, used in (("cpu", "32-true"), ("cuda", precision)):
        out = tmp_path / accelerator
        settings = TrainSettings(epochs=3, accelerator=accelerator, precision=used)
        train(build_operator("fno", seed=0, **arguments), translation(), out, settings)
        found.append(json.loads((out / "log.jsonl").read_text().splitlines()[-1])["valid_l2"])
    assert found[1] == pytest.approx(found[0], rel=1e-3 if precision == "32-true" else 0.2)
    model = load_operator(tmp_path / "cuda", device="cuda")
    assert evaluate_operator(model, translation(), "valid")["relative_l2"] == pytest.approx(found[1], rel=1e-3)
