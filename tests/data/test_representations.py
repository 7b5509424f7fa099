"""Datasets and reports print on one line, and as a small table in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

from resolvent.data import Chains, Dataset, Failure, GenerationReport, VerifyReport, generate, make_problem, verify
from resolvent.data.moments import Moments
from resolvent.data.statistics import SampleFigures


class _Cells(HTMLParser):
    """Collects the text of a table, and checks that its tags are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> GenerationReport:
    """A report of a dataset whose folder has a name that HTML must escape."""
    out = tmp_path_factory.mktemp("a") / "<b>&c"
    problem = make_problem("poisson", resolution=8, modes=8)
    return generate(problem, out, splits={"train": 6, "test": 2}, strategy=Chains("constant_matrix", 2), progress=False)


def test_a_generation(made: GenerationReport) -> None:
    assert "8 samples, largest residual" in repr(made)
    assert "\n" not in repr(made)
    text = _Cells(made._repr_html_()).text
    for part in ("<b>&c", "train 6, test 2", "constant_matrix 8", made.content_digest, "solving"):
        assert part in text


def test_a_dataset(made: GenerationReport) -> None:
    dataset = Dataset(made.folder)
    assert repr(dataset) == f"Dataset({made.folder!r}: poisson 8×8, train 6, test 2)"
    text = _Cells(dataset._repr_html_()).text
    for part in ("Dataset poisson", "<b>&c", "train 6, test 2", "8×8, float64", "solution (output)"):
        assert part in text


def test_a_verification(made: GenerationReport) -> None:
    report = verify(made.folder)
    assert repr(report) == f"VerifyReport({made.folder!r}: {report.summary()})"
    assert "8 samples in 2 shards: checksums hold" in _Cells(report._repr_html_()).text
    failures = [Failure(f"data/{k}", k, "is <wrong>", "x") for k in range(12)]
    text = _Cells(VerifyReport("a", 2, 12, failures, notes=["look"])._repr_html_()).text
    assert "12 failures" in text
    assert "data/9, sample 9: is <wrong>" in text
    assert "data/10" not in text
    assert "more failures2" in text
    assert "look" in text


def test_figures() -> None:
    moments = Moments()
    moments.add(np.array([[1.0, 3.0]]))
    assert repr(moments) == "Moments(2 numbers, mean 2, std 1, rms 2.236)"
    assert repr(SampleFigures(np.zeros((3, 32)), {"u": np.zeros((3, 3))})) == "SampleFigures(3 samples, moments of u)"
    assert repr(SampleFigures(np.zeros((3, 32)))) == "SampleFigures(3 samples, moments of no field)"
