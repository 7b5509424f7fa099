"""Preconditioners, one a file."""

from .amg import AMG
from .block_jacobi import BlockJacobi
from .chebyshev_polynomial import ChebyshevPolynomial
from .circulant import Circulant
from .direct import Direct
from .fast_poisson import FastPoisson
from .fsai import FSAI
from .ic0 import IC0
from .ict import ICT
from .ilu0 import ILU0
from .ilut import ILUT
from .jacobi import Jacobi
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
    "SymmetricPolynomial",
    "Tau",
]
