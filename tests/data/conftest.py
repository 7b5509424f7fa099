"""Small datasets shared by the tests of this folder, generated once; tests that change one take a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from resolvent.data import generate, make_problem


@pytest.fixture(scope="session")
def darcy_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 binary Darcy samples at 16², 10 + 4 + 4, in shards of 4."""
    out = tmp_path_factory.mktemp("darcy") / "data"
    generate(make_problem("darcy", resolution=16), out, splits={"train": 10, "valid": 4, "test": 4}, shard_size=4)
    return out


@pytest.fixture
def darcy_folder(darcy_master: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(darcy_master, tmp_path / "darcy"))
