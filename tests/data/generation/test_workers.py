"""Workers are forked from a process without other threads, else started afresh; both make the same bits."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from resolvent.data import generate, make_problem, verify
from resolvent.data.generation.workers import start_method, worker_pool

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are forked on Linux alone")


def test_forked_only_without_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
        import ctypes
        from resolvent.data.generation.workers import start_method
        print(start_method())
        libc = ctypes.CDLL(None)  # a thread that Python does not know of
        thread = ctypes.c_ulong()
        libc.pthread_create(ctypes.byref(thread), None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
        print(start_method())
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True, timeout=300
    )
    assert found.stdout.split() == ["fork", "spawn"]
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert start_method() == "spawn"
    finally:
        done.set()
        thread.join(timeout=60)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert start_method() == "spawn"


def test_forked_workers_make_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem("darcy", resolution=8, modes=200)
    one = generate(problem, tmp_path / "one", samples=60, shard_size=5)
    monkeypatch.setattr("resolvent.data.generation.run.start_method", lambda: "fork")
    two = generate(problem, tmp_path / "two", samples=60, shard_size=5, workers=3)
    assert two.content_digest == one.content_digest
    assert verify(tmp_path / "two").ok
    stats = [(tmp_path / name / "stats.yaml").read_text() for name in ("one", "two")]
    assert stats[0] == stats[1]


def _signals() -> tuple[bool, bool]:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_forked_worker_has_signals_of_its_own() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with worker_pool(1, "fork") as (pool, _):
            assert pool.submit(_signals).result(timeout=60) == (True, True)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_forked_workers_of_a_killed_process_end_and_leave_the_folder_free(tmp_path: Path) -> None:
    program = f"""
        import os, signal, time
        from resolvent.data.format.folder import _exclusive
        from resolvent.data.generation.workers import worker_pool
        from pathlib import Path
        with _exclusive(Path({str(tmp_path)!r})), worker_pool(2, "fork") as (pool, _):
            pids = {{pool.submit(os.getpid).result() for _ in range(20)}}
            pool.submit(time.sleep, 60)
            time.sleep(0.2)
            print(*pids, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where a worker still holds it
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + 10.0
    left = [int(pid) for pid in killed.stdout.split()]
    assert left
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if _runs(pid)]
        time.sleep(0.02)
    assert not left


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_no_finished_shard_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resolvent.data.dataset as dataset_module

    opened: list[Path] = []
    real = dataset_module.open_shard
    monkeypatch.setattr(dataset_module, "open_shard", lambda path: (opened.append(path), real(path))[1])
    problem = make_problem("darcy", resolution=8)
    report = generate(problem, tmp_path / "a", samples=30, shard_size=3)
    assert len(set(opened)) == 1  # the first one, for the layout
    kept = (tmp_path / "a" / "stats.yaml").read_text()
    (tmp_path / "a" / "stats.yaml").unlink()
    opened.clear()
    again = generate(problem, tmp_path / "a", samples=30, shard_size=3)
    assert len(set(opened)) == 10
    assert again.content_digest == report.content_digest
    assert (tmp_path / "a" / "stats.yaml").read_text() == kept


def test_a_pool_whose_worker_dies_while_large_tasks_wait_is_given_up(tmp_path: Path) -> None:
    program = """
        import os
        from concurrent.futures.process import BrokenProcessPool
        from resolvent.data.generation.workers import worker_pool

        if __name__ == "__main__":
            try:
                with worker_pool(1, "spawn") as (pool, _):
                    for future in [pool.submit(os._exit, 1), *(pool.submit(len, bytes(10**7)) for _ in range(3))]:
                        future.result()
            except BrokenProcessPool:
                print("given up")
    """
    (tmp_path / "run.py").write_text(textwrap.dedent(program), encoding="utf-8")
    done = subprocess.run([sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "given up", done.stderr
