// Greedy colouring of a graph: each vertex gets the first colour that no neighbour before it has.
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

// taken_by, (n + 1,), holds for each colour the last vertex one of whose neighbours has it; −1 at the start.
template <class I>
void colour(i64 n, const I *indptr, const I *indices, i64 *colours, i64 *taken_by) {
  for (i64 i = 0; i < n; ++i) {
    for (I k = indptr[i]; k < indptr[i + 1]; ++k)
      if (indices[k] < i) taken_by[colours[indices[k]]] = i;
    i64 first = 0;
    while (taken_by[first] == i) ++first;
    colours[i] = first;
  }
}

}  // namespace
}  // namespace resolvent

EXPORT void colour_i32(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,
                       resolvent::i64 *colours, resolvent::i64 *taken_by) {
  resolvent::colour(n, indptr, indices, colours, taken_by);
}
EXPORT void colour_i64(resolvent::i64 n, const resolvent::i64 *indptr, const resolvent::i64 *indices,
                       resolvent::i64 *colours, resolvent::i64 *taken_by) {
  resolvent::colour(n, indptr, indices, colours, taken_by);
}
