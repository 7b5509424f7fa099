"""Orders of samples: permutations, path lengths, the Hilbert curve, edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import ORDERINGS, InputError, order_features
from resolvent.solvers.sequences import path_length
from resolvent.solvers.sequences.ordering import greedy, hilbert, principal_coordinates


@pytest.mark.parametrize("sort", ORDERINGS)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), p=st.integers(0, 5), copies=st.booleans())
@settings(max_examples=25, deadline=None)
def test_permutations(sort, seed, count, p, copies):
    features = np.random.default_rng(seed).standard_normal((count, p))
    if copies:
        features = np.round(features)
    order = order_features(features, sort)
    assert sorted(order.tolist()) == list(range(count))
    np.testing.assert_array_equal(order, order_features(features.copy(), sort))


@pytest.mark.parametrize("sort", ORDERINGS)
@pytest.mark.parametrize("features", [np.zeros((0, 4)), np.ones((1, 4)), np.ones((7, 3)), np.zeros((5, 0))])
def test_no_one_and_equal_samples_keep_their_order(sort, features):
    np.testing.assert_array_equal(order_features(features, sort), np.arange(len(features)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("p", [2, 3, 30])
def test_greedy_gives_the_shortest_path_and_each_one_shortens_it(seed, p):
    decay = np.arange(1, p + 1) ** -1.5  # as principal coordinates of smooth fields decay
    features = np.random.default_rng(seed).standard_normal((300, p)) * decay
    lengths = {sort: path_length(features, order_features(features, sort)) for sort in ORDERINGS}
    assert lengths["greedy"] <= lengths["hilbert"] < lengths["pca"] < lengths["none"]


def test_greedy_goes_to_the_nearest_one_not_yet_visited():
    features = np.random.default_rng(1).standard_normal((60, 4))
    order = greedy(features)
    assert order[0] == 0
    for step in range(59):
        distances = np.linalg.norm(features - features[order[step]], axis=1)
        distances[order[: step + 1]] = np.inf
        assert distances[order[step + 1]] == distances.min()


def test_greedy_in_groups_is_nearly_as_short():
    features = np.random.default_rng(2).standard_normal((500, 2))
    whole, grouped = path_length(features, greedy(features)), path_length(features, greedy(features, group=120))
    assert sorted(greedy(features, group=120).tolist()) == list(range(500))
    assert grouped < 1.4 * whole


@pytest.mark.parametrize(("d", "side"), [(1, 64), (2, 16), (3, 8)])
def test_the_hilbert_curve_steps_from_cell_to_cell(d, side):
    """On a full grid of cells, each step of the curve goes to a neighbour: the shortest path there is."""
    from resolvent.solvers.sequences.ordering import _hilbert_index

    cells = np.stack(np.meshgrid(*[np.arange(side)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    cells = np.random.default_rng(0).permutation(cells)
    index = _hilbert_index(cells.astype(np.uint64), int(np.log2(side)))
    assert sorted(index.tolist()) == list(range(side**d))
    steps = np.abs(np.diff(cells[np.argsort(index)].astype(int), axis=0)).sum(axis=1)
    assert set(steps.tolist()) == {1}


def test_hilbert_does_not_mind_a_rotation_into_many_dimensions():
    """Fields of 400 values that depend on two parameters: the order is about as good as in the parameters."""
    rng = np.random.default_rng(3)
    parameters = rng.uniform(size=(400, 2)) * [2.0, 1.0]
    fields = parameters @ np.linalg.qr(rng.standard_normal((400, 2)))[0].T + 5.0
    order = hilbert(fields.reshape(400, 20, 20))
    assert path_length(parameters, order) < 0.15 * path_length(parameters, np.arange(400))


def test_principal_coordinates_of_large_sets():
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((700, 600)) * np.arange(1, 601) ** -2.0
    centred = rows - rows.mean(axis=0)
    left, sigma, _ = np.linalg.svd(centred, full_matrices=False)
    found = principal_coordinates(rows, 2)
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :2] * sigma[:2]), atol=1e-3)


@pytest.mark.parametrize(
    ("features", "sort", "word"),
    [
        (np.ones((3, 2)), "alphabetic", "expected one of greedy"),
        (np.array([[1.0], [np.nan]]), "pca", "NaN"),
        (np.array([["a"]]), "greedy", "dtype"),
        (3.0, "none", "shape"),
        ([[1.0], [2.0, 3.0]], "hilbert", "not an array"),
    ],
)
def test_mistakes_are_named_in_one_line(features, sort, word):
    with pytest.raises(InputError) as caught:
        order_features(features, sort)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="dimensions"):
        hilbert(np.ones((3, 2)), dimensions=4)
