"""Put our solvers in the places of SciPy's, as a plugin of pytest, and write down which tests ran them and how they
ended.

Nothing is adapted: SciPy's tests call our functions with SciPy's arguments.
"""

import functools
import json
import os
import re
from pathlib import Path

import scipy.sparse.linalg
import scipy.sparse.linalg._isolve as isolve

from resolvent.solvers import bicgstab, cg, fgcrodr, gmres, lgmres, minres

# GCROT(m, k), which is flexible, has no twin here; the nearest is flexible GCRO-DR. We have no bicg, cgs, qmr, tfqmr.
OURS = {"cg": cg, "minres": minres, "gmres": gmres, "lgmres": lgmres, "bicgstab": bicgstab, "gcrotmk": fgcrodr}

_called = []  # our solvers that the current test has called
_outcomes = {}


def _noted(solver):
    @functools.wraps(solver)
    def call(*arguments, **keywords):
        _called.append(solver.__name__)
        return solver(*arguments, **keywords)

    return call


for _name, _solver in OURS.items():
    for _module in (isolve, scipy.sparse.linalg):
        setattr(_module, _name, _noted(_solver) if _module is isolve else getattr(isolve, _name))


def pytest_collection_modifyitems(config, items):
    if "RESOLVENT_ONLY_OURS" not in os.environ:
        return
    theirs = re.compile(r"test_show|TestQMR|[\[-](bicg|cgs|qmr|tfqmr)\d*\]")
    left_out = [item for item in items if theirs.search(item.nodeid)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def pytest_runtest_setup(item):
    _called.clear()


def pytest_runtest_logreport(report):
    name = "::".join((Path(report.location[0]).name, *report.nodeid.split("::")[1:]))
    before = _outcomes.get(name, {"outcome": "passed"})
    failed = "failed" in (before["outcome"], report.outcome)
    skipped = "skipped" in (before["outcome"], report.outcome)
    _outcomes[name] = {
        "outcome": "failed" if failed else "skipped" if skipped else "passed",
        "ours": sorted(set(_called)),
        "error": before.get("error") or (str(report.longrepr).splitlines()[-1:] if report.failed else []),
    }


def pytest_sessionfinish(session):
    with open(os.environ["RESOLVENT_OUTCOMES"], "w", encoding="utf-8") as file:
        json.dump(_outcomes, file, indent=1)
