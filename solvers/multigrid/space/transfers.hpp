// Operator-dependent interpolation and restriction between three-dimensional levels, plane by plane.
//
// A plane of fine cells is split into four planes in the layout of the coarse grid: cells in even and odd columns of
// even and odd rows. After that, both transfers are sums of products of aligned vectors, without strides.
//
// The weights of a level are twenty-seven vectors in the layout of the coarse grid. Vector 9 s_z + 3 s_y + s_x, entry
// c, is the weight of a coarse point at the fine cell with coarse index c, even along axes with s = 0, odd along the
// others: the coarse point at the lower side where s = 1, at the upper where s = 2.
#pragma once

#include "solvers/multigrid/space/grids.hpp"

namespace resolvent::space {

// A cell's index on the next level, and whether it is an odd one, between two coarse points.
struct Coarse {
  i64 index;
  bool odd;
};
inline Coarse coarse_of(i64 cell, i64 stride) {
  return stride == 2 ? Coarse{cell >> 1, (cell & 1) != 0} : Coarse{cell, false};
}

// Split a row of n cells into even and odd ones; all are even where the stride is 1.
KERNEL void split(Row<float> even, Row<float> odd, Row<const float> v, i64 n, i64 stride) {
  const i64 pairs = stride == 2 ? n >> 1 : 0;
  for (i64 i = 0; i < pairs; ++i) {
    even[i] = v[2 * i];
    odd[i] = v[2 * i + 1];
  }
  for (i64 i = 2 * pairs; i < n; ++i) even[i - pairs] = v[i];
}

// Add even and odd cells to a row.
KERNEL void merge(Row<float> v, Row<const float> even, Row<const float> odd, i64 n, i64 stride) {
  const i64 pairs = stride == 2 ? n >> 1 : 0;
  for (i64 i = 0; i < pairs; ++i) {
    v[2 * i] += even[i];
    v[2 * i + 1] += odd[i];
  }
  for (i64 i = 2 * pairs; i < n; ++i) v[i] += even[i - pairs];
}

// Add the nine products of a coarse point with the fine cells around it in one plane.
KERNEL void gather(Row<float> out, Row<const float> weights, Row<const float> parts, i64 n, i64 s, i64 w) {
  for (i64 c = w + 1; c < s - w - 1; ++c) {
    const i64 low = c - w;
    float sum = times_plus(weights[c], parts[c], out[c]);
    sum = times_plus(weights[n + c], parts[s + c], sum);
    sum = times_plus(weights[2 * n + c - 1], parts[s + c - 1], sum);
    sum = times_plus(weights[3 * n + c], parts[2 * s + c], sum);
    sum = times_plus(weights[6 * n + low], parts[2 * s + low], sum);
    sum = times_plus(weights[4 * n + c], parts[3 * s + c], sum);
    sum = times_plus(weights[5 * n + c - 1], parts[3 * s + c - 1], sum);
    sum = times_plus(weights[7 * n + low], parts[3 * s + low], sum);
    out[c] = times_plus(weights[8 * n + low - 1], parts[3 * s + low - 1], sum);
  }
}

// Add Pᵀ of fine plane k, given with its rim, to r of the coarse level.
//
// Each level has its own memory for the parts of a plane: where the fine grid has no cells they stay zero.
inline void restrict_plane(View<float> fine, i64 k, const Level &level, const Level &coarse) {
  const i64 w = coarse.w, s = coarse.s, n = coarse.n;
  for (i64 j = 0; j < level.size[Y]; ++j) {
    const Coarse y = coarse_of(j, level.stride[Y]);
    const i64 even = (y.odd ? 2 * s : 0) + (y.index + 1) * w + 1;
    split(row_at(level.parts, even), row_at(level.parts, even + s), fine.from((j + 1) * level.w + 1), level.size[X],
          level.stride[X]);
  }
  if (coarse.periodic_in_planes())
    for (i64 q = 0; q < 4; ++q) close_plane(coarse.plane(level.parts, q), coarse);
  const Coarse z = coarse_of(k, level.stride[Z]);
  const i64 plane = (z.index + 1) * s;
  gather(row_at(coarse.r, plane), row_at(level.weights, (z.odd ? 9 * n : 0) + plane), level.parts, n, s, w);
  if (!z.odd) return;
  const bool last = z.index + 1 == coarse.size[Z];
  if (last && !coarse.periodic[Z]) return;
  gather(row_at(coarse.r, last ? s : plane + s), row_at(level.weights, 18 * n + plane), level.parts, n, s, w);
}

// Set parts to the contribution of one coarse plane to the four kinds of cells of a fine plane, or add it (`more`).
template <bool more>
KERNEL void spread(Row<float> parts, Row<const float> weights, Row<const float> x, i64 n, i64 s, i64 w) {
  const auto before = [&](i64 c) { return more ? parts[c] : 0.0f; };
  for (i64 c = w + 1; c < s - w - 1; ++c) parts[c] = times_plus(weights[c], x[c], before(c));
  for (i64 c = w + 1; c < s - w - 1; ++c) {
    const float sum = times_plus(weights[n + c], x[c], before(s + c));
    parts[s + c] = times_plus(weights[2 * n + c], x[c + 1], sum);
  }
  for (i64 c = w + 1; c < s - w - 1; ++c) {
    const float sum = times_plus(weights[3 * n + c], x[c], before(2 * s + c));
    parts[2 * s + c] = times_plus(weights[6 * n + c], x[c + w], sum);
  }
  for (i64 c = w + 1; c < s - w - 1; ++c) {
    float sum = times_plus(weights[4 * n + c], x[c], before(3 * s + c));
    sum = times_plus(weights[5 * n + c], x[c + 1], sum);
    sum = times_plus(weights[7 * n + c], x[c + w], sum);
    parts[3 * s + c] = times_plus(weights[8 * n + c], x[c + w + 1], sum);
  }
}

// Add P x of the coarse level to fine plane k of a vector, given with its rim.
inline void prolong_plane(View<float> fine, i64 k, const Level &level, const Level &coarse) {
  const i64 w = coarse.w, s = coarse.s, n = coarse.n;
  const Coarse z = coarse_of(k, level.stride[Z]);
  const i64 plane = (z.index + 1) * s;
  spread<false>(level.spread, row_at(level.weights, (z.odd ? 9 * n : 0) + plane), row_at(coarse.x, plane), n, s, w);
  if (z.odd) spread<true>(level.spread, row_at(level.weights, 18 * n + plane), row_at(coarse.x, plane + s), n, s, w);
  for (i64 j = 0; j < level.size[Y]; ++j) {
    const Coarse y = coarse_of(j, level.stride[Y]);
    const i64 even = (y.odd ? 2 * s : 0) + (y.index + 1) * w + 1;
    merge(fine.from((j + 1) * level.w + 1), row_at(level.spread, even), row_at(level.spread, even + s), level.size[X],
          level.stride[X]);
  }
}

}  // namespace resolvent::space
