// Coarse operators of seven points on three-dimensional levels, for coefficients of mild contrast.
//
// A coarse link stands for the fine ones between two coarse points: two of them in series along its axis, t₁t₂/(t₁ +
// t₂), and those in parallel across it, each added to the nearest coarse links with the weights of interpolation. That
// is the seven-point scheme again, on coarser cells. Links to walls lie in the same vectors, where the neighbour is the
// rim, which holds zeros. Compared with Galerkin products of the same transfers this saves nine tenths of the set-up
// and three quarters of the arithmetic of coarse sweeps.
#pragma once

#include "solvers/multigrid/space/linear_transfers.hpp"
#include "solvers/multigrid/space/transmissibilities.hpp"

namespace resolvent::space {

// Two links in series. The tiny number serves links that float32 has rounded to zero.
inline float in_series(float first, float second) { return first * (second / (first + second + 1e-30f)); }

// Combine pairs in series along three rows, side by side: out = here + a low + b high.
KERNEL void pairs_along(Row<float> out, Row<const float> low, Row<const float> here, Row<const float> high, float a,
                        float b, i64 count) {
  const auto pair = [](Row<const float> t, i64 c) { return in_series(t[2 * c], t[2 * c + 1]); };
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(b, pair(high, c), times_plus(a, pair(low, c), pair(here, c)));
}

// Combine pairs as `pairs_along` does, at a distance.
KERNEL void pairs_across(Row<float> out, Row<const float> low, Row<const float> here, Row<const float> high, float a,
                         float b, i64 distance, i64 count) {
  const auto pair = [&](Row<const float> t, i64 c) { return in_series(t[c], t[c + distance]); };
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(b, pair(high, c), times_plus(a, pair(low, c), pair(here, c)));
}

// Combine pairs in series at a distance.
KERNEL void pairs_at(Row<float> out, Row<const float> t, i64 distance, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = in_series(t[c], t[c + distance]);
}

// Combine the links across x of fine plane k into a plane of the coarse layout.
inline void links_along_rows(i64 k, const Level &level, const Level &coarse) {
  const i64 nx = level.size[X], w = level.w, last = coarse.size[X];
  const View<float> plane = level.plane(level.link(0), k + 1);
  const auto row = [&](i64 j) { return plane.part((j + 1) * w + 1, (j + 2) * w); };
  for (i64 j = 0; j < coarse.size[Y]; ++j) {
    const Neighbours y = neighbours(j, Y, level, level.end[Y] * level.end[Y]);
    const View<float> here = row(level.stride[Y] * j), low = row(y.low), high = row(y.high);
    const View<float> out = level.parts.from((j + 1) * coarse.w + 1);
    const auto combine_at = [&](i64 to, i64 i, i64 count) {
      combine(out.from(to), low.from(i), here.from(i), high.from(i), y.weight_low, y.weight_high, count);
    };
    if (level.stride[X] == 1) {
      combine_at(0, 0, nx + 1);
      continue;
    }
    pairs_along(out.from(1), low.from(1), here.from(1), high.from(1), y.weight_low, y.weight_high, nx >> 1);
    combine_at(0, 0, 1);
    if (nx % 2 == 1)
      combine_at(last, nx, 1);
    else if (level.periodic[X])
      out[0] = out[last];
  }
}

// The first fine link of a coarse link, and whether the next one is in series with it.
struct FineLinks {
  i64 first;
  bool two;
};
inline FineLinks fine_links(i64 c, int axis, const Level &level) {
  const i64 n = level.size[axis];
  if (level.stride[axis] == 1) return {c, false};
  if (c > 0) return {2 * c - 1, 2 * c <= n};
  const bool around = level.periodic[axis] && n % 2 == 0;
  return {around ? n - 1 : 0, around};
}

// Fill the links and the inverse diagonal of the next level.
inline void rediscretise(const Level &level, const Level &coarse) {
  const i64 nx = level.size[X], nz = level.size[Z], w = level.w, s = level.s;
  // Links count twice what values count once: at the end of an axis weights are squares of those of interpolation.
  const float end_z = level.end[Z] * level.end[Z], end_y = level.end[Y] * level.end[Y],
              end_x = level.end[X] * level.end[X];
  const View<float> line = level.spread, parts = level.parts.part(0, coarse.s);
  coarse.links.part(0, 3 * coarse.n).fill(0.0f);
  for (i64 k = 0; k < nz; ++k) {
    parts.fill(0.0f);
    links_along_rows(k, level, coarse);
    share_plane(coarse.link(0), parts, k, level, coarse, end_z);
    parts.fill(0.0f);
    for (i64 j = 0; j <= coarse.size[Y]; ++j) {
      const FineLinks y = fine_links(j, Y, level);
      const i64 c = level.at(k, y.first, 0);
      if (y.two)
        pairs_at(line.from(1), row_at(level.link(1), c), w, nx);
      else
        copy<float>(line.from(1), row_at(level.link(1), c), nx);
      compress(parts.from((j + 1) * coarse.w + 1), line, level, coarse, end_x);
    }
    share_plane(coarse.link(1), parts, k, level, coarse, end_z);
  }
  for (i64 k = 0; k <= coarse.size[Z]; ++k) {
    const FineLinks z = fine_links(k, Z, level);
    for (i64 j = 0; j < coarse.size[Y]; ++j) {
      const Neighbours y = neighbours(j, Y, level, end_y);
      const auto row = [&](i64 fine_j) { return row_at(level.link(2), level.at(z.first, fine_j, 0)); };
      const auto low = row(y.low), here = row(level.stride[Y] * j), high = row(y.high);
      if (z.two)
        pairs_across(line.from(1), low, here, high, y.weight_low, y.weight_high, s, nx);
      else
        combine(line.from(1), low, here, high, y.weight_low, y.weight_high, nx);
      compress(coarse.link(2).from(coarse.at(k, j, 0)), line, level, coarse, end_x);
    }
  }
  invert_diagonal_of_faces(coarse);
}

}  // namespace resolvent::space
