"""Compute the factors of the smoother: fourth-kind Chebyshev–Jacobi in product form.

k steps x ← x + ω_m D⁻¹ (b − A x), m = 1…k, multiply the error by

    p_k(λ) = ∏ (1 − ω_m λ) = W_k(1 − 2λ/ρ) / (2k + 1),   W_k(cos θ) = sin((k + ½)θ) / sin(θ/2),

with λ the eigenvalues of D⁻¹A and ρ ≥ λ_max: the polynomial that minimises max √λ |p(λ)| over (0, ρ], as the smoothing
property requires (no lower end of an interval has to be guessed). Its zeros are λ_m = ρ (1 − cos θ_m)/2, θ_m = 2πm/(2k
+ 1). The product form needs no direction vector: each step streams one array. As a polynomial in D⁻¹A it is
self-adjoint in the inner product of A, so that the same steps before and after the coarse correction make a symmetric
cycle.

References
----------
Lottes, Optimal polynomial smoothers for multigrid V-cycles, Numer. Linear Algebra Appl. 30 (2023) e2518; Phillips and
Fischer, arXiv 2210.03179.
"""

from __future__ import annotations

import numpy as np


def fourth_kind_steps(k: int, radius: float = 2.0) -> np.ndarray:
    """Return the k relaxation factors ω_m for spectra of D⁻¹A in (0, radius], as float32.

    A diffusion operator with links of one sign has λ(D⁻¹A) ≤ 2 by Gershgorin's theorem. The large and the small factors
    alternate, so that no intermediate product grows.
    """
    theta = 2.0 * np.pi * np.arange(1, k + 1) / (2 * k + 1)
    factors = 2.0 / (radius * (1.0 - np.cos(theta)))
    order = sorted(range(k), key=lambda m: (m + 1) // 2 if m % 2 else k - m // 2)
    return factors[order].astype(np.float32)
