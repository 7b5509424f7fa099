"""Run the published Darcy benchmark: an FNO on 85² binary media, 1000/200 samples (``experiment=darcy_fno``)."""

from __future__ import annotations

import json

import torch
from omegaconf import DictConfig

from ..console import duration
from ..run_folder import RunFolder
from ..verbs.train import run as train
from .markdown import write_results

PUBLISHED = 0.0108  # relative L2 of the FNO at 85² (Li et al. 2021)


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Run the experiment (resuming it if it was begun) and write its table; return 0, or the code that stopped it."""
    out = folder.path / "fno"
    code = train(["experiment=darcy_fno", f"out='{out}'"])
    if code:
        return code
    trained = json.loads((out / "result.json").read_text(encoding="utf-8"))
    rows: list[tuple[object, ...]] = [("published FNO (Li et al. 2021)", PUBLISHED, "", "", "", "500 epochs")]
    for row in json.loads((out / "evaluation" / "evaluation.json").read_text(encoding="utf-8")):
        ours = row["model"] == "fno"
        note = (
            f"{trained['training.epochs_done']} epochs, {duration(trained['training.seconds'])},"
            f" {trained['training.parameters']} parameters"
            if ours
            else ""
        )
        rows.append((row["model"], row["relative L2"], row["relative H1"], row["max error"], row["ms/sample"], note))
    intro = (
        "Darcy flow, a ∈ {3, 12}, f = 1, 85² cells, 1000 training, 100 validation and 200 test samples, solved by"
        " cell-centred finite volumes at 85² to a relative residual of 1e-10. The published data are 421² solutions of"
        " another scheme, taken at every fifth node; the operator learned is the same, the discretisation is not"
        " (`problem.legacy=true` reproduces it)."
    )
    columns = ("model", "relative L2", "relative H1", "max error", "ms/sample", "training")
    notes = [
        f"One seed; {torch.get_num_threads()} CPU thread(s). Times are of a machine shared with other work: no claims.",
        "The test split was read once, by the model of the best validation epoch.",
    ]
    write_results(folder, "darcy_fno", intro, columns, rows, notes)
    folder.finish(relative_l2=rows[1][1], published=PUBLISHED)
    return 0
