// Conjugate gradients in float64 on a batch of scaled operators, each sample on its own: its scalars and its state stay
// on the device, and it is left alone once it is done. The decisions are those of plane/conjugate_gradients.py.
//
// A sum over a sample is made in two kernels: the first leaves one number a block, the second adds them up in one block
// a sample, and its one thread that knows the total decides. A sample whose recurrence claims the tolerance, or that
// fails, becomes PENDING and is put on the list of the suspended; the true residual settles what comes next.

enum { PENDING = RUNNING + 1 };

// Rows of `scalars` and of `marks`, one entry a sample each.
enum Scalar { RHO, ALPHA, BETA, NORM, START, BEST, TOLERANCE, FACTOR, RHS_NORM, TOTAL };
enum Mark { STATE, VERDICT, ITERATIONS, BEHIND, DEFINITE };

INLINE bool is_finite(double x) { return x <= 1.7976931348623157e308 && x >= -1.7976931348623157e308; }

// The total of a sample's partial sums goes to *total; true in the one thread that may read it there.
INLINE bool finish_sum(const double* partials, int blocks, int s, double* total) {
    double sum = 0.0;
    if (s >= 0)
        for (int b = threadIdx.x; b < blocks; b += blockDim.x) sum += partials[(long long)s * blocks + b];
    return block_sum(sum, s >= 0 ? total + s : 0);
}

INLINE void suspend(int s, int verdict, int iterations, int capacity, int* marks, int* suspended) {
    marks[STATE * capacity + s] = PENDING;
    marks[VERDICT * capacity + s] = verdict;
    marks[ITERATIONS * capacity + s] = iterations;
    suspended[1 + atomicAdd(suspended, 1)] = s;
}

// Partial sums of (b/unit)^2, unit a power of two near the largest entry; `shared` where all samples have one b.
KERNEL source_norm(const int* list, int ny, int nx, int shared, const double* unit, const double* b,
                   double* partials) {
    const int i = column(), j = row();
    const int block = blockIdx.y * gridDim.x + blockIdx.x, blocks = gridDim.x * gridDim.y;
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        double square = 0.0;
        if (s >= 0 && i < nx && j < ny) {
            const double value = b[cells_before(shared ? 0 : s, ny, nx) + j * nx + i] / unit[s];
            square = value * value;
        }
        block_sum(square, s >= 0 ? partials + (long long)s * blocks + block : 0);
    }
}

// The scalars at the start. FACTOR, a power of two, brings ||b|| near one, where float32 is at home.
KERNEL begin(const int* list, int capacity, int blocks, double rtol, int maxiter, const double* unit,
             const double* partials, double* scalars, int* marks) {
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        if (!finish_sum(partials, blocks, s, scalars + TOTAL * capacity)) continue;
        const double norm = sqrt(scalars[TOTAL * capacity + s]);
        int exponent = 0;
        frexp(norm, &exponent);
        const double factor = norm > 0.0 ? ldexp(1.0, -exponent) / unit[s] : 1.0;
        const double start = norm * unit[s] * factor;
        scalars[FACTOR * capacity + s] = factor;
        scalars[RHS_NORM * capacity + s] = norm * unit[s];
        scalars[TOLERANCE * capacity + s] = rtol * start;
        scalars[NORM * capacity + s] = start;
        scalars[START * capacity + s] = start;
        scalars[BEST * capacity + s] = start;
        scalars[RHO * capacity + s] = 0.0;
        scalars[ALPHA * capacity + s] = 0.0;
        scalars[BETA * capacity + s] = 0.0;
        int state = RUNNING;
        if (!marks[DEFINITE * capacity + s]) state = INDEFINITE;
        else if (start <= rtol * start) state = CONVERGED;
        else if (!is_finite(start)) state = NONFINITE;
        else if (maxiter == 0) state = MAXITER;
        marks[STATE * capacity + s] = state;
        marks[VERDICT * capacity + s] = state;
        marks[ITERATIONS * capacity + s] = 0;
        marks[BEHIND * capacity + s] = 0;
    }
}

// x = p = 0 and r = FACTOR b.
KERNEL start(const int* list, int ny, int nx, int shared, const double* factor, const double* b, double* x, double* p,
             double* r, float* single) {
    const int i = column(), j = row();
    if (i >= nx || j >= ny) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const long long k = cells_before(s, ny, nx) + j * nx + i;
        const double value = factor[s] * b[cells_before(shared ? 0 : s, ny, nx) + j * nx + i];
        x[k] = 0.0;
        p[k] = 0.0;
        r[k] = value;
        single[k] = (float)value;
    }
}

