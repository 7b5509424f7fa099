// Operator-dependent interpolation on a three-dimensional level (black-box multigrid).
//
// Every other cell of an axis is a coarse point. A cell between two coarse points takes their values weighted by its
// links to either side, with those to neighbouring rows and planes collapsed onto its own row. A cell in the centre of
// four coarse points of a plane takes the value that satisfies its equation collapsed onto that plane, with right-hand
// side zero; a cell in the centre of eight takes the value that satisfies its own equation. So the flux is continuous
// across jumps of the coefficient. Beside a wall the missing coarse point counts as zero, weighted by the link to the
// wall.
//
// The links are first split by the eight kinds of cells, even or odd along each axis, into the layout of the coarse
// grid
// (`split_level`). A table, made once from the geometry of the stencil (interpolation.py), then lists which products to
// form, and one loop over the table serves all kinds of cells, tile by tile.
//
// References: Dendy, Black box multigrid, J. Comput. Phys. 48 (1982) 366; Dendy, Two multigrid methods for
// three-dimensional problems with discontinuous and anisotropic coefficients, SIAM J. Sci. Stat. Comput. 8 (1987) 673.
#pragma once

#include "solvers/multigrid/space/transfers.hpp"

// The tables for one kind of stencil (`interpolation_tables`, `galerkin_tables`): instructions for cells between two,
// four and eight coarse points, one after the other; what coarse links are made of.
#define SPACE_TABLES_MEMBERS(FIELD) \
  FIELD(i64 *, weighing)            \
  FIELD(i64 *, weighing_counts)     \
  FIELD(i64 *, gathers)             \
  FIELD(i64, gather_count)          \
  FIELD(i64 *, links)               \
  FIELD(i64, link_count)            \
  FIELD(i64 *, scatter)             \
  FIELD(i64, scatter_count)
STRUCTURE(SpaceTables, SPACE_TABLES_MEMBERS)

