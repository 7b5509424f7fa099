// How a three-dimensional level lies in memory, and how its rim is filled.
//
// Every vector of a level has a rim of one cell: cell (k, j, i) of an (nz, ny, nx) grid has the index
// (k + 1) s + (j + 1) w + i + 1 with w = nx + 2 and s = (ny + 2) w. Neighbours lie at constant distances, so that a
// loop runs over a whole plane or level. The rim holds zeros, or the cells of the other side where the box is periodic.
//
// A level's operator is Σ t (x_cell − x_neighbour) + σ x_cell: thirteen vectors of links t, of which entry c of vector
// m couples cell c with its neighbour in DIRECTIONS[m], and the links σ to walls, where x = 0. The finest level and
// rediscretised ones have three of the thirteen, AXES, in the order x, y, z; links to walls are among them, as links to
// the rim.
#pragma once

#include "solvers/kernels/exports.hpp"
#include "solvers/kernels/lines.hpp"

// What a workspace holds (`Workspace3D` allocates it):
//   levels            the table of levels, see `Level`
//   wraps, walls      whether z, y, x are periodic; whether the low and the high side of z, y, x hold u = 0
//   ends              (levels, 3) weights of linear interpolation at the last cells, see linear_transfers.py
//   omegas            factors of the relaxation steps on the finest level, and on all levels with Galerkin products
//   omegas_below      the same on rediscretised levels
//   rings             four planes for each of the steps on the finest level but the last, and one more
//   work, tile        sums of a piece of a level, and of a tile of cubes
//   kinds             links by kinds of cells, see `split_level`
//   faces             (3 n) transmissibilities of the finest level, in float64; iterate, (n); directions, (3 n)
//   dense             two matrices of the coarsest level's size
#define SPACE_MEMBERS(FIELD)   \
  FIELD(float *, arena)        \
  FIELD(i64 *, levels)         \
  FIELD(i64, level_count)      \
  FIELD(i64 *, wraps)          \
  FIELD(i64 *, walls)          \
  FIELD(float *, ends)         \
  FIELD(float *, omegas)       \
  FIELD(i64, steps)            \
  FIELD(float *, omegas_below) \
  FIELD(i64, steps_below)      \
  FIELD(i64, rediscretised)    \
  FIELD(float *, rings)        \
  FIELD(float *, work)         \
  FIELD(i64, work_size)        \
  FIELD(float *, tile)         \
  FIELD(float *, kinds)        \
  FIELD(double *, faces)       \
  FIELD(double *, iterate)     \
  FIELD(float *, directions)   \
  FIELD(double *, dense)
STRUCTURE(Space, SPACE_MEMBERS)

namespace resolvent::space {

enum Axis { Z, Y, X };

// (z, y, x) towards half of the neighbours: along the row, then three in each of four neighbouring rows.
constexpr i64 DIRECTIONS[13][3] = {{0, 0, -1},  {0, -1, -1}, {0, -1, 0},  {0, -1, 1}, {-1, -1, -1},
                                   {-1, -1, 0}, {-1, -1, 1}, {-1, 0, -1}, {-1, 0, 0}, {-1, 0, 1},
                                   {-1, 1, -1}, {-1, 1, 0},  {-1, 1, 1}};
constexpr i64 AXES[3] = {0, 2, 8};

// Entries behind the last vector of `kinds`, which whole tiles read.
constexpr i64 KINDS_MARGIN = 128;

// The direction of link vector m of a level that has so many.
inline const i64 *direction_of(i64 m, i64 vectors) { return DIRECTIONS[vectors > 3 ? m : AXES[m]]; }

// The row that begins at entry p of a vector; stencils look back to the vector's first entry.
template <class T>
auto row_at(View<T> v, i64 p) {
  Row<T> row = v;
  return row + p;
}

// A level: its shape, and the vectors that it has in the arena.
struct Level {
  i64 size[3];    // cells along z, y, x
  i64 stride[3];  // 2 along axes on which the next level has half the cells, else 1
  i64 w, s, n;    // entries of a row, of a plane and of the level, with rim
  bool periodic[3];
  float end[3];  // the weight of the last coarse point at the cell behind it, in linear interpolation
  View<float> r, x, z, inverse_diagonal, ground;
  View<float> links;          // n for each direction
  View<float> parts, spread;  // four planes each in the layout of the next level
  View<float> weights;        // 27 vectors in that layout, see transfers.hpp; on the coarsest level the dense inverse
  View<float> kinds;          // links by kinds of cells, in that layout

