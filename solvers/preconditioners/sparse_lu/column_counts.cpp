// The elimination tree of an ordered symmetric graph, and the entries of each column of its Cholesky factor, in nearly
// linear time and without the factor.
//
// Literature: Liu, SIAM J. Matrix Anal. Appl. 11 (1990) 134 (the tree); Gilbert, Ng and Peyton, SIAM J. Matrix Anal.
// Appl. 15 (1994) 1075 (the counts; and the star of each row, which stands for its clique in the graph of AᵀA).
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr i32 NONE = -1;

struct Forest {
  i32 *parent, *ancestor, *child, *sibling, *sequence, *first, *deepest, *last_leaf;
  i64 *counts;
};

i32 root_of(i32 *ancestor, i32 node) {
  i32 root = node;
  while (root != ancestor[root]) root = ancestor[root];
  while (node != root) {
    const i32 after = ancestor[node];
    ancestor[node] = root;
    node = after;
  }
  return root;
}

// `below` lists for each node its neighbours of lower number: the tree, by following ancestors and shortening the ways.
void grow(i32 n, const i32 *below_start, const i32 *below, const Forest &tree) {
  for (i32 k = 0; k < n; ++k) {
    tree.parent[k] = tree.ancestor[k] = NONE;
    for (i32 p = below_start[k]; p < below_start[k + 1]; ++p)
      for (i32 i = below[p]; i != NONE && i != k;) {
        const i32 after = tree.ancestor[i];
        tree.ancestor[i] = k;
        if (after == NONE) tree.parent[i] = k;
        i = after;
      }
  }
}

// Children before parents, each subtree in one piece; `first` is the place of the first descendant of each node.
void put_in_sequence(i32 n, const Forest &tree) {
  for (i32 i = 0; i < n; ++i) tree.child[i] = NONE;
  for (i32 i = n - 1; i >= 0; --i) {
    if (tree.parent[i] == NONE) continue;
    tree.sibling[i] = tree.child[tree.parent[i]];
    tree.child[tree.parent[i]] = i;
  }
  i32 placed = 0;
  for (i32 root = 0; root < n; ++root) {
    if (tree.parent[root] != NONE) continue;
    i32 node = root;
    tree.first[node] = placed;
    while (true) {
      if (tree.child[node] != NONE) {
        const i32 child = tree.child[node];
        tree.child[node] = tree.sibling[child];
        node = child;
        tree.first[node] = placed;
        continue;
      }
      tree.sequence[placed++] = node;
      if (node == root) break;
      node = tree.parent[node];
    }
  }
}

// Row i of the factor holds a subtree of the tree, whose leaves are known by `first`. A column gets one entry for each
// leaf; where two branches of a row meet, one is taken off, and one where the row's subtree ends.
void count(i32 n, const i32 *above_start, const i32 *above, const Forest &tree) {
  for (i32 i = 0; i < n; ++i) {
    tree.deepest[i] = tree.last_leaf[i] = NONE;
    tree.ancestor[i] = i;
    tree.counts[i] = 1;
  }
  for (i32 i = 0; i < n; ++i)
    if (tree.parent[i] != NONE) tree.counts[tree.parent[i]] = 0;  // not a leaf
  for (i32 place = 0; place < n; ++place) {
    const i32 j = tree.sequence[place];
    for (i32 p = above_start[j]; p < above_start[j + 1]; ++p) {
      const i32 i = above[p];
      if (tree.first[j] <= tree.deepest[i]) continue;
      tree.deepest[i] = tree.first[j];
      ++tree.counts[j];
      if (tree.last_leaf[i] != NONE) --tree.counts[root_of(tree.ancestor, tree.last_leaf[i])];
      tree.last_leaf[i] = j;
    }
    if (tree.parent[j] != NONE) {
      --tree.counts[tree.parent[j]];
      tree.ancestor[j] = tree.parent[j];
    }
  }
  for (i32 place = 0; place < n; ++place) {
    const i32 j = tree.sequence[place];
    if (tree.parent[j] != NONE) tree.counts[tree.parent[j]] += tree.counts[j];
  }
}

// Collect pairs of neighbours (visit(use) calls use(lower, higher) for each) by their lower and by their higher node.
template <class Visit>
void collect(i32 n, const Visit &visit, i32 *above_start, i32 *above, i32 *below_start, i32 *below) {
  for (i32 i = 0; i <= n; ++i) above_start[i] = below_start[i] = 0;
  visit([&](i32 lower, i32 higher) {
    ++above_start[lower];
    ++below_start[higher];
  });
  for (i32 i = 1; i <= n; ++i) {
    above_start[i] += above_start[i - 1];
    below_start[i] += below_start[i - 1];
  }
  visit([&](i32 lower, i32 higher) {
    above[--above_start[lower]] = higher;
    below[--below_start[higher]] = lower;
  });
}

// `integers`: 9 n + 2 + 2 pairs. `sums`: the entries of the factor, its diagonal included, and their squares by column.
template <class Visit>
void analyse(i32 n, i64 pairs, const Visit &visit, i64 *counts, i32 *sequence, i32 *integers, double *sums) {
  i32 *above_start = integers + 7 * i64(n), *below_start = above_start + n + 1;
  i32 *above = below_start + n + 1, *below = above + pairs;
  collect(n, visit, above_start, above, below_start, below);
  const i64 m = n;
  const Forest tree{integers,         integers + m,     integers + 2 * m,
                    integers + 3 * m, sequence,         integers + 4 * m,
                    integers + 5 * m, integers + 6 * m, counts};
  grow(n, below_start, below, tree);
  put_in_sequence(n, tree);
  count(n, above_start, above, tree);
  sums[0] = sums[1] = 0.0;
  for (i32 i = 0; i < n; ++i) {
    sums[0] += double(counts[i]);
    sums[1] += double(counts[i]) * double(counts[i]);
  }
}

}  // namespace
}  // namespace resolvent

// Count for a symmetric graph whose node i is eliminated as number place[i].
EXPORT void column_counts(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,
                          const resolvent::i32 *place, resolvent::i64 *counts, resolvent::i32 *sequence,
                          resolvent::i64 pairs, resolvent::i32 *integers, double *sums) {
  using namespace resolvent;
  const auto visit = [&](auto use) {
    for (i64 i = 0; i < n; ++i)
      for (i64 k = indptr[i]; k < indptr[i + 1]; ++k)
        if (place[i] < place[indices[k]]) use(place[i], place[indices[k]]);
  };
  analyse(i32(n), pairs, visit, counts, sequence, integers, sums);
}

// Count for the graph of AᵀA by the rows of A: each is a star about the column that is eliminated first.
EXPORT void column_counts_of_rows(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,
                                  const resolvent::i32 *place, resolvent::i64 *counts, resolvent::i32 *sequence,
                                  resolvent::i64 pairs, resolvent::i32 *integers, double *sums) {
  using namespace resolvent;
  const auto visit = [&](auto use) {
    for (i64 i = 0; i < n; ++i) {
      i32 centre = i32(n);
      for (i64 k = indptr[i]; k < indptr[i + 1]; ++k)
        if (place[indices[k]] < centre) centre = place[indices[k]];
      for (i64 k = indptr[i]; k < indptr[i + 1]; ++k)
        if (place[indices[k]] != centre) use(centre, place[indices[k]]);
    }
  };
  analyse(i32(n), pairs, visit, counts, sequence, integers, sums);
}
