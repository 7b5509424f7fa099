"""Verify a dataset: compute every checksum and every residual again, from the files alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import InputError

from .certificates.allowance import forgiven_too_much
from .format.atomic_files import DAMAGE, one_line
from .format.check import described_fields, line_of_refusal, shard_violations, stats_violations, stray_files
from .format.compression import Compression
from .format.digests import combined_digest, config_hash, digest_of_fields, field_digest, file_sha256, sample_digest
from .format.folder import mark_damaged, read_config, read_manifest
from .format.layout import field_dataset, field_shape, open_shard
from .format.splits import Shard, plan_shards
from .html import html_table
from .moments import same_moments, sample_moments
from .problems import make_problem
from .problems.problem import Problem, residual_floor

_SHOWN = 10  # failures in a notebook's table
_UNUSABLE = (InputError, ValueError, KeyError, IndexError, TypeError, ArithmeticError, RuntimeError)


@dataclass(frozen=True)
class Failure:
    """Name one fault: in which shard and sample (None: the file as a whole), what is wrong, and the value found.

    `line` is the line of ``FORMAT.md`` that the file breaks.
    """

    shard: str
    sample: int | None
    what: str
    value: str
    line: str = ""

    def __str__(self) -> str:
        where = self.shard if self.sample is None else f"{self.shard}, sample {self.sample}"
        return f"{where}: {self.what} ({self.value})" + (f", FORMAT {self.line}" if self.line else "")


@dataclass(repr=False)
class VerifyReport:
    """Say what a verification found.

    Parameters
    ----------
    folder : str
    shards, samples : int
        How many were checked.
    failures : list of Failure
    residuals_checked : bool
        False for data that came as arrays: there are no equations to check.
    residual_max : float or None
        The largest relative residual, recomputed from the stored arrays.
    tolerance : float or None
        The solver's rtol. Stored residuals may lie above it by the bound on rounding to the stored dtype.
    certified_to : float or None
        The largest of all residuals, and of all allowances for rounding and compression: every sample meets its
        equations to this share of the right-hand side. None where nothing was certified.
    certificates : dict of float
        The largest values of what else the problem certifies (for trajectories ``error_estimate``), recomputed.
    content_digest : str
        Recomputed from the numbers; '' if some could not be read.
    seconds : float
    notes : list of str
    """

    folder: str
    shards: int = 0
    samples: int = 0
    failures: list[Failure] = field(default_factory=list)
    residuals_checked: bool = True
    residual_max: float | None = None
    tolerance: float | None = None
    certified_to: float | None = None
    certificates: dict[str, float] = field(default_factory=dict)
    content_digest: str = ""
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.failures

    def __repr__(self) -> str:
        return f"VerifyReport({self.folder!r}: {self.summary()})"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [("folder", self.folder), ("result", self.summary())]
        rows += [(f"failure {k}", failure) for k, failure in enumerate(self.failures[:_SHOWN], start=1)]
        if len(self.failures) > _SHOWN:
            rows.append(("more failures", len(self.failures) - _SHOWN))
        rows += [("note", note) for note in self.notes]
        return html_table("VerifyReport", rows)

    def summary(self) -> str:
        """Return one line that says the result."""
        what = f"{self.samples} samples in {self.shards} shards"
        if not self.ok:
            return f"{len(self.failures)} failures in {what}; run the same generate command again to repair the data"
        if not self.residuals_checked:
            return f"{what}: checksums and values hold; residuals were not checked"
        rounded = (self.residual_max or 0.0) > (self.tolerance or 0.0)
        line = f"{what}: checksums hold, largest residual {self.residual_max:.2e} (rtol {self.tolerance:.0e}"
        line += " before rounding to the stored numbers)" if rounded else ")"
        if self.certified_to is not None:
            line += f", certified to {self.certified_to:.1e}"
        estimate = self.certificates.get("error_estimate")
        return line if estimate is None else f"{line}, error in time at most {estimate:.1e} by its estimate"

    def fail(self, shard: str, sample: int | None, what: str, value: str, line: str) -> None:
        """Add a failure."""
        self.failures.append(Failure(shard, sample, what, value, line))

    def to_dict(self) -> dict[str, Any]:
        """Return flat JSON values; failures as lines."""
        return {**asdict(self), "failures": [str(f) for f in self.failures], "ok": self.ok}


def verify(folder: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Recompute every checksum and certificate of a dataset.

    For each shard this checks its structure against ``FORMAT.md``; the manifest's SHA-256 of the file; its
    configuration and range; and for each sample the content digest, finiteness, and the relative residual of its
    equations in float64, from the stored arrays and the problem rebuilt from the stored configuration. The residual
    must not exceed the solver's rtol plus the bound on what rounding to the stored dtype, and an error bound of the
    compression, can add (for float64: the rounding in evaluating the residual itself, which another machine may do in
    another order). Neither that bound nor the rtol of the file may exceed a hundredth of the right-hand side. Shards at
    fault are listed in ``damaged.json`` for the next generate, which makes them again.

    Parameters
    ----------
    folder : path
    progress : callable
        Called with (samples done, total).

    Returns
    -------
    VerifyReport
        With every failure listed; nothing is raised for damaged data.

    Raises
    ------
    InputError
        If the folder is no dataset at all, or its problem is not known.
    """
    began = time.perf_counter()
    place = Path(folder)
    config = read_config(place)
    report = VerifyReport(str(place))
    problem: Problem | None = None
    if config["kind"] == "problem":
        problem = make_problem(config["problem"]["name"], **config["problem"]["settings"])
        report.tolerance = float(config["solver"]["settings"]["rtol"])
        name = problem.name
    else:
        name = config["name"]
        report.residuals_checked = False
        report.notes.append("the data came as arrays: checksums and finiteness were checked, there are no residuals")
    shards = plan_shards(config["splits"], config["shard_size"], config["start"])
    total = sum(len(s) for s in shards)
    records = read_manifest(place)
    digests: list[bytes] = []
    fields: set[str] = set()
    for shard in shards:
        file = shard.path(name)
        report.shards += 1
        record = records.get(file)
        if record is None:
            report.fail(file, None, "is not in the manifest", "unfinished or interrupted", "3.2")
        elif record.config != config_hash(config):
            report.fail(file, None, "was made with another configuration", record.config[:12], "3.3")
        elif (place / file).is_file() and (found := file_sha256(place / file)) != record.sha256:
            report.fail(file, None, "SHA-256 differs from the manifest", found[:12], "3.4")
        try:
            opened = open_shard(place / file)
        except InputError as error:
            report.fail(file, None, "cannot be opened", str(error), line_of_refusal(error))
            continue
        with opened:
            other = record is not None and record.config != config_hash(config)  # said already
            broken = shard_violations(opened, file, shard, config)
            broken = [v for v in broken if not (other and v.what.endswith("config.yaml"))]
            report.failures += [Failure(file, None, "breaks the format", v.what, v.line) for v in broken]
            fields.update(str(n) for n in described_fields(opened))
            found_digests = _verify_shard(opened, file, shard, problem, config, report, progress, total)
        digests += found_digests
        if record is not None and combined_digest(found_digests) != record.digest:
            report.fail(file, None, "content digest differs from the manifest", record.digest[:12], "3.5")
    for path in stray_files(place, config):
        report.fail(path, None, "is not part of the dataset", "remove it", "1.2")
    for violation in stats_violations(place, fields):
        report.fail(violation.file, None, "breaks the format", violation.what, violation.line)
    planned = {s.path(name) for s in shards}
    if not mark_damaged(place, sorted({f.shard for f in report.failures if f.shard in planned})) and report.failures:
        report.notes.append(
            "the damaged shards could not be listed in damaged.json (no permission, or a generate is at work there): "
            "delete them, and the same generate command makes them again"
        )
    report.content_digest = combined_digest(digests) if len(digests) == total else ""
    report.seconds = time.perf_counter() - began
    return report


