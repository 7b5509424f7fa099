// Updates of one row of cells, in loops that the compiler turns into vector instructions.
//
// A *padded* row of nx cells has nx + 2 entries, the first and the last of which hold the neighbours beyond the sides:
// zero, or the cells of the other side where the box is periodic. A row of faces has nx + 1 entries, entry i between
// the cells i − 1 and i.
#pragma once

#include "solvers/kernels/lines.hpp"

// Before a loop over structures of rows: clang honours `__restrict` of arguments only, gcc that of members too.
#if defined(__clang__)
#define DISJOINT_ROWS _Pragma("clang loop vectorize(assume_safety)")
#else
#define DISJOINT_ROWS
#endif

namespace resolvent {

template <class T>
KERNEL void copy_row(i64 n, Row<T> out, Row<const T> row) {
  for (i64 i = 0; i < n; ++i) out[i] = row[i];
}

// Fill in the two outer entries of a padded row.
template <class T>
inline void close_row(View<T> row, i64 nx, bool periodic) {
  row[0] = periodic ? row[nx] : T(0);
  row[nx + 1] = periodic ? row[1] : T(0);
}

// Σ T (x_cell − x_neighbour) over the four faces of cell i; below, row and above are padded.
template <class At, class R>
inline auto flux(const At &at, const R &below, const R &row, const R &above, const R &east, const R &south,
                 const R &north) {
  const auto x = at(row, 1);
  auto sum = at(east) * (x - at(row));
  sum = times_plus(at(east, 1), x - at(row, 2), sum);
  sum = times_plus(at(south), x - at(below, 1), sum);
  return times_plus(at(north), x - at(above, 1), sum);
}

}  // namespace resolvent