  // The index of a cell.
  i64 at(i64 k, i64 j, i64 i) const { return (k + 1) * s + (j + 1) * w + i + 1; }
  i64 distance(int axis) const { return axis == Z ? s : axis == Y ? w : 1; }
  bool any_periodic() const { return periodic[Z] || periodic[Y] || periodic[X]; }
  bool periodic_in_planes() const { return periodic[Y] || periodic[X]; }
  View<float> link(i64 m) const { return links.part(m * n, (m + 1) * n); }
  // Plane k of a vector, counted with the rim.
  template <class T>
  View<T> plane(View<T> v, i64 k) const {
    return v.part(k * s, (k + 1) * s);
  }
};

// A row of the table of levels (grids.py): the level's shape, and where its vectors begin in the arena.
struct TableRow {
  i64 size[3], stride[3], w, s, n;
  i64 r, x, z, inverse_diagonal, ground, links, weights, parts, spread;
  i64 kinds;  // in `kinds`
};

inline Level level_of(const Space &space, i64 number) {
  const TableRow *row = reinterpret_cast<const TableRow *>(space.levels) + number;
  const bool finest = number == 0, coarsest = number == space.level_count - 1;
  const TableRow &next = coarsest ? *row : row[1];
  Level level;
  for (int axis = 0; axis < 3; ++axis) {
    level.size[axis] = row->size[axis];
    level.stride[axis] = row->stride[axis];
    level.periodic[axis] = space.wraps[axis] != 0;
    level.end[axis] = space.ends[3 * number + axis];
  }
  level.w = row->w, level.s = row->s, level.n = row->n;
  const auto vector = [&](i64 offset, i64 size) { return View<float>{space.arena + offset, size}; };
  level.r = vector(row->r, row->n);
  level.x = vector(row->x, row->n);
  level.z = vector(row->z, row->n);
  level.inverse_diagonal = vector(row->inverse_diagonal, row->n);
  level.ground = vector(row->ground, row->n);
  level.links = vector(row->links, (finest ? 3 : 13) * row->n);
  level.parts = vector(row->parts, 4 * next.s);
  level.spread = vector(row->spread, 4 * next.s);
  const i64 cells = level.size[Z] * level.size[Y] * level.size[X];
  level.weights = vector(row->weights, coarsest ? cells * cells : 27 * next.n);
  level.kinds = {space.kinds + row->kinds, coarsest ? 0 : 8 * (finest ? 5 : 15) * next.n + KINDS_MARGIN};
  return level;
}

template <class T>
KERNEL void copy(Row<T> out, Row<const T> v, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = v[c];
}

// Set the rim of a plane.
template <class T>
void set_rim_of_plane(View<T> plane, const Level &level, const bool *periodic) {
  const i64 w = level.w, ny = level.size[Y], nx = level.size[X];
  for (i64 j = 1; j <= ny; ++j) {
    View<T> row = plane.part(j * w, (j + 1) * w);
    row[0] = periodic[X] ? row[nx] : T(0);
    row[nx + 1] = periodic[X] ? row[1] : T(0);
  }
  const View<T> bottom = plane.part(0, w), top = plane.part((ny + 1) * w, (ny + 2) * w);
  if (periodic[Y]) {
    copy<T>(bottom, plane.part(ny * w, (ny + 1) * w), w);
    copy<T>(top, plane.part(w, 2 * w), w);
  } else {
    bottom.fill(0);
    top.fill(0);
  }
}

// Set the two outer planes of a level's vector.
template <class T>
void set_ends(View<T> v, const Level &level, const bool *periodic) {
  const i64 nz = level.size[Z];
  if (periodic[Z]) {
    copy<T>(level.plane(v, 0), level.plane(v, nz), level.s);
    copy<T>(level.plane(v, nz + 1), level.plane(v, 1), level.s);
  } else {
    level.plane(v, 0).fill(0);
    level.plane(v, nz + 1).fill(0);
  }
}

template <class T>
void set_rim(View<T> v, const Level &level, const bool *periodic) {
  for (i64 k = 1; k <= level.size[Z]; ++k) set_rim_of_plane(level.plane(v, k), level, periodic);
  set_ends(v, level, periodic);
}

// Set the rim of a plane, or of a whole vector: to the cells of the other side where the box is periodic, else to zero.
template <class T>
void close_plane(View<T> plane, const Level &level) {
  set_rim_of_plane(plane, level, level.periodic);
}
template <class T>
void close_rim(View<T> v, const Level &level) {
  set_rim(v, level, level.periodic);
}

template <class T>
void clear_rim(View<T> v, const Level &level) {
  constexpr bool nowhere[3] = {};
  set_rim(v, level, nowhere);
}

}  // namespace resolvent::space