def _verify_shard(
    file: h5py.File,
    name: str,
    shard: Shard,
    problem: Problem | None,
    config: Mapping[str, Any],
    report: VerifyReport,
    progress: Callable[[int, int], None] | None,
    total: int,
) -> list[bytes]:
    digests: list[bytes] = []
    dtype, compression = str(config["dtype"]), Compression.from_config(config)
    try:
        outputs = [str(n) for n in file.attrs["output_fields"]]
        provenance = {key: file["provenance"][key][:] for key in file["provenance"]}
        fields = [str(n) for group in ("t0_fields", "auxiliary") for n in file[group].attrs["field_names"]]
        datasets = {field_name: field_dataset(file, field_name) for field_name in fields}
        constants = {n: d[...] for n, d in datasets.items() if not d.attrs["sample_varying"]}
        count = int(file.attrs["n_trajectories"])
        recorded_digests = [bytes(row) for row in provenance["digest"]]
        nested = "digest_over" in file["provenance"].attrs
        shared = {n: field_digest(n, values) for n, values in constants.items()} if nested else {}
        figures = {key: v.tolist() for key, v in provenance.items() if v.dtype.kind == "f" and v.ndim == 1}
        if problem is not None and "residual" not in figures:
            raise KeyError("provenance/residual")
    except DAMAGE as error:
        report.fail(name, None, "cannot be read", one_line(error), "4.1")
        return digests
    expected = range(shard.start, shard.stop)
    if any(len(rows) < len(shard) for rows in provenance.values()):
        return digests  # named by the check of the format
    if count != len(shard) or ("seed" in provenance and list(provenance["index"]) != list(expected)):
        report.fail(name, None, f"does not hold samples {shard.start} to {shard.stop - 1}", str(count), "9.2")
        return digests
    for place, index in enumerate(expected):
        try:
            arrays = {
                n: constants[n] if n in constants else np.reshape(d[place], field_shape(d)) for n, d in datasets.items()
            }
        except DAMAGE as error:
            report.fail(name, index, "cannot be read", one_line(error), "4.1")
            continue
        if nested:
            each = {n: shared[n] if n in shared else field_digest(n, values) for n, values in arrays.items()}
            digests.append(digest_of_fields(each))
        else:
            digests.append(sample_digest(arrays))
        if digests[-1] != recorded_digests[place]:
            report.fail(name, index, "content digest differs from the provenance", "numbers changed", "9.3")
        for n, values in arrays.items():
            rows = provenance.get(f"moments_{n}")
            if rows is not None and not (rows.shape[1:] == (3,) and same_moments(sample_moments(values), rows[place])):
                report.fail(name, index, f"moments_{n} is not of the stored values", "", "9.5")
        bad = [n for n, values in arrays.items() if values.dtype.kind not in "fiub" or not np.isfinite(values).all()]
        if bad:
            report.fail(name, index, "holds values that are not finite", ", ".join(bad), "8.7")
        elif problem is not None:
            recorded = {key: values[place] for key, values in figures.items()}
            _verify_residual(problem, arrays, dtype, outputs, compression, name, index, recorded, report)
        report.samples += 1
        if progress is not None:
            progress(report.samples, total)
    return digests


