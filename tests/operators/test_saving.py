"""Saved operators: what is in the files, and what is said of damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from resolvent.operators import FNO, NormalizedOperator, Operator, load_operator, save_operator
from resolvent.solvers import InputError


def small(seed: int = 0) -> FNO:
    torch.manual_seed(seed)
    return FNO(1, 1, ndim=1, modes=3, width=4, layers=2, projection=5)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_operator(NormalizedOperator(small()), tmp_path / "run" / "fno", {"valid_l2": 0.25}, fields={"inputs": ["a"]})
    return tmp_path / "run" / "fno"


def test_description(saved: Path) -> None:
    description = json.loads((saved / "model.json").read_text())
    assert description["operator"] == "fno"
    assert description["arguments"] == small().arguments()
    assert description["normalized"] is True
    assert description["metrics"] == {"valid_l2": 0.25}
    assert description["fields"] == {"inputs": ["a"]}
    assert description["parameters"] == small().parameter_count()
    assert {"resolvent", "torch", "python"} <= description["versions"].keys()
    tensors = load_file(saved / "model.safetensors")
    assert tensors.keys() == NormalizedOperator(small()).state_dict().keys()
    assert not any(value.is_complex() for value in tensors.values())


def test_saving_again_replaces(saved: Path) -> None:
    save_operator(small(seed=5), saved)
    loaded = load_operator(saved)
    assert isinstance(loaded, FNO)
    assert torch.equal(loaded.lifting.weight, small(seed=5).lifting.weight)
    assert sorted(p.name for p in saved.iterdir()) == ["model.json", "model.safetensors"]


def test_loading_leaves_the_generator_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load_operator(saved)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_missing_file(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"cannot read .*{name}.*No such file.*resolvent train"):
        load_operator(saved)


@pytest.mark.parametrize("keep", [0, 7, 300])
def test_truncated_weights(saved: Path, keep: int) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model.safetensors is damaged or from another model"):
        load_operator(saved)


def test_weights_of_another_model(saved: Path, tmp_path: Path) -> None:
    save_operator(small(seed=3), tmp_path / "other")
    (saved / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="damaged or from another model"):
        load_operator(saved)


def test_truncated_description(saved: Path) -> None:
    path = saved / "model.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(InputError, match="not valid JSON"):
        load_operator(saved)
    path.write_text("[1, 2]")
    with pytest.raises(InputError, match="does not describe an operator"):
        load_operator(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format version 99; this resolvent reads 1"),
        ({"operator": "fnoo"}, "unknown operator 'fnoo'"),
        ({"arguments": {"in_channels": 1, "out_channels": 1, "wide": 4}}, "unknown setting of operator fno 'wide'"),
        ({"arguments": {"in_channels": 1, "out_channels": 1, "ndim": 1, "modes": 5}}, "does not fit"),
        ({"dtype": "float31"}, "does not fit"),
        ({"normalized": False}, "does not fit"),
    ],
)
def test_description_that_does_not_fit(saved: Path, change: dict[str, object], message: str) -> None:
    path = saved / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message) as caught:
        load_operator(saved)
    assert "\n" not in str(caught.value)


def test_only_listed_operators_are_saved(tmp_path: Path) -> None:
    class Unlisted(FNO):
        name = "unlisted"

    with pytest.raises(InputError, match="Unlisted is not in OPERATORS"):
        save_operator(Unlisted(1, 1), tmp_path)
    impostor: type[Operator] = type("Impostor", (FNO,), {})
    with pytest.raises(InputError, match="Impostor is not in OPERATORS"):
        save_operator(impostor(1, 1), tmp_path)  # type: ignore[call-arg,arg-type]


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*taken"):
        save_operator(small(), tmp_path / "taken")
