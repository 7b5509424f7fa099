"""SIGINT and SIGTERM: the run stops cleanly, and goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from resolvent.operators import TrainSettings, build_operator, train
from resolvent.operators.training.interruption import Interruption

ARGUMENTS = {"in_channels": 1, "out_channels": 1, "ndim": 1, "modes": 6, "width": 6, "layers": 2, "projection": 8}
SETTINGS = TrainSettings(epochs=4, batch_size=8, accelerator="cpu", threads=1, in_memory=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_within_an_epoch_and_resumes_exactly(
    translation: Callable[..., Any], tmp_path: Path, number: signal.Signals
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(build_operator("fno", seed=0, **ARGUMENTS), translation(), whole, SETTINGS)
    dataset = translation()
    # Streaming reads each of the 20 samples once an epoch (after three reads at the start): this is in the third epoch.
    dataset.on_read = lambda split, reads: os.kill(os.getpid(), number) if (split, reads) == ("train", 55) else None
    handler = signal.getsignal(number)
    report = train(build_operator("fno", seed=0, **ARGUMENTS), dataset, parts, SETTINGS)
    assert report.interrupted
    assert report.epochs_done == 2
    assert dataset.reads["train"] < 3 + 3 * 20  # it did not finish the epoch
    assert signal.getsignal(number) is handler
    report = train(build_operator("fno", seed=1, **ARGUMENTS), translation(), parts, SETTINGS)
    assert (report.interrupted, report.resumed_from, report.epochs_done) == (False, 2, 4)
    one, other = (torch.load(folder / "last.ckpt", weights_only=True) for folder in (whole, parts))
    for key, value in one["model"].items():
        assert torch.equal(value, other["model"][key])


def test_a_signal_while_validating_keeps_the_epoch(translation: Callable[..., Any], tmp_path: Path) -> None:
    dataset = translation()
    # Reads of the validation split: one to measure it, then its 6 samples each epoch.
    dataset.on_read = lambda split, reads: (
        os.kill(os.getpid(), signal.SIGTERM) if (split, reads) == ("valid", 3) else None
    )
    report = train(build_operator("fno", seed=0, **ARGUMENTS), dataset, tmp_path, SETTINGS)
    assert report.interrupted
    # The flag is seen after the first batch of the next epoch, whose work is dropped.
    assert report.epochs_done == 1
    assert (tmp_path / "last.ckpt").exists()


def test_the_second_signal_acts_as_before() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interruption.requested
            assert seen == []
            os.kill(os.getpid(), signal.SIGTERM)
            assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


PROGRAM = """
    import sys
    import numpy as np
    from resolvent.operators import TrainSettings, build_operator, train

    class Waves:
        splits = {"train": 16, "valid": 4}
        input_fields, output_fields, resolution, config = ["a"], ["u"], (16,), {}

        def arrays(self, split, start=None, stop=None):
            values = np.random.default_rng(0).standard_normal((self.splits[split], 1, 16))
            return values[start:stop], 2.0 * values[start:stop]

    settings = TrainSettings(epochs=100000, batch_size=4, accelerator="cpu", threads=1, scheduler="constant")
    operator = dict(in_channels=1, out_channels=1, ndim=1, modes=3, width=4, layers=1, projection=4)
    report = train(build_operator("fno", seed=0, **operator), Waves(), sys.argv[1], settings, progress=False)
    print(report.epochs_done, report.interrupted)
"""


def test_sigterm_ends_a_process_cleanly(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start([sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)], stdout=subprocess.PIPE)
    log, deadline = tmp_path / "log.jsonl", time.monotonic() + 300  # a loaded machine takes a minute to start PyTorch
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    epochs, interrupted = output.split()
    assert interrupted == "True"
    logged = [json.loads(line)["epoch"] for line in log.read_text().splitlines()]
    assert logged == list(range(1, int(epochs) + 1))
    assert len(torch.load(tmp_path / "last.ckpt", weights_only=True)["rows"]) == int(epochs)
