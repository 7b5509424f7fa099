// Set up the hierarchy below the finest level: operators, interpolation, smoothers, and the inverse of the coarsest.
#pragma once

#include "solvers/multigrid/space/galerkin.hpp"
#include "solvers/multigrid/space/rediscretised.hpp"

namespace resolvent::space {

// Fill the interpolation weights of a level, and the operator and the smoother of the next, by Galerkin products.
inline void set_up_next(const Space &space, i64 number, const SpaceTables &tables) {
  const Level level = level_of(space, number), coarse = level_of(space, number + 1);
  const bool finest = number == 0;
  const i64 vectors = finest ? 3 : 13;
  const View<float> work = {space.work, space.work_size}, tile = {space.tile, LINES * CUBES};
  if (finest) part_walls(level);
  split_level(level, coarse, vectors, space.walls);
  if (finest) round_faces(level.links, View<double>{space.faces, 3 * level.n}, 3 * level.n);
  interpolate(level, coarse, vectors, tables, tile.part(0, TILE_LINES * TILE));
  part_empty_gaps(level, coarse, vectors);
  coarse_links(level, coarse, tables, tile);
  bool any_wall = false;
  for (int side = 0; side < 6; ++side) any_wall |= space.walls[side] != 0;
  if (any_wall)
    links_to_walls(level, coarse, finest, work);
  else
    coarse.ground.fill(0.0f);
  invert_diagonal(coarse, work);
}

// The sum of the links to walls of a cell of a level of seven points.
inline double links_to_walls_at(const Level &level, const i64 *cell) {
  const i64 c = level.at(cell[Z], cell[Y], cell[X]);
  double sum = 0.0;
  for (int axis = 0; axis < 3; ++axis) {
    if (level.periodic[axis]) continue;
    const View<float> links = level.link(2 - axis);
    if (cell[axis] == 0) sum += links[c];
    if (cell[axis] == level.size[axis] - 1) sum += links[c + level.distance(axis)];
  }
  return sum;
}

// Fill a dense matrix with the operator of a level, of thirteen vectors of links or of three.
inline void dense_operator(const Level &level, i64 vectors, View<double> matrix) {
  const i64 nz = level.size[Z], ny = level.size[Y], nx = level.size[X], cells = nz * ny * nx;
  const auto entry = [&](i64 row, i64 column) -> double & { return matrix[row * cells + column]; };
  matrix.fill(0.0);
  for (i64 me = 0; me < cells; ++me) {
    const i64 cell[3] = {me / (ny * nx), me / nx % ny, me % nx};
    const i64 c = level.at(cell[Z], cell[Y], cell[X]);
    entry(me, me) += vectors > 3 ? level.ground[c] : links_to_walls_at(level, cell);
    for (i64 m = 0; m < vectors; ++m) {
      i64 there[3];
      bool inside = true;
      for (int axis = 0; axis < 3; ++axis) {
        const i64 size = level.size[axis];
        there[axis] = cell[axis] + direction_of(m, vectors)[axis];
        if (level.periodic[axis]) there[axis] = (there[axis] + size) % size;
        inside = inside && there[axis] >= 0 && there[axis] < size;
      }
      if (!inside) continue;
      const double t = level.link(m)[c];
      const i64 other = (there[Z] * ny + there[Y]) * nx + there[X];
      entry(me, me) += t;
      entry(other, other) += t;
      entry(me, other) -= t;
      entry(other, me) -= t;
    }
  }
}

// Replace a matrix by L⁻¹ of its Cholesky factors A = L Lᵀ (entries above the diagonal keep their values), with `rows`
// another matrix of memory; return whether A is positive definite.
inline bool invert_cholesky_factor(View<double> matrix, View<double> rows, i64 n) {
  const auto a = [&](i64 i, i64 j) -> double & { return matrix[i * n + j]; };
  const auto l = [&](i64 i, i64 j) -> double & { return rows[i * n + j]; };
  for (i64 i = 0; i < n; ++i) {
    for (i64 j = 0; j <= i; ++j) {
      double sum = a(i, j);
      for (i64 k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
      if (i == j && !(sum > 0.0 && sum < HUGE_VAL)) return false;
      l(i, j) = i == j ? std::sqrt(sum) : sum / l(j, j);
    }
  }
  for (i64 j = 0; j < n; ++j) {
    for (i64 i = j; i < n; ++i) {
      double sum = i == j ? 1.0 : 0.0;
      for (i64 k = j; k < i; ++k) sum -= l(i, k) * a(k, j);
      a(i, j) = sum / l(i, i);
    }
  }
  return true;
}

// Store A⁻¹ of the coarsest level; without walls (A + s 1 1ᵀ)⁻¹, the same orthogonally to constants. Return whether A
// is positive definite.
inline bool invert_coarsest(const Space &space) {
  const i64 number = space.level_count - 1;
  const Level level = level_of(space, number);
  const i64 n = level.size[Z] * level.size[Y] * level.size[X];
  const View<double> matrix = {space.dense, n * n}, rows = {space.dense + n * n, n * n};
  dense_operator(level, number > 0 && !space.rediscretised ? 13 : 3, matrix);
  bool any_wall = false;
  for (int side = 0; side < 6; ++side) any_wall |= space.walls[side] != 0;
  if (!any_wall) {
    double trace = 0.0;
    for (i64 i = 0; i < n; ++i) trace += matrix[i * n + i];
    const double shift = (trace > 0.0 ? trace : 1.0) / double(n * n);
    for (i64 i = 0; i < n * n; ++i) matrix[i] += shift;
  }
  if (!invert_cholesky_factor(matrix, rows, n)) return false;
  for (i64 i = 0; i < n; ++i) {
    for (i64 j = 0; j <= i; ++j) {
      double sum = 0.0;  // A⁻¹ = L⁻ᵀ L⁻¹
      for (i64 k = i; k < n; ++k) sum += matrix[k * n + i] * matrix[k * n + j];
      level.weights[i * n + j] = level.weights[j * n + i] = float(sum);
    }
  }
  return true;
}

// Clear all but the finest level and its weights: the two kinds of hierarchies use rims differently.
inline void clear_below(const Space &space) {
  const Level finest = level_of(space, 0);
  finest.parts.fill(0.0f);
  finest.spread.fill(0.0f);
  for (i64 number = 1; number < space.level_count; ++number) {
    const Level level = level_of(space, number);
    const View<float> vectors[] = {level.r,     level.x,     level.z,      level.inverse_diagonal, level.ground,
                                   level.links, level.parts, level.spread, level.weights};
    for (const View<float> &v : vectors) v.fill(0.0f);
  }
}

// Set all levels up from the faces, with rediscretised coarse operators or Galerkin products; return whether the
// coarsest matrix is positive definite.
inline bool set_up_levels(Space &space, const SpaceTables &finest_tables, const SpaceTables &tables,
                          bool rediscretised) {
  if (rediscretised != (space.rediscretised != 0)) clear_below(space);
  space.rediscretised = rediscretised;
  const Level finest = level_of(space, 0);
  round_faces(finest.links, View<double>{space.faces, 3 * finest.n}, 3 * finest.n);
  invert_diagonal_of_faces(finest);
  for (i64 number = 0; number < space.level_count - 1; ++number) {
    if (rediscretised)
      rediscretise(level_of(space, number), level_of(space, number + 1));
    else
      set_up_next(space, number, number ? tables : finest_tables);
  }
  return invert_coarsest(space);
}

}  // namespace resolvent::space
