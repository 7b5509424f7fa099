// The V-cycle in float32, one kernel a pass over a level, and the coarsest level. Samples that are not RUNNING are
// passed over. What a pass moves a cell, in numbers of four bytes: see hierarchy.py.

// What befell a sample (the codes of outcomes.hpp), or that it goes on.
enum Status { CONVERGED, MAXITER, STAGNATED, INDEFINITE, NONFINITE, SLOW, RUNNING };

// x = w1 D^-1 r, the first relaxation step from zero.
struct FirstStep {
    const float *r, *inverse;
    float omega;
    int nx;
    __device__ __forceinline__ float operator()(int j, int i) const {
        return j < 0 || i < 0 ? 0.0f : omega * inverse[j * nx + i] * r[j * nx + i];
    }
};

// The first two steps from zero; the first is computed again at the neighbours instead of stored.
KERNEL relax_from_zero(const int* list, const int* state, int ny, int nx, int sides, int diagonals, const float* east,
                       const float* north, const float* rising, const float* falling, const float* inverse,
                       float omega, float second_omega, const float* r, float* x) {
    const Grid g = grid_of(ny, nx, sides);
    const int i = column(), j = row();
    if (i >= nx || j >= ny) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        if (state[s] != RUNNING) continue;
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        const long long start = cells_before(s, ny, nx);
        const FirstStep step = {r + start, inverse + start, omega, nx};
        const int k = j * nx + i;
        x[start + k] = step(j, i) + second_omega * step.inverse[k] * (step.r[k] - flux(links, g, step, j, i));
    }
}

// out = x + w D^-1 (r - A x).
KERNEL relax(const int* list, const int* state, int ny, int nx, int sides, int diagonals, const float* east,
             const float* north, const float* rising, const float* falling, const float* inverse, float omega,
             const float* r, const float* x, float* out) {
    const Grid g = grid_of(ny, nx, sides);
    const int i = column(), j = row();
    if (i >= nx || j >= ny) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        if (state[s] != RUNNING) continue;
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        const long long start = cells_before(s, ny, nx), k = start + j * nx + i;
        const Field u = {x + start, nx};
        out[k] = x[k] + omega * inverse[k] * (r[k] - flux(links, g, u, j, i));
    }
}

// The same step, the last of a cycle, with the partial sums of r^T out.
KERNEL relax_with_product(const int* list, const int* state, int ny, int nx, int sides, int diagonals,
                          const float* east, const float* north, const float* rising, const float* falling,
                          const float* inverse, float omega, const float* r, const float* x, float* out,
                          double* partials) {
    const Grid g = grid_of(ny, nx, sides);
    const int i = column(), j = row();
    const int block = blockIdx.y * gridDim.x + blockIdx.x, blocks = gridDim.x * gridDim.y;
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && state[s] == RUNNING;
        double product = 0.0;
        if (live && i < nx && j < ny) {
            const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
            const long long start = cells_before(s, ny, nx), k = start + j * nx + i;
            const Field u = {x + start, nx};
            const float value = x[k] + omega * inverse[k] * (r[k] - flux(links, g, u, j, i));
            out[k] = value;
            product = (double)value * (double)r[k];
        }
        block_sum(product, live ? partials + (long long)s * blocks + block : 0);
    }
}

// r - A x as a functor.
struct Residual {
    Links links;
    Grid g;
    Field x;
    const float* r;
    __device__ __forceinline__ float operator()(int j, int i) const {
        return r[j * g.nx + i] - flux(links, g, x, j, i);
    }
};

// coarse_r = P^T (r - A x), one thread a coarse point: residuals are computed where they are needed, not stored.
KERNEL restrict_residual(const int* list, const int* state, int ny, int nx, int cy, int cx, int sides, int diagonals,
                         const float* east, const float* north, const float* rising, const float* falling,
                         const float* weights, const float* r, const float* x, float* coarse_r) {
    const Pair g = pair_of(ny, nx, cy, cx, sides);
    const int ic = column(), jc = row();
    if (ic >= cx || jc >= cy) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        if (state[s] != RUNNING) continue;
        const long long start = cells_before(s, ny, nx);
        const Residual residual = {
            links_of(east, north, rising, falling, diagonals, s, ny, nx), g.fine, {x + start, nx}, r + start};
        coarse_r[cells_before(s, cy, cx) + jc * cx + ic] = hanging_sum(weights_of(weights, g, s), g, residual, jc, ic);
    }
}

