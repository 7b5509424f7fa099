// Cells, neighbours, links and sums over a sample: what the kernels of the other files are written with.
//
// A batch of grids (ny, nx) is worked on by threads (x, y, z): a cell each in x and y, samples in z. Every kernel takes
// a list of samples, list[0] their number and list[1 ...] which; threads in z stride over it, so that a grid of any
// depth serves a list of any length. Fields are laid out [sample][cell], rows of cells along x.
//
// Links have (ny + 1) x (nx + 1) entries a sample: entry (j, i) of `east` is the link between the cells (j, i - 1) and
// (j, i), of `north` between (j - 1, i) and (j, i), of `rising` between (j - 1, i - 1) and (j, i), of `falling` between
// (j - 1, i) and (j, i - 1). Beyond a wall u = 0; where the grid is periodic the outermost entries repeat each other.
//
// The files are one program: grid2d, the formulas shared with the CPU's kernels (../plane/formulas.hpp), galerkin2d,
// cycle2d, conjugate_gradients2d, in this order. No header is included, for runtime compilation has none; only
// block_sum uses shared memory.

#define KERNEL extern "C" __global__ void __launch_bounds__(256, 2)
#define INLINE static __device__ __forceinline__
#define FORMULA INLINE

INLINE float times_plus(float a, float b, float c) { return fmaf(a, b, c); }

// Bits of `sides`.
enum Side { SOUTH_WALL = 1, NORTH_WALL = 2, WEST_WALL = 4, EAST_WALL = 8, PERIODIC_Y = 16, PERIODIC_X = 32 };

struct Grid {
    int ny, nx;
    bool periodic_y, periodic_x;
};

struct Links {
    const float *east, *north, *rising, *falling;
    bool diagonals;
};

INLINE int column() { return blockIdx.x * blockDim.x + threadIdx.x; }
INLINE int row() { return blockIdx.y * blockDim.y + threadIdx.y; }
INLINE int first_entry() { return blockIdx.z * blockDim.z + threadIdx.z; }
INLINE int entry_stride() { return gridDim.z * blockDim.z; }

INLINE Grid grid_of(int ny, int nx, int sides) {
    Grid g = {ny, nx, (sides & PERIODIC_Y) != 0, (sides & PERIODIC_X) != 0};
    return g;
}

INLINE long long cells_before(int s, int ny, int nx) { return (long long)s * ny * nx; }
INLINE long long links_before(int s, int ny, int nx) { return (long long)s * (ny + 1) * (nx + 1); }

INLINE Links links_of(const float* east, const float* north, const float* rising, const float* falling, int diagonals,
                      int s, int ny, int nx) {
    const long long start = links_before(s, ny, nx);
    Links links = {east + start, north + start, rising + start, falling + start, diagonals != 0};
    return links;
}

// Indices of neighbours; -1 beyond a wall.
INLINE int before(int i, int n, bool periodic) { return i > 0 ? i - 1 : (periodic ? n - 1 : -1); }
INLINE int after(int i, int n, bool periodic) { return i + 1 < n ? i + 1 : (periodic ? 0 : -1); }

template <class T> INLINE T at(const T* u, int j, int i, int nx) { return j < 0 || i < 0 ? T(0) : u[j * nx + i]; }

// (A u)(j, i) = sum of t (u_cell - u_neighbour), nine points where there are diagonal links, else five; u is a functor
// of (j, i), so that values that another pass would have stored can be computed where they are needed.
template <class U> INLINE float flux(const Links& links, const Grid& g, const U& u, int j, int i) {
    const int south = before(j, g.ny, g.periodic_y), north = after(j, g.ny, g.periodic_y);
    const int west = before(i, g.nx, g.periodic_x), east = after(i, g.nx, g.periodic_x);
    const int here = j * (g.nx + 1) + i, above = here + g.nx + 1;
    const float x = u(j, i);
    float total = links.east[here] * (x - u(j, west)) + links.east[here + 1] * (x - u(j, east));
    total += links.north[here] * (x - u(south, i)) + links.north[above] * (x - u(north, i));
    if (links.diagonals) {
        total += links.rising[here] * (x - u(south, west)) + links.rising[above + 1] * (x - u(north, east));
        total += links.falling[here + 1] * (x - u(south, east)) + links.falling[above] * (x - u(north, west));
    }
    return total;
}

// A field as a functor.
struct Field {
    const float* values;
    int nx;
    __device__ __forceinline__ float operator()(int j, int i) const { return at(values, j, i, nx); }
};

// The sum of `value` over the threads of a block that share threadIdx.z goes to *slot; true in the one thread that may
// read it there. Every thread of the block must call it; slot is null where the sample is not there. The order of the
// additions is fixed. The number of threads in x and y is a power of two, that of the block at most 256.
#ifndef SERIAL_BLOCKS
INLINE bool block_sum(double value, double* slot) {
    __shared__ double sums[256];
    const int lanes = blockDim.x * blockDim.y, lane = threadIdx.y * blockDim.x + threadIdx.x;
    double* mine = sums + threadIdx.z * lanes + lane;
    *mine = value;
    for (int step = lanes / 2; step > 0; step /= 2) {
        __syncthreads();
        if (lane < step) *mine += mine[step];
    }
    const bool first = lane == 0 && slot != 0;
    if (first) *slot = *mine;
    __syncthreads();
    return first;
}
#endif
