"""Provide networks on regular grids: Fourier neural operators and the U-Net."""

from .ffno import FFNO
from .fno import FNO
from .spectral_convolution import SpectralConvolution
from .unet import UNet

__all__ = ["FFNO", "FNO", "SpectralConvolution", "UNet"]
