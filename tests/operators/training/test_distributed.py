"""Two processes with half the batch each take the steps of one process with the whole batch."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from resolvent.operators import load_operator

PROGRAM = """
    import sys
    from dataclasses import replace
    import numpy as np
    from resolvent.operators import TrainSettings, build_operator, train

    class Waves:
        splits = {"train": 16, "valid": 5}
        input_fields, output_fields, resolution, config = ["a"], ["u"], (16,), {}

        def arrays(self, split, start=None, stop=None):
            values = np.random.default_rng(len(split)).standard_normal((self.splits[split], 1, 16))
            return values[start:stop], 2.0 * values[start:stop]

    class Trajectories(Waves):
        input_fields, times = [], np.arange(5.0)

        def read(self, split, field, start=None, stop=None):
            values = np.random.default_rng(len(split)).standard_normal((self.splits[split], 5, 16))
            return values[start:stop]

    out, devices, optimizers = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    operator = dict(in_channels=1, out_channels=1, ndim=1, modes=3, width=4, layers=1, projection=4)
    for optimizer in optimizers:
        settings = TrainSettings(
            epochs=3, batch_size=8 // devices, devices=devices, accelerator="cpu", threads=1, grad_clip=0.5,
            optimizer=optimizer, ema=0.5,
        )
        train(build_operator("fno", seed=0, **operator), Waves(), f"{out}/{optimizer}", settings)
    for feed in ("unrolled", "pushforward"):
        settings = replace(settings, optimizer="adamw", epochs=2, history=1, unroll=3, feed=feed)
        train(build_operator("fno", seed=0, **operator), Trajectories(), f"{out}/{feed}", settings)
"""


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="PyTorch without gloo")
def test_two_processes_equal_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[..., subprocess.Popen[str]]
) -> None:
    optimizers = ["adamw", *(["psgd"] if find_spec("pytorch_optimizer") else [])]  # psgd draws random probes
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    two = start(
        [*launch, str(program), str(tmp_path / "two"), "2", *optimizers],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    monkeypatch.setattr(sys, "argv", [str(program), str(tmp_path / "one"), "1", *optimizers])
    runpy.run_path(str(program))
    output, _ = two.communicate(timeout=600)
    assert two.returncode == 0, output
    for optimizer in optimizers:
        _assert_same(tmp_path / "one" / optimizer, tmp_path / "two" / optimizer, epochs=3)
    for feed in ("unrolled", "pushforward"):
        _assert_same(tmp_path / "one" / feed, tmp_path / "two" / feed, epochs=2)


def _assert_same(alone: Path, together: Path, epochs: int) -> None:
    one, two = (
        [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()] for folder in (alone, together)
    )
    assert len(one) == len(two) == epochs
    for a, b in zip(one, two, strict=True):
        for key in ("epoch", "step", "lr", "train_loss", "valid_l2", "valid_h1"):
            assert b[key] == pytest.approx(a[key], rel=1e-4), key
    weights = [load_operator(folder).state_dict() for folder in (alone, together)]
    for key, value in weights[0].items():
        assert torch.allclose(value, weights[1][key], rtol=1e-3, atol=1e-5), key