namespace resolvent::space {

// The coarse index of the first gap along an axis that no cell fills.
inline i64 empty_gap(int axis, const Level &level) { return level.stride[axis] == 2 ? level.size[axis] / 2 : 0; }

inline bool has_empty_gaps(int axis, const Level &level, const Level &coarse) {
  return empty_gap(axis, level) < coarse.size[axis];
}

// Call body(c) for the entries of a coarse vector at the empty gaps along an axis.
template <class Body>
void for_empty_gaps(int axis, const Level &level, const Level &coarse, Body body) {
  i64 begin[3] = {0, 0, 0}, end[3] = {coarse.size[Z] + 2, coarse.size[Y] + 2, coarse.size[X] + 2};
  begin[axis] = empty_gap(axis, level) + 1;
  end[axis] -= 1;
  for (i64 k = begin[Z]; k < end[Z]; ++k)
    for (i64 j = begin[Y]; j < end[Y]; ++j)
      for (i64 i = begin[X]; i < end[X]; ++i) body(k * coarse.s + j * coarse.w + i);
}

inline void clear_empty_gaps(View<float> v, int axis, const Level &level, const Level &coarse) {
  for_empty_gaps(axis, level, coarse, [&](i64 c) { v[c] = 0.0f; });
}

// Give the empty gaps of one link vector (eight kinds of cells) the links of the coarse points that they copy.
inline void fill_empty_gaps(View<float> kinds, const Level &level, const Level &coarse, const i64 *direction) {
  const i64 n = coarse.n;
  for (int axis = X; axis >= Z; --axis) {
    if (direction[axis] == 0 || !has_empty_gaps(axis, level, coarse)) continue;
    const i64 bit = 4 >> axis, ahead = direction[axis] < 0 ? coarse.distance(axis) : 0;
    for (i64 p = 0; p < 8; ++p) {
      if (!(p & bit)) continue;
      const View<float> gaps = kinds.part(p * n, (p + 1) * n), points = kinds.part((p ^ bit) * n, ((p ^ bit) + 1) * n);
      for_empty_gaps(axis, level, coarse, [&](i64 c) { gaps[c] = points[c + ahead]; });
    }
  }
}

// Keep one of the two copies of each link of a point with an empty gap, for the Galerkin product.
//
// As the gap lies above its point, the point keeps links to lower neighbours and the gap those to upper ones.
inline void part_empty_gaps(const Level &level, const Level &coarse, i64 vectors) {
  const i64 n = coarse.n;
  for (int axis = 0; axis < 3; ++axis) {
    if (!has_empty_gaps(axis, level, coarse)) continue;
    const i64 bit = 4 >> axis;
    for (i64 m = 0; m < vectors; ++m) {
      const bool upwards = direction_of(m, vectors)[axis] > 0;
      for (i64 p = 8 * m; p < 8 * (m + 1); ++p)
        if (((p & bit) != 0) != upwards) clear_empty_gaps(level.kinds.part(p * n, (p + 1) * n), axis, level, coarse);
    }
  }
}

// Split off the links to walls that replace a missing coarse point: those of the last cell of an even axis.
//
// A cell at an edge or a corner of the box has one number for its walls; each gets the same share of it.
inline void split_walls(View<float> ground, View<float> used, const Level &level, const Level &coarse,
                        const i64 *walls) {
  const i64 *size = level.size, n = coarse.n;
  // How many walls a cell touches along an axis, and whether one of them replaces a coarse point.
  const auto touches = [&](int axis, i64 c) {
    return i64(c == 0 && walls[2 * axis]) + i64(c == size[axis] - 1 && walls[2 * axis + 1]);
  };
  const auto hangs = [&](int axis, i64 c) {
    const bool even = level.stride[axis] == 2 && size[axis] % 2 == 0 && !level.periodic[axis];
    return i64(even && c == size[axis] - 1 && walls[2 * axis + 1]);
  };
  for (i64 k = 0; k < size[Z]; ++k) {
    const Coarse z = coarse_of(k, level.stride[Z]);
    for (i64 j = 0; j < size[Y]; ++j) {
      const Coarse y = coarse_of(j, level.stride[Y]);
      const i64 outer = hangs(Z, k) + hangs(Y, j);
      for (i64 i = outer ? 0 : size[X] - 1; i < size[X]; ++i) {
        const i64 share = outer + hangs(X, i);
        if (share == 0) continue;
        const Coarse x = coarse_of(i, level.stride[X]);
        const i64 c = (4 * z.odd + 2 * y.odd + x.odd) * n + coarse.at(z.index, y.index, x.index);
        used[c] = ground[c] * float(double(share) / double(touches(Z, k) + touches(Y, j) + touches(X, i)));
      }
    }
  }
}

// Split the links, and the links to walls, of a level by kinds of cells.
//
// `kinds` receives 8 vectors for each of the links, then 8 for the links to walls, then 8 for those links to walls that
// interpolation uses; where there are no cells they must be zero. Gaps that no cell fills (along axes that are not
// coarsened or of odd length) count as copies of the coarse point below them: their links are those of the point.
inline void split_level(const Level &level, const Level &coarse, i64 vectors, const i64 *walls) {
  const i64 n = coarse.n;
  const auto eight = [&](i64 m) { return level.kinds.part(8 * m * n, 8 * (m + 1) * n); };
  for (i64 m = 0; m <= vectors; ++m) {
    const View<float> source = m < vectors ? level.link(m) : level.ground, kinds = eight(m);
    for (i64 k = 0; k < level.size[Z]; ++k) {
      const Coarse z = coarse_of(k, level.stride[Z]);
      for (i64 j = 0; j < level.size[Y]; ++j) {
        const Coarse y = coarse_of(j, level.stride[Y]);
        const i64 even = (4 * z.odd + 2 * y.odd) * n + coarse.at(z.index, y.index, 0);
        split(row_at(kinds, even), row_at(kinds, even + n), row_at(source, level.at(k, j, 0)), level.size[X],
              level.stride[X]);
      }
    }
    if (m == vectors) break;
    const auto close_rims = [&] {
      if (level.any_periodic())
        for (i64 p = 0; p < 8; ++p) close_rim(kinds.part(p * n, (p + 1) * n), coarse);
    };
    close_rims();  // gaps copy what lies beyond the upper rim, and the lower rim copies gaps
    fill_empty_gaps(kinds, level, coarse, direction_of(m, vectors));
    close_rims();
  }
  split_walls(eight(vectors), eight(vectors + 1), level, coarse, walls);
}

// A row of the tables: an operation with five operands.
enum Operation : i64 { ADD, CLIP, TIMES, CLOSE, FINISH };
struct Instruction {
  i64 operation, a, b, z, y, x;
};

// Cells treated together: their sums stay in the first-level cache.
constexpr i64 TILE = 256;
constexpr i64 TILE_LINES = 10;

KERNEL void add(Row<float> out, Row<const float> v, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] += v[c];
}

KERNEL void add_product(Row<float> out, Row<const float> t, Row<const float> v, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(t[c], v[c], out[c]);
}

