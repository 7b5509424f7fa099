// A transversal: for each row an entry of its own in a column of its own, so that no pivot is structurally zero.
//
// Literature: Duff, ACM Trans. Math. Software 7 (1981) 315 and 387.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr i32 NONE = -1;

// Match rows to columns, one after another: by a column that is free, else along a path of rows that change theirs.
// Return the first row that cannot be matched, or −1. `integers` has room for 7 n.
template <class T>
i64 find_unmatched_row(i64 n, const i32 *indptr, const i32 *indices, const T *data, i32 *integers) {
  i32 *row_of = integers, *looked = integers + n, *next = integers + 2 * n, *seen = integers + 3 * n;
  i32 *path = integers + 4 * n, *taken = integers + 5 * n;  // the rows of the path, and the columns between them
  i32 *matched = integers + 6 * n;
  for (i64 i = 0; i < n; ++i) {
    row_of[i] = seen[i] = NONE;
    matched[i] = 0;
    looked[i] = indptr[i];
  }
  const auto stored = [&](i32 k) { return magnitude(data[k]) > 0.0; };
  for (i32 i = 0; i < n; ++i) {  // most rows have their diagonal
    for (i32 k = indptr[i]; k < indptr[i + 1]; ++k)
      if (indices[k] == i && stored(k)) {
        row_of[i] = i;
        matched[i] = 1;
      }
  }
  for (i32 start = 0; start < n; ++start) {
    if (matched[start]) continue;  // it stays so, if in another column
    i32 depth = 0;
    path[0] = start;
    next[0] = indptr[start];
    seen[start] = start;
    bool found = false;
    while (depth >= 0 && !found) {
      const i32 row = path[depth];
      for (i32 &k = looked[row]; k < indptr[row + 1] && !found; ++k) {
        if (row_of[indices[k]] != NONE || !stored(k)) continue;
        taken[depth] = indices[k];
        found = true;
      }
      if (found) break;
      bool deeper = false;
      for (i32 &k = next[depth]; k < indptr[row + 1]; ++k) {
        const i32 other = row_of[indices[k]];
        if (other == NONE || seen[other] == start || !stored(k)) continue;
        seen[other] = start;
        taken[depth] = indices[k++];
        path[++depth] = other;
        next[depth] = indptr[other];
        deeper = true;
        break;
      }
      if (!deeper) --depth;
    }
    if (!found) return start;
    for (; depth >= 0; --depth) row_of[taken[depth]] = path[depth];
  }
  return -1;
}

}  // namespace
}  // namespace resolvent

#define TRANSVERSAL(suffix, T)                                                                      \
  EXPORT resolvent::i64 find_unmatched_row_##suffix(resolvent::i64 n, const resolvent::i32 *indptr, \
                                                    const resolvent::i32 *indices, const T *data,   \
                                                    resolvent::i32 *integers) {                     \
    return resolvent::find_unmatched_row(n, indptr, indices, data, integers);                       \
  }
FOR_VALUES(TRANSVERSAL)
