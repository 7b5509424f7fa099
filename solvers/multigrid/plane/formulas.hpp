// Formulas of the two-dimensional multigrid that its kernels and the CUDA program share.
//
// The CUDA program takes this file as text (device/launcher.py): there FORMULA and times_plus are defined before it,
// and nothing is included.
#ifndef FORMULA
#pragma once
#include "solvers/kernels/lines.hpp"
#define FORMULA inline
#endif

namespace resolvent {

// weight * a1 a2/(a1 + a2), half the harmonic mean, without overflow.
FORMULA double harmonic(double low, double high, double weight) { return weight * low * (high / (low + high)); }

FORMULA float positive(float link) { return link > 0.0f ? link : 0.0f; }
FORMULA float inverse_or_zero(float total) { return total > 0.0f ? 1.0f / total : 0.0f; }

struct Shares {
  float low, high;
};

// Two links as parts of their sum, a half each where both are zero; negative ones count as zero.
FORMULA Shares shares(float low, float high) {
  const float total = positive(low) + positive(high);
  const float scale = 1.0f / (total > 0.0f ? total : 1.0f), rest = total > 0.0f ? 0.0f : 0.5f;
  return {positive(low) * scale + rest, positive(high) * scale + rest};
}

// The same at the last gap before a wall, which has a coarse point on one side: without links it takes all of that.
FORMULA Shares shares_beside_wall(float low, float high) {
  return {low > 0.0f || high > 0.0f ? shares(low, high).low : 1.0f, 0.0f};
}

// The coarse link through a gap with the weights a and b, from its links to either side.
FORMULA float link_through(float low, float high, float a, float b) {
  return low * (1.0f - a) * b + high * a * (1.0f - b);
}

// A number for each corner of a cell of the coarse grid.
struct Corners {
  float sw, se, nw, ne;
};

// Weights at the middle of each edge, of the corner before it and of the corner after it; zero beyond a wall.
struct Edge {
  float before, after;
};
struct Edges {
  Edge south, north, west, east;
};

// Links inside a cell with a fine cell in its centre: of the centre to the middles of the edges and to the corners, and
// between the middles of neighbouring edges.
struct CentreLinks {
  float west, east, south, north;
  Corners corners, middles;
};

// Weights of the corners at the centre, where A u = 0 shall hold.
FORMULA Corners centre_weights(const CentreLinks &t, const Edges &e, bool diagonals) {
  float total = t.west + t.east + t.south + t.north;
  Corners f = {0.0f, 0.0f, 0.0f, 0.0f};
  if (diagonals) {
    f = t.corners;
    total += f.sw + f.se + f.nw + f.ne;
  }
  const float inverse = inverse_or_zero(total);
  return {inverse * times_plus(t.south, e.south.before, times_plus(t.west, e.west.before, f.sw)),
          inverse * times_plus(t.south, e.south.after, times_plus(t.east, e.east.before, f.se)),
          inverse * times_plus(t.north, e.north.before, times_plus(t.west, e.west.after, f.nw)),
          inverse * times_plus(t.north, e.north.after, times_plus(t.east, e.east.after, f.ne))};
}

// What the links inside a cell add to the coarse links on its edges and diagonals.
struct Cell {
  float south, north, west, east, rising, falling;
};

// Add what a link t between two fine cells makes: -t d_K d_L between the corners K and L, with d the difference of the
// two rows of P, given at the corners.
FORMULA void add_link(Cell &cell, float t, float sw, float se, float nw, float ne) {
  const float from_sw = -t * sw, from_se = -t * se;
  cell.south = times_plus(from_sw, se, cell.south);
  cell.north = times_plus(-t * nw, ne, cell.north);
  cell.west = times_plus(from_sw, nw, cell.west);
  cell.east = times_plus(from_se, ne, cell.east);
  cell.rising = times_plus(from_sw, ne, cell.rising);
  cell.falling = times_plus(from_se, nw, cell.falling);
}

// A cell with a fine cell in its centre, where the weights of the corners are f.
FORMULA Cell cell_with_centre(const CentreLinks &t, const Edges &e, const Corners &f, bool diagonals) {
  Cell cell = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  add_link(cell, t.south, e.south.before - f.sw, e.south.after - f.se, -f.nw, -f.ne);
  add_link(cell, t.north, -f.sw, -f.se, e.north.before - f.nw, e.north.after - f.ne);
  add_link(cell, t.west, e.west.before - f.sw, -f.se, e.west.after - f.nw, -f.ne);
  add_link(cell, t.east, -f.sw, e.east.before - f.se, -f.nw, e.east.after - f.ne);
  if (!diagonals) return cell;
  add_link(cell, t.corners.sw, 1.0f - f.sw, -f.se, -f.nw, -f.ne);
  add_link(cell, t.corners.se, -f.sw, 1.0f - f.se, -f.nw, -f.ne);
  add_link(cell, t.corners.nw, -f.sw, -f.se, 1.0f - f.nw, -f.ne);
  add_link(cell, t.corners.ne, -f.sw, -f.se, -f.nw, 1.0f - f.ne);
  add_link(cell, t.middles.sw, e.south.before - e.west.before, e.south.after, -e.west.after, 0.0f);
  add_link(cell, t.middles.se, e.south.before, e.south.after - e.east.before, 0.0f, -e.east.after);
  add_link(cell, t.middles.nw, -e.west.before, 0.0f, e.north.before - e.west.after, e.north.after);
  add_link(cell, t.middles.ne, 0.0f, -e.east.before, e.north.before, e.north.after - e.east.after);
  return cell;
}

// A cell between two fine rows that are neighbours: the links between the middles of its southern and northern edge,
// and from each corner to the middle across.
FORMULA Cell cell_between_rows(float middles, const Corners &t, const Edges &e, bool diagonals) {
  Cell cell = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  add_link(cell, middles, e.south.before, e.south.after, -e.north.before, -e.north.after);
  if (!diagonals) return cell;
  add_link(cell, t.sw, 1.0f, 0.0f, -e.north.before, -e.north.after);
  add_link(cell, t.se, 0.0f, 1.0f, -e.north.before, -e.north.after);
  add_link(cell, t.nw, e.south.before, e.south.after, -1.0f, 0.0f);
  add_link(cell, t.ne, e.south.before, e.south.after, 0.0f, -1.0f);
  return cell;
}

// A cell between two fine columns that are neighbours.
FORMULA Cell cell_between_columns(float middles, const Corners &t, const Edges &e, bool diagonals) {
  Cell cell = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  add_link(cell, middles, e.west.before, -e.east.before, e.west.after, -e.east.after);
  if (!diagonals) return cell;
  add_link(cell, t.sw, 1.0f, -e.east.before, 0.0f, -e.east.after);
  add_link(cell, t.se, e.west.before, -1.0f, e.west.after, 0.0f);
  add_link(cell, t.nw, 0.0f, -e.east.before, 1.0f, -e.east.after);
  add_link(cell, t.ne, e.west.before, 0.0f, e.west.after, -1.0f);
  return cell;
}

}  // namespace resolvent
