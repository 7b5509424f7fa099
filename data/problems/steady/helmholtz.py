"""Pose the Helmholtz equation with a random wavenumber: waves, an indefinite operator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.diffusion import diffusion_matrix
from resolvent.solvers.matrices.faces import faces

from ...boundaries import Sides, well_words
from ...certificates import balance
from ...format.field import Field, at_centres
from ...grids import space_dimension
from ...published.skr import SKR_VARIANTS, SkrHelmholtz
from ...random_fields.gaussian import GaussianRandomField, default_modes
from ...random_fields.point_sources import gaussian_source, point_source
from ..problem import Problem

_FACTORABLE = {2: 70_000, 3: 5_000}
"""Unknowns up to which a sparse LU is the default, in two and in three dimensions."""


class Helmholtz(Problem):
    """The Helmholtz equation is −Δu − k(x)²u = f on the unit square or cube, for time-harmonic waves u e^{−iωt}.

    **Boundary conditions.** ``boundary='dirichlet'``: u = 0, a closed box; u is real. ``boundary='absorbing'``: the
    first-order impedance condition ∂u/∂n − i k u = 0, which lets waves out that meet the side at a right angle and
    reflects (1 − cos θ)/(1 + cos θ) of the amplitude of those at an angle θ to the normal; u is complex and stored as
    ``solution_real`` and ``solution_imag``.

    **Parameters.** k(x) = k0 (1 + `contrast` tanh z(x)), where z is the Gaussian field N(0, σ²(−Δ + τ²)^{−α}), Neumann
    boundary, mean mode zero, with σ such that its variance averaged over the box is 1. So k lies strictly within
    k0 (1 ± contrast), and waves are `points_per_wavelength` cells long or longer: a resolution n with
    n < points_per_wavelength · k0 (1 + contrast)/2π is refused. The source is, with a centre c uniform in (0.2, 0.8)^d:
    ``gaussian`` exp(−|x − c|²/2r²)/(2πr²)^{d/2}, r = `source_width`; ``point`` δ(x − c), shared linearly between the
    2^d cells around c; or ``random``, a Gaussian field of the law of z, independent of it.

    **Scheme.** Cell-centred finite volumes, k² by its value at the centre, half cells at the walls. At an absorbing
    wall, with u on it the mean of the cell and its mirror image, ∂u/∂n = i k u_P/(1 − i k h/2), k extrapolated linearly
    to the wall. Second order in the discrete L² and maximum norms for fixed k and a smooth f. The error constant grows
    with k (the phase error over the box is of the order k³h²): with absorbing sides 10 points a wavelength leave an
    error of about 5, 9 and 13 % in L² at k0 = 10, 20 and 40, which falls with h².
    With Dirichlet sides the matrix is real, symmetric and indefinite as soon as k exceeds π√d (4.44 on the square, 5.44
    in the cube), with as many negative eigenvalues as the box has modes below k: 26 at k0 = 20 on the square. Absorbing
    sides make it complex symmetric. There is no stability limit; near a resonance of the closed box u is large and the
    condition number unbounded, which costs digits of u and none of the certificate. The default solver is GMRES with a
    sparse LU up to 70 000 unknowns on the square and 5 000 in the cube, GMRES(100) with ILUT beyond (at k0 = 10 and 12
    in the cube of 20³ and 32³ cells about 60 and 140 iterations).

    **Values that work.** k0 = 10, 20 and 40 at 64², 64² and 128²; contrast 0 to 0.5. In three dimensions k0 = 8 to 12
    at 20³ to 32³.

    **legacy='skr'** builds the matrices of the published experiments on Krylov recycling on `resolution`² points, with
    one k ~ U(0, 1) a sample: no waves. :class:`~resolvent.data.published.skr.SkrHelmholtz` says what is wrong with
    them, and how ``legacy='skr_aligned'`` mends one of the defects.

    Parameters
    ----------
    resolution : int or a list of them
        Cells along each axis; points with legacy='skr'.
    k0 : float
        Mean wavenumber, over the box's length of 1: k0/2π wavelengths cross the box.
    contrast : float
        0 ≤ contrast < 1.
    boundary : {'dirichlet', 'absorbing'}
    source : {'gaussian', 'point', 'random'}
    source_width : float
    points_per_wavelength : float
    alpha, tau, modes
        Parameters of the Gaussian fields; `modes` None is 128 on the square and 32 in the cube.
    dimension : {2, 3}
    legacy : {None, 'skr', 'skr_aligned'}

    Fields: ``wavenumber`` (input), ``source`` (input), ``solution`` or ``solution_real``, ``solution_imag`` (output).
    With legacy: ``coefficient``, ``wavenumber`` (inputs; k in every point), ``source`` (constant), ``solution``.

    References
    ----------
    Ihlenburg, Finite Element Analysis of Acoustic Scattering, Springer 1998, ch. 3–4 (pollution); Engquist and Majda,
    Math. Comp. 31 (1977) 629 (absorbing conditions).
    Wang et al., Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling, ICLR 2024 (legacy).
    """

    name = "helmholtz"

    def __init__(
        self,
        resolution: Any = 64,
        k0: float = 20.0,
        contrast: float = 0.1,
        boundary: str = "absorbing",
        source: str = "gaussian",
        source_width: float = 0.05,
        points_per_wavelength: float = 10.0,
        alpha: float | None = None,
        tau: float | None = None,
        modes: int | None = None,
        dimension: int = 2,
        legacy: str | None = None,
    ) -> None:
        self.ndim = self.dimension = space_dimension(dimension)
        super().__init__(resolution)
        self.k0 = positive_number(k0, "k0")
        try:
            self.contrast = float(contrast)
        except (TypeError, ValueError):
            self.contrast = math.nan
        if not 0.0 <= self.contrast < 1.0:
            raise InputError(f"contrast is {contrast!r}: expected 0 <= contrast < 1, so that k stays positive")
        self.legacy = None if legacy in (None, False) else one_of(legacy, SKR_VARIANTS, "legacy")
        self.exact_outputs = bool(self.legacy)  # the values on the boundary of published data must stay
        self.condition = one_of(boundary, ("dirichlet", "absorbing"), "boundary") if not self.legacy else "dirichlet"
        self.sides: Sides = ((self.condition, self.condition),) * self.ndim
        self.boundary = well_words(self.sides)
        self.source = one_of(source, ("gaussian", "point", "random"), "source")
        self.source_width = positive_number(source_width, "source_width")
        self.points_per_wavelength = positive_number(points_per_wavelength, "points_per_wavelength")
        self._published = skr = SkrHelmholtz(self.legacy, self.shape) if self.legacy else None
        if not skr:
            self._check_resolution()
        edge, usual_alpha, usual_tau = (skr.boundary, skr.alpha, skr.tau) if skr else ("neumann", float(self.ndim), 5.0)
        alpha, tau = usual_alpha if alpha is None else alpha, usual_tau if tau is None else tau
        self.gaussian = field = GaussianRandomField(edge, self.ndim, alpha, tau, None, default_modes(modes, self.ndim))
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes

    def _check_resolution(self) -> None:
        least = math.ceil(self.points_per_wavelength * self.k0 * (1.0 + self.contrast) / (2.0 * math.pi))
        if min(self.shape) < max(least, 3):
            raise InputError(
                f"resolution {min(self.shape)} gives waves of k up to {self.k0 * (1.0 + self.contrast):g} fewer than "
                f"{self.points_per_wavelength:g} points a wavelength: use resolution >= {max(least, 3)}, a smaller k0, "
                "or fewer points_per_wavelength"
            )

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "boundary": self.condition}

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        return self._published.axes if self._published else super().axes

    def scalars(self) -> dict[str, float]:
        law = {"alpha": self.alpha, "tau": self.tau}
        return law if self.legacy else {"k0": self.k0, "contrast": self.contrast, **law}

    @property
    def default_solver(self) -> SolverSpec:
        if math.prod(self.shape) <= _FACTORABLE[self.ndim]:
            return SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})
        settings = {"rtol": 1e-10, "restart": 100, "maxiter": 5000}
        # Dense factors pay on the square, where they grow slowly; in the cube building them costs more than iterating.
        drop, fill = (1e-4, 30.0) if self.ndim == 2 else (1e-2, 10.0)
        return SolverSpec("gmres", settings, "ilut", {"drop_tolerance": drop, "fill": fill})

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        z = self.gaussian.evaluate(self.gaussian.sample(rng), *self.axes)
        if self._published:
            return self._published.sample(z, rng)
        unit = 1.0 / math.sqrt(self.gaussian.mean_variance)
        wavenumber = self.k0 * (1.0 + self.contrast * np.tanh(unit * z))
        if self.source == "random":
            source = unit * self.gaussian.evaluate(self.gaussian.sample(rng), *self.axes)
        else:
            centre = rng.uniform(0.2, 0.8, self.ndim)
            if self.source == "point":
                source = point_source(centre, *self.axes)
            else:
                source = gaussian_source(centre, self.source_width, *self.axes)
        return {"wavenumber": wavenumber, "source": source}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        if self._published:
            return self._published.system(parameters)
        k = np.ascontiguousarray(parameters["wavenumber"], dtype=np.float64)
        source = np.ravel(parameters["source"])
        if self.condition == "dirichlet":
            return LinearSystem(_shifted_laplacian("dirichlet", -(k**2)), source, self.shape)
        shift = (-(k**2)).astype(np.complex128)
        for axis, n in enumerate(self.shape):
            for end, behind in ((0, 1), (-1, -2)):
                inward = np.moveaxis(k, axis, 0)
                at_wall = (3.0 * inward[end] - inward[behind]) / 2.0
                np.moveaxis(shift, axis, 0)[end] -= 1j * at_wall * n / (1.0 - 1j * at_wall / (2.0 * n))
        return LinearSystem(_shifted_laplacian("neumann", shift), source.astype(np.complex128), self.shape)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        if self._published:
            return self._published.fields(parameters, solution)
        stored = {
            "wavenumber": at_centres(parameters["wavenumber"], "wavenumber k", "input"),
            "source": at_centres(parameters["source"], "source term f", "input"),
        }
        values = np.asarray(solution).reshape(self.shape)
        if self.condition == "dirichlet":
            return {**stored, "solution": at_centres(values, "wave u", "output")}
        return {
            **stored,
            "solution_real": at_centres(np.ascontiguousarray(values.real), "real part of the wave u", "output"),
            "solution_imag": at_centres(np.ascontiguousarray(values.imag), "imaginary part of the wave u", "output"),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return ‖f − Au‖₂/‖f‖₂ in float64, A u summed face by face (:mod:`resolvent.data.certificates.balance`)."""
        if self._published:
            return self._published.residual(fields)
        k = np.asarray(fields["wavenumber"], dtype=np.float64)
        f, u = np.asarray(fields["source"], dtype=np.float64), self._wave(fields)
        residual = f - balance.diffusion(None, u, self.sides) + k * k * u
        if self.condition == "absorbing":
            residual -= balance.radiation(k, u)
        return float(np.linalg.norm(residual) / np.linalg.norm(f))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound what rounding k, u and f to `dtype` can add: υ|A||u| for each of them, twice more for k²."""
        if self._published:
            return self._published.rounding(fields, dtype)
        k = np.asarray(fields["wavenumber"], dtype=np.float64)
        unit = np.finfo(dtype).eps / 2.0
        f, u = np.asarray(fields["source"], dtype=np.float64), self._wave(fields)
        reach = balance.diffusion_magnitude(None, u, self.sides) + (3.0 + 4.0 * unit) * k * k * np.abs(u)
        if self.condition == "absorbing":
            reach += balance.radiation_magnitude(k, u)
        return float(1.01 * unit * (np.linalg.norm(reach) / np.linalg.norm(f) + 1.0))

    def _wave(self, fields: Mapping[str, np.ndarray]) -> np.ndarray:
        if self.condition == "dirichlet":
            return np.asarray(fields["solution"], dtype=np.float64)
        return fields["solution_real"] + 1j * np.asarray(fields["solution_imag"], dtype=np.float64)


def _shifted_laplacian(boundary: str, shift: np.ndarray) -> Any:
    """Return −Δ_h with `shift` added to its diagonal, in CSR form."""
    box = read_box(shift.shape, None, boundary)
    laplacian = diffusion_matrix(faces(np.ones(shift.shape), box), box.periodic)
    matrix = laplacian.astype(np.result_type(laplacian.dtype, shift))
    matrix.setdiag(matrix.diagonal() + shift.ravel())
    return matrix
