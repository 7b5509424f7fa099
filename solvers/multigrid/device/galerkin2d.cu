// The set-up of the hierarchy: transmissibilities, interpolation weights (Dendy, J. Comput. Phys. 48 (1982) 366),
// Galerkin coarse links, the inverse of the coarsest matrix. The mathematics is that of plane/interpolation.hpp and
// plane/galerkin.hpp; here each thread gathers what its coarse point needs instead of scattering what its cell makes.

using namespace resolvent;  // formulas.hpp

// Faces of the finest level, in float64 and float32: scale (2/h^2) a b/(a + b) between cells, scale (2/h^2) a at walls.
KERNEL transmissibilities(const int* list, int ny, int nx, int sides, double weight_y, double weight_x,
                          const double* scale, const double* a, double* east, double* north, float* east_single,
                          float* north_single) {
    const int i = column(), j = row();
    if (i > nx || j > ny) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const double* c = a + cells_before(s, ny, nx);
        const long long k = links_before(s, ny, nx) + j * (nx + 1) + i;
        const double wy = weight_y * scale[s], wx = weight_x * scale[s];
        double in_x = 0.0, in_y = 0.0;
        if (j < ny) {
            const bool inside = i > 0 && i < nx;
            if (inside || ((sides & PERIODIC_X) && nx > 1)) {
                const double low = c[j * nx + (inside ? i - 1 : nx - 1)], high = c[j * nx + (inside ? i : 0)];
                in_x = harmonic(low, high, wx);
            } else if (sides & (i == 0 ? WEST_WALL : EAST_WALL)) {
                in_x = wx * c[j * nx + (i == 0 ? 0 : nx - 1)];
            }
        }
        if (i < nx) {
            const bool inside = j > 0 && j < ny;
            if (inside || ((sides & PERIODIC_Y) && ny > 1)) {
                const double low = c[(inside ? j - 1 : ny - 1) * nx + i], high = c[(inside ? j : 0) * nx + i];
                in_y = harmonic(low, high, wy);
            } else if (sides & (j == 0 ? SOUTH_WALL : NORTH_WALL)) {
                in_y = wy * c[(j == 0 ? 0 : ny - 1) * nx + i];
            }
        }
        east[k] = in_x;
        north[k] = in_y;
        east_single[k] = (float)in_x;
        north_single[k] = (float)in_y;
    }
}

// D^-1 with D the sum of a cell's positive links; zero for cells without any.
KERNEL invert_diagonal(const int* list, int ny, int nx, int diagonals, const float* east, const float* north,
                       const float* rising, const float* falling, float* inverse) {
    const int i = column(), j = row();
    if (i >= nx || j >= ny) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        const int here = j * (nx + 1) + i, above = here + nx + 1;
        float d = positive(links.east[here]) + positive(links.east[here + 1]) + positive(links.north[here]) +
                  positive(links.north[above]);
        if (diagonals)
            d += positive(links.rising[here]) + positive(links.rising[above + 1]) + positive(links.falling[here + 1]) +
                 positive(links.falling[above]);
        inverse[cells_before(s, ny, nx) + j * nx + i] = inverse_or_zero(d);
    }
}

// A level and the next coarser one: how many fine rows and columns lie between coarse ones, and where weights are.
struct Pair {
    Grid fine;
    int cy, cx, gaps_y, gaps_x, stride_y, stride_x;
};

struct Weights {
    float *west, *east, *south, *north, *sw, *se, *nw, *ne;
};

INLINE Pair pair_of(int ny, int nx, int cy, int cx, int sides) {
    Pair g = {grid_of(ny, nx, sides), cy, cx, cy < ny ? ny / 2 : 0, cx < nx ? nx / 2 : 0, cy < ny ? 2 : 1,
              cx < nx ? 2 : 1};
    return g;
}

INLINE Weights weights_of(float* weights, const Pair& g, int s) {
    const long long a = (long long)g.cy * g.gaps_x, b = (long long)g.gaps_y * g.cx, c = (long long)g.gaps_y * g.gaps_x;
    float* start = weights + s * (2 * a + 2 * b + 4 * c);
    float* inner = start + 2 * a + 2 * b;
    Weights w = {start, start + a, start + 2 * a, start + 2 * a + b, inner, inner + c, inner + 2 * c, inner + 3 * c};
    return w;
}

