"""Run the whole loop on a small problem, by the commands a user would type (``make demo``).

Generate a certified Darcy dataset at 64² and one of the same media at 128², verify the first, train a Fourier neural
operator, test it at both resolutions beside its baselines, solve a real system by three solvers, sweep SOR's omega.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .cli import main as resolvent
from .console import duration, say, table

SAMPLES, TRAIN, VALID, TEST = 600, 480, 60, 60


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo in ``demo/`` (or in the folder `argv` names); return 0 if every step succeeds."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    out = Path(arguments[0] if arguments else "demo")
    start = time.monotonic()
    data, fine, model = out / "darcy64", out / "darcy128", out / "fno"
    split = f"splits=[{TRAIN},{VALID},{TEST}]"
    pairs = (("cg", "amg"), ("cg", "ic0"), ("gmres", "amg"))
    steps = [
        [
            "generate",
            "problem=darcy",
            "problem.resolution=64",
            f"samples={SAMPLES}",
            split,
            "seed=0",
            "workers=2",
            f"out={data}",
        ],
        [
            "generate",
            "problem=darcy",
            "problem.resolution=128",
            f"samples={SAMPLES}",
            split,
            "seed=0",
            "workers=2",
            f"out={fine}",
        ],
        ["verify", f"data={data}", f"out={out / 'verify'}"],
        ["inspect", f"data={data}", "plot=true", f"out={out / 'inspect'}"],
        ["train", f"data={data}", "operator=fno", "epochs=20", f"out={model}"],
        ["evaluate", f"model={model}", f"data=[{data},{fine}]", f"out={out / 'evaluate'}"],
        *(
            [
                "solve",
                "matrix=pyamg:bar",
                f"solver={s}",
                f"preconditioner={p}",
                "rtol=1e-8",
                f"out={out / f'solve_{s}_{p}'}",
            ]
            for s, p in pairs
        ),
        [
            "sweep",
            "problem=poisson",
            "problem.resolution=32",
            "solver=sor",
            "solver.omega=range(1.0,2.0,0.05)",
            f"out={out / 'omega'}",
        ],
    ]
    for k, step in enumerate(steps, 1):
        say(f"\n[{k}/{len(steps)}] $ resolvent {shlex.join(step)}")
        code = resolvent(step)
        if code:
            say(f"the demo stopped at this step (exit code {code}); run make demo again to go on from here")
            return code
    _summary(out, [out / f"solve_{s}_{p}" for s, p in pairs], time.monotonic() - start)
    return 0


def _read(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def _summary(out: Path, solves: Sequence[Path], seconds: float) -> None:
    verified = _read(out / "verify")
    rows: list[tuple[str, str]] = [
        (
            "dataset",
            f"{verified['samples']} Darcy samples, 64², largest relative residual {verified['residual_max']:.1e}",
        ),
    ]
    evaluated = json.loads((out / "evaluate" / "evaluation.json").read_text(encoding="utf-8"))
    for row in evaluated:
        rows.append((f"{row['model']}, {row['resolution']}", f"test relative L2 {100 * row['relative L2']:.2f} %"))
    for folder in solves:
        r = _read(folder)
        spent = duration(r["setup_seconds"] + r["solve_seconds"])
        rows.append(
            (
                f"{r['solver']} + {r['preconditioner']}",
                f"{r['system']}: {r['iterations']} iterations, {spent}, ‖r‖/‖b‖ {r['relative_residual']:.1e}",
            )
        )
    sweep = _read(out / "omega")
    rows.append(("SOR sweep", f"best omega {sweep['best.solver.omega']:.2f}, theory {sweep['theory.omega']:.3f}"))
    say()
    table(("what", "result"), rows, title=f"make demo: {duration(seconds)}")
    figures = sorted(str(p) for p in out.rglob("*.png"))
    say("figures: " + " ".join(figures))


if __name__ == "__main__":
    sys.exit(main())