KERNEL void clip(Row<float> v, i64 count) {
  for (i64 c = 0; c < count; ++c) v[c] = v[c] > 0.0f ? v[c] : 0.0f;
}

// Replace Σ links by 1/(Σ links + link to the wall), zero where the sum is zero.
KERNEL void invert_with_wall(Row<float> sums, Row<const float> wall, i64 count) {
  for (i64 c = 0; c < count; ++c) {
    const float total = sums[c] + wall[c], inverse = 1.0f / total;
    sums[c] = total > 0.0f ? inverse : 0.0f;
  }
}

// out = the weight of one corner, or `share` where the sum is zero.
KERNEL void weights_of_corner(Row<float> out, Row<const float> inverses, Row<const float> sums, float share,
                              i64 count) {
  for (i64 c = 0; c < count; ++c) {
    const float weight = inverses[c] * sums[c];
    out[c] = inverses[c] > 0.0f ? weight : share;
  }
}

// Run instructions over a level: fill the weights at one or several kinds of cells.
//
// Lines of the tile: the sum of all links of a cell, the sum of those in one direction, and the shares of the eight
// corners. `walls` are the eight vectors of links to walls that interpolation uses.
inline void weigh(const Level &level, const Level &coarse, View<float> walls, const Instruction *instructions,
                  i64 instruction_count, View<float> tile) {
  const i64 n = coarse.n, w = coarse.w, s = coarse.s;
  const View<float> total = tile.part(0, TILE), direction = tile.part(TILE, 2 * TILE), sums = tile.from(2 * TILE);
  const i64 first = s + w + 1, last = n - first;
  for (i64 begin = first; begin < last; begin += TILE) {
    const i64 count = last - begin < TILE ? last - begin : TILE;
    tile.fill(0.0f);
    bool first_corner = true;
    for (i64 k = 0; k < instruction_count; ++k) {
      const Instruction &at = instructions[k];
      const i64 ahead = begin + at.z * s + at.y * w + at.x;
      switch (at.operation) {
        case ADD:
          add(direction, row_at(level.kinds, at.a * n + ahead), count);
          break;
        case CLIP:
          clip(direction, count);
          break;
        case TIMES:
          add_product(sums.from(at.a * TILE), direction, row_at(level.weights, at.b * n + ahead), count);
          break;
        case CLOSE:
          add(total, direction, count);
          direction.fill(0.0f);
          break;
        default: {  // FINISH: z is the kind of cells, y how many axes they are odd on, x whether this corner is the
                    // last
          if (first_corner) invert_with_wall(total, row_at(walls, at.z * n + begin), count);
          first_corner = at.x != 0;
          weights_of_corner(row_at(level.weights, at.b * n + begin), total, sums.from(at.a * TILE),
                            at.y == 1 ? 0.5f : 0.0f, count);
          if (at.x) tile.fill(0.0f);
        }
      }
    }
  }
}

// Fill the weights of a level from the output of `split_level`.
inline void interpolate(const Level &level, const Level &coarse, i64 vectors, const SpaceTables &tables,
                        View<float> tile) {
  const i64 n = coarse.n;
  const auto kind = [&](i64 number) { return level.weights.part(number * n, (number + 1) * n); };
  const View<float> walls = level.kinds.part(8 * (vectors + 1) * n, 8 * (vectors + 2) * n);
  kind(0).fill(1.0f);
  const Instruction *next = reinterpret_cast<const Instruction *>(tables.weighing);
  for (int stage = 0; stage < 3; ++stage) {
    weigh(level, coarse, walls, next, tables.weighing_counts[stage], tile);
    next += tables.weighing_counts[stage];
    if (level.any_periodic())
      for (i64 number = 0; number < 27; ++number) close_rim(kind(number), coarse);
  }
  for (int axis = 0; axis < 3; ++axis) {  // empty gaps copy the coarse point below them
    if (!has_empty_gaps(axis, level, coarse)) continue;
    const i64 step = axis == Z ? 9 : axis == Y ? 3 : 1;
    for (i64 number = 0; number < 27; ++number) {
      if (number / step % 3 != 1) continue;
      const View<float> gaps = kind(number), points = kind(number - step);
      for_empty_gaps(axis, level, coarse, [&](i64 c) { gaps[c] = points[c]; });
      clear_empty_gaps(kind(number + step), axis, level, coarse);
    }
  }
  for (i64 number = 0; number < 27; ++number) close_rim(kind(number), coarse);
}

}  // namespace resolvent::space