INLINE Weights weights_of(const float* weights, const Pair& g, int s) { return weights_of((float*)weights, g, s); }

// Weights along rows (west, east) and along columns (south, north), one thread a coarse point.
KERNEL weights_between(const int* list, int ny, int nx, int cy, int cx, int sides, int diagonals, const float* east,
                       const float* north, const float* rising, const float* falling, float* weights) {
    const Pair g = pair_of(ny, nx, cy, cx, sides);
    const int ic = column(), jc = row(), width = nx + 1;
    if (ic >= cx || jc >= cy) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        const Weights w = weights_of(weights, g, s);
        if (ic < g.gaps_x) {
            const int i = 2 * ic + 1, k = g.stride_y * jc * width + i;
            float low = links.east[k], high = links.east[k + 1];
            if (diagonals) {
                low += links.rising[k] + links.falling[k + width];
                high += links.rising[k + width + 1] + links.falling[k + 1];
            }
            const bool beside_wall = i == nx - 1 && !g.fine.periodic_x;
            const Shares to = beside_wall ? shares_beside_wall(low, high) : shares(low, high);
            w.west[jc * g.gaps_x + ic] = to.low;
            w.east[jc * g.gaps_x + ic] = to.high;
        }
        if (jc < g.gaps_y) {
            const int j = 2 * jc + 1, k = j * width + g.stride_x * ic;
            float low = links.north[k], high = links.north[k + width];
            if (diagonals) {
                low += links.rising[k] + links.falling[k + 1];
                high += links.rising[k + width + 1] + links.falling[k + width];
            }
            const bool beside_wall = j == ny - 1 && !g.fine.periodic_y;
            const Shares to = beside_wall ? shares_beside_wall(low, high) : shares(low, high);
            w.south[jc * cx + ic] = to.low;
            w.north[jc * cx + ic] = to.high;
        }
    }
}

// Weights along the edges of the coarse cell (jc, ic), zero for corners beyond a wall and where no fine cell lies in
// between.
INLINE Edges edges_of(const Weights& w, const Pair& g, int jc, int ic) {
    const int jn = after(jc, g.cy, g.fine.periodic_y), in = after(ic, g.cx, g.fine.periodic_x);
    const int a = jc * g.gaps_x + ic, b = jn * g.gaps_x + ic, c = jc * g.cx + ic, d = jc * g.cx + in;
    Edges e = {{0.0f, 0.0f}, {0.0f, 0.0f}, {0.0f, 0.0f}, {0.0f, 0.0f}};
    if (ic < g.gaps_x) e.south = {w.west[a], w.east[a]};
    if (ic < g.gaps_x && jn >= 0) e.north = {w.west[b], w.east[b]};
    if (jc < g.gaps_y) e.west = {w.south[c], w.north[c]};
    if (jc < g.gaps_y && in >= 0) e.east = {w.south[d], w.north[d]};
    return e;
}

// The links of the centre (j, i), with k = j (nx + 1) + i, of a coarse cell.
INLINE CentreLinks centre_links(const Links& links, int k, int width) {
    const int above = k + width;
    CentreLinks t = {links.east[k], links.east[k + 1], links.north[k], links.north[above],
                     {0.0f, 0.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f, 0.0f}};
    if (links.diagonals) {
        t.corners = {links.rising[k], links.falling[k + 1], links.falling[above], links.rising[above + 1]};
        t.middles = {links.falling[k], links.rising[k + 1], links.rising[above], links.falling[above + 1]};
    }
    return t;
}

