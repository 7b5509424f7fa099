"""Provide incomplete factorisations: IC(0), ICT, ILU(0), ILUT."""

from .ic0 import IC0
from .ict import ICT
from .ilu0 import ILU0
from .ilut import ILUT

__all__ = ["IC0", "ICT", "ILU0", "ILUT"]
