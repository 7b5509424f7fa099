// The Galerkin coarse operators Pᵀ A P, as links between neighbouring cells.
//
// A level's operator is the energy ½ Σ t_ab (u_a − u_b)² over the links t_ab between a cell and its eight neighbours,
// plus links to walls, where u = 0. A fine link inside a cell of the coarse grid depends on the four corners of that
// cell only. It adds the rank-one matrix t δ δᵀ, with δ the difference of two rows of P, to the cell's 4 × 4 matrix:
// −t δ_K δ_L to the coarse link KL. P preserves constants away from walls: there coarse rows sum to zero exactly, and
// diagonals need not be computed. The links to the walls are the row sums of Pᵀ A P along the boundary.
#pragma once

#include <initializer_list>

#include "solvers/multigrid/plane/interpolation.hpp"

namespace resolvent {

// What cells add to the coarse links on their edges and diagonals, a row each.
struct CellRows {
  Row<float> south, north, west, east, rising, falling;
};

template <bool DIAGONALS>
KERNEL void set_cells(i64 gaps, CellRows out, CornerRows<const float> corners, EdgeRows edges, LinkRows links) {
  DISJOINT_ROWS
  for (i64 g = 0; g < gaps; ++g) {
    const Cell cell = cell_with_centre(links.at<DIAGONALS>(g), edges.at(g), corners.at(g), DIAGONALS);
    out.south[g] = cell.south;
    out.north[g] = cell.north;
    out.west[g] = cell.west;
    out.east[g] = cell.east;
    out.rising[g] = cell.rising;
    out.falling[g] = cell.falling;
  }
}

KERNEL void add_row(i64 n, Row<float> out, Row<const float> row) {
  for (i64 i = 0; i < n; ++i) out[i] += row[i];
}

// Add to the coarse links what the cells between the coarse rows jc and jc + 1 that have a centre contribute; links to
// points beyond a wall do not exist.
inline void add_cells_with_centre(const Links &links, const Weights &w, const Sides &sides, i64 jc, const Links &coarse,
                                  Grid<float> lines) {
  const i64 cy = w.cy(), cx = w.cx(), gaps = w.gaps_x();
  const View<float> south = lines[3], north = lines[4], west = lines[5], east = lines[6];
  const View<float> rising = lines[7], falling = lines[8];
  const auto set = links.diagonals ? set_cells<true> : set_cells<false>;
  set(gaps, {south, north, west, east, rising, falling}, corner_rows<const float>(w, jc),
      edge_rows(w, sides, jc, lines), link_rows(links, jc));
  const i64 inner = gaps < cx || sides.periodic_x ? gaps : gaps - 1;  // cells with a coarse point to their east
  add_row(inner, coarse.east[jc].from(1), south);
  if (jc + 1 == cy && !sides.periodic_y) return;
  add_row(inner, coarse.east[w.row_above(jc)].from(1), north);
  add_row(gaps, coarse.north[jc + 1], west);
  add_row(gaps < cx ? gaps : cx - 1, coarse.north[jc + 1].from(1), east);
  if (sides.periodic_x && gaps == cx) coarse.north(jc + 1, 0) += east[gaps - 1];
  add_row(inner, coarse.rising[jc + 1].from(1), rising);
  add_row(inner, coarse.falling[jc + 1].from(1), falling);
}

// The contribution of the cell between the coarse points (jc, ic) and (jn, in), which has no centre; (j, i) is the fine
// cell at the first.
inline Cell cell_without_centre(const Links &links, const Weights &w, i64 jc, i64 ic, i64 jn, i64 in, i64 j, i64 i) {
  const Grid<float> &rising = links.rising, &falling = links.falling;
  const bool diagonals = links.diagonals;
  Corners t{};
  Edges e{};
  if (ic < w.gaps_x()) {
    e.south = {w.west(jc, ic), w.east(jc, ic)};
    e.north = {w.west(jn, ic), w.east(jn, ic)};
    if (diagonals) t = {rising(j + 1, i + 1), falling(j + 1, i + 2), falling(j + 1, i + 1), rising(j + 1, i + 2)};
    return cell_between_rows(links.north(j + 1, i + 1), t, e, diagonals);
  }
  if (jc < w.gaps_y()) {
    e.west = {w.south(jc, ic), w.north(jc, ic)};
    e.east = {w.south(jc, in), w.north(jc, in)};
    if (diagonals) t = {rising(j + 1, i + 1), falling(j + 1, i + 1), falling(j + 2, i + 1), rising(j + 2, i + 1)};
    return cell_between_columns(links.east(j + 1, i + 1), t, e, diagonals);
  }
  Cell cell{};  // between four fine cells that are all coarse points
  if (diagonals) cell.rising = rising(j + 1, i + 1), cell.falling = falling(j + 1, i + 1);
  return cell;
}

// Links along a coarse row, of the gaps and of the coarse points that are neighbours, from the fine faces of that row.
KERNEL void set_along_row(i64 gaps, i64 count, i64 stride, Row<float> out, Row<const float> face, Row<const float> west,
                          Row<const float> east) {
  for (i64 g = 0; g < gaps; ++g) out[g] = link_through(face[2 * g], face[2 * g + 1], west[g], east[g]);
  for (i64 ic = gaps; ic < count; ++ic) out[ic] = face[stride * ic];
}

// Links along coarse columns, across a row of gaps, from the fine faces below and above it.
template <i64 STRIDE>
KERNEL void set_along_columns(i64 columns, Row<float> out, Row<const float> below, Row<const float> above,
                              Row<const float> south, Row<const float> north) {
  for (i64 ic = 0; ic < columns; ++ic)
    out[ic] = link_through(below[STRIDE * ic], above[STRIDE * ic], south[ic], north[ic]);
}

inline void set_links_along_rows(const Links &links, const Weights &w, i64 ny, const Sides &sides, Grid<float> out) {
  const i64 cy = w.cy(), cx = w.cx(), stride = w.stride_y();
  const i64 count = sides.periodic_x ? cx : cx - 1, gaps = w.gaps_x() < count ? w.gaps_x() : count;
  for (i64 jc = 0; jc < cy; ++jc)
    set_along_row(gaps, count, w.stride_x(), out[jc].from(1), links.east[stride * jc].from(1), w.west[jc], w.east[jc]);
  if (sides.periodic_y) return;
  // Links from the gaps to the walls beside their row couple the two coarse points they depend on.
  const auto subtract = [&](i64 jc, View<float> riser) {
    for (i64 g = 0; g < gaps; ++g) out(jc, g + 1) -= riser[2 * g + 1] * w.west(jc, g) * w.east(jc, g);
  };
  subtract(0, links.north[0]);
  if (stride * (cy - 1) == ny - 1) subtract(cy - 1, links.north[ny]);
}

inline void set_links_along_columns(const Links &links, const Weights &w, i64 nx, const Sides &sides, Grid<float> out) {
  const i64 cy = w.cy(), cx = w.cx(), stride = w.stride_x();
  const i64 count = sides.periodic_y ? cy : cy - 1, gaps = w.gaps_y() < count ? w.gaps_y() : count;
  const auto set = stride == 2 ? set_along_columns<2> : set_along_columns<1>;
  for (i64 jc = 0; jc < gaps; ++jc) {
    const i64 j = 2 * jc + 1;
    set(cx, out[jc + 1], links.north[j], links.north[j + 1], w.south[jc], w.north[jc]);
    if (sides.periodic_x) continue;
    const auto subtract = [&](i64 ic, float face) { out(jc + 1, ic) -= face * w.south(jc, ic) * w.north(jc, ic); };
    subtract(0, links.east(j, 0));
    if (stride * (cx - 1) == nx - 1) subtract(cx - 1, links.east(j, nx));
  }
  for (i64 jc = gaps; jc < count; ++jc)
    for (i64 ic = 0; ic < cx; ++ic) out(jc + 1, ic) = links.north(w.stride_y() * jc + 1, stride * ic);
}

inline void clear(Grid<float> grid) { View<float>{grid.data, grid.rows * grid.columns}.fill(0.0f); }

// Set the coarse links from the fine ones; those to walls stay zero.
inline void coarse_links(const Links &links, const Weights &w, i64 ny, i64 nx, const Sides &sides, const Links &coarse,
                         Grid<float> lines) {
  const i64 cy = w.cy(), cx = w.cx(), gaps_y = w.gaps_y(), gaps_x = w.gaps_x();
  for (const Grid<float> &grid : {coarse.east, coarse.north, coarse.rising, coarse.falling}) clear(grid);
  set_links_along_rows(links, w, ny, sides, coarse.east);
  set_links_along_columns(links, w, nx, sides, coarse.north);
  if (gaps_x > 0)
    for (i64 jc = 0; jc < gaps_y; ++jc) add_cells_with_centre(links, w, sides, jc, coarse, lines);
  const auto cells = [](i64 points, i64 gaps, bool periodic) {
    if (periodic) return points == 1 && gaps == 0 ? 0 : points;
    return points - 1 > gaps ? points - 1 : gaps;
  };
  for (i64 jc = 0; jc < cells(cy, gaps_y, sides.periodic_y); ++jc)
    for (i64 ic = jc < gaps_y ? gaps_x : 0; ic < cells(cx, gaps_x, sides.periodic_x); ++ic) {
      const i64 jn = w.row_above(jc), in = ic + 1 < cx ? ic + 1 : 0;
      const Cell cell = cell_without_centre(links, w, jc, ic, jn, in, w.stride_y() * jc, w.stride_x() * ic);
      const bool right = ic + 1 < cx || sides.periodic_x, above = jc + 1 < cy || sides.periodic_y;
      if (right) coarse.east(jc, ic + 1) += cell.south;
      if (right && above) coarse.east(jn, ic + 1) += cell.north;
      if (above) coarse.north(jc + 1, ic) += cell.west;
      if (!right || !above) continue;
      coarse.north(jc + 1, in) += cell.east;
      coarse.rising(jc + 1, ic + 1) += cell.rising;
      coarse.falling(jc + 1, ic + 1) += cell.falling;
    }
  // Beyond periodic ends the links repeat.
  if (sides.periodic_x)
    for (i64 jc = 0; jc <= cy; ++jc) {
      if (jc < cy) coarse.east(jc, 0) = coarse.east(jc, cx);
      coarse.rising(jc, 0) = coarse.rising(jc, cx);
      coarse.falling(jc, 0) = coarse.falling(jc, cx);
    }
  if (sides.periodic_y)
    for (const Grid<float> &grid : {coarse.north, coarse.rising, coarse.falling})
      copy_row<float>(grid.columns, grid[0], grid[cy]);
}

// The index of a neighbour, −1 beyond a wall.
inline i64 neighbour(i64 i, i64 n, bool periodic) {
  if (i < 0) return periodic ? n - 1 : -1;
  return i < n ? i : (periodic ? 0 : -1);
}

// (A u) at one cell; neighbours beyond a wall are zero.
inline float product_at(const Links &links, i64 ny, i64 nx, const Sides &sides, Grid<float> u, i64 j, i64 i) {
  const i64 south = neighbour(j - 1, ny, sides.periodic_y), north = neighbour(j + 1, ny, sides.periodic_y);
  const i64 west = neighbour(i - 1, nx, sides.periodic_x), east = neighbour(i + 1, nx, sides.periodic_x);
  const auto difference = [&](i64 jj, i64 ii) { return u(j, i) - (jj < 0 || ii < 0 ? 0.0f : u(jj, ii)); };
  float total = links.east(j, i) * difference(j, west) + links.east(j, i + 1) * difference(j, east);
  total += links.north(j, i) * difference(south, i) + links.north(j + 1, i) * difference(north, i);
  if (links.diagonals) {
    total += links.rising(j, i) * difference(south, west) + links.rising(j + 1, i + 1) * difference(north, east);
    total += links.falling(j, i + 1) * difference(south, east) + links.falling(j + 1, i) * difference(north, west);
  }
  return total;
}

// (Pᵀ v) at the coarse point (jc, ic): the sum over the cells interpolated from it.
inline float restricted_at(Grid<float> v, i64 ny, i64 nx, const Weights &w, const Sides &sides, i64 jc, i64 ic) {
  const i64 gaps_y = w.gaps_y(), gaps_x = w.gaps_x(), j = w.stride_y() * jc, i = w.stride_x() * ic;
  const i64 below = jc == 0 && sides.periodic_y && 2 * gaps_y == ny ? gaps_y - 1 : jc - 1;
  const i64 left = ic == 0 && sides.periodic_x && 2 * gaps_x == nx ? gaps_x - 1 : ic - 1;
  const bool up = jc < gaps_y, down = 0 <= below && below < gaps_y;
  const bool right = ic < gaps_x, back = 0 <= left && left < gaps_x;
  float total = v(j, i);
  if (right) total += w.west(jc, ic) * v(j, i + 1);
  if (back) total += w.east(jc, left) * v(j, 2 * left + 1);
  if (up) {
    total += w.south(jc, ic) * v(j + 1, i);
    if (right) total += w.sw(jc, ic) * v(j + 1, i + 1);
    if (back) total += w.se(jc, left) * v(j + 1, 2 * left + 1);
  }
  if (down) {
    total += w.north(below, ic) * v(2 * below + 1, i);
    if (right) total += w.nw(below, ic) * v(2 * below + 1, i + 1);
    if (back) total += w.ne(below, left) * v(2 * below + 1, 2 * left + 1);
  }
  return total;
}

// Set the coarse links to walls from the row sums Pᵀ A P 1 along the boundary.
//
// `ones` is P 1 on the fine grid, `products` is working memory of its size.
inline void links_to_walls(const Links &links, const Weights &w, i64 ny, i64 nx, const Sides &sides, Grid<float> ones,
                           Grid<float> products, const Links &coarse) {
  const auto multiply = [&](i64 j, i64 i) { products(j, i) = product_at(links, ny, nx, sides, ones, j, i); };
  // P preserves constants except in the outermost row and column, so A P 1 is zero further in.
  for (i64 j = 0; j < ny; ++j) {
    products[j].part(0, nx).fill(0.0f);
    if (!sides.periodic_x)
      for (i64 i : {i64(0), nx > 2 ? nx - 2 : 0, nx - 1}) multiply(j, i);
  }
  if (!sides.periodic_y)
    for (i64 j : {i64(0), ny > 2 ? ny - 2 : 0, ny - 1})
      for (i64 i = 0; i < nx; ++i) multiply(j, i);
  const i64 cy = w.cy(), cx = w.cx();
  const auto row_sum = [&](i64 jc, i64 ic) { return restricted_at(products, ny, nx, w, sides, jc, ic); };
  // A point at a corner, or between two walls, has its row sum in one place only.
  for (i64 jc = 0; jc < cy; ++jc) {
    if (sides.west) coarse.east(jc, 0) = row_sum(jc, 0);
    if (sides.east && (cx > 1 || !sides.west)) coarse.east(jc, cx) = row_sum(jc, cx - 1);
  }
  for (i64 ic = sides.west ? 1 : 0; ic < (sides.east ? cx - 1 : cx); ++ic) {
    if (sides.south) coarse.north(0, ic) = row_sum(0, ic);
    if (sides.north && (cy > 1 || !sides.south)) coarse.north(cy, ic) = row_sum(cy - 1, ic);
  }
}

}  // namespace resolvent
