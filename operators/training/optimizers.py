"""Build optimisers by name: those of PyTorch, and second-order ones from the package pytorch_optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of

from ..grid.spectral_convolution import SpectralConvolution

Builder = Callable[[nn.Module, dict[str, Any], int], torch.optim.Optimizer]
"""Builds an optimiser from a model, its settings and a seed."""


def build_optimizer(
    name: str, model: nn.Module, lr: float, weight_decay: float, seed: int, settings: Mapping[str, Any] | None = None
) -> torch.optim.Optimizer:
    """Build an optimiser over the parameters of a model.

    All of them take real parameters with any number of axes. On a spectral weight (frequencies, in, out, 2) 'soap',
    'psgd' and 'shampoo' precondition along each axis. 'muon' orthogonalises matrices and convolution kernels; spectral
    weights, biases and single rows, which are not matrices, get AdamW steps of the same size, so that one rate suits
    all (Liu et al. 2025).

    Parameters
    ----------
    name : str
        A key of ``OPTIMIZERS``.
    model : Module
    lr, weight_decay : float
        Weight decay is decoupled, except for 'adam' and 'sgd', which add it to the gradient.
    seed : int
        Seed of the random probes of 'psgd'. They depend on (seed, step) alone: all processes draw the same probes, and
        so does a resumed run.
    settings : mapping, optional
        Further keyword arguments of the optimiser, such as ``betas`` or SOAP's ``precondition_frequency``.

    Raises
    ------
    InputError
        If a name or setting is unknown, a value is out of range, or pytorch_optimizer is needed and not installed.

    References
    ----------
    SOAP: Vyas et al. 2024. Muon: Jordan et al. 2024; Liu et al., "Muon is scalable for LLM training", 2025. PSGD: Li,
    "Preconditioned stochastic gradient descent", 2018. Shampoo: Gupta, Koren, Singer 2018.
    """
    build = OPTIMIZERS[one_of(name, OPTIMIZERS, "optimizer")]
    further = {key: tuple(value) if isinstance(value, list) else value for key, value in (settings or {}).items()}
    for key in ("lr", "weight_decay"):
        if key in further:
            raise InputError(f"optimizer_settings.{key}={further[key]!r} is not usable; set {key} itself")
    try:
        return build(model, {"lr": lr, "weight_decay": weight_decay, **further}, seed)
    except InputError:
        raise
    except (ValueError, TypeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"optimizer={name} refuses its settings ({reason}): correct lr or optimizer_settings"
        ) from None


def _checked(kind: Callable[..., Any], settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings; refuse those that the constructor does not have."""
    parameters = inspect.signature(kind).parameters.values()
    accepted = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD and p.name != "params"]
    for key in settings:
        one_of(key, accepted, f"setting of optimizer {name}")
    return dict(settings)


def _plain(name: str, kind: Callable[[], Any], **usual: Any) -> Builder:
    """Return the builder of an optimiser that takes all parameters alike; `usual` are settings unless others come."""

    def build(model: nn.Module, settings: dict[str, Any], seed: int) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = kind()(model.parameters(), **_checked(kind(), {**usual, **settings}, name))
        return optimizer

    return build


def _muon(model: nn.Module, settings: dict[str, Any], seed: int) -> torch.optim.Optimizer:
    kind = _package().Muon
    # With the adjusted rate an orthogonal step has the root mean square of an Adam step.
    checked = _checked(kind, {"use_adjusted_lr": True, **settings}, "muon")
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            rows = parameter.shape[0] if parameter.ndim else 1
            matrix = min(rows, parameter.numel() // max(rows, 1)) > 1 and not isinstance(module, SpectralConvolution)
            (matrices if matrix else others).append(parameter)
    groups = [
        {"params": chosen, "use_muon": muon, "lr": settings["lr"], "weight_decay": settings["weight_decay"]}
        for chosen, muon in ((matrices, True), (others, False))
        if chosen
    ]
    optimizer: torch.optim.Optimizer = kind(groups, **checked)
    return optimizer


def _psgd(model: nn.Module, settings: dict[str, Any], seed: int) -> torch.optim.Optimizer:
    kind = _package().Kron
    # Factors in the dtype of the weights: loading an optimiser's state casts them to it in any case.
    dtype = next(model.parameters()).dtype
    checked = _checked(kind, {"precondition_dtype": dtype, **settings}, "psgd")

    class RepeatableKron(kind):  # type: ignore[misc, valid-type]
        """PSGD with Kronecker factors, whose random probes depend on (seed, step) alone."""

        def step(self, closure: Any = None) -> Any:
            with _seeded(seed, int(self.param_groups[0].get("step", 0))):
                return super().step(closure)

    optimizer: torch.optim.Optimizer = RepeatableKron(model.parameters(), **checked)
    return optimizer


#: Optimisers by name; each builds one from (model, settings, seed).
OPTIMIZERS: dict[str, Builder] = {
    "adamw": _plain("adamw", lambda: torch.optim.AdamW),
    "adam": _plain("adam", lambda: torch.optim.Adam),
    "sgd": _plain("sgd", lambda: torch.optim.SGD, momentum=0.9),
    "soap": _plain("soap", lambda: _package().SOAP),
    "muon": _muon,
    "psgd": _psgd,
    "shampoo": _plain("shampoo", lambda: _package().Shampoo, weight_decouple=True),
}


def _package() -> ModuleType:
    try:
        import pytorch_optimizer
    except ImportError:
        raise InputError(
            "the optimizers soap, muon, psgd and shampoo need the package pytorch_optimizer, which is not installed: "
            "pip install 'resolvent[optim]', or set optimizer=adamw"
        ) from None
    return pytorch_optimizer


@contextmanager
def _seeded(*coordinates: int) -> Iterator[None]:
    """Seed PyTorch's and NumPy's global generators inside the context, and restore them afterwards."""
    seed = np.random.SeedSequence(coordinates).generate_state(2, np.uint32)
    before = np.random.get_state()  # noqa: NPY002 (what the package draws from)
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(int(seed[0]))
        np.random.seed(seed[1])  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
