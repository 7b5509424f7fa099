// Rows of the factorised sparse approximate inverse, each from a small dense system.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr double NEGLIGIBLE = 1e-15;  // a pivot relative to the diagonal entry that it came from

// Fill G row by row: with J the pattern of row i, A_JJ z = e_i and g = z̄/√z_i. Cholesky A_JJ = C Cᴴ gives z by one back
// substitution, since C⁻¹ e_i = e_i/c_ii. C is (widest, widest), z (widest,); `place`, (n,), is −1. Return −1, or the
// first row whose submatrix is not positive definite.
template <class T, class I>
i64 fsai_rows(i64 n, const I *indptr, const I *indices, const T *data, const I *pattern_indptr, const I *pattern,
              T *values, i64 widest, T *C, T *z, i64 *place) {
  for (i64 i = 0; i < n; ++i) {
    const i64 begin = pattern_indptr[i], m = pattern_indptr[i + 1] - begin, last = m - 1;
    for (i64 a = 0; a < m; ++a) {
      place[pattern[begin + a]] = a;
      for (i64 b = 0; b <= a; ++b) C[a * widest + b] = T(Real<T>(0));
    }
    for (i64 a = 0; a < m; ++a) {
      const i64 row = pattern[begin + a];
      for (i64 k = indptr[row]; k < indptr[row + 1]; ++k) {
        const i64 b = place[indices[k]];
        if (0 <= b && b <= a) C[a * widest + b] = data[k];
      }
    }
    for (i64 a = 0; a < m; ++a) place[pattern[begin + a]] = -1;
    for (i64 a = 0; a < m; ++a) {
      T *own = C + a * widest;
      for (i64 b = 0; b <= a; ++b) {
        const T *other = C + b * widest;
        T s = own[b];
        for (i64 c = 0; c < b; ++c) s -= own[c] * conj(other[c]);
        if (b < a) {
          own[b] = s / real(other[b]);
        } else {
          if (!(double(real(s)) > NEGLIGIBLE * double(magnitude(own[a])))) return i;
          own[a] = T(std::sqrt(real(s)));
        }
      }
    }
    const Real<T> corner = real(C[last * widest + last]);
    for (i64 a = last; a >= 0; --a) {
      T s = a == last ? T(Real<T>(1) / corner) : T(Real<T>(0));
      for (i64 b = a + 1; b < m; ++b) s -= conj(C[b * widest + a]) * z[b];
      z[a] = s / real(C[a * widest + a]);
    }
    for (i64 a = 0; a < m; ++a) values[begin + a] = conj(z[a]) * T(corner);
  }
  return -1;
}

}  // namespace
}  // namespace resolvent

#define FSAI(suffix, T, I)                                                                                       \
  EXPORT resolvent::i64 fsai_rows_##suffix(resolvent::i64 n, const I *indptr, const I *indices, const T *data,   \
                                           const I *pattern_indptr, const I *pattern, T *values,                 \
                                           resolvent::i64 widest, T *C, T *z, resolvent::i64 *place) {           \
    return resolvent::fsai_rows(n, indptr, indices, data, pattern_indptr, pattern, values, widest, C, z, place); \
  }
FOR_MATRICES(FSAI)
