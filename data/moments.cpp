// Sums of powers, in lanes and in blocks, whose sums are added in the end.
#include "solvers/kernels/exports.hpp"
#include "solvers/kernels/lines.hpp"

namespace resolvent {
namespace {

constexpr i64 BLOCK = 1024;

KERNEL double plain_sum(i64 n, Row<const double> values) {
  Sum<double, 16> total;
  for_lanes<double, 16>(n, [&](auto at) { total.add(at(values)); });
  return total.total();
}

KERNEL double sum_of_squares(i64 n, Row<const double> values, double centre) {
  Sum<double, 16> total;
  for_lanes<double, 16>(n, [&](auto at) {
    const auto deviation = at(values) - centre;
    total.add_product(deviation, deviation);
  });
  return total.total();
}

// Add what `sum` returns for each block.
template <class Sum>
double in_blocks(View<const double> values, Sum sum) {
  double total = 0.0;
  for (i64 begin = 0; begin < values.size; begin += BLOCK)
    total += sum(values.part(begin, begin + BLOCK < values.size ? begin + BLOCK : values.size));
  return total;
}

}  // namespace
}  // namespace resolvent

using namespace resolvent;

// moments = the mean of n values, and their sum of squared deviations from it.
EXPORT void sample_moments(i64 n, const double *values, double *moments) {
  const View<const double> all{values, n};
  const double mean = in_blocks(all, [](auto block) { return plain_sum(block.size, block); }) / double(n > 1 ? n : 1);
  moments[0] = mean;
  moments[1] = in_blocks(all, [mean](auto block) { return sum_of_squares(block.size, block, mean); });
}
