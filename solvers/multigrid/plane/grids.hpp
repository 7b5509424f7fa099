// The levels of a two-dimensional hierarchy: sides, fields, links and weights, all views of one block of memory.
#pragma once

#include "solvers/kernels/exports.hpp"
#include "solvers/kernels/lines.hpp"

// What one thread needs to solve problems on one grid (ny, nx), with k relaxation steps; workspace.py fills it in.
//
// arena, levels: float32 memory of all levels, and the table (count, Level) that says where their arrays lie
// rings, lines: rows of working memory, (k + 1, 4, row_width) and (LINES, row_width)
// coarsest: (2, n, n), working memory to invert the coarsest matrix
// south, north, west, east: whether these sides hold u = 0
// faces_east, faces_north: (ny, nx + 1), (ny + 1, nx), transmissibilities over the cells' extents, times `scale`
// x, p, q, r: float64 vectors of conjugate gradients; x and p are padded, (ny + 2, wide_width)
// pair, product: (2, ny + 2, row_width) and (ny, nx), float32: two padded directions, and A times one
// history: (maxiter + 1,), receives the norms of the residuals
// mild_contrast: up to which contrast a solve begins with float32 directions; `mild` says whether this one does
// enough, reduction: iterations with float32 directions before float64 ones take over, and by what factor residuals have
//     shrunk at most when they are recomputed
// place, energy: where in the arena a cycle left z, and rᵀ z
#define PLANE(FIELD)           \
  FIELD(float *, arena)        \
  FIELD(i64, arena_size)       \
  FIELD(i64 *, levels)         \
  FIELD(i64, count)            \
  FIELD(i64, periodic_y)       \
  FIELD(i64, periodic_x)       \
  FIELD(i64, south)            \
  FIELD(i64, north)            \
  FIELD(i64, west)             \
  FIELD(i64, east)             \
  FIELD(float *, omegas)       \
  FIELD(i64, steps)            \
  FIELD(float *, rings)        \
  FIELD(float *, lines)        \
  FIELD(i64, row_width)        \
  FIELD(double *, coarsest)    \
  FIELD(double *, faces_east)  \
  FIELD(double *, faces_north) \
  FIELD(double *, x)           \
  FIELD(double *, p)           \
  FIELD(i64, wide_width)       \
  FIELD(double *, q)           \
  FIELD(double *, r)           \
  FIELD(float *, pair)         \
  FIELD(float *, product)      \
  FIELD(double *, history)     \
  FIELD(double, mild_contrast) \
  FIELD(i64, enough)           \
  FIELD(double, reduction)     \
  FIELD(i64, mild)             \
  FIELD(double, scale)         \
  FIELD(i64, place)            \
  FIELD(double, energy)        \
  FIELD(i64, iterations)       \
  FIELD(double, residual)
STRUCTURE(Plane, PLANE)

namespace resolvent {

// Rows of working memory; workspace.py has the same number.
constexpr i64 LINES = 9;

// Which axes are periodic, and which sides hold u = 0; the others are insulated.
struct Sides {
  bool periodic_y, periodic_x, south, north, west, east;
  bool any_wall() const { return south || north || west || east; }
};

// A row of the table of levels: cells, then where in the arena the fields begin. `weights` are those of interpolation
// from the next level; on the coarsest, the dense inverse. `work` is the same for all levels.
struct Level {
  i64 ny, nx, r, x, z, inverse_diagonal, east, north, rising, falling, weights, work;
};

// Links between neighbouring cells: entry (j, i) of `east` couples the cells (j, i − 1) and (j, i); of `north`
// (j − 1, i) and (j, i); of `rising` (j − 1, i − 1) and (j, i); of `falling` (j − 1, i) and (j, i − 1). The finest level
// has no `diagonals`: there the last two are placeholders.
struct Links {
  Grid<float> east, north, rising, falling;
  bool diagonals;
};

// Interpolation weights from the next level. A *gap* is a cell between two coarse points of an axis; without gaps the
// axis is not coarsened.
struct Weights {
  Grid<float> west, east;      // (cy, gaps_x): of the coarse points beside a gap of a coarse row
  Grid<float> south, north;    // (gaps_y, cx): … of a coarse column
  Grid<float> sw, se, nw, ne;  // (gaps_y, gaps_x): of the corners around a gap in both