// Weights of the four corners at the cells amid them.
KERNEL weights_amid(const int* list, int ny, int nx, int cy, int cx, int sides, int diagonals, const float* east,
                    const float* north, const float* rising, const float* falling, float* weights) {
    const Pair g = pair_of(ny, nx, cy, cx, sides);
    const int ic = column(), jc = row(), width = nx + 1;
    if (ic >= g.gaps_x || jc >= g.gaps_y) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        const Weights w = weights_of(weights, g, s);
        const CentreLinks t = centre_links(links, (2 * jc + 1) * width + 2 * ic + 1, width);
        const Corners f = centre_weights(t, edges_of(w, g, jc, ic), links.diagonals);
        const int gap = jc * g.gaps_x + ic;
        w.sw[gap] = f.sw;
        w.se[gap] = f.se;
        w.nw[gap] = f.nw;
        w.ne[gap] = f.ne;
    }
}

// What the links inside the coarse cell (jc, ic) add to the links between its corners.
INLINE Cell cell_of(const Links& links, const Weights& w, const Pair& g, int jc, int ic) {
    Cell cell = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    const bool along = jc < g.gaps_y, across = ic < g.gaps_x;  // whether rows, columns lie in between
    if (!(along || jc + 1 < g.cy || (g.fine.periodic_y && g.cy > 1))) return cell;
    if (!(across || ic + 1 < g.cx || (g.fine.periodic_x && g.cx > 1))) return cell;
    const Edges e = edges_of(w, g, jc, ic);
    const int width = g.fine.nx + 1;
    // The entry of the links towards the south-west of the cell north-east of the corner SW.
    const int k = (g.stride_y * jc + 1) * width + g.stride_x * ic + 1;
    if (along && across) {
        const int gap = jc * g.gaps_x + ic;
        const Corners f = {w.sw[gap], w.se[gap], w.nw[gap], w.ne[gap]};
        return cell_with_centre(centre_links(links, k, width), e, f, links.diagonals);
    }
    Corners t = {0.0f, 0.0f, 0.0f, 0.0f};
    if (across) {
        if (links.diagonals) t = {links.rising[k], links.falling[k + 1], links.falling[k], links.rising[k + 1]};
        return cell_between_rows(links.north[k], t, e, links.diagonals);
    }
    if (along) {
        const int above = k + width;
        if (links.diagonals) t = {links.rising[k], links.falling[k], links.falling[above], links.rising[above]};
        return cell_between_columns(links.east[k], t, e, links.diagonals);
    }
    if (links.diagonals) {
        cell.rising = links.rising[k];
        cell.falling = links.falling[k];
    }
    return cell;
}

// The link between (jc, ic) and (jc, ic + 1) that the faces of their fine row make, with the links from the cells in
// between to walls beside that row.
INLINE float link_along_row(const Links& links, const Weights& w, const Pair& g, int jc, int ic) {
    const int width = g.fine.nx + 1, k = g.stride_y * jc * width + g.stride_x * ic + 1;
    if (ic >= g.gaps_x) return links.east[k];
    const float a = w.west[jc * g.gaps_x + ic], b = w.east[jc * g.gaps_x + ic];
    float t = link_through(links.east[k], links.east[k + 1], a, b);
    if (!g.fine.periodic_y) {
        if (jc == 0) t -= links.north[k] * a * b;
        if (g.stride_y * jc == g.fine.ny - 1) t -= links.north[k + width] * a * b;
    }
    return t;
}

INLINE float link_along_column(const Links& links, const Weights& w, const Pair& g, int jc, int ic) {
    const int width = g.fine.nx + 1, k = (g.stride_y * jc + 1) * width + g.stride_x * ic;
    if (jc >= g.gaps_y) return links.north[k];
    const float a = w.south[jc * g.cx + ic], b = w.north[jc * g.cx + ic];
    float t = link_through(links.north[k], links.north[k + width], a, b);
    if (!g.fine.periodic_x) {
        if (ic == 0) t -= links.east[k] * a * b;
        if (g.stride_x * ic == g.fine.nx - 1) t -= links.east[k + 1] * a * b;
    }
    return t;
}

