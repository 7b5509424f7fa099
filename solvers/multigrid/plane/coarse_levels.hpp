// The two halves of a V-cycle on a coarse level: nine points, arrays with a rim of one cell.
//
// The rim makes a level one long vector: the neighbours of cell k are k ± 1, k ± W and k ± W ± 1. One loop goes over
// the whole grid, including the rim cells between the rows, which D⁻¹ = 0 keeps at zero. Coarse levels fit into the
// second-level cache, so several passes cost little.
#pragma once

#include "solvers/multigrid/plane/transfers.hpp"

namespace resolvent {

KERNEL void first_step(i64 n, Row<float> x, Row<const float> r, Row<const float> inverse_diagonal, float omega) {
  for (i64 k = 0; k < n; ++k) x[k] = omega * inverse_diagonal[k] * r[k];
}

// out = r − A x, or with STEP out = x + ω D⁻¹ (r − A x). `below`, `row` and `above`, of x, begin one cell to the left.
template <bool STEP>
KERNEL void nine_points(i64 n, Row<float> out, Row<const float> r, Row<const float> below, Row<const float> row,
                        Row<const float> above, Row<const float> east, Row<const float> south, Row<const float> rising,
                        Row<const float> falling, Row<const float> north, Row<const float> rising_above,
                        Row<const float> falling_above, Row<const float> inverse_diagonal, float omega) {
  for (i64 k = 0; k < n; ++k) {
    const float u = row[k + 1];
    float s = times_plus(east[k], row[k] - u, r[k]);
    s = times_plus(east[k + 1], row[k + 2] - u, s);
    s = times_plus(rising[k], below[k] - u, s);
    s = times_plus(south[k], below[k + 1] - u, s);
    s = times_plus(falling[k + 1], below[k + 2] - u, s);
    s = times_plus(falling_above[k], above[k] - u, s);
    s = times_plus(north[k], above[k + 1] - u, s);
    s = times_plus(rising_above[k + 1], above[k + 2] - u, s);
    out[k] = STEP ? times_plus(omega * inverse_diagonal[k], s, u) : s;
  }
}

// One coarse level of A x = r: vectors with the rim, ((ny + 2)(nx + 2),).
struct CoarseLevel {
  i64 ny, nx, width;
  Sides sides;
  View<float> r, x, z, work, east, north, rising, falling, inverse_diagonal;
  const float *omegas;
  i64 k;

  CoarseLevel(const Plane &plane, const Hierarchy &hierarchy, i64 level)
      : ny(hierarchy.levels[level].ny),
        nx(hierarchy.levels[level].nx),
        width(nx + 2),
        sides(hierarchy.sides),
        r(hierarchy.with_rim(level, &Level::r)),
        x(hierarchy.with_rim(level, &Level::x)),
        z(hierarchy.with_rim(level, &Level::z)),
        work(hierarchy.with_rim(level, &Level::work)),
        east(hierarchy.with_rim(level, &Level::east)),
        north(hierarchy.with_rim(level, &Level::north)),
        rising(hierarchy.with_rim(level, &Level::rising)),
        falling(hierarchy.with_rim(level, &Level::falling)),
        inverse_diagonal(hierarchy.with_rim(level, &Level::inverse_diagonal)),
        omegas(plane.omegas),
        k(plane.steps) {}

  i64 begin() const { return width + 1; }
  i64 inner_size() const { return (ny - 1) * width + nx; }
  // Where step number s, counted from zero over both halves, leaves its result.
  View<float> after_step(i64 s) const { return s % 2 ? z : x; }

  template <bool STEP>
  void apply(View<float> out, View<float> u, float omega) const {
    const i64 here = begin(), above = here + width;
    nine_points<STEP>(inner_size(), out.from(here), r.from(here), u.from(here - width - 1), u.from(here - 1),
                      u.from(above - 1), east.from(here), north.from(here), rising.from(here), falling.from(here),
                      north.from(above), rising.from(above), falling.from(above), inverse_diagonal.from(here), omega);
  }

  // Copy the cells of the other side into the rim where the box is periodic; elsewhere it stays zero.
  void close_rim(View<float> u) const {
    if (!sides.periodic_y && !sides.periodic_x) return;
    const Grid<float> rows{u.data, ny + 2, width, width};
    for (i64 j = 1; j <= ny; ++j) close_row(rows[j], nx, sides.periodic_x);
    if (sides.periodic_y) {
      copy_row<float>(width, rows[0], rows[ny]);
      copy_row<float>(width, rows[ny + 1], rows[1]);
    }
  }

  // Take k steps for A x = r from zero, and set coarse_r = Pᵀ (r − A x).
  void descend(Grid<float> coarse_r, const Weights &weights, Grid<float> lines) const {
    const i64 here = begin();
    first_step(inner_size(), x.from(here), r.from(here), inverse_diagonal.from(here), omegas[0]);
    close_rim(x);
    for (i64 s = 1; s < k; ++s) {
      apply<true>(after_step(s), after_step(s - 1), omegas[s]);
      close_rim(after_step(s));
    }
    apply<false>(work, after_step(k - 1), 0.0f);
    const Restriction restriction(coarse_r, weights, sides, lines);
    for (i64 j = 0; j < ny; ++j) restriction.add_row(j, work.from((j + 1) * width + 1), nx);
  }

  // Take k steps from the result of `descend` plus P coarse_x; x holds the result.
  void ascend(Grid<float> coarse_x, const Weights &weights) const {
    const View<float> before = after_step(k - 1), after = after_step(k);
    for (i64 j = 0; j < ny; ++j) {
      const i64 start = (j + 1) * width;
      prolong_to(after.part(start, start + width), before.from(start + 1), nx, j, coarse_x, weights, sides);
    }
    close_rim(after);
    for (i64 s = 0; s < k; ++s) {
      const View<float> out = after_step(k + 1 + s);
      apply<true>(out, after_step(k + s), omegas[s]);
      close_rim(out);
    }
  }
};

}  // namespace resolvent
