// The Galerkin coarse operators Pᵀ A P on three-dimensional levels, as links between neighbouring cells.
//
// A level's operator is the energy ½ Σ t_ab (u_a − u_b)² over the links t_ab between cells, plus links to walls, where
// u = 0. A fine link inside a cube of the coarse grid depends on the cube's eight corners only, on fewer where it lies
// in a face or on an edge. It adds the rank-one matrix t δ δᵀ, with δ the difference of two rows of P, to the cube's
// matrix: −t δ_K δ_L to the coarse link KL. P preserves constants away from walls: there coarse rows sum to zero
// exactly, and diagonals need not be computed. The links to the walls are the row sums Pᵀ A P 1.
//
// Cubes are treated in tiles, with a table that lists the links of a cube (galerkin.py); the links come from
// `split_level`.
#pragma once

#include "solvers/multigrid/space/interpolation.hpp"
#include "solvers/multigrid/space/sweeps.hpp"

namespace resolvent::space {

// Cubes treated together: rows of P, differences and sums of a tile lie in the first-level cache.
constexpr i64 CUBES = 128;
// Lines of a tile: zeros, ones, the other entries of P, and from SUMS on those for the 28 pairs of corners.
constexpr i64 ONES = 1, SUMS = 58, LINES = SUMS + 28;

// What goes into a tile: line, weight vector, shift along z, y, x.
struct Gather {
  i64 line, kind, z, y, x;
};
// A link of a cube: the vector of `kinds` that holds it, and its shift; on how many corners it depends; for each of
// these where the entries of P at both ends begin in the tile; where the sums for pairs of corners begin, if not eight.
struct CubeLink {
  i64 vector, z, y, x, corners;
  i64 ends[8][2];
  i64 sums[6];
};
// What comes out: line, link vector of the coarse grid, shift of the cube's corner that keeps the link.
struct Scatter {
  i64 line, vector, z, y, x;
};

// Whether all entries are zero.
KERNEL bool empty(Row<const float> v, i64 count) {
  int filled = 0;
  for (i64 c = 0; c < count; ++c) filled |= v[c] != 0.0f;
  return !filled;
}

// Subtract t δ_K δ_L for all pairs K < L of the corners that a link depends on.
template <int CORNERS>
KERNEL void couple(Row<float> tile, Row<const float> t, const CubeLink &link) {
  for (i64 c = 0; c < CUBES; c += 8) {
    const Place<float, 8> at{c};
    const Vector<float, 8> value = at(t);
    Vector<float, 8> difference[CORNERS];
#pragma GCC unroll 8
    for (int a = 0; a < CORNERS; ++a) difference[a] = at(tile, link.ends[a][0]) - at(tile, link.ends[a][1]);
    int pair = 0;
#pragma GCC unroll 8
    for (int a = 0; a < CORNERS - 1; ++a) {
      const Vector<float, 8> flux = -(value * difference[a]);
#pragma GCC unroll 8
      for (int b = a + 1; b < CORNERS; ++b, ++pair) {
        const i64 sums = CORNERS == 8 ? (SUMS + pair) * CUBES : link.sums[pair];
        at.set(tile + sums, times_plus(flux, difference[b], at(tile, sums)));
      }
    }
  }
}

// Clear the cubes that begin in the rim of a periodic grid: they are counted on the other side.
inline void clear_rim_cubes(View<float> tile, i64 begin, i64 count, const Level &level) {
  for (i64 c = 0; c < count; ++c) {
    const i64 j = (begin + c) % level.s / level.w, i = (begin + c) % level.w;
    if (j >= 1 && j <= level.size[Y] && i >= 1 && i <= level.size[X]) continue;
    for (i64 line = SUMS; line < LINES; ++line) tile[line * CUBES + c] = 0.0f;
  }
}

// Add what the upper rim has gathered to the cells that it is a copy of.
inline void fold(View<float> v, const Level &level) {
  const i64 nz = level.size[Z], ny = level.size[Y], nx = level.size[X], w = level.w, s = level.s;
  if (level.periodic[X])
    for (i64 c = 0; c < level.n; c += w) v[c + 1] += v[c + nx + 1];
  if (level.periodic[Y])
    for (i64 k = 0; k < nz + 2; ++k) add(v.from(k * s + w), v.from(k * s + (ny + 1) * w), w);
  if (level.periodic[Z]) add(level.plane(v, 1), level.plane(v, nz + 1), s);
}

// Fill the thirteen link vectors of the coarse level.
inline void coarse_links(const Level &level, const Level &coarse, const SpaceTables &tables, View<float> tile) {
  const i64 w = coarse.w, s = coarse.s, n = coarse.n;
  const auto gathers = reinterpret_cast<const Gather *>(tables.gathers);
  const auto links = reinterpret_cast<const CubeLink *>(tables.links);
  const auto scatter = reinterpret_cast<const Scatter *>(tables.scatter);
  coarse.links.fill(0.0f);
  tile.fill(0.0f);
  tile.part(ONES * CUBES, (ONES + 1) * CUBES).fill(1.0f);
  for_pieces(coarse, CUBES, [&](i64 begin, i64 count) {
    const auto ahead = [&](const auto &shift) { return begin + shift.z * s + shift.y * w + shift.x; };
    for (i64 g = 0; g < tables.gather_count; ++g)
      copy<float>(row_at(tile, gathers[g].line * CUBES), row_at(level.weights, gathers[g].kind * n + ahead(gathers[g])),
                  count);
    tile.part(SUMS * CUBES, LINES * CUBES).fill(0.0f);
    for (i64 m = 0; m < tables.link_count; ++m) {
      const auto t = row_at(level.kinds, links[m].vector * n + ahead(links[m]));
      if (empty(t, count)) continue;
      if (links[m].corners == 8)
        couple<8>(tile, t, links[m]);
      else if (links[m].corners == 4)
        couple<4>(tile, t, links[m]);
      else
        couple<2>(tile, t, links[m]);
    }
    if (coarse.periodic_in_planes()) clear_rim_cubes(tile, begin, count, coarse);
    for (i64 m = 0; m < tables.scatter_count; ++m)
      add(row_at(coarse.link(scatter[m].vector), ahead(scatter[m])), row_at(tile, scatter[m].line * CUBES), count);
  });
  for (i64 m = 0; m < 13; ++m) {
    if (coarse.any_periodic()) fold(coarse.link(m), coarse);
    close_rim(coarse.link(m), coarse);
  }
}

// Remove rounding from rows of P that sum to one, so that differences of ones are exactly zero.
KERNEL void snap_to_one(Row<float> v, i64 count) {
  for (i64 c = 0; c < count; ++c) v[c] = std::fabs(v[c] - 1.0f) < 1e-5f ? 1.0f : v[c];
}

KERNEL void negate(Row<float> out, Row<const float> v, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = -v[c];
}

// Fill the links to walls of the coarse level: Pᵀ A P 1. `finest` says whether this level has seven points.
inline void links_to_walls(const Level &level, const Level &coarse, bool finest, View<float> work) {
  coarse.x.fill(0.0f);
  for (i64 k = 0; k < coarse.size[Z]; ++k)
    for (i64 j = 0; j < coarse.size[Y]; ++j) {
      const i64 c = coarse.at(k, j, 0);
      coarse.x.part(c, c + coarse.size[X]).fill(1.0f);
    }
  close_rim(coarse.x, coarse);
  level.x.fill(0.0f);
  for (i64 k = 0; k < level.size[Z]; ++k) {
    prolong_plane(level.plane(level.x, k + 1), k, level, coarse);
    for (i64 j = 0; j < level.size[Y]; ++j) snap_to_one(row_at(level.x, level.at(k, j, 0)), level.size[X]);
  }
  close_rim(level.x, level);
  coarse.r.fill(0.0f);
  if (!finest) residual_level(level.z, level.x, level, work, 0.0f);
  for (i64 k = 0; k < level.size[Z]; ++k) {
    if (finest) residual_plane(work, level.x, level, k + 1, 0.0f);
    restrict_plane(finest ? work : level.plane(level.z, k + 1), k, level, coarse);
  }
  negate(coarse.ground, coarse.r, coarse.n);
  clear_rim(coarse.ground, coarse);
}

// Add t + |t| of the links to both sides to the sums.
KERNEL void add_links(Row<float> sums, Row<const float> low, Row<const float> high, i64 count) {
  for (i64 c = 0; c < count; ++c) sums[c] += (low[c] + std::fabs(low[c])) + (high[c] + std::fabs(high[c]));
}

KERNEL void invert_with_ground(Row<float> out, Row<const float> sums, Row<const float> ground, i64 count) {
  for (i64 c = 0; c < count; ++c) {
    const float d = sums[c] + (ground[c] + std::fabs(ground[c])), inverse = 2.0f / d;
    out[c] = d > 0.0f ? inverse : 0.0f;
  }
}

// Set D⁻¹ of a coarse level for relaxation, D = (Σ links + Σ |links|)/2: A's diagonal where no link is negative.
//
// Galerkin stencils may have a few negative links, beside high contrasts. With this D the spectrum of D⁻¹A stays in
// (0, 2], by Gershgorin's theorem; otherwise a few cells would force smaller steps everywhere.
inline void invert_diagonal(const Level &level, View<float> work) {
  for_pieces(level, PIECE, [&](i64 begin, i64 count) {
    work.part(0, count).fill(0.0f);
    for (i64 m = 0; m < 13; ++m) {
      const i64 *d = DIRECTIONS[m], distance = d[Z] * level.s + d[Y] * level.w + d[X];
      add_links(work, row_at(level.link(m), begin), row_at(level.link(m), begin - distance), count);
    }
    invert_with_ground(row_at(level.inverse_diagonal, begin), work, row_at(level.ground, begin), count);
  });
  clear_rim(level.inverse_diagonal, level);
}

}  // namespace resolvent::space
