"""Statistics from the moments in the provenance are those of the values, and verify checks the moments."""

import h5py
import numpy as np
import pytest

from resolvent.data import Compression, Dataset, generate, make_problem, verify
from resolvent.data.moments import Moments, same_moments, sample_moments
from resolvent.data.statistics import field_statistics


def test_merged_moments_are_those_of_all_numbers():
    rng = np.random.default_rng(0)
    samples = [1e6 + rng.standard_normal(n) for n in (3, 50, 1, 700)]
    moments = Moments()
    for sample in samples:
        moments.add(sample[None])
    everything = np.concatenate(samples)
    figures = moments.figures()
    assert figures["mean"] == pytest.approx(everything.mean(), rel=1e-14)
    assert figures["std"] == pytest.approx(everything.std(), rel=1e-9)
    assert figures["rms"] == pytest.approx(np.sqrt(np.mean(everything**2)), rel=1e-14)


def test_moments_in_another_order_are_the_same_and_others_are_not():
    values = np.random.default_rng(1).standard_normal(1000)
    values -= values.mean()
    first = sample_moments(values)
    assert same_moments(first, sample_moments(values[::-1]))
    assert not same_moments(first, sample_moments(values + 1e-7))
    assert not same_moments(first, sample_moments(values * (1 + 1e-7)))
    assert not same_moments(first, sample_moments(values[1:]))


@pytest.mark.parametrize("settings", [{"resolution": 8}, {"resolution": (6, 9), "medium": "lognormal"}], ids=str)
@pytest.mark.parametrize("compression", ["gzip", "sz3"])
def test_statistics_are_those_of_the_files(tmp_path, settings, compression):
    stored = Compression("sz3", 1e-7) if compression == "sz3" else compression
    generate(make_problem("darcy", **settings), tmp_path / "d", samples=10, shard_size=3, compression=stored)
    with Dataset(tmp_path / "d") as dataset:
        recorded = field_statistics(dataset)
        assert "moments_solution" in dataset.provenance("train")
        dataset.provenance = lambda split: {}  # as where no moments were kept
        assert field_statistics(dataset) == recorded
    assert verify(tmp_path / "d").ok


def test_verify_names_moments_that_are_not_of_the_values(tmp_path):
    generate(make_problem("darcy", resolution=8), tmp_path / "d", samples=4)
    shard = next((tmp_path / "d" / "data" / "train").glob("*.hdf5"))
    with h5py.File(shard, "r+") as file:
        file["provenance/moments_solution"][1, 0] *= 1.001
    lines = [failure.line for failure in verify(tmp_path / "d").failures]
    assert "9.5" in lines
