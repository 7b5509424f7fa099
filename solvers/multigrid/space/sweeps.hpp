// Relaxation and residuals on three-dimensional levels of seven points or twenty-seven.
#pragma once

#include "solvers/multigrid/space/grids.hpp"

namespace resolvent::space {

// out = ω D⁻¹ r, the first relaxation step from zero.
KERNEL void first_step(Row<float> out, Row<const float> d, Row<const float> r, float omega, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = omega * d[c] * r[c];
}

KERNEL void relax_rows(Row<float> out, Row<const float> below, Row<const float> here, Row<const float> above,
                       Row<const float> r, Row<const float> d, Row<const float> east, Row<const float> north,
                       Row<const float> up, i64 w, i64 s, float omega) {
  const float rest = 1.0f - omega;
  for (i64 c = w + 1; c < s - w - 1; ++c) {
    float sum = times_plus(east[c], here[c - 1], r[c]);
    sum = times_plus(east[c + 1], here[c + 1], sum);
    sum = times_plus(north[c], here[c - w], sum);
    sum = times_plus(north[c + w], here[c + w], sum);
    sum = times_plus(up[c], below[c], sum);
    sum = times_plus(up[c + s], above[c], sum);
    out[c] = times_plus(omega * d[c], sum, rest * here[c]);
  }
}

// out = (1 − ω) x + ω D⁻¹ (r + Σ t x_neighbour) on plane k of a level of seven points; `below`, `here` and `above` are
// three planes of x.
inline void relax_plane(View<float> out, View<float> below, View<float> here, View<float> above, const Level &level,
                        i64 k, float omega) {
  const i64 p = k * level.s;
  relax_rows(out, below, here, above, row_at(level.r, p), row_at(level.inverse_diagonal, p), row_at(level.link(0), p),
             row_at(level.link(1), p), row_at(level.link(2), p), level.w, level.s, omega);
}

KERNEL void residual_rows(Row<float> out, Row<const float> x, Row<const float> r, Row<const float> east,
                          Row<const float> north, Row<const float> up, i64 w, i64 s, float scale) {
  for (i64 c = w + 1; c < s - w - 1; ++c) {
    const float u = x[c];
    float sum = times_plus(east[c], x[c - 1] - u, scale * r[c]);
    sum = times_plus(east[c + 1], x[c + 1] - u, sum);
    sum = times_plus(north[c], x[c - w] - u, sum);
    sum = times_plus(north[c + w], x[c + w] - u, sum);
    sum = times_plus(up[c], x[c - s] - u, sum);
    sum = times_plus(up[c + s], x[c + s] - u, sum);
    out[c] = sum;
  }
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
  for (i64 c = 0; c < count; ++c) {
    const float u = x[c];
    float sum = times_plus(-ground[c], u, scale * r[c]);
    sum = times_plus(t[c], x[c - 1] - u, sum);
    out[c] = times_plus(t[c + 1], x[c + 1] - u, sum);
  }
}

// Add the fluxes from the three neighbours in the row at −distance and the three in the row at +distance; t holds three
// vectors of links.
KERNEL void add_fluxes_across(Row<float> out, Row<const float> x, Row<const float> t, i64 n, i64 distance, i64 count) {
  for (i64 c = 0; c < count; ++c) {
    const float u = x[c];
    const i64 low = c - distance, high = c + distance;
    float sum = times_plus(t[c], x[low - 1] - u, out[c]);
    sum = times_plus(t[n + c], x[low] - u, sum);
    sum = times_plus(t[2 * n + c], x[low + 1] - u, sum);
    sum = times_plus(t[high + 1], x[high + 1] - u, sum);
    sum = times_plus(t[n + high], x[high] - u, sum);
    out[c] = times_plus(t[2 * n + high - 1], x[high - 1] - u, sum);
  }
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
  const i64 distances[4] = {w, s + w, s, s - w};  // of the rows that hold the neighbours in directions 1 + 3 q …
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
