"""Pose two-dimensional incompressible flow in its vorticity."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from resolvent.solvers import VorticityTerm
from resolvent.solvers.arguments import one_of, positive_integer, positive_number

from ...certificates.spectral_replay import SpectralReplay
from ...format.field import Field
from ...published.navier_stokes import PUBLISHED_SCHEMES, published_steps
from ...random_fields.gaussian import GaussianRandomField, PeriodicKernelField
from ..spectral_evolution import SpectralEvolution, increase


class _Family(NamedTuple):
    nu: float
    final_time: float
    snapshots: int
    initial: str
    forcing: str


_FAMILIES = {
    "fno_1e-3": _Family(1e-3, 50.0, 50, "gaussian", "waves"),
    "fno_1e-4": _Family(1e-4, 30.0, 30, "gaussian", "waves"),
    "fno_1e-5": _Family(1e-5, 20.0, 20, "gaussian", "waves"),
    "nsm_re2": _Family(1e-2, 3.0, 63, "kernel", "none"),
    "nsm_re3": _Family(1e-3, 3.0, 63, "kernel", "none"),
    "nsm_re4": _Family(1e-4, 3.0, 63, "kernel", "none"),
    "nsm_forced": _Family(2e-3, 50.0, 63, "kernel", "waves"),
}


class NavierStokes(SpectralEvolution):
    """Vorticity obeys ∂ω/∂t + u·∇ω = νΔω + f on the unit square, periodic boundary, u = (∂ψ/∂y, −∂ψ/∂x), −Δψ = ω.

    **Parameters.** ω(0) has mean zero: ``gaussian``, N(0, 7³(−Δ + 49)^{−5/2}), as the code of the FNO data has it, or
    ``kernel``, of covariance exp(−Σ sin²(πΔ_d)/(2·0.8²)), as that of NSM. f = 0.1 (sin 2π(x+y) + cos 2π(x+y)) with
    ``forcing='waves'``, else none. A `family` sets the arguments that are None:

    ===============  =====  ====  =========  ========  =======
    family           ν      T     snapshots  initial   forcing
    ===============  =====  ====  =========  ========  =======
    ``fno_1e-3``     1e-3   50    50         gaussian  waves
    ``fno_1e-4``     1e-4   30    30         gaussian  waves
    ``fno_1e-5``     1e-5   20    20         gaussian  waves
    ``nsm_re2``      1e-2   3     63         kernel    none
    ``nsm_re3``      1e-3   3     63         kernel    none
    ``nsm_re4``      1e-4   3     63         kernel    none
    ``nsm_forced``   2e-3   50    63         kernel    waves
    ===============  =====  ====  =========  ========  =======

    **Scheme.** Fourier in space with the 2/3 rule, spectral accuracy; ETDRK4 in time, order 4: four real transforms a
    stage, computed as two complex ones (:class:`~resolvent.solvers.VorticityTerm`). Viscosity is integrated exactly;
    advection limits stability to about Δt max|u| π (2/3) n < 2.8.

    **Values that work.** 64² for ν = 1e-3, 128² for 1e-4, 256² for 1e-5. Flows with ν = 1e-5 double small differences
    about once a time unit, so tolerances far below 1e-6 at T = 20 are expensive. Without forcing ∫ω² falls:
    ``enstrophy_increase``; the mean of ω stays 0: ``balance_drift``.

    **legacy='fno'** is the published scheme: Crank–Nicolson for the viscosity, forward Euler for the rest, Δt = 1e-4
    throughout, order 1; with ``resolution=256`` and every fourth point it is the published data, but for the modes
    above 2/3 of the initial state, which are left out here. **legacy='nsm'** is Crank–Nicolson with Heun's method,
    order 2, Δt = 1e-3, with forcing 5e-3; NSM masks a disc of modes, here it is a square. Their snapshots must lie on
    steps.

    Parameters
    ----------
    resolution : int or (int, int)
        Points along x and y.
    family : str
    nu, final_time, snapshots, initial, forcing
        If None, the family's.
    substeps, tolerance, max_substeps, audit
        As in :class:`~resolvent.data.SpectralEvolution`.
    modes : int
        Frequencies an axis of the random field.
    legacy : {None, 'fno', 'nsm'}

    Fields: ``initial`` (input), ``forcing`` (constant), ``solution`` (output, in time), ``steps`` (auxiliary).

    References
    ----------
    Li et al., Fourier Neural Operator for Parametric PDEs, ICLR 2021, section 5.3 and appendix A.3.3.
    Du, Chalapathi and Krishnapriyan, Neural Spectral Methods, ICLR 2024, section 5.3.
    Basdevant, J. Comput. Phys. 50 (1983) 209 (four transforms).
    """

    name = "navier_stokes"
    state_name = "vorticity"

    def __init__(
        self,
        resolution: Any = 64,
        family: str = "fno_1e-3",
        nu: float | None = None,
        final_time: float | None = None,
        snapshots: int | None = None,
        substeps: int | None = None,
        tolerance: float | None = 1e-5,
        max_substeps: int = 65536,
        audit: float = 0.25,
        initial: str | None = None,
        forcing: str | None = None,
        modes: int = 32,
        legacy: str | None = None,
    ) -> None:
        self.family = one_of(family, _FAMILIES, "family of flows")
        usual = _FAMILIES[self.family]
        self.legacy = None if legacy is None else one_of(legacy, PUBLISHED_SCHEMES, "legacy setting of navier_stokes")
        stop = positive_number(usual.final_time if final_time is None else final_time, "final_time")
        stored = usual.snapshots if snapshots is None else positive_integer(snapshots, "snapshots")
        self.forcing = one_of(usual.forcing if forcing is None else forcing, ("none", "waves"), "forcing")
        scheme = "etdrk4"
        if self.legacy:
            scheme, substeps = published_steps(self.legacy, self.forcing == "waves", stop, stored)
            tolerance, audit, max_substeps = None, 0.0, max(max_substeps, substeps)
        super().__init__(
            resolution,
            (1.0, 1.0),
            2,
            scheme,
            stop,
            stored,
            substeps if substeps is not None else 2 * max(1, round(stop / stored / 0.1)),
            tolerance,
            max_substeps,
            audit,
        )
        self.nu = positive_number(usual.nu if nu is None else nu, "nu")
        self.initial = one_of(usual.initial if initial is None else initial, ("gaussian", "kernel"), "initial state")
        self.random_state = (
            GaussianRandomField("periodic", 2, 2.5, 7.0, None, modes)
            if self.initial == "gaussian"
            else PeriodicKernelField(2, 0.8, modes)
        )
        self.modes = self.random_state.modes

    def scalars(self) -> dict[str, float]:
        return {"nu": self.nu}

    def constants(self) -> dict[str, Field]:
        if self.forcing == "none":
            return {}
        return {"forcing": Field(self._waves(), "1", "forcing f of the vorticity", "constant")}

    def equation(self) -> tuple[np.ndarray, Any]:
        forcing = self._waves() if self.forcing == "waves" else None
        return self.nu * self.grid.laplacian(), VorticityTerm(self.grid, forcing)

    def replay(self) -> SpectralReplay:
        force = self._waves() if self.forcing == "waves" else 0.0

        def advection(spectrum: np.ndarray, waves: tuple[np.ndarray, ...]) -> np.ndarray:
            kx, ky = waves
            squared = kx**2 + ky**2
            squared[0, 0] = np.inf
            stream = spectrum / squared
            along_x, along_y = np.fft.ifft2(1j * kx * spectrum).real, np.fft.ifft2(1j * ky * spectrum).real
            u, v = np.fft.ifft2(1j * ky * stream).real, np.fft.ifft2(-1j * kx * stream).real
            return force - u * along_x - v * along_y

        return SpectralReplay(
            self.shape, (1.0, 1.0), 2, lambda kx, ky: -self.nu * (kx**2 + ky**2), advection, self.scheme
        )

    def invariants(self, states: np.ndarray) -> dict[str, float]:
        violations = super().invariants(states)
        if self.forcing == "none":
            violations["enstrophy_increase"] = increase((states**2).mean(axis=(1, 2)))
        return violations

    def _waves(self) -> np.ndarray:
        x, y = np.meshgrid(*self.axes, indexing="ij")
        return 0.1 * (np.sin(2.0 * np.pi * (x + y)) + np.cos(2.0 * np.pi * (x + y)))
