"""Every table that the command line names is measured by a module that is there."""

from __future__ import annotations

import importlib
import inspect

import pytest

from resolvent.workflows.bench import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_table_is_measured_by_a_module(name: str) -> None:
    module = importlib.import_module(f"resolvent.workflows.bench.{TABLES[name]}")
    assert list(inspect.signature(module.measure).parameters) == ["config", "folder"]