def _verify_residual(
    problem: Problem,
    arrays: dict[str, np.ndarray],
    dtype: str,
    outputs: list[str],
    compression: Compression,
    name: str,
    index: int,
    recorded: Mapping[str, float],
    report: VerifyReport,
) -> None:
    tolerance = report.tolerance or 0.0
    try:
        with np.errstate(all="ignore"):  # numbers that overflow are named below
            residual = float(problem.residual(arrays))
            bound = float(problem.rounding(arrays, dtype) + residual_floor(problem, arrays, outputs, compression))
            certificate = problem.certificate(arrays)
    except _UNUSABLE as error:
        # a coefficient that is not positive, say, or a field that is missing
        report.fail(name, index, "its equations cannot be evaluated", one_line(error), "11.2")
        return
    worst = max(residual, bound) if math.isfinite(residual + bound) else float("inf")
    report.residual_max = max(report.residual_max or 0.0, residual if math.isfinite(residual) else float("inf"))
    report.certified_to = max(report.certified_to or 0.0, worst)
    doubt = forgiven_too_much(residual, tolerance, bound)
    if doubt:
        report.fail(name, index, doubt, f"residual {residual:.3e}", "11.4")
        return
    before = recorded["residual"]
    if not 0.0 <= before <= tolerance:
        report.fail(name, index, f"was stored with a residual above rtol {tolerance:.0e}", f"{before:.3e}", "11.1")
    if not residual <= tolerance + bound:
        cause = "rounding and compression" if compression.lossy else "rounding"
        what = f"residual above rtol {tolerance:.0e} plus {cause} {bound:.1e}"
        report.fail(name, index, what, f"{residual:.3e}", "11.2")
    for key, value in certificate.items():
        report.certificates[key] = max(report.certificates.get(key, value), value)
        if key not in recorded:
            report.fail(name, index, f"has no recorded {key}", f"{value:.6e}", "11.3")
        # Both come from the stored arrays: another machine may add in another order, and no more.
        elif not abs(value - recorded[key]) <= 1e-6 * abs(recorded[key]) + tolerance < math.inf:
            what = f"recorded {key} {recorded[key]:.6e} does not hold"
            report.fail(name, index, what, f"{value:.6e}", "11.3")
