// The five-point diffusion stencil on a square.
#include "solvers/kernels/exports.hpp"

#define DIFFUSION_MEMBERS(FIELD) \
  FIELD(i64, ny)                 \
  FIELD(i64, nx)                 \
  FIELD(double *, horizontal)    \
  FIELD(double *, vertical)      \
  FIELD(double *, outside)
STRUCTURE(DiffusionFaces, DIFFUSION_MEMBERS)

namespace resolvent {
namespace {

// The harmonic mean of two neighbours, halved.
inline double half_mean(double a, double b) { return a * (b / (a + b)); }

KERNEL void inner_faces(i64 n, Row<double> out, Row<const double> a, i64 next, double weight) {
  for (i64 i = 0; i < n; ++i) out[i] = weight * half_mean(a[i], a[i + next]);
}

// out = A u on a row but for its ends: Σ T (u_cell − u_neighbour) over the four faces of a cell.
KERNEL void stencil_row(i64 nx, Row<double> out, Row<const double> row, Row<const double> below,
                        Row<const double> above, Row<const double> faces, Row<const double> south,
                        Row<const double> north) {
  for (i64 i = 1; i < nx - 1; ++i)
    out[i] = (south[i] * (row[i] - below[i]) + north[i] * (row[i] - above[i])) +
             (faces[i] * (row[i] - row[i - 1]) + faces[i + 1] * (row[i] - row[i + 1]));
}

inline double end_cell(double u, double below, double above, double west, double east, double w, double e, double s,
                       double n) {
  return (s * (u - below) + n * (u - above)) + (w * (u - west) + e * (u - east));
}

}  // namespace
}  // namespace resolvent

using namespace resolvent;

// Fill in the transmissibilities over h² of all faces of an (ny, nx) grid of the unit square: harmonic means inside, 2a
// at the boundary, the half cell to the wall.
EXPORT void face_transmissibilities(const DiffusionFaces *faces, const double *coefficient) {
  const i64 ny = faces->ny, nx = faces->nx;
  const double wx = 2.0 * double(nx) * double(nx), wy = 2.0 * double(ny) * double(ny);
  const Grid<const double> a{coefficient, ny, nx, nx};
  const Grid<double> horizontal{faces->horizontal, ny, nx + 1, nx + 1}, vertical{faces->vertical, ny + 1, nx, nx};
  for (i64 j = 0; j < ny; ++j) {
    horizontal(j, 0) = wx * a(j, 0);
    inner_faces(nx - 1, horizontal[j].from(1), a[j], 1, wx);
    horizontal(j, nx) = wx * a(j, nx - 1);
  }
  for (i64 i = 0; i < nx; ++i) {
    vertical(0, i) = wy * a(0, i);
    vertical(ny, i) = wy * a(ny - 1, i);
  }
  const View<const double> all{coefficient, ny * nx};
  for (i64 j = 1; j < ny; ++j) inner_faces(nx, vertical[j], all.from((j - 1) * nx), nx, wy);
}

// out = A u in one sweep over the rows; u = 0 outside, where `outside` holds a row of zeros.
EXPORT void diffusion_stencil(const DiffusionFaces *faces, const double *field, double *result) {
  const i64 ny = faces->ny, nx = faces->nx;
  const Grid<const double> u{field, ny, nx, nx}, horizontal{faces->horizontal, ny, nx + 1, nx + 1},
      vertical{faces->vertical, ny + 1, nx, nx};
  const Grid<double> out{result, ny, nx, nx};
  const View<const double> outside{faces->outside, nx};
  for (i64 j = 0; j < ny; ++j) {
    const View<const double> row = u[j], below = j > 0 ? u[j - 1] : outside, above = j < ny - 1 ? u[j + 1] : outside;
    const View<const double> tx = horizontal[j], south = vertical[j], north = vertical[j + 1];
    const View<double> target = out[j];
    stencil_row(nx, target, row, below, above, tx, south, north);
    const i64 last = nx - 1;
    target[0] = end_cell(row[0], below[0], above[0], 0.0, last > 0 ? row[1] : 0.0, tx[0], tx[1], south[0], north[0]);
    if (last > 0)
      target[last] =
          end_cell(row[last], below[last], above[last], row[last - 1], 0.0, tx[last], tx[nx], south[last], north[last]);
  }
}