// Coarse links, first half: the links to the north and the east of each coarse point, but for what the cells to the
// south and the west add; that goes to `from_south` and `from_west`, by the cell that makes it.
KERNEL coarse_links(const int* list, int ny, int nx, int cy, int cx, int sides, int diagonals, const float* east,
                    const float* north, const float* rising, const float* falling, const float* weights,
                    float* coarse_east, float* coarse_north, float* coarse_rising, float* coarse_falling,
                    float* from_south, float* from_west) {
    const Pair g = pair_of(ny, nx, cy, cx, sides);
    const int ic = column(), jc = row();
    if (ic >= cx || jc >= cy) return;
    const bool above = after(jc, cy, g.fine.periodic_y) >= 0, right = after(ic, cx, g.fine.periodic_x) >= 0;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        const Weights w = weights_of(weights, g, s);
        const Cell cell_links = cell_of(links, w, g, jc, ic);
        const long long cell = cells_before(s, cy, cx) + jc * cx + ic;
        const long long k = links_before(s, cy, cx) + jc * (cx + 1) + ic, up = k + cx + 1;
        coarse_east[k + 1] = right ? link_along_row(links, w, g, jc, ic) + cell_links.south : 0.0f;
        coarse_north[up] = above ? link_along_column(links, w, g, jc, ic) + cell_links.west : 0.0f;
        coarse_rising[up + 1] = above && right ? cell_links.rising : 0.0f;
        coarse_falling[up + 1] = above && right ? cell_links.falling : 0.0f;
        from_south[cell] = cell_links.north;
        from_west[cell] = cell_links.east;
    }
}

// Second half: what the cells to the south and the west add, and the outermost entries.
KERNEL join_coarse_links(const int* list, int cy, int cx, int sides, const float* from_south, const float* from_west,
                         float* coarse_east, float* coarse_north, float* coarse_rising, float* coarse_falling) {
    const Grid g = grid_of(cy, cx, sides);
    const int ic = column(), jc = row();
    if (ic >= cx || jc >= cy) return;
    const int south = before(jc, cy, g.periodic_y), west = before(ic, cx, g.periodic_x);
    const bool top = jc == cy - 1, last = ic == cx - 1;
    const bool above = after(jc, cy, g.periodic_y) >= 0, right = after(ic, cx, g.periodic_x) >= 0;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const long long start = links_before(s, cy, cx), cells = cells_before(s, cy, cx);
        const long long k = start + jc * (cx + 1) + ic, up = k + cx + 1;
        float t = coarse_east[k + 1], u = coarse_north[up];
        if (right) t += at(from_south + cells, south, ic, cx);
        if (above) u += at(from_west + cells, jc, west, cx);
        coarse_east[k + 1] = t;
        coarse_north[up] = u;
        if (last) {
            coarse_east[k - ic] = g.periodic_x ? t : 0.0f;
            coarse_rising[up - ic] = g.periodic_x ? coarse_rising[up + 1] : 0.0f;
            coarse_falling[up - ic] = g.periodic_x ? coarse_falling[up + 1] : 0.0f;
        }
        if (top) {
            coarse_north[start + ic] = g.periodic_y ? u : 0.0f;
            coarse_rising[start + ic + 1] = g.periodic_y ? coarse_rising[up + 1] : 0.0f;
            coarse_falling[start + ic + 1] = g.periodic_y ? coarse_falling[up + 1] : 0.0f;
        }
        if (top && last) {
            const bool both = g.periodic_y && g.periodic_x;
            coarse_rising[start] = both ? coarse_rising[up + 1] : 0.0f;
            coarse_falling[start] = both ? coarse_falling[up + 1] : 0.0f;
        }
    }
}

