// Incomplete Cholesky factors of sparse matrices in CSR form, and the triangular solves with them.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr double NEGLIGIBLE = 1e-14;  // a pivot relative to the diagonal entry that it came from

// Compute L on the pattern of the lower triangle of A, (L Lᴴ)_ij = a_ij there; rows are sorted and end with the
// diagonal. Return −1, or the first row whose pivot is not positive.
template <class T>
i64 factor_ic0(i64 n, const i64 *indptr, const i64 *indices, const T *values, T *factor) {
  for (i64 i = 0; i < n; ++i) {
    const i64 begin = indptr[i], end = indptr[i + 1] - 1;
    Real<T> pivot = real(values[end]);
    const Real<T> size = pivot;
    for (i64 k = begin; k < end; ++k) {
      const i64 j = indices[k], last = indptr[j + 1] - 1;
      T s = values[k];
      // Σ_m L_im conj(L_jm) over the columns m < j that both rows hold.
      for (i64 a = begin, b = indptr[j]; a < k && b < last;) {
        if (indices[a] == indices[b])
          s -= factor[a++] * conj(factor[b++]);
        else if (indices[a] < indices[b])
          ++a;
        else
          ++b;
      }
      factor[k] = s / real(factor[last]);
      pivot -= squared(factor[k]);
    }
    if (!(double(pivot) > NEGLIGIBLE * double(size))) return i;
    factor[end] = std::sqrt(pivot);
  }
  return -1;
}

// out = (L Lᴴ)⁻¹ r; out may be r.
template <class T>
void solve_cholesky(i64 n, const i64 *indptr, const i64 *indices, const T *factor, const T *r, T *out) {
  for (i64 i = 0; i < n; ++i) {
    T s = r[i];
    const i64 last = indptr[i + 1] - 1;
    for (i64 k = indptr[i]; k < last; ++k) s -= factor[k] * out[indices[k]];
    out[i] = s / real(factor[last]);
  }
  for (i64 i = n - 1; i >= 0; --i) {
    const i64 last = indptr[i + 1] - 1;
    const T z = out[i] / real(factor[last]);
    out[i] = z;
    for (i64 k = indptr[i]; k < last; ++k) out[indices[k]] -= conj(factor[k]) * z;
  }
}

}  // namespace
}  // namespace resolvent

#define CHOLESKY(suffix, T)                                                                                          \
  EXPORT resolvent::i64 factor_ic0_##suffix(resolvent::i64 n, const resolvent::i64 *indptr,                          \
                                            const resolvent::i64 *indices, const T *values, T *factor) {             \
    return resolvent::factor_ic0(n, indptr, indices, values, factor);                                                \
  }                                                                                                                  \
  EXPORT void solve_cholesky_##suffix(resolvent::i64 n, const resolvent::i64 *indptr, const resolvent::i64 *indices, \
                                      const T *factor, const T *r, T *out) {                                         \
    resolvent::solve_cholesky(n, indptr, indices, factor, r, out);                                                   \
  }
FOR_VALUES(CHOLESKY)