// x += P coarse_x.
KERNEL prolong(const int* list, const int* state, int ny, int nx, int cy, int cx, int sides, const float* weights,
               const float* coarse_x, float* x) {
    const Pair g = pair_of(ny, nx, cy, cx, sides);
    const int i = column(), j = row();
    if (i >= nx || j >= ny) return;
    const bool odd_y = g.gaps_y > 0 && (j & 1), odd_x = g.gaps_x > 0 && (i & 1);
    const int jc = g.gaps_y > 0 ? j / 2 : j, ic = g.gaps_x > 0 ? i / 2 : i, gap = jc * g.gaps_x + ic;
    const int jn = after(jc, cy, g.fine.periodic_y), in = after(ic, cx, g.fine.periodic_x);
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        if (state[s] != RUNNING) continue;
        const Weights w = weights_of(weights, g, s);
        const float* c = coarse_x + cells_before(s, cy, cx);
        float value = c[jc * cx + ic];
        if (odd_y && odd_x) {
            value = w.sw[gap] * value + w.se[gap] * at(c, jc, in, cx) + w.nw[gap] * at(c, jn, ic, cx);
            value += jn < 0 ? 0.0f : w.ne[gap] * at(c, jn, in, cx);
        } else if (odd_x) {
            value = w.west[gap] * value + w.east[gap] * at(c, jc, in, cx);
        } else if (odd_y) {
            value = w.south[jc * cx + ic] * value + w.north[jc * cx + ic] * at(c, jn, ic, cx);
        }
        x[cells_before(s, ny, nx) + j * nx + i] += value;
    }
}

// The matrix of the coarsest level, dense, (n, n) in float64, one thread a row.
KERNEL coarsest_matrix(const int* list, int ny, int nx, int sides, int diagonals, const float* east,
                       const float* north, const float* rising, const float* falling, double* matrix) {
    const Grid g = grid_of(ny, nx, sides);
    const int n = ny * nx, me = column();
    if (me >= n || row() > 0) return;
    const int j = me / nx, i = me % nx, width = nx + 1;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const Links links = links_of(east, north, rising, falling, diagonals, s, ny, nx);
        double* line = matrix + ((long long)s * n + me) * n;
        for (int k = 0; k < n; k++) line[k] = 0.0;
        for (int dj = -1; dj <= 1; dj++)
            for (int di = -1; di <= 1; di++) {
                if ((dj == 0 && di == 0) || (!links.diagonals && dj != 0 && di != 0)) continue;
                const int k = (dj > 0 ? j + 1 : j) * width + (di > 0 ? i + 1 : i);
                const float* which = links.falling;
                if (dj == 0) which = links.east;
                else if (di == 0) which = links.north;
                else if (dj == di) which = links.rising;
                const double t = which[k];
                const int jj = dj == 0 ? j : (dj > 0 ? after(j, ny, g.periodic_y) : before(j, ny, g.periodic_y));
                const int ii = di == 0 ? i : (di > 0 ? after(i, nx, g.periodic_x) : before(i, nx, g.periodic_x));
                line[me] += t;
                if (jj >= 0 && ii >= 0) line[jj * nx + ii] -= t;
            }
    }
}

// out = matrix + c 1 1^T, c = trace/n^2 (or 1/n^2): what makes a grid without walls definite, and leaves A as it is
// across the constants.
KERNEL add_constants(const int* list, int n, const double* matrix, double* out) {
    const int c = column(), l = row();
    if (c >= n || l >= n) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const double* a = matrix + (long long)list[m + 1] * n * n;
        double trace = 0.0;
        for (int k = 0; k < n; k++) trace += a[k * n + k];
        out[(long long)list[m + 1] * n * n + l * n + c] = a[l * n + c] + (trace > 0.0 ? trace : 1.0) / ((double)n * n);
    }
}

// One step of Gauss-Jordan inversion, pivot k, of a symmetric positive definite matrix: its pivots, those of Cholesky's
// method, are positive, and no rows need to change places.
KERNEL eliminate(const int* list, int n, int k, const double* matrix, double* out, int* definite) {
    const int c = column(), l = row();
    if (c >= n || l >= n) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const double* a = matrix + (long long)s * n * n;
        const double pivot = a[k * n + k], inverse = 1.0 / pivot;
        double value = a[l * n + c] - a[l * n + k] * inverse * a[k * n + c];
        if (l == k) value = a[l * n + c] * inverse;
        if (c == k) value = -a[l * n + k] * inverse;
        if (l == k && c == k) {
            value = inverse;
            if (!(pivot > 0.0)) definite[s] = 0;
        }
        out[(long long)s * n * n + l * n + c] = value;
    }
}

// The inverse in float32, symmetric to the last bit.
KERNEL coarsest_inverse(const int* list, int n, const double* matrix, float* inverse) {
    const int c = column(), l = row();
    if (c >= n || l >= n) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const long long start = (long long)list[m + 1] * n * n;
        inverse[start + l * n + c] = 0.5f * ((float)matrix[start + l * n + c] + (float)matrix[start + c * n + l]);
    }
}

// x = A^-1 r on the coarsest level, with the partial sums of r^T x, which are wanted where it is the only one.
KERNEL solve_coarsest(const int* list, const int* state, int n, const float* inverse, const float* r, float* x,
                      double* partials) {
    const int me = column(), blocks = gridDim.x;
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && state[s] == RUNNING;
        double product = 0.0;
        if (live && me < n) {
            const float* line = inverse + ((long long)s * n + me) * n;
            const float* given = r + (long long)s * n;
            float value = 0.0f;
            for (int k = 0; k < n; k++) value += line[k] * given[k];
            x[(long long)s * n + me] = value;
            product = (double)value * (double)given[me];
        }
        block_sum(product, live ? partials + (long long)s * blocks + blockIdx.x : 0);
    }
}
