// The V-cycle.
#pragma once

#include "solvers/multigrid/plane/coarse_levels.hpp"
#include "solvers/multigrid/plane/sweeps.hpp"

namespace resolvent {

// x += s · row.
KERNEL void add_scaled(i64 n, Row<float> x, Row<const float> row, float s) {
  for (i64 i = 0; i < n; ++i) x[i] = times_plus(s, row[i], x[i]);
}

// Set x = A⁻¹ r on the coarsest level, whose inverse is symmetric; return rᵀ x. `memory` holds n numbers or more.
inline double solve_coarsest(Grid<float> r, Grid<float> x, Grid<float> inverse, i64 ny, i64 nx, View<float> memory) {
  const View<float> sum = memory.part(0, ny * nx);
  sum.fill(0.0f);
  for (i64 j = 0; j < ny; ++j)
    for (i64 i = 0; i < nx; ++i) add_scaled(ny * nx, sum, inverse[j * nx + i], r(j, i));
  double energy = 0.0;
  for (i64 j = 0; j < ny; ++j)
    for (i64 i = 0; i < nx; ++i) {
      x(j, i) = sum[j * nx + i];
      energy = times_plus(double(x(j, i)), double(r(j, i)), energy);
    }
  return energy;
}

// Run one V-cycle for the right-hand side in the finest level's r; z ≈ A⁻¹ r is then at `place`. Return rᵀ z.
inline double cycle(Plane &plane, const Hierarchy &hierarchy) {
  const i64 last = hierarchy.count - 1;
  const Grid<float> lines{plane.lines, LINES, plane.row_width, plane.row_width};
  for (i64 level = 0; level < last; ++level) {
    const Grid<float> coarse_r = hierarchy.cells(level + 1, &Level::r);
    const Weights weights = hierarchy.weights(level);
    if (level == 0)
      descend(Waves(plane, hierarchy), hierarchy.cells(0, &Level::x), coarse_r, weights, lines);
    else
      CoarseLevel(plane, hierarchy, level).descend(coarse_r, weights, lines);
  }
  const Level &coarsest = hierarchy.levels[last];
  const double energy =
      solve_coarsest(hierarchy.cells(last, &Level::r), hierarchy.cells(last, &Level::x), hierarchy.inverse(),
                     coarsest.ny, coarsest.nx, {plane.lines, LINES * plane.row_width});
  plane.place = hierarchy.levels[0].x;
  if (last == 0) return energy;
  for (i64 level = last - 1; level > 0; --level)
    CoarseLevel(plane, hierarchy, level).ascend(hierarchy.cells(level + 1, &Level::x), hierarchy.weights(level));
  const auto target = hierarchy.sides.periodic_y ? &Level::z : &Level::x;
  plane.place = hierarchy.levels[0].*target;
  return ascend(Waves(plane, hierarchy), hierarchy.cells(0, &Level::x), hierarchy.cells(0, target),
                hierarchy.cells(1, &Level::x), hierarchy.weights(0));
}

}  // namespace resolvent
