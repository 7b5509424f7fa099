// Operator-dependent interpolation between two levels (black-box multigrid).
//
// Every other cell of an axis is a coarse point. A cell between two coarse points of its row takes their values
// weighted by its links to either side, with those of the neighbouring rows collapsed onto its own; likewise in
// columns. A cell in the centre of four coarse points takes the value that satisfies its own equation with right-hand
// side zero. So the flux is continuous across jumps of the coefficient. Beside a wall the missing coarse point counts
// as zero, weighted by the link to the wall.
//
// Dendy, Black box multigrid, J. Comput. Phys. 48 (1982) 366; Alcouffe, Brandt, Dendy and Painter, SIAM J. Sci. Stat.
// Comput. 2 (1981) 430.
#pragma once

#include "solvers/multigrid/plane/formulas.hpp"
#include "solvers/multigrid/plane/grids.hpp"
#include "solvers/multigrid/plane/rows.hpp"

namespace resolvent {

// Weights of the coarse points on both sides of the gaps of a row; entry 2g of the links belongs to gap g.
template <bool DIAGONALS>
KERNEL void share_row(i64 gaps, Row<float> west, Row<float> east, Row<const float> face, Row<const float> southwest,
                      Row<const float> northwest, Row<const float> southeast, Row<const float> northeast) {
  for (i64 g = 0; g < gaps; ++g) {
    const i64 i = 2 * g;
    float low = face[i], high = face[i + 1];
    if (DIAGONALS) {
      low += southwest[i] + northwest[i];
      high += southeast[i] + northeast[i];
    }
    const Shares share = shares(low, high);
    west[g] = share.low;
    east[g] = share.high;
  }
}

// Weights of the coarse points below and above the gaps of a row of gaps.
template <bool DIAGONALS, i64 STRIDE>
KERNEL void share_columns(i64 columns, Row<float> south, Row<float> north, Row<const float> below,
                          Row<const float> southwest, Row<const float> southeast, Row<const float> above,
                          Row<const float> northwest, Row<const float> northeast) {
  for (i64 ic = 0; ic < columns; ++ic) {
    const i64 i = STRIDE * ic;
    float low = below[i], high = above[i];
    if (DIAGONALS) {
      low += southwest[i] + southeast[i];
      high += northwest[i] + northeast[i];
    }
    const Shares share = shares(low, high);
    south[ic] = share.low;
    north[ic] = share.high;
  }
}

// Set the weights west and east of the gaps in rows.
inline void weights_along_rows(const Links &links, i64 nx, const Sides &sides, const Weights &w) {
  const i64 gaps = w.gaps_x();
  if (gaps == 0) return;
  const auto set = links.diagonals ? share_row<true> : share_row<false>;
  for (i64 jc = 0; jc < w.cy(); ++jc) {
    const i64 j = w.stride_y() * jc;
    const View<float> face = links.east[j], rising = links.rising[j], falling = links.falling[j];
    const View<float> rising_above = links.rising[j + 1], falling_above = links.falling[j + 1];
    set(gaps, w.west[jc], w.east[jc], face.from(1), rising.from(1), falling_above.from(1), falling.from(2),
        rising_above.from(2));
    if (2 * gaps != nx || sides.periodic_x) continue;
    // The last gap has a coarse point on one side.
    float low = face[nx - 1], high = face[nx];
    if (links.diagonals) {
      low += rising[nx - 1] + falling_above[nx - 1];
      high += falling[nx] + rising_above[nx];
    }
    const Shares share = shares_beside_wall(low, high);
    w.west(jc, gaps - 1) = share.low;
    w.east(jc, gaps - 1) = share.high;
  }
}

// Set the weights south and north of the gaps in columns.
inline void weights_along_columns(const Links &links, i64 ny, const Sides &sides, const Weights &w) {
  const i64 gaps = w.gaps_y(), columns = w.cx(), stride = w.stride_x();
  const auto set = stride == 2 ? (links.diagonals ? share_columns<true, 2> : share_columns<false, 2>)
                               : (links.diagonals ? share_columns<true, 1> : share_columns<false, 1>);
  for (i64 gap = 0; gap < gaps; ++gap) {
    const i64 j = 2 * gap + 1;
    const View<float> below = links.north[j], rising = links.rising[j], falling = links.falling[j];
    const View<float> above = links.north[j + 1], rising_above = links.rising[j + 1];
    const View<float> falling_above = links.falling[j + 1];
    set(columns, w.south[gap], w.north[gap], below, rising, falling.from(1), above, falling_above,
        rising_above.from(1));
    if (j != ny - 1 || sides.periodic_y) continue;
    for (i64 ic = 0; ic < columns; ++ic) {  // the last row has coarse points on one side
      const i64 i = stride * ic;
      float low = below[i], high = above[i];
      if (links.diagonals) {
        low += rising[i] + falling[i + 1];
        high += falling_above[i] + rising_above[i + 1];
      }
      const Shares share = shares_beside_wall(low, high);
      w.south(gap, ic) = share.low;
      w.north(gap, ic) = share.high;
    }
  }
}

// The cells between the coarse rows jc and jc + 1, each with a gap of both axes in its centre. Structures of rows go by
// value: only then does gcc see that they do not overlap.

// Weights of the corners at the centres.
template <class T>
struct CornerRows {
  Row<T> sw, se, nw, ne;
  Corners at(i64 g) const { return {sw[g], se[g], nw[g], ne[g]}; }
};

// Weights at the middles of the southern, the northern (top_), the western and the eastern (_next) edges.
struct EdgeRows {
  Row<const float> west, east, top_west, top_east, south, north, south_next, north_next;
  Edges at(i64 g) const {
    return {{west[g], east[g]}, {top_west[g], top_east[g]}, {south[g], north[g]}, {south_next[g], north_next[g]}};
  }
};

// Links inside the cells, those of gap g at entry 2g: `rising` and `falling` begin at the centre's southern row of
// links, `_above` at its northern one.
struct LinkRows {
  Row<const float> face, riser, riser_above, rising, rising_above, falling, falling_above;
  template <bool DIAGONALS>
  CentreLinks at(i64 g) const {
    const i64 i = 2 * g;
    CentreLinks t{face[i], face[i + 1], riser[i], riser_above[i], {}, {}};
    if (DIAGONALS) {
      t.corners = {rising[i], falling[i + 1], falling_above[i], rising_above[i + 1]};
      t.middles = {falling[i], rising[i + 1], rising_above[i], falling_above[i + 1]};
    }
    return t;
  }
};

// out = row, and one entry more: the first again where the box is periodic, zero beyond a wall.
KERNEL void close_columns(i64 n, Row<float> out, Row<const float> row, bool periodic) {
  for (i64 i = 0; i < n; ++i) out[i] = row[i];
  out[n] = periodic ? row[0] : 0.0f;
}

template <class T>
CornerRows<T> corner_rows(const Weights &w, i64 jc) {
  return {w.sw[jc], w.se[jc], w.nw[jc], w.ne[jc]};
}

// The first three of the lines are working memory.
inline EdgeRows edge_rows(const Weights &w, const Sides &sides, i64 jc, Grid<float> lines) {
  const View<float> south = lines[0], north = lines[1], beyond = lines[2];
  close_columns(w.cx(), south, w.south[jc], sides.periodic_x);
  close_columns(w.cx(), north, w.north[jc], sides.periodic_x);
  if (jc + 1 < w.cy() || sides.periodic_y) {
    const i64 jn = w.row_above(jc);
    return {w.west[jc], w.east[jc], w.west[jn], w.east[jn], south, north, south.from(1), north.from(1)};
  }
  beyond.part(0, w.gaps_x()).fill(0.0f);
  return {w.west[jc], w.east[jc], beyond, beyond, south, north, south.from(1), north.from(1)};
}

inline LinkRows link_rows(const Links &links, i64 jc) {
  const i64 j = 2 * jc + 1;
  return {links.east[j].from(1),       links.north[j].from(1),   links.north[j + 1].from(1),  links.rising[j].from(1),
          links.rising[j + 1].from(1), links.falling[j].from(1), links.falling[j + 1].from(1)};
}

template <bool DIAGONALS>
KERNEL void collapse_row(i64 gaps, CornerRows<float> out, LinkRows links, EdgeRows edges) {
  DISJOINT_ROWS
  for (i64 g = 0; g < gaps; ++g) {
    const Corners f = centre_weights(links.at<DIAGONALS>(g), edges.at(g), DIAGONALS);
    out.sw[g] = f.sw;
    out.se[g] = f.se;
    out.nw[g] = f.nw;
    out.ne[g] = f.ne;
  }
}

// Set the weights of the four corners at the centres of the cells, from those along axes.
inline void weights_amid_cells(const Links &links, const Sides &sides, const Weights &w, Grid<float> lines) {
  const auto collapse = links.diagonals ? collapse_row<true> : collapse_row<false>;
  if (w.gaps_x() == 0) return;
  for (i64 jc = 0; jc < w.gaps_y(); ++jc)
    collapse(w.gaps_x(), corner_rows<float>(w, jc), link_rows(links, jc), edge_rows(w, sides, jc, lines));
}

// Set out = P 1: one, except in cells beside a wall that have no coarse point on that side.
inline void interpolated_ones(const Weights &w, i64 ny, i64 nx, const Sides &sides, Grid<float> out) {
  const i64 gaps_y = w.gaps_y(), gaps_x = w.gaps_x();
  for (i64 j = 0; j < ny; ++j) out[j].part(0, nx).fill(1.0f);
  const bool last_x = gaps_x > 0 && nx == 2 * gaps_x && !sides.periodic_x;
  const bool last_y = gaps_y > 0 && ny == 2 * gaps_y && !sides.periodic_y;
  if (last_x)
    for (i64 jc = 0; jc < w.cy(); ++jc) out(w.stride_y() * jc, nx - 1) = w.west(jc, gaps_x - 1);
  if (last_y)
    for (i64 ic = 0; ic < w.cx(); ++ic) out(ny - 1, w.stride_x() * ic) = w.south(gaps_y - 1, ic);
  if (gaps_x == 0) return;
  for (i64 jc = 0; jc < gaps_y; ++jc) {
    const bool whole_row = last_y && jc == gaps_y - 1;
    for (i64 ic = whole_row ? 0 : gaps_x - 1; ic < (whole_row || last_x ? gaps_x : 0); ++ic)
      out(2 * jc + 1, 2 * ic + 1) = w.sw(jc, ic) + w.se(jc, ic) + w.nw(jc, ic) + w.ne(jc, ic);
  }
}

}  // namespace resolvent
