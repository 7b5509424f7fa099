// The set-up of the hierarchy: relaxation, interpolation and coarse links, level by level, and the coarsest inverse.
#pragma once

#include "solvers/multigrid/plane/galerkin.hpp"
#include "solvers/multigrid/plane/transmissibilities.hpp"

namespace resolvent {

// out = 1/Σ max(link, 0) over the links of a cell, zero for cells without any. `rising_above` and `falling` begin one
// entry later.
template <bool DIAGONALS>
KERNEL void invert_row(i64 nx, Row<float> out, Row<const float> face, Row<const float> riser,
                       Row<const float> riser_above, Row<const float> rising, Row<const float> rising_above,
                       Row<const float> falling, Row<const float> falling_above) {
  for (i64 i = 0; i < nx; ++i) {
    float d = positive(face[i]) + positive(face[i + 1]) + positive(riser[i]) + positive(riser_above[i]);
    if (DIAGONALS)
      d += positive(rising[i]) + positive(rising_above[i]) + positive(falling[i]) + positive(falling_above[i]);
    out[i] = inverse_or_zero(d);
  }
}

// Set out = D⁻¹ for relaxation, D the sum of a cell's positive links: the diagonal of A where no link is negative.
//
// Galerkin stencils may have a few negative links, beside high contrasts. With this D the spectrum of D⁻¹A stays in
// (0, 2], by Gershgorin's theorem; otherwise a few cells would force smaller steps everywhere.
inline void invert_diagonal(const Links &links, i64 ny, i64 nx, Grid<float> out) {
  const auto invert = links.diagonals ? invert_row<true> : invert_row<false>;
  for (i64 j = 0; j < ny; ++j)
    invert(nx, out[j], links.east[j], links.north[j], links.north[j + 1], links.rising[j], links.rising[j + 1].from(1),
           links.falling[j].from(1), links.falling[j + 1]);
}

// row −= s · other.
KERNEL void subtract_row(i64 n, Row<double> row, Row<const double> other, double s) {
  for (i64 i = 0; i < n; ++i) row[i] = times_plus(-s, other[i], row[i]);
}

KERNEL void divide_row(i64 n, Row<double> row, double by) {
  for (i64 i = 0; i < n; ++i) row[i] /= by;
}

// Fill in a matrix (n, n) with the operator of a level.
inline void dense_matrix(const Links &links, i64 ny, i64 nx, const Sides &sides, Grid<double> matrix) {
  for (i64 me = 0; me < ny * nx; ++me) matrix[me].fill(0.0);
  for (i64 j = 0; j < ny; ++j)
    for (i64 i = 0; i < nx; ++i) {
      const View<double> row = matrix[j * nx + i];
      const auto couple = [&](i64 dj, i64 di, float link) {
        const i64 jj = neighbour(j + dj, ny, sides.periodic_y), ii = neighbour(i + di, nx, sides.periodic_x);
        row[j * nx + i] += double(link);
        if (jj >= 0 && ii >= 0) row[jj * nx + ii] -= double(link);
      };
      couple(0, -1, links.east(j, i));
      couple(0, 1, links.east(j, i + 1));
      couple(-1, 0, links.north(j, i));
      couple(1, 0, links.north(j + 1, i));
      if (!links.diagonals) continue;
      couple(-1, -1, links.rising(j, i));
      couple(1, 1, links.rising(j + 1, i + 1));
      couple(-1, 1, links.falling(j, i + 1));
      couple(1, -1, links.falling(j + 1, i));
    }
}

// Factor A = UᵀU in place, its upper triangle; return whether A is positive definite.
inline bool factor_by_cholesky(Grid<double> a) {
  const i64 n = a.rows;
  for (i64 k = 0; k < n; ++k) {
    if (!(a(k, k) > 0.0)) return false;
    const double root = std::sqrt(a(k, k));
    divide_row(n - k, a[k].from(k), root);
    for (i64 i = k + 1; i < n; ++i) subtract_row(n - i, a[i].from(i), a[k].from(i), a(k, i));
  }
  return true;
}

// Set x = (UᵀU)⁻¹, for all columns of the unit matrix at once.
inline void invert_factored(Grid<double> u, Grid<double> x) {
  const i64 n = u.rows;
  for (i64 i = 0; i < n; ++i) {
    x[i].fill(0.0);
    x(i, i) = 1.0;
    for (i64 m = 0; m < i; ++m) subtract_row(m + 1, x[i], x[m], u(m, i));
    divide_row(i + 1, x[i], u(i, i));
  }
  for (i64 i = n - 1; i >= 0; --i) {
    for (i64 m = i + 1; m < n; ++m) subtract_row(n, x[i], x[m], u(i, m));
    divide_row(n, x[i], u(i, i));
  }
}

// Set out = A⁻¹ of the coarsest level, dense, by Cholesky in float64; without walls, the inverse of A + s 1 1ᵀ. Return
// whether A is definite. `memory` holds two matrices.
//
// Without walls A is singular and constants are its null space; A + s 1 1ᵀ acts like A orthogonally to it.
inline bool invert_coarsest(const Links &links, i64 ny, i64 nx, const Sides &sides, double *memory, Grid<float> out) {
  const i64 n = ny * nx;
  const Grid<double> matrix{memory, n, n, n}, inverse{memory + n * n, n, n, n};
  dense_matrix(links, ny, nx, sides, matrix);
  if (!sides.any_wall()) {
    double trace = 0.0;
    for (i64 k = 0; k < n; ++k) trace += matrix(k, k);
    const double shift = (trace > 0.0 ? trace : 1.0) / double(n * n);
    for (i64 i = 0; i < n; ++i)
      for (i64 k = 0; k < n; ++k) matrix(i, k) += shift;
  }
  if (!factor_by_cholesky(matrix)) return false;
  invert_factored(matrix, inverse);
  for (i64 i = 0; i < n; ++i)
    for (i64 k = 0; k <= i; ++k) out(i, k) = out(k, i) = float(0.5 * (inverse(i, k) + inverse(k, i)));
  return true;
}

// Fill in the hierarchy from the links of its finest level; return whether the coarsest matrix is definite.
inline bool set_up_levels(const Plane &plane, const Hierarchy &hierarchy) {
  const Sides &sides = hierarchy.sides;
  const Grid<float> lines{plane.lines, LINES, plane.row_width, plane.row_width};
  for (i64 level = 0;; ++level) {
    const i64 ny = hierarchy.levels[level].ny, nx = hierarchy.levels[level].nx;
    const Links links = hierarchy.links(level);
    invert_diagonal(links, ny, nx, hierarchy.cells(level, &Level::inverse_diagonal));
    if (level == hierarchy.count - 1) return invert_coarsest(links, ny, nx, sides, plane.coarsest, hierarchy.inverse());
    const Weights weights = hierarchy.weights(level);
    weights_along_rows(links, nx, sides, weights);
    weights_along_columns(links, ny, sides, weights);
    weights_amid_cells(links, sides, weights, lines);
    const Links coarse = hierarchy.links(level + 1);
    coarse_links(links, weights, ny, nx, sides, coarse, lines);
    if (!sides.any_wall()) continue;
    const Grid<float> ones = hierarchy.cells(level, &Level::x);
    interpolated_ones(weights, ny, nx, sides, ones);
    links_to_walls(links, weights, ny, nx, sides, ones, hierarchy.cells(level, &Level::z), coarse);
  }
}

// Set the hierarchy up for a coefficient (ny, nx), weight_y = 2/h_y², weight_x = 2/h_x².
inline bool set_up(Plane &plane, const double *coefficient, double weight_y, double weight_x) {
  const Hierarchy hierarchy(plane);
  const i64 ny = hierarchy.levels[0].ny, nx = hierarchy.levels[0].nx;
  const Grid<double> a{const_cast<double *>(coefficient), ny, nx, nx};
  const Range range = range_of(ny * nx, View<double>{a.data, ny * nx});
  plane.mild = range.highest <= plane.mild_contrast * range.lowest;
  plane.scale = power_that_scales(range.highest * (weight_y > weight_x ? weight_y : weight_x));
  const Links links = hierarchy.links(0);
  faces_of(a, plane.scale * weight_y, plane.scale * weight_x, hierarchy.sides, {plane.faces_east, ny, nx + 1, nx + 1},
           {plane.faces_north, ny + 1, nx, nx}, links.east, links.north);
  return set_up_levels(plane, hierarchy);
}

// Set the hierarchy up from transmissibilities, with those to walls in the outermost entries.
inline bool set_up_from_faces(Plane &plane, const double *east, const double *north) {
  const Hierarchy hierarchy(plane);
  const i64 ny = hierarchy.levels[0].ny, nx = hierarchy.levels[0].nx, easts = ny * (nx + 1), norths = (ny + 1) * nx;
  const View<double> in_x{const_cast<double *>(east), easts}, in_y{const_cast<double *>(north), norths};
  const double most_x = range_of(easts, in_x).highest, most_y = range_of(norths, in_y).highest;
  plane.mild = false;
  plane.scale = power_that_scales(most_x > most_y ? most_x : most_y);
  const View<double> faces_east{plane.faces_east, easts}, faces_north{plane.faces_north, norths};
  scale_row(easts, faces_east, in_x, plane.scale);
  scale_row(norths, faces_north, in_y, plane.scale);
  const Links links = hierarchy.links(0);
  round_row(easts, View<float>{links.east.data, easts}, faces_east);
  round_row(norths, View<float>{links.north.data, norths}, faces_north);
  return set_up_levels(plane, hierarchy);
}

}  // namespace resolvent
