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

DRAWN = "samples=600 splits=[480,60,60] seed=0 workers=2"
#: The commands as a user would type them; OUT stands for the demo's folder.
STEPS = (
    f"generate problem=darcy problem.resolution=64 {DRAWN} out=OUT/darcy64",
    f"generate problem=darcy problem.resolution=128 {DRAWN} out=OUT/darcy128",
    "verify data=OUT/darcy64 out=OUT/verify",
    "inspect data=OUT/darcy64 plot=true out=OUT/inspect",
    "train data=OUT/darcy64 operator=fno epochs=20 out=OUT/fno",
    "evaluate model=OUT/fno data=[OUT/darcy64,OUT/darcy128] out=OUT/evaluate",
    "solve matrix=pyamg:bar solver=cg preconditioner=amg rtol=1e-8 out=OUT/solve_cg_amg",
    "solve matrix=pyamg:bar solver=cg preconditioner=ic0 rtol=1e-8 out=OUT/solve_cg_ic0",
    "solve matrix=pyamg:bar solver=gmres preconditioner=amg rtol=1e-8 out=OUT/solve_gmres_amg",
    "sweep problem=poisson problem.resolution=32 solver=sor solver.omega=range(1.0,2.0,0.05) out=OUT/omega",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo in ``demo/`` (or in the folder `argv` names); return 0 if every step succeeds."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    out = Path(arguments[0] if arguments else "demo")
    start = time.monotonic()
    for k, step in enumerate(STEPS, 1):
        command = [word.replace("OUT", str(out)) for word in step.split()]
        say(f"\n[{k}/{len(STEPS)}] $ resolvent {shlex.join(command)}")
        code = resolvent(command)
        if code:
            say(f"the demo stopped at this step (exit code {code}); run make demo again to go on from here")
            return code
    _summary(out, time.monotonic() - start)
    return 0


def _read(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def _summary(out: Path, seconds: float) -> None:
    verified = _read(out / "verify")
    made = f"{verified['samples']} Darcy samples, 64², largest relative residual {verified['residual_max']:.1e}"
    rows = [("dataset", made)]
    evaluated = json.loads((out / "evaluate" / "evaluation.json").read_text(encoding="utf-8"))
    for row in evaluated:
        rows.append((f"{row['model']}, {row['resolution']}", f"test relative L2 {100 * row['relative L2']:.2f} %"))
    for folder in ("solve_cg_amg", "solve_cg_ic0", "solve_gmres_amg"):
        r = _read(out / folder)
        spent = duration(r["setup_seconds"] + r["solve_seconds"])
        result = f"{r['system']}: {r['iterations']} iterations, {spent}, ‖r‖/‖b‖ {r['relative_residual']:.1e}"
        rows.append((f"{r['solver']} + {r['preconditioner']}", result))
    sweep = _read(out / "omega")
    rows.append(("SOR sweep", f"best omega {sweep['best.solver.omega']:.2f}, theory {sweep['theory.omega']:.3f}"))
    say()
    table(("what", "result"), rows, title=f"make demo: {duration(seconds)}")
    figures = sorted(str(p) for p in out.rglob("*.png"))
    say("figures: " + " ".join(figures))


if __name__ == "__main__":
    sys.exit(main())