// rho = r^T z and beta; a cycle that is not definite ends the sample.
KERNEL finish_energy(const int* list, int capacity, int blocks, int iteration, const double* partials,
                     double* scalars, int* marks, int* suspended) {
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && marks[STATE * capacity + s] == RUNNING;
        if (!finish_sum(partials, blocks, live ? s : -1, scalars + TOTAL * capacity)) continue;
        const double energy = scalars[TOTAL * capacity + s], rho = scalars[RHO * capacity + s];
        marks[BEHIND * capacity + s] = 0;
        if (!(energy > 0.0)) {
            marks[BEHIND * capacity + s] = 1;  // x still lacks the last step, along the direction before
            suspend(s, energy <= 0.0 ? INDEFINITE : NONFINITE, iteration - 1, capacity, marks, suspended);
            continue;
        }
        scalars[BETA * capacity + s] = rho > 0.0 ? energy / rho : 0.0;
        scalars[RHO * capacity + s] = energy;
    }
}

// z + beta p as a functor: the new direction, computed again at the neighbours.
struct Direction {
    const float* z;
    const double* p;
    double beta;
    int nx;
    __device__ __forceinline__ double operator()(int j, int i) const {
        return j < 0 || i < 0 ? 0.0 : (double)z[j * nx + i] + beta * p[j * nx + i];
    }
};

struct DoubleField {
    const double* values;
    int nx;
    __device__ __forceinline__ double operator()(int j, int i) const { return at(values, j, i, nx); }
};

// (A u)(j, i) on the finest level in float64.
template <class U>
INLINE double product(const double* east, const double* north, const Grid& g, const U& u, int j, int i) {
    const int here = j * (g.nx + 1) + i;
    const double x = u(j, i);
    return east[here] * (x - u(j, before(i, g.nx, g.periodic_x))) +
           east[here + 1] * (x - u(j, after(i, g.nx, g.periodic_x))) +
           north[here] * (x - u(before(j, g.ny, g.periodic_y), i)) +
           north[here + g.nx + 1] * (x - u(after(j, g.ny, g.periodic_y), i));
}

// x += alpha p (the step before's), next = z + beta p, q = A next, with the partial sums of next^T q.
KERNEL direction_and_product(const int* list, int capacity, int ny, int nx, int sides, const int* marks,
                             const double* scalars, const double* east, const double* north, const float* z,
                             const double* p, double* next, double* x, double* q, double* partials) {
    const Grid g = grid_of(ny, nx, sides);
    const int i = column(), j = row();
    const int block = blockIdx.y * gridDim.x + blockIdx.x, blocks = gridDim.x * gridDim.y;
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && marks[STATE * capacity + s] == RUNNING;
        double curvature = 0.0;
        if (live && i < nx && j < ny) {
            const long long start = cells_before(s, ny, nx), k = start + j * nx + i, faces = links_before(s, ny, nx);
            const Direction direction = {z + start, p + start, scalars[BETA * capacity + s], nx};
            const double value = direction(j, i), image = product(east + faces, north + faces, g, direction, j, i);
            x[k] += scalars[ALPHA * capacity + s] * p[k];
            next[k] = value;
            q[k] = image;
            curvature = value * image;
        }
        block_sum(curvature, live ? partials + (long long)s * blocks + block : 0);
    }
}

KERNEL finish_curvature(const int* list, int capacity, int blocks, int iteration, const double* partials,
                        double* scalars, int* marks, int* suspended) {
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && marks[STATE * capacity + s] == RUNNING;
        if (!finish_sum(partials, blocks, live ? s : -1, scalars + TOTAL * capacity)) continue;
        const double curvature = scalars[TOTAL * capacity + s];
        scalars[ALPHA * capacity + s] = curvature > 0.0 ? scalars[RHO * capacity + s] / curvature : 0.0;
        if (!(curvature > 0.0))
            suspend(s, curvature <= 0.0 ? INDEFINITE : NONFINITE, iteration - 1, capacity, marks, suspended);
    }
}

// r -= alpha q and its float32 copy, with the partial sums of ||r||^2.
KERNEL update_residual(const int* list, int capacity, int ny, int nx, const int* marks, const double* scalars,
                       const double* q, double* r, float* single, double* partials) {
    const int i = column(), j = row();
    const int block = blockIdx.y * gridDim.x + blockIdx.x, blocks = gridDim.x * gridDim.y;
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && marks[STATE * capacity + s] == RUNNING;
        double square = 0.0;
        if (live && i < nx && j < ny) {
            const long long k = cells_before(s, ny, nx) + j * nx + i;
            const double value = r[k] - scalars[ALPHA * capacity + s] * q[k];
            r[k] = value;
            single[k] = (float)value;
            square = value * value;
        }
        block_sum(square, live ? partials + (long long)s * blocks + block : 0);
    }
}

