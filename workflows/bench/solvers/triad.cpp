// The stream that a memory's bandwidth is measured with.
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

KERNEL void sum_of_scaled(i64 n, Row<double> a, Row<const double> b, Row<const double> c, double s) {
  for (i64 i = 0; i < n; ++i) a[i] = b[i] + s * c[i];
}

}  // namespace
}  // namespace resolvent

using namespace resolvent;

// a = b + s c, `repeats` times with a new s.
EXPORT void triad(i64 n, double *a, double *b, double *c, i64 repeats) {
  for (i64 k = 0; k < repeats; ++k)
    sum_of_scaled(n, View<double>{a, n}, View<double>{b, n}, View<double>{c, n}, 1.0 + 1e-9 * double(k));
}