// P^T v at a coarse point, over the cells that hang on it; v is a functor. Rows one after the other: unrolled as a
// whole, nine residuals at a time would need more registers than there are.
template <class V>
INLINE float hanging_sum(const Weights& w, const Pair& g, const V& v, int jc, int ic) {
    const int i = g.stride_x * ic;
    const bool around_y = g.fine.periodic_y && 2 * g.gaps_y == g.fine.ny;
    const bool around_x = g.fine.periodic_x && 2 * g.gaps_x == g.fine.nx;
    const int below = jc > 0 || !around_y ? jc - 1 : g.gaps_y - 1, left = ic > 0 || !around_x ? ic - 1 : g.gaps_x - 1;
    const bool right = g.gaps_x > ic, back = left >= 0 && left < g.gaps_x;
    float total = 0.0f;
#pragma unroll 1
    for (int turn = 0; turn < 3; turn++) {
        int j = g.stride_y * jc;
        float middle = 1.0f;
        const float *low = w.west + jc * g.gaps_x, *high = w.east + jc * g.gaps_x;
        if (turn == 1) {
            if (g.gaps_y <= jc) continue;
            j += 1;
            middle = w.south[jc * g.cx + ic];
            low = w.sw + jc * g.gaps_x;
            high = w.se + jc * g.gaps_x;
        } else if (turn == 2) {
            if (below < 0 || below >= g.gaps_y) continue;
            j = 2 * below + 1;
            middle = w.north[below * g.cx + ic];
            low = w.nw + below * g.gaps_x;
            high = w.ne + below * g.gaps_x;
        }
        total += middle * v(j, i);
        if (right) total += low[ic] * v(j, i + 1);
        if (back) total += high[left] * v(j, 2 * left + 1);
    }
    return total;
}

// P 1: one, but for the cells beside a wall that lack a coarse point on that side; zero beyond walls.
struct InterpolatedOnes {
    Weights w;
    Pair g;
    __device__ __forceinline__ float operator()(int j, int i) const {
        if (j < 0 || i < 0) return 0.0f;
        const bool last_x = i == g.fine.nx - 1 && g.fine.nx == 2 * g.gaps_x && !g.fine.periodic_x;
        const bool last_y = j == g.fine.ny - 1 && g.fine.ny == 2 * g.gaps_y && !g.fine.periodic_y;
        if (!(last_x || last_y)) return 1.0f;
        const bool odd_y = g.gaps_y > 0 && (j & 1), odd_x = g.gaps_x > 0 && (i & 1);
        const int jc = g.gaps_y > 0 ? j / 2 : j, ic = g.gaps_x > 0 ? i / 2 : i, gap = jc * g.gaps_x + ic;
        if (odd_y && odd_x) return w.sw[gap] + w.se[gap] + w.nw[gap] + w.ne[gap];
        if (last_x) return w.west[gap];
        return last_y ? w.south[jc * g.cx + ic] : 1.0f;
    }
};

// A P 1, which is zero, and taken as exactly that, away from the walls.
struct RowSums {
    Links links;
    InterpolatedOnes ones;
    __device__ __forceinline__ float operator()(int j, int i) const {
        const Grid& g = ones.g.fine;
        if ((g.periodic_y || (j >= 1 && j < g.ny - 2)) && (g.periodic_x || (i >= 1 && i < g.nx - 2))) return 0.0f;
        return flux(links, g, ones, j, i);
    }
};

// Coarse links to walls, from the row sums P^T A P 1. A point beside two walls has its sum in one place only.
KERNEL links_to_walls(const int* list, int ny, int nx, int cy, int cx, int sides, int diagonals, const float* east,
                      const float* north, const float* rising, const float* falling, const float* weights,
                      float* coarse_east, float* coarse_north) {
    const Pair g = pair_of(ny, nx, cy, cx, sides);
    const int ic = column(), jc = row();
    if (ic >= cx || jc >= cy) return;
    const bool west = (sides & WEST_WALL) && ic == 0;
    const bool eastern = (sides & EAST_WALL) && ic == cx - 1 && !west;
    const bool beside = west || eastern;
    const bool south = (sides & SOUTH_WALL) && jc == 0 && !beside;
    const bool northern = (sides & NORTH_WALL) && jc == cy - 1 && !beside && !south;
    if (!(beside || south || northern)) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const Weights w = weights_of(weights, g, s);
        const RowSums sums = {links_of(east, north, rising, falling, diagonals, s, ny, nx), {w, g}};
        const float total = hanging_sum(w, g, sums, jc, ic);
        const long long k = links_before(s, cy, cx) + jc * (cx + 1) + ic;
        if (west) coarse_east[k] = total;
        if (eastern) coarse_east[k + 1] = total;
        if (south) coarse_north[k] = total;
        if (northern) coarse_north[k + cx + 1] = total;
    }
}
