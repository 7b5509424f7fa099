// Linear interpolation and its transpose between three-dimensional levels, by planes, without stored weights.
//
// Along each axis that is coarsened, even cells are coarse points and odd ones lie halfway between two of them. The
// last cell of an even axis has a coarse point on one side only; its weight is that of linear interpolation towards the
// wall, one at an insulated side. The transfers are products of three such one-dimensional ones.
#pragma once

#include "solvers/multigrid/space/transfers.hpp"

namespace resolvent::space {

// The fine cells before and behind a coarse point, and their weights.
struct Neighbours {
  i64 low, high;
  float weight_low, weight_high;
};

// Return those of coarse point c of an axis; `end` is the weight of the last one.
inline Neighbours neighbours(i64 c, int axis, const Level &level, float end) {
  const i64 n = level.size[axis], me = level.stride[axis] * c;
  const bool periodic = level.periodic[axis];
  Neighbours found = {me, me, 0.0f, 0.0f};
  if (level.stride[axis] == 1) return found;
  if (c > 0 || (periodic && n % 2 == 0)) {
    found.low = c > 0 ? me - 1 : n - 1;
    found.weight_low = 0.5f;
  }
  if (me + 1 < n) {
    found.high = me + 1;
    found.weight_high = periodic || me + 2 < n ? 0.5f : end;
  }
  return found;
}

// out = v_here + a v_low + b v_high.
KERNEL void combine(Row<float> out, Row<const float> low, Row<const float> here, Row<const float> high, float a,
                    float b, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(b, high[c], times_plus(a, low[c], here[c]));
}

KERNEL void compress_pairs(Row<float> out, Row<const float> line, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(0.5f, line[2 * c] + line[2 * c + 2], line[2 * c + 1]);
}

// Gather the cells line[1 … nx] of a row into coarse points; set the cells around them.
inline void compress(View<float> out, View<float> line, const Level &level, const Level &coarse, float end) {
  const i64 nx = level.size[X];
  if (level.stride[X] == 1) {
    copy<float>(out, line.from(1), nx);
    return;
  }
  line[0] = line[nx + 1] = 0.0f;
  if (nx % 2 == 0) {
    if (level.periodic[X])
      line[0] = line[nx];
    else
      line[nx] *= 2.0f * end;
  }
  compress_pairs(out, line, coarse.size[X]);
}

// Add weight · parts to a vector.
KERNEL void accumulate(Row<float> out, Row<const float> parts, float weight, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(weight, parts[c], out[c]);
}

// Add a plane in the layout of the coarse grid, made from fine plane k, to the coarse planes of a vector around it.
inline void share_plane(View<float> v, View<float> plane, i64 k, const Level &level, const Level &coarse, float end) {
  const Coarse z = coarse_of(k, level.stride[Z]);
  const auto add = [&](i64 kc, float weight) { accumulate(coarse.plane(v, kc + 1), plane, weight, coarse.s); };
  const bool last = z.index + 1 == coarse.size[Z];
  if (!z.odd) {
    add(z.index, 1.0f);
  } else if (!last || coarse.periodic[Z]) {
    add(z.index, 0.5f);
    add(last ? 0 : z.index + 1, 0.5f);
  } else {
    add(z.index, end);
  }
}

// Add Pᵀ of fine plane k, given with its rim, to r of the coarse level.
inline void restrict_linear(View<float> fine, i64 k, const Level &level, const Level &coarse) {
  const i64 w = level.w, nx = level.size[X];
  const auto row = [&](i64 j) { return fine.part((j + 1) * w + 1, (j + 1) * w + 1 + nx); };
  for (i64 j = 0; j < coarse.size[Y]; ++j) {
    const Neighbours y = neighbours(j, Y, level, level.end[Y]);
    combine(level.spread.from(1), row(y.low), row(level.stride[Y] * j), row(y.high), y.weight_low, y.weight_high, nx);
    compress(level.parts.from((j + 1) * coarse.w + 1), level.spread, level, coarse, level.end[X]);
  }
  share_plane(coarse.r, level.parts, k, level, coarse, level.end[Z]);
}

// Add the interpolation of a coarse row to a row of n cells.
KERNEL void expand(Row<float> v, Row<const float> line, i64 n, i64 stride) {
  if (stride == 1) {
    for (i64 i = 0; i < n; ++i) v[i] += line[i];
    return;
  }
  const i64 pairs = n >> 1;
  for (i64 i = 0; i < pairs; ++i) {
    v[2 * i] += line[i];
    v[2 * i + 1] = times_plus(0.5f, line[i] + line[i + 1], v[2 * i + 1]);
  }
  if (n % 2 == 1) v[n - 1] += line[pairs];
}

// out = a first + b second.
KERNEL void mix(Row<float> out, Row<const float> first, Row<const float> second, float a, float b, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(a, first[c], b * second[c]);
}

// Add P x of the coarse level to fine plane k of a vector, given with its rim.
inline void prolong_linear(View<float> fine, i64 k, const Level &level, const Level &coarse) {
  const i64 w = coarse.w, s = coarse.s, nx = coarse.size[X], ny = coarse.size[Y];
  const Coarse z = coarse_of(k, level.stride[Z]);
  const View<float> parts = level.parts, x = coarse.plane(coarse.x, z.index + 1);
  if (!z.odd)
    copy<float>(parts, x, s);
  else if (z.index + 1 < coarse.size[Z] || coarse.periodic[Z])
    mix(parts, x, coarse.plane(coarse.x, z.index + 2), 0.5f, 0.5f, s);
  else
    mix(parts, x, x, level.end[Z], 0.0f, s);
  // The values behind the last points are such that the mean of both is the interpolated value.
  if (level.stride[X] == 2 && !level.periodic[X])
    for (i64 j = 1; j <= ny + 1; ++j) parts[j * w + nx + 1] = (2.0f * level.end[X] - 1.0f) * parts[j * w + nx];
  if (level.stride[Y] == 2 && !level.periodic[Y]) {
    const View<float> last = parts.part(ny * w, (ny + 1) * w);
    mix(parts.from((ny + 1) * w), last, last, 2.0f * level.end[Y] - 1.0f, 0.0f, w);
  }
  for (i64 j = 0; j < level.size[Y]; ++j) {
    const Coarse y = coarse_of(j, level.stride[Y]);
    const i64 first = (y.index + 1) * w + 1;
    View<float> line = parts.from(first);
    if (y.odd) {
      line = level.spread;
      mix(line, parts.from(first), parts.from(first + w), 0.5f, 0.5f, nx + 1);
    }
    expand(fine.from((j + 1) * level.w + 1), line, level.size[X], level.stride[X]);
  }
}

}  // namespace resolvent::space
