// Relaxation and residuals on three-dimensional levels of seven points or twenty-seven.
#pragma once

#include "solvers/multigrid/space/grids.hpp"

namespace resolvent::space {

// out = ω D⁻¹ r, the first relaxation step from zero.
KERNEL void first_step(Row<float> out, Row<const float> d, Row<const float> r, float omega, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = omega * d[c] * r[c];
}

// Loops over stencils go eight cells at a time by hand: rows then share counters, and all addresses fit into registers.
KERNEL void relax_rows(Row<float> out, Row<const float> below, Row<const float> here, Row<const float> above,
                       Row<const float> r, Row<const float> d, Row<const float> east, Row<const float> north,
                       Row<const float> up, i64 w, i64 s, float omega) {
  const float rest = 1.0f - omega;
  const i64 c = w + 1;
  for_lanes<float, 8>(s - 2 * c, [&](auto at) {
    auto sum = times_plus(at(east, c), at(here, c - 1), at(r, c));
    sum = times_plus(at(east, c + 1), at(here, c + 1), sum);
    sum = times_plus(at(north, c), at(here, c - w), sum);
    sum = times_plus(at(north, c + w), at(here, c + w), sum);
    sum = times_plus(at(up, c), at(below, c), sum);
    sum = times_plus(at(up, c + s), at(above, c), sum);
    at.set(out + c, times_plus(omega * at(d, c), sum, rest * at(here, c)));
  });
}

// out = (1 − ω) x + ω D⁻¹ (r + Σ t x_neighbour) on plane k of a level of seven points; `below`, `here` and `above` are
// three planes of x.
inline void relax_plane(View<float> out, View<float> below, View<float> here, View<float> above, const Level &level,
                        i64 k, float omega) {
  const i64 p = k * level.s;
  relax_rows(out, below, here, above, row_at(level.r, p), row_at(level.inverse_diagonal, p), row_at(level.link(0), p),
             row_at(level.link(1), p), row_at(level.link(2), p), level.w, level.s, omega);
}

// The sum Σ t (x − x_neighbour) over six neighbours, at a place of rows that begin at entry c.
template <class At, class T>
inline auto fluxes(At at, i64 c, const T &x, const T &east, const T &north, const T &up, i64 w, i64 s) {
  const auto u = at(x, c);
  auto sum = at(east, c) * (u - at(x, c - 1));
  sum = times_plus(at(east, c + 1), u - at(x, c + 1), sum);
  sum = times_plus(at(north, c), u - at(x, c - w), sum);
  sum = times_plus(at(north, c + w), u - at(x, c + w), sum);
  sum = times_plus(at(up, c), u - at(x, c - s), sum);
  return times_plus(at(up, c + s), u - at(x, c + s), sum);
}

KERNEL void residual_rows(Row<float> out, Row<const float> x, Row<const float> r, Row<const float> east,
                          Row<const float> north, Row<const float> up, i64 w, i64 s, float scale) {
  const i64 c = w + 1;
  for_lanes<float, 8>(s - 2 * c,
                      [&](auto at) { at.set(out + c, scale * at(r, c) - fluxes(at, c, x, east, north, up, w, s)); });
}

// out = scale r − A x on plane k of a level of seven points.
inline void residual_plane(View<float> out, View<float> x, const Level &level, i64 k, float scale) {
  const i64 p = k * level.s;
  residual_rows(out, row_at(x, p), row_at(level.r, p), row_at(level.link(0), p), row_at(level.link(1), p),
                row_at(level.link(2), p), level.w, level.s, scale);
}

// out = scale r − σ x + the fluxes from both neighbours in the row.
KERNEL void fluxes_along(Row<float> out, Row<const float> x, Row<const float> r, Row<const float> t,
                         Row<const float> ground, float scale, i64 count) {
  for_lanes<float, 8>(count, [&](auto at) {
    const auto u = at(x);
    auto sum = times_plus(-at(ground), u, scale * at(r));
    sum = times_plus(at(t), at(x, -1) - u, sum);
    at.set(out, times_plus(at(t, 1), at(x, 1) - u, sum));
  });
}

// Add the fluxes from the three neighbours in the row at −distance and the three in the row at +distance; t holds three
// vectors of links.
KERNEL void add_fluxes_across(Row<float> out, Row<const float> x, Row<const float> t, i64 n, i64 distance, i64 count) {
  for_lanes<float, 8>(count, [&](auto at) {
    const auto u = at(x);
    auto sum = times_plus(at(t), at(x, -distance - 1) - u, at(out));
    sum = times_plus(at(t, n), at(x, -distance) - u, sum);
    sum = times_plus(at(t, 2 * n), at(x, -distance + 1) - u, sum);
    sum = times_plus(at(t, distance + 1), at(x, distance + 1) - u, sum);
    sum = times_plus(at(t, n + distance), at(x, distance) - u, sum);
    at.set(out, times_plus(at(t, 2 * n + distance - 1), at(x, distance - 1) - u, sum));
  });
}

// out = x + ω D⁻¹ residual.
KERNEL void step(Row<float> out, Row<const float> x, Row<const float> d, Row<const float> residual, float omega,
                 i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(omega * d[c], residual[c], x[c]);
}

// Entries of a coarse level treated together, so that their sums stay in the first-level cache.
constexpr i64 PIECE = 1024;

// Call body(begin, count) for pieces of a level, from its first cell to its last.
template <class Body>
void for_pieces(const Level &level, i64 piece, Body body) {
  const i64 first = level.s + level.w + 1, last = level.n - first;
  for (i64 begin = first; begin < last; begin += piece) body(begin, last - begin < piece ? last - begin : piece);
}

// work = scale r − A x on a piece of a level of twenty-seven points.
inline void residual_piece(View<float> work, View<float> x, const Level &level, i64 begin, i64 count, float scale) {
  const i64 w = level.w, s = level.s, n = level.n;
  const i64 distances[4] = {w, s + w, s, s - w};  // to the rows of DIRECTIONS 1 … 3, 4 … 6, 7 … 9 and 10 … 12
  fluxes_along(work, row_at(x, begin), row_at(level.r, begin), row_at(level.links, begin), row_at(level.ground, begin),
               scale, count);
  for (i64 q = 0; q < 4; ++q)
    add_fluxes_across(work, row_at(x, begin), row_at(level.links, (1 + 3 * q) * n + begin), n, distances[q], count);
}

// out = x + ω D⁻¹ (r − A x) on a level of twenty-seven points.
inline void relax_level(View<float> out, View<float> x, const Level &level, View<float> work, float omega) {
  for_pieces(level, PIECE, [&](i64 begin, i64 count) {
    residual_piece(work, x, level, begin, count, 1.0f);
    step(row_at(out, begin), row_at(x, begin), row_at(level.inverse_diagonal, begin), work, omega, count);
  });
}

// out = scale r − A x on a level of twenty-seven points.
inline void residual_level(View<float> out, View<float> x, const Level &level, View<float> work, float scale) {
  for_pieces(level, PIECE, [&](i64 begin, i64 count) {
    residual_piece(work, x, level, begin, count, scale);
    copy<float>(row_at(out, begin), work, count);
  });
}

}  // namespace resolvent::space
