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
struct CellLinks {
  Row<float> south, north, west, east, rising, falling;
};

// Set the contribution of the four links of the centres.
KERNEL void set_straight(i64 gaps, CellLinks out, CornerWeights<const float> corners, EdgeWeights edges,
                         CentreLinks links) {
  for (i64 g = 0; g < gaps; ++g) {
    const i64 i = 2 * g;
    const float f0 = corners.sw[g], f1 = corners.se[g], f2 = corners.nw[g], f3 = corners.ne[g];
    const float a = edges.west[g] - f0, b = edges.east[g] - f1;
    const float c = edges.top_west[g] - f2, d = edges.top_east[g] - f3;
    const float p = edges.south[g] - f0, q = edges.north[g] - f2;
    const float u = edges.south_next[g] - f1, v = edges.north_next[g] - f3;
    const float s = links.below[i], n = links.above[i], w = links.face[i], e = links.face[i + 1];
    out.south[g] = w * p * f1 + e * f0 * u - s * a * b - n * f0 * f1;
    out.north[g] = w * q * f3 + e * f2 * v - s * f2 * f3 - n * c * d;
    out.west[g] = s * a * f2 + n * f0 * c - w * p * q - e * f0 * f2;
    out.east[g] = s * b * f3 + n * f1 * d - w * f1 * f3 - e * u * v;
    out.rising[g] = s * a * f3 + n * f0 * d + w * p * f3 + e * f0 * v;
    out.falling[g] = s * b * f2 + n * f1 * c + w * f1 * q + e * u * f2;
  }
}

// Add the contribution of the links between the centres and the corners.
KERNEL void add_diagonal(i64 gaps, CellLinks out, CornerWeights<const float> corners, CentreLinks links) {
  for (i64 g = 0; g < gaps; ++g) {
    const i64 i = 2 * g;
    const float f0 = corners.sw[g], f1 = corners.se[g], f2 = corners.nw[g], f3 = corners.ne[g];
    const float g0 = 1.0f - f0, g1 = 1.0f - f1, g2 = 1.0f - f2, g3 = 1.0f - f3;
    const float t0 = links.southwest[i], t1 = links.southeast[i];
    const float t2 = links.northwest[i], t3 = links.northeast[i];
    out.south[g] += t0 * g0 * f1 + t1 * f0 * g1 - (t2 + t3) * f0 * f1;
    out.north[g] += t2 * g2 * f3 + t3 * f2 * g3 - (t0 + t1) * f2 * f3;
    out.west[g] += t0 * g0 * f2 + t2 * f0 * g2 - (t1 + t3) * f0 * f2;
    out.east[g] += t1 * g1 * f3 + t3 * f1 * g3 - (t0 + t2) * f1 * f3;
    out.rising[g] += t0 * g0 * f3 + t3 * f0 * g3 - (t1 + t2) * f0 * f3;
    out.falling[g] += t1 * g1 * f2 + t2 * f1 * g2 - (t0 + t3) * f1 * f2;
  }
}

// Links between neighbours of the centres: south to west, south to east, north to west, north to east.
struct AcrossLinks {
  Row<const float> southwest, southeast, northwest, northeast;
};

// Add the contribution of the links between neighbours of the centres.
KERNEL void add_across(i64 gaps, CellLinks out, EdgeWeights edges, AcrossLinks links) {
  for (i64 g = 0; g < gaps; ++g) {
    const i64 i = 2 * g;
    const float a = edges.west[g], b = edges.east[g], c = edges.top_west[g], d = edges.top_east[g];
    const float p = edges.south[g], q = edges.north[g], u = edges.south_next[g], v = edges.north_next[g];
    const float t0 = links.southwest[i], t1 = links.southeast[i];
    const float t2 = links.northwest[i], t3 = links.northeast[i];
    out.south[g] -= t0 * (a - p) * b + t1 * a * (b - u);
    out.north[g] -= t2 * (c - q) * d + t3 * c * (d - v);
    out.west[g] += t0 * (a - p) * q + t2 * p * (c - q);
    out.east[g] += t1 * (b - u) * v + t3 * u * (d - v);
    out.rising[g] += t1 * a * v + t2 * p * d;
    out.falling[g] += t0 * b * q + t3 * u * c;
  }
}

KERNEL void add_row(i64 n, Row<float> out, Row<const float> row) {
  for (i64 i = 0; i < n; ++i) out[i] += row[i];
}

