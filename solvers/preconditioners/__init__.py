"""Provide the preconditioners, one a file."""

from .amg import AMG
from .block_jacobi import BlockJacobi
from .chebyshev_polynomial import ChebyshevPolynomial
from .circulant import Circulant
from .direct import Direct
from .fast_poisson import FastPoisson
from .fsai import FSAI
from .incomplete.ic0 import IC0
from .incomplete.ict import ICT
from .incomplete.ilu0 import ILU0
from .incomplete.ilut import ILUT
from .jacobi import Jacobi
from .regularized_lu import RegularizedLU
from .ssor import SSOR
from .symmetric_polynomial import SymmetricPolynomial
from .tau import Tau

__all__ = [
    "AMG",
    "FSAI",
    "IC0",
    "ICT",
    "ILU0",
    "ILUT",
    "SSOR",
    "BlockJacobi",
    "ChebyshevPolynomial",
    "Circulant",
    "Direct",
    "FastPoisson",
    "Jacobi",
    "RegularizedLU",
    "SymmetricPolynomial",
    "Tau",
]
