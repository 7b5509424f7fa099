// Sweeps over the triangles of a CSR matrix with sorted indices.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

// out = (D + L)⁻¹ r, L the strictly lower part of A, D = diagonal.
template <class T, class I>
void forward_sweep(i64 n, const I *indptr, const I *indices, const T *data, const T *diagonal, const T *r, T *out) {
  for (i64 i = 0; i < n; ++i) {
    T s = r[i];
    for (I k = indptr[i]; k < indptr[i + 1] && indices[k] < i; ++k) s -= data[k] * out[indices[k]];
    out[i] = s / diagonal[i];
  }
}

// out = (D + U)⁻¹ (middle · (D + L)⁻¹ r), U the strictly upper part of A.
template <class T, class I>
void symmetric_sweep(i64 n, const I *indptr, const I *indices, const T *data, const T *diagonal, const T *middle,
                     const T *r, T *out) {
  forward_sweep(n, indptr, indices, data, diagonal, r, out);
  for (i64 i = n - 1; i >= 0; --i) {
    T s = out[i] * middle[i];
    for (I k = indptr[i + 1] - 1; k >= indptr[i] && indices[k] > i; --k) s -= data[k] * out[indices[k]];
    out[i] = s / diagonal[i];
  }
}

}  // namespace
}  // namespace resolvent

#define SWEEPS(suffix, T, I)                                                                               \
  EXPORT void forward_sweep_##suffix(resolvent::i64 n, const I *indptr, const I *indices, const T *data,   \
                                     const T *diagonal, const T *r, T *out) {                              \
    resolvent::forward_sweep(n, indptr, indices, data, diagonal, r, out);                                  \
  }                                                                                                        \
  EXPORT void symmetric_sweep_##suffix(resolvent::i64 n, const I *indptr, const I *indices, const T *data, \
                                       const T *diagonal, const T *middle, const T *r, T *out) {           \
    resolvent::symmetric_sweep(n, indptr, indices, data, diagonal, middle, r, out);                        \
  }
FOR_MATRICES(SWEEPS)
