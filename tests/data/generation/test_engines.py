"""Engines: the same bits on each, also when workers are killed; at most two shards a worker in flight."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from resolvent.data import ENGINES, Dataset, Engine, generate, make_problem, open_engine, verify
from resolvent.data.format.folder import DatasetFolder, ShardRecord, read_manifest
from resolvent.solvers import InputError

SPLITS = {"train": 240, "valid": 40, "test": 20}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The content digest that every engine must give, from one process."""
    out = tmp_path_factory.mktemp("reference") / "a"
    return generate(make_problem("darcy", resolution=8), out, splits=SPLITS).content_digest


def _check(out: Path, digest: str) -> None:
    """Complete, verified, nothing doubled, nothing left."""
    report = verify(out)
    assert report.ok
    assert report.samples == 300
    assert report.content_digest == Dataset(out).content_digest == digest
    lines = (out / "manifest.jsonl").read_bytes().splitlines()
    assert len(lines) == len(read_manifest(out)) == len(list(out.rglob("*.hdf5")))
    assert not list(out.rglob("*.tmp"))


class _Counting(Executor):
    """Counts the shards that were handed out and not yet given back."""

    def __init__(self, workers: int) -> None:
        self.pool, self.now, self.most, self.lock = ThreadPoolExecutor(workers), 0, 0, threading.Lock()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        future = self.pool.submit(fn, *args, **kwargs)
        future.add_done_callback(self._back)
        return future

    def _back(self, future: Future[Any]) -> None:
        with self.lock:
            self.now -= 1


def test_few_shards_are_in_flight(tmp_path: Path, reference: str) -> None:
    executor = _Counting(3)
    engine = Engine("local", 3, executor)
    report = generate(make_problem("darcy", resolution=8), tmp_path / "a", splits=SPLITS, shard_size=10, engine=engine)
    assert report.shards_computed == 30
    assert 3 <= executor.most <= engine.in_flight == 6
    _check(tmp_path / "a", reference)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_killed_local_worker_costs_its_shard_alone(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvent.data.generation.run.start_method", lambda: method)
    real, killed = DatasetFolder.accept, []

    def accept(self: DatasetFolder, temporary: Path, record: ShardRecord) -> None:
        real(self, temporary, record)
        workers = multiprocessing.active_children()
        if len(killed) < 2 and len(self.records) > 3 + 8 * len(killed) and workers:
            killed.append(workers[0].pid)
            workers[0].kill()

    monkeypatch.setattr(DatasetFolder, "accept", accept)
    problem = make_problem("darcy", resolution=8, modes=300)  # drawing it takes long enough for a worker to start
    want = generate(problem, tmp_path / "b", splits=SPLITS).content_digest
    report = generate(problem, tmp_path / "a", splits=SPLITS, shard_size=10, workers=2)
    assert killed
    assert report.computed == 300
    assert report.content_digest == want
    _check(tmp_path / "a", want)


def test_dask_with_a_worker_killed_in_the_middle(tmp_path: Path, reference: str) -> None:
    """A real cluster of two worker processes; one dies by SIGKILL when some shards are in."""
    distributed = pytest.importorskip("distributed")
    killed: list[int] = []
    with open_engine("dask", 2) as engine:
        client = distributed.default_client()
        pids = list(client.run(os.getpid).values())
        assert len(set(pids)) == 2
        assert os.getpid() not in pids

        def kill(progress: Any) -> None:
            if progress.done >= 60 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        report = generate(
            make_problem("darcy", resolution=8),
            tmp_path / "a",
            splits=SPLITS,
            shard_size=10,
            engine=engine,
            progress=kill,
        )
    assert killed
    assert (report.computed, report.shards_computed) == (300, 30)
    assert report.content_digest == reference
    _check(tmp_path / "a", reference)


def test_dask_address_that_does_not_answer() -> None:
    pytest.importorskip("distributed")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"engine.address=nonsense: no Dask scheduler with workers answers") as raised:
        open_engine("dask", 1, {"address": "nonsense"}).__enter__()
    assert "\n" not in str(raised.value)
    assert time.monotonic() - began < 60


def test_slurm_cluster_gets_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SLURM: the job script that would be submitted, and how many jobs are asked for."""
    jobqueue = pytest.importorskip("dask_jobqueue")
    from resolvent.data.generation import engines

    asked: list[int] = []
    monkeypatch.setattr(jobqueue.SLURMCluster, "scale", lambda self, jobs: asked.append(jobs))
    settings = {"queue": "long", "account": "us", "walltime": "02:00:00", "memory": "8GB", "job_extra": ["--nice"]}
    cluster = engines._slurm_cluster(7, settings)
    try:
        script = cluster.job_script()
    finally:
        cluster.close()
    assert asked[0] == 7
    for line in ("-p long", "-A us", "--mem=8G", "-t 02:00:00", "--nice", "-n 1"):
        assert line in script, script


def _mpi_runs() -> bool:
    """Whether mpi4py is here and finds an MPI library (asked in a process of its own: MPI starts on import)."""
    if shutil.which("mpiexec") is None or importlib.util.find_spec("mpi4py") is None:
        return False
    return (
        subprocess.run([sys.executable, "-c", "from mpi4py import MPI"], capture_output=True, timeout=300).returncode
        == 0
    )


@pytest.mark.skipif(not _mpi_runs(), reason="no MPI here")
def test_mpi(tmp_path: Path, reference: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from resolvent.data import generate, make_problem, open_engine\n"
        "if __name__ == '__main__':\n"
        "    with open_engine('mpi', 2) as engine:\n"
        "        assert engine.workers == 2, engine\n"
        f"        generate(make_problem('darcy', resolution=8), sys.argv[1], splits={SPLITS}, shard_size=4,\n"
        "                 engine=engine)\n"
    )
    command = ["mpiexec", "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script), str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    _check(tmp_path / "a", reference)


@pytest.mark.parametrize(
    ("name", "workers", "settings", "match"),
    [
        ("dsak", 1, {}, "did you mean 'dask'"),
        ("local", 0, {}, "workers is 0"),
        ("local", 1, {"address": "x"}, "setting of engine local 'address'"),
        ("dask", 1, {"adress": "x"}, "did you mean 'address'"),
        ("dask", 1, {"cluster": "slrum"}, "did you mean 'slurm'"),
        ("dask", 1, {"retries": -1}, "retries is -1"),
    ],
)
def test_settings_are_checked(name: str, workers: int, settings: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        open_engine(name, workers, settings).__enter__()


@pytest.mark.parametrize(("name", "module"), [("dask", "distributed"), ("mpi", "mpi4py")])
def test_what_is_not_installed_is_named(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'resolvent\[{name}\]'"):
        open_engine(name, 1).__enter__()
    assert set(ENGINES) == {"local", "dask", "mpi"}
