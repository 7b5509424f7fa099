// The transmissibilities of a three-dimensional grid, in the layout of the levels.
#pragma once

#include "solvers/multigrid/space/grids.hpp"

namespace resolvent::space {

// out = weight · a₁ a₂/(a₁ + a₂), without overflow.
KERNEL void harmonic_means(Row<double> out, Row<const double> low, Row<const double> high, double weight, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = weight * low[c] * (high[c] / (low[c] + high[c]));
}

KERNEL void multiples(Row<double> out, Row<const double> a, double weight, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = weight * a[c];
}

// Fill in the transmissibilities over the cell's extent: harmonic means 2 a₁a₂/(a₁ + a₂) between cells, 2a at walls.
//
// a is the coefficient (nz ny nx), without a rim; weights are 2/h² along z, y, x, times any scale. Of the faces, three
// vectors across x, y, z, entry c lies between cell c and the one below it.
inline void fill_faces(const Space &space, const Level &level, View<const double> a, const double *weights) {
  const i64 nz = level.size[Z], ny = level.size[Y], nx = level.size[X], n = level.n;
  const View<double> faces[3] = {{space.faces + 2 * n, n}, {space.faces + n, n}, {space.faces, n}};
  const auto row = [&](i64 k, i64 j) { return a.part((k * ny + j) * nx, (k * ny + j + 1) * nx); };
  const auto at_wall = [&](int side) { return space.walls[side] ? weights[side / 2] : 0.0; };
  // Across an axis: the faces below a row of cells, and above the last one.
  const auto across = [&](int axis, i64 index, i64 c, View<const double> here, View<const double> below) {
    const i64 last = level.size[axis] - 1, distance = level.distance(axis);
    const View<double> out = faces[axis].from(c);
    if (index > 0 || level.periodic[axis]) {
      harmonic_means(out, below, here, weights[axis], nx);
      if (index == 0) copy<double>(out.from((last + 1) * distance), out, nx);
    } else {
      multiples(out, here, at_wall(2 * axis), nx);
    }
    if (index == last && !level.periodic[axis]) multiples(out.from(distance), here, at_wall(2 * axis + 1), nx);
  };
  for (i64 k = 0; k < nz; ++k) {
    for (i64 j = 0; j < ny; ++j) {
      const View<const double> here = row(k, j);
      const i64 c = level.at(k, j, 0);
      const View<double> x = faces[X].part(c, c + nx + 1);
      harmonic_means(x.from(1), here, here.from(1), weights[X], nx - 1);
      if (level.periodic[X]) {
        harmonic_means(x, here.from(nx - 1), here, weights[X], 1);
        x[nx] = x[0];
      } else {
        x[0] = at_wall(4) * here[0];
        x[nx] = at_wall(5) * here[nx - 1];
      }
      across(Y, j, c, here, row(k, j > 0 ? j - 1 : ny - 1));
      across(Z, k, c, here, row(k > 0 ? k - 1 : nz - 1, j));
    }
  }
}

// Store the faces in float32 as the links of the finest level, including those to walls.
KERNEL void round_faces(Row<float> links, Row<const double> faces, i64 count) {
  for (i64 c = 0; c < count; ++c) links[c] = float(faces[c]);
}

KERNEL void invert_sums(Row<float> out, Row<const float> east, Row<const float> north, Row<const float> up, i64 w,
                        i64 s, i64 count) {
  for (i64 c = 0; c < count; ++c) {
    const float sum = (east[c] + east[c + 1]) + (north[c] + north[c + w]) + (up[c] + up[c + s]);
    const float inverse = 1.0f / sum;
    out[c] = sum > 0.0f ? inverse : 0.0f;
  }
}

// Set D⁻¹ of a level of seven points; zero where a cell has no links.
inline void invert_diagonal_of_faces(const Level &level) {
  for (i64 k = 0; k < level.size[Z]; ++k) {
    for (i64 j = 0; j < level.size[Y]; ++j) {
      const i64 c = level.at(k, j, 0);
      invert_sums(row_at(level.inverse_diagonal, c), row_at(level.link(0), c), row_at(level.link(1), c),
                  row_at(level.link(2), c), level.w, level.s, level.size[X]);
    }
  }
}

// Move the links to walls out of the links of the finest level, into its vector `ground`.
inline void part_walls(const Level &level) {
  level.ground.fill(0.0f);
  for (int axis = 0; axis < 3; ++axis) {
    if (level.periodic[axis]) continue;
    const View<float> links = level.link(2 - axis);
    const i64 distance = level.distance(axis);
    for (i64 k = 0; k < (axis == Z ? 1 : level.size[Z]); ++k) {
      for (i64 j = 0; j < (axis == Y ? 1 : level.size[Y]); ++j) {
        for (i64 i = 0; i < (axis == X ? 1 : level.size[X]); ++i) {
          const i64 low = level.at(k, j, i), high = low + level.size[axis] * distance;
          level.ground[low] += links[low];
          level.ground[high - distance] += links[high];
          links[low] = links[high] = 0.0f;
        }
      }
    }
  }
  clear_rim(level.ground, level);
}

}  // namespace resolvent::space
