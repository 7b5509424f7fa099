// Restriction and interpolation of fields, row by row.
#pragma once

#include "solvers/multigrid/plane/grids.hpp"
#include "solvers/multigrid/plane/rows.hpp"

namespace resolvent {

// Split a row into coarse points and gaps; all are coarse points where the axis is not coarsened.
KERNEL void split_row(i64 nx, i64 gaps, Row<const float> row, Row<float> points, Row<float> between) {
  for (i64 i = 0; i < gaps; ++i) {
    points[i] = row[2 * i];
    between[i] = row[2 * i + 1];
  }
  for (i64 i = 2 * gaps; i < nx; ++i) points[i - gaps] = row[i];
}

// Add Pᵀ of a row to a coarse row: its coarse points, WEIGHTED where they lie between two coarse rows, and its gaps by
// their weights to either side.
template <bool WEIGHTED>
KERNEL void restrict_row(i64 cx, i64 gaps, Row<float> coarse, Row<const float> points, Row<const float> weights,
                         Row<const float> between, Row<const float> low, Row<const float> high, bool periodic) {
  for (i64 i = 0; i < gaps; ++i) {
    const float sum = times_plus(low[i], between[i], coarse[i]);
    coarse[i] = WEIGHTED ? times_plus(weights[i], points[i], sum) : sum + points[i];
  }
  for (i64 i = gaps; i < cx; ++i)
    coarse[i] = WEIGHTED ? times_plus(weights[i], points[i], coarse[i]) : coarse[i] + points[i];
  const i64 inner = gaps < cx ? gaps : cx - 1;
  for (i64 i = 0; i < inner; ++i) coarse[i + 1] = times_plus(high[i], between[i], coarse[i + 1]);
  if (periodic && gaps == cx) coarse[0] = times_plus(high[gaps - 1], between[gaps - 1], coarse[0]);
}

// Pᵀ of a level, row by row.
struct Restriction {
  Grid<float> coarse;
  const Weights &weights;
  Sides sides;
  View<float> points, between;

  Restriction(Grid<float> coarse_r, const Weights &weights, Sides sides, Grid<float> lines)
      : coarse(coarse_r), weights(weights), sides(sides), points(lines[1]), between(lines[2]) {
    for (i64 jc = 0; jc < weights.cy(); ++jc) coarse[jc].part(0, weights.cx()).fill(0.0f);
  }

  // Add Pᵀ of fine row j.
  void add_row(i64 j, View<float> row, i64 nx) const {
    const Weights &w = weights;
    const i64 cx = w.cx(), gaps = w.gaps_x(), jc = w.coarse_row(j), above = w.row_above(jc);
    split_row(nx, gaps, row, points, between);
    if (!w.is_gap(j)) {
      restrict_row<false>(cx, gaps, coarse[jc], points, points, between, w.west[jc], w.east[jc], sides.periodic_x);
      return;
    }
    restrict_row<true>(cx, gaps, coarse[jc], points, w.south[jc], between, w.sw[jc], w.se[jc], sides.periodic_x);
    if (above > 0 || sides.periodic_y)
      restrict_row<true>(cx, gaps, coarse[above], points, w.north[jc], between, w.nw[jc], w.ne[jc], sides.periodic_x);
  }
};

// fine = x + the contribution of a coarse row, or with ADD fine += it; fine is padded. Coarse points are WEIGHTED where
// the fine row lies between two coarse rows.
template <bool WEIGHTED, bool ADD>
KERNEL void prolong_row(i64 nx, i64 cx, i64 gaps, Row<float> fine, Row<const float> x, Row<const float> coarse,
                        Row<const float> weights, Row<const float> low, Row<const float> high, bool periodic) {
  const auto before = [&](i64 i) { return ADD ? fine[i + 1] : x[i]; };
  const auto set_point = [&](i64 i, i64 ic) {
    fine[i + 1] = WEIGHTED ? times_plus(weights[ic], coarse[ic], before(i)) : before(i) + coarse[ic];
  };
  const auto set_gap = [&](i64 i, i64 ic, float next) {
    fine[i + 1] = times_plus(high[ic], next, times_plus(low[ic], coarse[ic], before(i)));
  };
  for (i64 i = 2 * gaps; i < nx; ++i) set_point(i, i - gaps);
  if (gaps == cx) {  // the last gap has a coarse point on one side, or the first one beyond a periodic end
    set_point(2 * gaps - 2, gaps - 1);
    set_gap(2 * gaps - 1, gaps - 1, periodic ? coarse[0] : 0.0f);
  }
  const i64 inner = gaps < cx ? gaps : cx - 1;
  for (i64 ic = 0; ic < inner; ++ic) {
    set_point(2 * ic, ic);
    set_gap(2 * ic + 1, ic, coarse[ic + 1]);
  }
}

// fine = row j of x + P coarse; fine is padded.
inline void prolong_to(View<float> fine, View<float> x, i64 nx, i64 j, Grid<float> coarse, const Weights &w,
                       const Sides &sides) {
  const i64 cx = w.cx(), gaps = w.gaps_x(), jc = w.coarse_row(j), above = w.row_above(jc);
  if (!w.is_gap(j)) {
    prolong_row<false, false>(nx, cx, gaps, fine, x, coarse[jc], coarse[jc], w.west[jc], w.east[jc], sides.periodic_x);
    return;
  }
  prolong_row<true, false>(nx, cx, gaps, fine, x, coarse[jc], w.south[jc], w.sw[jc], w.se[jc], sides.periodic_x);
  if (above > 0 || sides.periodic_y) {
    const View<float> next = coarse[above];
    prolong_row<true, true>(nx, cx, gaps, fine, next, next, w.north[jc], w.nw[jc], w.ne[jc], sides.periodic_x);
  }
}

}  // namespace resolvent
