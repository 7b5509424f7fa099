"""Describe how fields are compressed: without loss by default; on request within an error bound, which is checked.

gzip is the default: every HDF5 library reads it, also The Well's loaders, which know no plugins. zstd, blosc2, zfp and
sz3 come from hdf5plugin, and a reader without it refuses them.

Error-bounded compression applies to the output fields only. Inputs stay exact: they define the equations, and the
certificate bounds what an error of the solution can add to the residual of *these* equations.

References
----------
Lindstrom, Fixed-rate compressed floating-point arrays, IEEE TVCG 2014 (zfp).
Liang et al., SZ3: a modular framework for composing prediction-based error-bounded lossy compressors, 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import is_real, one_of

from ..old_keywords import Replacement

ERROR_BOUNDED = ("zfp", "sz3")
PLUGIN = ("zstd", "blosc2", *ERROR_BOUNDED)  # read with hdf5plugin only
COMPRESSIONS = ("gzip", "lzf", "none", *PLUGIN)
MODES = ("absolute", "relative")


@dataclass(frozen=True)
class Compression:
    """Describe a compression by its name and error bound.

    Parameters
    ----------
    name : {'gzip', 'lzf', 'none', 'zstd', 'blosc2', 'zfp', 'sz3'}
    error_bound : float or None
        Only for zfp and sz3: the largest |stored − exact| of any value.
    mode : {'absolute', 'relative'}
        Relative: `error_bound` times the largest magnitude of the sample's field. Only sz3 offers it: zfp has one bound
        for a whole file, so that the samples of a file would depend on one another.

    Raises
    ------
    InputError
        For an unknown name, a bound that is missing, not positive, or given where it means nothing.
    """

    name: str = "gzip"
    error_bound: float | None = None
    mode: str = "absolute"

    def __post_init__(self) -> None:
        one_of(self.name, COMPRESSIONS, "compression")
        one_of(self.mode, MODES, "error_bound_mode")
        bound = self.error_bound
        if not self.lossy:
            if bound is not None:
                raise InputError(
                    f"error_bound={bound} goes with compression=zfp or sz3: {self.name} is lossless; leave it out"
                )
            return
        number = is_real(bound)
        if not number or not math.isfinite(float(bound or 0)) or float(bound or 0) <= 0.0:
            raise InputError(f"compression={self.name} needs error_bound, a number above 0 such as 1e-6; {bound} came")
        object.__setattr__(self, "error_bound", float(bound or 0))
        if self.name == "zfp" and self.mode == "relative":
            raise InputError(
                "error_bound_mode=relative: zfp bounds the absolute error of a whole file; use compression=sz3, or "
                "error_bound_mode=absolute"
            )

    @classmethod
    def read(cls, value: str | Compression) -> Compression:
        """Return a compression that was given as an object or, if it needs no error bound, by name."""
        return value if isinstance(value, Compression) else cls(value)

    @property
    def lossy(self) -> bool:
        """Return whether numbers may change, within the bound."""
        return self.name in ERROR_BOUNDED

    def settings(self) -> dict[str, Any]:
        """Return what a dataset's configuration holds; the bound only if there is one."""
        if not self.lossy:
            return {"compression": self.name}
        return {"compression": self.name, "error_bound": self.error_bound, "error_bound_mode": self.mode}

    @classmethod
    def from_config(cls, config: Any) -> Compression:
        """Rebuild from a dataset's configuration."""
        return cls(config["compression"], config.get("error_bound"), config.get("error_bound_mode", "absolute"))

    def bound(self, values: np.ndarray) -> float:
        """Return the largest error allowed in one sample's field of these values."""
        bound = self.error_bound or 0.0
        return bound if self.mode == "absolute" else bound * float(np.abs(values).max(initial=0.0))

    def filters(self) -> dict[str, Any]:
        """Return the arguments of ``create_dataset`` for a field stored exactly: gzip if the compression is lossy."""
        checksum: dict[str, Any] = {"fletcher32": True}
        if self.name == "lzf":
            return {**checksum, "compression": "lzf", "shuffle": True}
        if self.name == "none":
            return checksum
        if self.name in ("zstd", "blosc2"):
            import hdf5plugin

            if self.name == "zstd":
                return {**checksum, "shuffle": True, **hdf5plugin.Zstd(clevel=3)}
            return {**checksum, **hdf5plugin.Blosc2(cname="zstd", clevel=3)}
        # Level 1 with the byte shuffle: level 4 saves another 0.3 %. `chunks.deflated_chunk` makes the streams of gzip.
        return {**checksum, "compression": "gzip", "compression_opts": 1, "shuffle": True}

    def lossy_filters(self, bound: float) -> dict[str, Any]:
        """Return the arguments of ``create_dataset`` for a field compressed within an absolute bound."""
        import hdf5plugin

        lossy = hdf5plugin.Zfp(accuracy=bound) if self.name == "zfp" else hdf5plugin.SZ3(absolute=bound)
        return {"fletcher32": True, **lossy}


def _exchange(keywords: dict[str, Any]) -> None:
    bound, mode = keywords.pop("error_bound", None), keywords.pop("error_bound_mode", "absolute")
    keywords["compression"] = Compression(keywords.get("compression", "gzip"), bound, mode)


OLD_KEYWORDS: Replacement = (
    ("error_bound", "error_bound_mode"),
    "compression=Compression(name, error_bound, mode)",
    _exchange,
)
"""Keywords that functions had before they took a Compression."""
