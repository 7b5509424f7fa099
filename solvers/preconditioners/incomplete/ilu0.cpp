// Incomplete LU factors on the pattern of a CSR matrix, both in its place, and the triangular solves with them.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr double NEGLIGIBLE = 1e-14;  // a pivot relative to the largest entry of its row

// Replace A by L (unit diagonal) and U, row by row; `ends` are the places of the diagonal, `place`, (n,), is −1. Return
// −1, or the first row whose pivot is negligible.
template <class T, class I>
i64 factor_ilu0(i64 n, const I *indptr, const I *indices, const I *ends, T *values, i64 *place) {
  for (i64 i = 0; i < n; ++i) {
    const i64 begin = indptr[i], stop = indptr[i + 1];
    double size = 0.0;
    for (i64 k = begin; k < stop; ++k) {
      place[indices[k]] = k;
      const double entry = double(magnitude(values[k]));
      size = entry > size ? entry : size;
    }
    for (i64 k = begin; k < ends[i]; ++k) {
      const i64 j = indices[k];
      values[k] /= values[ends[j]];
      for (i64 m = ends[j] + 1; m < indptr[j + 1]; ++m) {
        const i64 p = place[indices[m]];
        if (p >= 0) values[p] -= values[k] * values[m];
      }
    }
    for (i64 k = begin; k < stop; ++k) place[indices[k]] = -1;
    if (!(double(magnitude(values[ends[i]])) > NEGLIGIBLE * size)) return i;
  }
  return -1;
}

// out = (L U)⁻¹ r.
template <class T, class I>
void solve_ilu0(i64 n, const I *indptr, const I *indices, const I *ends, const T *values, const T *r, T *out) {
  for (i64 i = 0; i < n; ++i) {
    T s = r[i];
    for (I k = indptr[i]; k < ends[i]; ++k) s -= values[k] * out[indices[k]];
    out[i] = s;
  }
  for (i64 i = n - 1; i >= 0; --i) {
    T s = out[i];
    for (I k = ends[i] + 1; k < indptr[i + 1]; ++k) s -= values[k] * out[indices[k]];
    out[i] = s / values[ends[i]];
  }
}

}  // namespace
}  // namespace resolvent

#define ILU0(suffix, T, I)                                                                                             \
  EXPORT resolvent::i64 factor_ilu0_##suffix(resolvent::i64 n, const I *indptr, const I *indices, const I *ends,       \
                                             T *values, resolvent::i64 *place) {                                       \
    return resolvent::factor_ilu0(n, indptr, indices, ends, values, place);                                            \
  }                                                                                                                    \
  EXPORT void solve_ilu0_##suffix(resolvent::i64 n, const I *indptr, const I *indices, const I *ends, const T *values, \
                                  const T *r, T *out) {                                                                \
    resolvent::solve_ilu0(n, indptr, indices, ends, values, r, out);                                                   \
  }
FOR_MATRICES(ILU0)
