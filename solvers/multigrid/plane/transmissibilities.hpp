// The transmissibilities of a cell-centred grid with walls, insulated and periodic sides.
#pragma once

#include "solvers/multigrid/plane/formulas.hpp"
#include "solvers/multigrid/plane/rows.hpp"

namespace resolvent {

KERNEL void harmonic_row(i64 n, Row<double> out, Row<const double> low, Row<const double> high, double weight) {
  for (i64 i = 0; i < n; ++i) out[i] = harmonic(low[i], high[i], weight);
}

KERNEL void scale_row(i64 n, Row<double> out, Row<const double> row, double scale) {
  for (i64 i = 0; i < n; ++i) out[i] = scale * row[i];
}

KERNEL void round_row(i64 n, Row<float> out, Row<const double> row) {
  for (i64 i = 0; i < n; ++i) out[i] = float(row[i]);
}

struct Range {
  double lowest, highest;
};

// The lowest and the highest of n ≥ 1 values, in lanes, since the compiler does not reorder a minimum.
KERNEL Range range_of(i64 n, Row<const double> v) {
  constexpr i64 N = LANES<double>;
  double low[N], high[N];
  for (i64 l = 0; l < N; ++l) low[l] = high[l] = v[0];
  i64 i = 0;
  for (; i + N <= n; i += N)
    for (i64 l = 0; l < N; ++l) {
      low[l] = v[i + l] < low[l] ? v[i + l] : low[l];
      high[l] = v[i + l] > high[l] ? v[i + l] : high[l];
    }
  Range range{v[0], v[0]};
  const auto include = [&](double least, double largest) {
    range.lowest = least < range.lowest ? least : range.lowest;
    range.highest = largest > range.highest ? largest : range.highest;
  };
  for (; i < n; ++i) include(v[i], v[i]);
  for (i64 l = 0; l < N; ++l) include(low[l], high[l]);
  return range;
}

// The power of two that brings a number into [1/2, 1).
inline double power_that_scales(double largest) {
  int exponent;
  std::frexp(largest, &exponent);
  return std::ldexp(1.0, -exponent);
}

// Fill in transmissibilities over the cells' extents: weight · a₁ a₂/(a₁ + a₂) between cells, weight · a at walls, with
// weight_y = 2/h_y², weight_x = 2/h_x², times any scale; in float64 and rounded to float32.
//
// a: (ny, nx); east: (ny, nx + 1), faces crossed in x; north: (ny + 1, nx), faces crossed in y.
inline void faces_of(Grid<double> a, double weight_y, double weight_x, const Sides &sides, Grid<double> east,
                     Grid<double> north, Grid<float> east_single, Grid<float> north_single) {
  const i64 ny = a.rows, nx = a.columns;
  for (i64 j = 0; j < ny; ++j) {
    const View<double> row = a[j], out = east[j];
    harmonic_row(nx - 1, out.from(1), row, row.from(1), weight_x);
    out[0] = sides.west ? weight_x * row[0] : 0.0;
    out[nx] = sides.east ? weight_x * row[nx - 1] : 0.0;
    if (sides.periodic_x && nx > 1) out[0] = out[nx] = harmonic(row[nx - 1], row[0], weight_x);
    round_row(nx + 1, east_single[j], out);
  }
  if (sides.periodic_y && ny > 1)
    harmonic_row(nx, north[0], a[ny - 1], a[0], weight_y);
  else
    scale_row(nx, north[0], a[0], sides.south ? weight_y : 0.0);
  for (i64 j = 1; j < ny; ++j) harmonic_row(nx, north[j], a[j - 1], a[j], weight_y);
  if (sides.periodic_y)
    copy_row<double>(nx, north[ny], north[0]);
  else
    scale_row(nx, north[ny], a[ny - 1], sides.north ? weight_y : 0.0);
  for (i64 j = 0; j <= ny; ++j) round_row(nx, north_single[j], north[j]);
}

}  // namespace resolvent
