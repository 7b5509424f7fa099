// The sums over a right-hand side and a solution that are checked before and after a solve.
#include "solvers/kernels/exports.hpp"
#include "solvers/kernels/lines.hpp"

namespace resolvent {
namespace {

// max |v|, in lanes, since the compiler does not reorder a maximum.
KERNEL double largest_magnitude(i64 n, Row<const double> v) {
  constexpr i64 N = LANES<double>;
  double lane[N] = {};
  i64 i = 0;
  for (; i + N <= n; i += N)
    for (i64 l = 0; l < N; ++l) {
      const double size = std::fabs(v[i + l]);
      lane[l] = size > lane[l] ? size : lane[l];
    }
  for (; i < n; ++i) lane[0] = std::fabs(v[i]) > lane[0] ? std::fabs(v[i]) : lane[0];
  for (i64 l = 1; l < N; ++l) lane[0] = lane[l] > lane[0] ? lane[l] : lane[0];
  return lane[0];
}

// Σ (scale v)².
KERNEL double sum_of_squares(i64 n, Row<const double> v, double scale) {
  Sum<double, LANES<double>> sum;
  for_lanes<double, LANES<double>>(n, [&](auto at) {
    const auto u = scale * at(v);
    sum.add_product(u, u);
  });
  return sum.total();
}

}  // namespace
}  // namespace resolvent

EXPORT double largest_magnitude(resolvent::i64 n, const double *v) {
  return resolvent::largest_magnitude(n, resolvent::View<const double>{v, n});
}
EXPORT double sum_of_squares(resolvent::i64 n, const double *v, double scale) {
  return resolvent::sum_of_squares(n, resolvent::View<const double>{v, n}, scale);
}
