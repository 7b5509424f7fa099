// The balance of diffusive fluxes on a rectangle, in one sweep: the flux through each face is formed from the two cells
// beside it. This file shares no formula with the solvers that it judges.
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

// Fluxes from cells with coefficient a and value u to their neighbours with b and v.
KERNEL void between(i64 n, Row<double> flux, Row<const double> a, Row<const double> b, Row<const double> u,
                    Row<const double> v, double per_square) {
  for (i64 i = 0; i < n; ++i) flux[i] = 2.0 * per_square * (a[i] * b[i] / (a[i] + b[i])) * (u[i] - v[i]);
}

// Fluxes from cells to a wall of value zero half a cell away; none for factor 0.
KERNEL void to_wall(i64 n, Row<double> flux, Row<const double> a, Row<const double> u, double factor) {
  for (i64 i = 0; i < n; ++i) flux[i] = factor * a[i] * u[i];
}

inline bool bit(i64 flags, int k) { return (flags >> k) & 1; }

KERNEL void sum_of_fluxes(i64 n, Row<double> out, Row<const double> below, Row<const double> above,
                          Row<const double> along) {
  for (i64 i = 0; i < n; ++i) out[i] = (above[i] - below[i]) + (along[i + 1] - along[i]);
}

}  // namespace
}  // namespace resolvent

using namespace resolvent;

// out = −∇·(a∇u) in each cell of (n, m); The bits of `periodic` tell it of the axes, those of `walls` whether u = 0 at
// the low and high side of the first axis, then of the second. `work` holds 3m + 1 numbers.
EXPORT void rectangle_balance(i64 n, i64 m, const double *coefficient, const double *field, i64 periodic, i64 walls,
                              double *result, double *work) {
  const Grid<const double> a{coefficient, n, m, m}, u{field, n, m, m};
  const Grid<double> out{result, n, m, m};
  View<double> below{work, m}, above{work + m, m};
  const View<double> along{work + 2 * m, m + 1};
  const double down = double(n) * double(n), across = double(m) * double(m);
  if (bit(periodic, 0) && n > 1)
    between(m, below, a[n - 1], a[0], u[n - 1], u[0], down);
  else
    to_wall(m, below, a[0], u[0], bit(walls, 0) ? -2.0 * down : 0.0);
  for (i64 j = 0; j < n; ++j) {
    if (j < n - 1)
      between(m, above, a[j], a[j + 1], u[j], u[j + 1], down);
    else if (bit(periodic, 0) && n > 1)
      between(m, above, a[j], a[0], u[j], u[0], down);
    else
      to_wall(m, above, a[j], u[j], bit(walls, 1) ? 2.0 * down : 0.0);
    between(m - 1, along.from(1), a[j], a[j].from(1), u[j], u[j].from(1), across);
    if (bit(periodic, 1) && m > 1) {
      const double first = a(j, 0), last = a(j, m - 1);
      along[0] = along[m] = 2.0 * across * (first * last / (first + last)) * (u(j, m - 1) - u(j, 0));
    } else {
      along[0] = bit(walls, 2) ? -2.0 * across * a(j, 0) * u(j, 0) : 0.0;
      along[m] = bit(walls, 3) ? 2.0 * across * a(j, m - 1) * u(j, m - 1) : 0.0;
    }
    sum_of_fluxes(m, out[j], below, above, along);
    const View<double> exchanged = below;
    below = above;
    above = exchanged;
  }
}
