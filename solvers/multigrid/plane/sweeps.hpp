// The two halves of a V-cycle on the finest level, each in one sweep over the rows.
//
// Relaxation steps follow each other down the grid like waves: step s is at row t − s while step 0 is at row t, so that
// every row is read from memory once and its k steps, the residual and the transfer happen while it is in the
// first-level cache. Where the box is periodic in y, the rows next to the ends are computed twice, so that no step has
// to wait.
#pragma once

#include "solvers/multigrid/plane/grids.hpp"
#include "solvers/multigrid/plane/transfers.hpp"

namespace resolvent {

// out = ω D⁻¹ r, the first step from zero; out is padded.
KERNEL void first_step_row(i64 nx, Row<float> out, Row<const float> r, Row<const float> inverse_diagonal, float omega) {
  for (i64 i = 0; i < nx; ++i) out[i + 1] = omega * inverse_diagonal[i] * r[i];
}

// out = r − A x with five points; below, row and above, the rows of x, are padded.
KERNEL void residual_row(i64 nx, Row<float> out, Row<const float> r, Row<const float> below, Row<const float> row,
                         Row<const float> above, Row<const float> east, Row<const float> south,
                         Row<const float> north) {
  for (i64 i = 0; i < nx; ++i) out[i] = r[i] - flux(Place<float, 1>{i}, below, row, above, east, south, north);
}

// out = x + ω D⁻¹ (r − A x) = (1 − ω) x + ω D⁻¹ (r + Σ T x_neighbour); out and the rows of x are padded.
KERNEL void relax_row(i64 nx, Row<float> out, Row<const float> r, Row<const float> below, Row<const float> row,
                      Row<const float> above, Row<const float> east, Row<const float> south, Row<const float> north,
                      Row<const float> inverse_diagonal, float omega) {
  const float rest = 1.0f - omega;
  for (i64 i = 0; i < nx; ++i) {
    float s = times_plus(east[i], row[i], r[i]);
    s = times_plus(east[i + 1], row[i + 2], s);
    s = times_plus(south[i], below[i + 1], s);
    s = times_plus(north[i], above[i + 1], s);
    out[i + 1] = times_plus(omega * inverse_diagonal[i], s, rest * row[i + 1]);
  }
}

// Copy the inner part of a padded row; return its product with r.
KERNEL double copy_with_product(i64 nx, Row<float> out, Row<const float> row, Row<const float> r) {
  for (i64 i = 0; i < nx; ++i) out[i] = row[i + 1];
  Sum<double, LANES<double>> sum;
  for_lanes<double, LANES<double>>(nx, [&](auto at) { sum.add_product(at(row, 1), at(r)); });
  return sum.total();
}

// The finest level of A x = r, and the rows that its relaxation steps have just computed.
struct Waves {
  Grid<float> r, face, riser, inverse_diagonal;
  const float *omegas;
  i64 k;
  Sides sides;
  float *rings;
  i64 row_width;

  Waves(const Plane &plane, const Hierarchy &hierarchy)
      : r(hierarchy.cells(0, &Level::r)),
        face(hierarchy.links(0).east),
        riser(hierarchy.links(0).north),
        inverse_diagonal(hierarchy.cells(0, &Level::inverse_diagonal)),
        omegas(plane.omegas),
        k(plane.steps),
        sides(hierarchy.sides),
        rings(plane.rings),
        row_width(plane.row_width) {}

  // Row t of wave s, padded; it takes the place of row t − 4.
  View<float> ring(i64 s, i64 t) const { return {rings + (4 * s + (t & 3)) * row_width, row_width}; }

  // Compute row t of wave s: fill(row, j) if it lies on the grid, where it is row j; beyond a wall it is zero.
  template <class Fill>
  void make_row(i64 s, i64 t, Fill fill) const {
    const i64 ny = r.rows, nx = r.columns;
    const View<float> row = ring(s, t);
    if (!sides.periodic_y && (t < 0 || t >= ny)) return row.fill(0.0f);
    i64 j = t;
    while (j < 0) j += ny;
    while (j >= ny) j -= ny;
    fill(row, j);
    close_row(row, nx, sides.periodic_x);
  }
  // Compute row t of wave s by a step from wave s − 1.
  void relax(i64 s, i64 t, float omega) const {
    make_row(s, t, [&](View<float> row, i64 j) {
      relax_row(r.columns, row, r[j], ring(s - 1, t - 1), ring(s - 1, t), ring(s - 1, t + 1), face[j], riser[j],
                riser[j + 1], inverse_diagonal[j], omega);
    });
  }
  // Whether row t of wave s is needed where `total` waves follow wave 0: each needs one row less beyond the ends.
  bool reaches(i64 s, i64 t, i64 total) const { return s - total <= t && t < r.rows + total - s; }
};

// Set x to the result of k steps for A x = r from zero, and coarse_r = Pᵀ (r − A x).
inline void descend(const Waves &waves, Grid<float> x, Grid<float> coarse_r, const Weights &weights,
                    Grid<float> lines) {
  const i64 ny = x.rows, nx = x.columns, k = waves.k;
  Restriction restriction(coarse_r, weights, waves.sides, lines);
  const View<float> residual = lines[0];
  for (i64 t = -k; t < ny + 2 * k; ++t) {
    if (t < ny + k)
      waves.make_row(0, t, [&](View<float> row, i64 j) {
        first_step_row(nx, row, waves.r[j], waves.inverse_diagonal[j], waves.omegas[0]);
      });
    for (i64 s = 1; s < k; ++s)
      if (waves.reaches(s, t - s, k)) waves.relax(s, t - s, waves.omegas[s]);
    const i64 done = t - k + 1, j = t - k;
    if (0 <= done && done < ny) copy_row<float>(nx, x[done], waves.ring(k - 1, done).from(1));
    if (j < 0 || j >= ny) continue;
    residual_row(nx, residual, waves.r[j], waves.ring(k - 1, j - 1), waves.ring(k - 1, j), waves.ring(k - 1, j + 1),
                 waves.face[j], waves.riser[j], waves.riser[j + 1]);
    restriction.add_row(j, residual, nx);
  }
}

// Set out to the result of k steps for A x = r from x + P coarse_x; return rᵀ out.
//
// `out` may be x where the box is not periodic in y.
inline double ascend(const Waves &waves, Grid<float> x, Grid<float> out, Grid<float> coarse_x, const Weights &weights) {
  const i64 ny = x.rows, nx = x.columns, k = waves.k;
  double energy = 0.0;
  for (i64 t = -k; t < ny + 2 * k; ++t) {
    if (t < ny + k)
      waves.make_row(0, t,
                     [&](View<float> row, i64 j) { prolong_to(row, x[j], nx, j, coarse_x, weights, waves.sides); });
    for (i64 s = 1; s <= k; ++s)
      if (waves.reaches(s, t - s, k)) waves.relax(s, t - s, waves.omegas[s - 1]);
    const i64 j = t - k;
    if (0 <= j && j < ny) energy += copy_with_product(nx, out[j], waves.ring(k, j), waves.r[j]);
  }
  return energy;
}

}  // namespace resolvent