// Add to the coarse links what the cells between the coarse rows jc and jc + 1 that have a centre contribute; links to
// points beyond a wall do not exist.
inline void add_cells_with_centre(const Links &links, const Weights &w, const Sides &sides, i64 jc,
                                  const Links &coarse, Grid<float> lines) {
  const i64 cy = w.cy(), cx = w.cx(), gaps = w.gaps_x(), j = 2 * jc + 1;
  const View<float> south = lines[3], north = lines[4], west = lines[5], east = lines[6];
  const View<float> rising = lines[7], falling = lines[8];
  const CellLinks cells{south, north, west, east, rising, falling};
  const EdgeWeights edges = edge_weights(w, sides, jc, lines);
  const CornerWeights<const float> corners{w.sw[jc], w.se[jc], w.nw[jc], w.ne[jc]};
  const CentreLinks centres = centre_links(links, jc);
  set_straight(gaps, cells, corners, edges, centres);
  if (links.diagonals) {
    add_diagonal(gaps, cells, corners, centres);
    add_across(gaps, cells, edges,
               {links.falling[j].from(1), links.rising[j].from(2), links.rising[j + 1].from(1),
                links.falling[j + 1].from(2)});
  }
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

// What one cell adds to the coarse links on its edges and diagonals.
struct Cell {
  float south = 0.0f, north = 0.0f, west = 0.0f, east = 0.0f, rising = 0.0f, falling = 0.0f;

  // Add −t δ_K δ_L for all pairs of corners, with δ given at sw, se, nw, ne.
  void add_link(float t, float sw, float se, float nw, float ne) {
    south -= t * sw * se;
    north -= t * nw * ne;
    west -= t * sw * nw;
    east -= t * se * ne;
    rising -= t * sw * ne;
    falling -= t * se * nw;
  }
};

// The contribution of the cell between the coarse points (jc, ic) and (jn, in), which has no centre; (j, i) is the fine
// cell at the first.
inline Cell cell_without_centre(const Links &links, const Weights &w, i64 jc, i64 ic, i64 jn, i64 in, i64 j, i64 i) {
  const Grid<float> &face = links.east, &riser = links.north, &rising = links.rising, &falling = links.falling;
  Cell cell;
  if (ic < w.gaps_x()) {  // between two neighbouring fine rows that are both coarse
    const float a = w.west(jc, ic), b = w.east(jc, ic), c = w.west(jn, ic), d = w.east(jn, ic);
    cell.add_link(riser(j + 1, i + 1), a, b, -c, -d);
    if (!links.diagonals) return cell;
    cell.add_link(rising(j + 1, i + 1), 1.0f, 0.0f, -c, -d);
    cell.add_link(falling(j + 1, i + 1), a, b, -1.0f, 0.0f);
    cell.add_link(rising(j + 1, i + 2), a, b, 0.0f, -1.0f);
    cell.add_link(falling(j + 1, i + 2), 0.0f, 1.0f, -c, -d);
  } else if (jc < w.gaps_y()) {  // between two neighbouring fine columns that are both coarse
    const float p = w.south(jc, ic), q = w.north(jc, ic), u = w.south(jc, in), v = w.north(jc, in);
    cell.add_link(face(j + 1, i + 1), p, -u, q, -v);
    if (!links.diagonals) return cell;
    cell.add_link(rising(j + 1, i + 1), 1.0f, -u, 0.0f, -v);
    cell.add_link(falling(j + 1, i + 1), p, -1.0f, q, 0.0f);
    cell.add_link(rising(j + 2, i + 1), p, 0.0f, q, -1.0f);
    cell.add_link(falling(j + 2, i + 1), 0.0f, -u, 1.0f, -v);
  } else if (links.diagonals) {  // between four neighbouring fine cells that are all coarse points
    cell.rising = rising(j + 1, i + 1);
    cell.falling = falling(j + 1, i + 1);
  }
  return cell;
}

// Links along a coarse row, of the gaps and of the coarse points that are neighbours, from the fine faces of that row.
KERNEL void set_along_row(i64 gaps, i64 count, i64 stride, Row<float> out, Row<const float> face,
                          Row<const float> west, Row<const float> east) {
  for (i64 g = 0; g < gaps; ++g) {
    const float a = west[g], b = east[g];
    out[g] = face[2 * g] * (1.0f - a) * b + face[2 * g + 1] * a * (1.0f - b);
  }
  for (i64 ic = gaps; ic < count; ++ic) out[ic] = face[stride * ic];
}

// Links along coarse columns, across a row of gaps, from the fine faces below and above it.
template <i64 STRIDE>
KERNEL void set_along_columns(i64 columns, Row<float> out, Row<const float> below, Row<const float> above,
                              Row<const float> south, Row<const float> north) {
  for (i64 ic = 0; ic < columns; ++ic) {
    const float p = south[ic], q = north[ic];
    out[ic] = below[STRIDE * ic] * (1.0f - p) * q + above[STRIDE * ic] * p * (1.0f - q);
  }
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

inline void set_links_along_columns(const Links &links, const Weights &w, i64 nx, const Sides &sides,
                                    Grid<float> out) {
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
inline void coarse_links(const Links &links, const Weights &w, i64 ny, i64 nx, const Sides &sides,
                         const Links &coarse, Grid<float> lines) {
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