  i64 cy() const { return west.rows; }
  i64 cx() const { return south.columns; }
  i64 gaps_y() const { return south.rows; }
  i64 gaps_x() const { return west.columns; }
  i64 stride_y() const { return gaps_y() > 0 ? 2 : 1; }
  i64 stride_x() const { return gaps_x() > 0 ? 2 : 1; }
  // The coarse row of fine row j, or the one below it, and whether j is a gap.
  i64 coarse_row(i64 j) const { return gaps_y() > 0 ? j >> 1 : j; }
  bool is_gap(i64 j) const { return gaps_y() > 0 && (j & 1) != 0; }
  // The coarse row above jc; after the last one the first, which counts where the box is periodic only.
  i64 row_above(i64 jc) const { return jc + 1 < cy() ? jc + 1 : 0; }
};

// The hierarchy as views. Coarse levels have a rim of one cell, so rows of nx + 2, and one spare row.
struct Hierarchy {
  View<float> arena;
  const Level *levels;
  i64 count;
  Sides sides;

  explicit Hierarchy(const Plane &plane)
      : arena{plane.arena, plane.arena_size},
        levels(reinterpret_cast<const Level *>(plane.levels)),
        count(plane.count),
        sides{plane.periodic_y != 0, plane.periodic_x != 0, plane.south != 0,
              plane.north != 0,      plane.west != 0,       plane.east != 0} {}

  Grid<float> grid(i64 start, i64 rows, i64 columns) const {
    return {arena.part(start, start + rows * columns).data, rows, columns, columns};
  }
  // Rows from the first inner cell on; their entries from nx on belong to the rim.
  Grid<float> inside_rim(i64 start, i64 rows, i64 nx) const { return grid(start + nx + 3, rows, nx + 2); }

  // A field of cells, rows of at least nx.
  Grid<float> cells(i64 level, i64 Level::*field) const {
    const Level &at = levels[level];
    return level == 0 ? grid(at.*field, at.ny, at.nx) : inside_rim(at.*field, at.ny, at.nx);
  }
  // A field of a coarse level as one vector, rim included.
  View<float> with_rim(i64 level, i64 Level::*field) const {
    const Level &at = levels[level];
    return arena.part(at.*field, at.*field + (at.ny + 2) * (at.nx + 2));
  }
  Links links(i64 level) const {
    const Level &at = levels[level];
    const i64 rows = at.ny + 1, nx = at.nx;
    if (level == 0) {
      const Grid<float> north = grid(at.north, rows, nx);
      return {grid(at.east, at.ny, nx + 1), north, north, north, false};
    }
    return {inside_rim(at.east, rows, nx), inside_rim(at.north, rows, nx), inside_rim(at.rising, rows, nx),
            inside_rim(at.falling, rows, nx), true};
  }
  Weights weights(i64 level) const {
    const Level &fine = levels[level], &coarse = levels[level + 1];
    const i64 cy = coarse.ny, cx = coarse.nx;
    const i64 gaps_y = cy < fine.ny ? fine.ny / 2 : 0, gaps_x = cx < fine.nx ? fine.nx / 2 : 0;
    i64 end = fine.weights;
    const auto next = [&](i64 rows, i64 columns) {
      const i64 begin = end;
      end += rows * columns;
      return grid(begin, rows, columns);
    };
    Weights w;
    w.west = next(cy, gaps_x), w.east = next(cy, gaps_x);
    w.south = next(gaps_y, cx), w.north = next(gaps_y, cx);
    w.sw = next(gaps_y, gaps_x), w.se = next(gaps_y, gaps_x);
    w.nw = next(gaps_y, gaps_x), w.ne = next(gaps_y, gaps_x);
    return w;
  }
  // The dense inverse of the coarsest matrix.
  Grid<float> inverse() const {
    const Level &last = levels[count - 1];
    return grid(last.weights, last.ny * last.nx, last.ny * last.nx);
  }
};

}  // namespace resolvent