// ||r|| after an iteration: goes on, or is suspended to have the true residual looked at.
KERNEL finish_norm(const int* list, int capacity, int blocks, int iteration, int maxiter, int patience,
                   const double* partials, double* scalars, int* marks, int* suspended, double* norms) {
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        const bool live = s >= 0 && marks[STATE * capacity + s] == RUNNING;
        if (!finish_sum(partials, blocks, live ? s : -1, scalars + TOTAL * capacity)) continue;
        const double norm = sqrt(scalars[TOTAL * capacity + s]);
        const double initial = scalars[START * capacity + s], tolerance = scalars[TOLERANCE * capacity + s];
        scalars[NORM * capacity + s] = norm;
        norms[s] = norm;
        if (!is_finite(norm)) {
            suspend(s, NONFINITE, iteration, capacity, marks, suspended);
        } else if (norm <= tolerance || iteration == maxiter) {
            suspend(s, MAXITER, iteration, capacity, marks, suspended);
        } else if (iteration % 50 == 0 && iteration >= 100) {
            const double needed = iteration * log(initial / tolerance) / fmax(log(initial / norm), 1e-3);
            if (needed > patience) suspend(s, SLOW, iteration, capacity, marks, suspended);
        }
    }
}

// The suspended: x += alpha p, p the direction of this iteration or, BEHIND, the one before.
KERNEL catch_up(const int* list, int capacity, int ny, int nx, const int* marks, const double* scalars,
                const double* p, const double* next, double* x) {
    const int i = column(), j = row();
    if (i >= nx || j >= ny) return;
    for (int m = first_entry(); m < list[0]; m += entry_stride()) {
        const int s = list[m + 1];
        const long long k = cells_before(s, ny, nx) + j * nx + i;
        x[k] += scalars[ALPHA * capacity + s] * (marks[BEHIND * capacity + s] ? p[k] : next[k]);
    }
}

// The suspended: r = FACTOR b - A x and its float32 copy, with the partial sums of ||r||^2.
KERNEL true_residual(const int* list, int capacity, int ny, int nx, int sides, int shared, const double* scalars,
                     const double* east, const double* north, const double* b, const double* x, double* r,
                     float* single, double* partials) {
    const Grid g = grid_of(ny, nx, sides);
    const int i = column(), j = row();
    const int block = blockIdx.y * gridDim.x + blockIdx.x, blocks = gridDim.x * gridDim.y;
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        double square = 0.0;
        if (s >= 0 && i < nx && j < ny) {
            const long long start = cells_before(s, ny, nx), k = start + j * nx + i, faces = links_before(s, ny, nx);
            const DoubleField u = {x + start, nx};
            const double given = scalars[FACTOR * capacity + s] * b[cells_before(shared ? 0 : s, ny, nx) + j * nx + i];
            const double value = given - product(east + faces, north + faces, g, u, j, i);
            r[k] = value;
            single[k] = (float)value;
            square = value * value;
        }
        block_sum(square, s >= 0 ? partials + (long long)s * blocks + block : 0);
    }
}

// The suspended: converged, ended by the verdict, stagnated after a claim that did not halve the true residual, or
// on with the recurrence restarted.
KERNEL settle(const int* list, int capacity, int blocks, int iteration, int maxiter, const double* partials,
              double* scalars, int* marks, double* norms) {
    for (int first = blockIdx.z * blockDim.z; first < list[0]; first += entry_stride()) {
        const int m = first + threadIdx.z, s = m < list[0] ? list[m + 1] : -1;
        if (!finish_sum(partials, blocks, s, scalars + TOTAL * capacity)) continue;
        const double norm = sqrt(scalars[TOTAL * capacity + s]), best = scalars[BEST * capacity + s];
        int state = marks[VERDICT * capacity + s];
        scalars[NORM * capacity + s] = norm;
        scalars[ALPHA * capacity + s] = 0.0;
        scalars[RHO * capacity + s] = 0.0;
        if (state == MAXITER) {
            norms[s] = norm;
            scalars[BEST * capacity + s] = norm < best ? norm : best;
            if (norm <= scalars[TOLERANCE * capacity + s]) state = CONVERGED;
            else if (iteration < maxiter) state = norm > 0.5 * best ? STAGNATED : RUNNING;
        }
        marks[STATE * capacity + s] = state;
    }
}

// The states beside the norms, so that one copy brings both to the host.
KERNEL report(const int* list, int capacity, const int* marks, double* states) {
    for (int m = column(); m < list[0]; m += gridDim.x * blockDim.x)
        states[list[m + 1]] = marks[STATE * capacity + list[m + 1]];
}
