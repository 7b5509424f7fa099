"""Provide Gaussian processes and kernel regression."""

from .kernel_ridge import KernelRidge

__all__ = ["KernelRidge"]
