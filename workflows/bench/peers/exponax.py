"""Run exponax in a process of its own for each precision, for paired timings: JAX fixes its precision at the start."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import numpy as np


class ExponaxPeer:
    """Run exponax's ETDRK4 on request and report its seconds; `available` is False if it is not installed.

    Parameters
    ----------
    dtype : {'float32', 'float64'}
    """

    def __init__(self, dtype: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, dtype), daemon=True)
        self._process.start()
        self.version: str | None = self._pipe.recv()

    @property
    def available(self) -> bool:
        """Return whether exponax could be imported."""
        return self.version is not None

    def prepare(self, equation: str, n: int, nu: float, dt: float, steps: int, fields: np.ndarray) -> None:
        """Compile `steps` steps of ``navier_stokes`` or ``burgers`` on a batch of fields (batch, *shape)."""
        self._pipe.send((equation, n, nu, dt, steps, fields))
        self._pipe.recv()

    def run(self) -> tuple[float, float, np.ndarray]:
        """Return seconds and processor seconds of all steps (first and last transforms left out), and the fields."""
        self._pipe.send("run")
        seconds, busy, fields = self._pipe.recv()
        return float(seconds), float(busy), fields

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(10.0)


def _serve(pipe: Any, dtype: str) -> None:
    try:
        import exponax
        import jax
    except ImportError:
        pipe.send(None)
        return
    from importlib.metadata import version

    jax.config.update("jax_enable_x64", dtype == "float64")
    pipe.send(version("exponax"))
    steps: Any = None
    spectra: Any = None
    back: Any = None
    while (message := pipe.recv()) is not None:
        if message == "run":
            began, busy = time.perf_counter(), time.process_time()
            result = steps(spectra).block_until_ready()
            seconds, busy = time.perf_counter() - began, time.process_time() - busy
            pipe.send((seconds, busy, np.asarray(back(result))[:, 0]))
            continue
        equation, n, nu, dt, count, fields = message
        if equation == "navier_stokes":
            # its stream function has the other sign: ω = Δψ
            stepper = exponax.stepper.NavierStokesVorticity(
                2, 1.0, n, dt, diffusivity=nu, vorticity_convection_scale=-1.0, order=4
            )
        else:
            stepper = exponax.stepper.Burgers(1, 1.0, n, dt, diffusivity=nu, order=4, conservative=True)
        dimensions = fields.ndim - 1
        states = jax.numpy.asarray(fields[:, None].astype(dtype))
        spectra = jax.vmap(lambda u, d=dimensions: exponax.fft(u, num_spatial_dims=d))(states)

        def many(u: Any, stepper: Any = stepper, count: int = count) -> Any:
            return jax.lax.scan(lambda v, _: (stepper.step_fourier(v), None), u, None, length=count)[0]

        steps = jax.jit(jax.vmap(many))
        back = jax.vmap(lambda v, d=dimensions, n=n: exponax.ifft(v, num_spatial_dims=d, num_points=n))
        steps(spectra).block_until_ready()
        pipe.send(True)
