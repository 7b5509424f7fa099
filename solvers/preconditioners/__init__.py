"""Preconditioners, one a file."""

from .amg import AMG
from .direct import Direct
from .fast_poisson import FastPoisson
from .ic0 import IC0
from .jacobi import Jacobi
from .ssor import SSOR

__all__ = ["AMG", "IC0", "SSOR", "Direct", "FastPoisson", "Jacobi"]
