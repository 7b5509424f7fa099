// One pass over a square matrix for all that a factorisation must know of it beforehand, and copies in other orders.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr double ROUNDING = 1e-14;  // of the sum of a row

// Write the columns of A[rows][:, columns] in CSC form, sorted: `rows` is an order, `place` that of columns inverted.
// `indptr_out` (n + 1) may hold anything.
template <class T>
void permute(i64 n, const i32 *indptr, const i32 *indices, const T *data, const i32 *rows, const i32 *place,
             i32 *indptr_out, i32 *indices_out, T *data_out) {
  for (i64 j = 0; j <= n; ++j) indptr_out[j] = 0;
  for (i64 k = 0; k < indptr[n]; ++k)
    if (place[indices[k]] + 1 < n) ++indptr_out[place[indices[k]] + 2];
  for (i64 j = 2; j <= n; ++j) indptr_out[j] += indptr_out[j - 1];
  for (i64 i = 0; i < n; ++i)
    for (i64 k = indptr[rows[i]]; k < indptr[rows[i] + 1]; ++k) {
      const i32 to = indptr_out[place[indices[k]] + 1]++;
      indices_out[to] = i32(i);
      data_out[to] = data[k];
    }
}

// Fill `facts`, in the order of `Portrait` in portrait.py, of a matrix by its rows (CSR, sorted) and its columns.
template <class T>
void describe(i64 n, const i32 *indptr, const i32 *indices, const T *data, const i32 *column_indptr,
              const i32 *column_indices, const T *column_data, double weak_diagonal, T *diagonal, u8 *paired,
              double *facts) {
  double largest = 0.0, smallest_row = -1.0, smallest_column = -1.0, asymmetry = 0.0, norm = 0.0, norm_one = 0.0;
  i64 empty_row = -1, empty_column = -1, zeros = 0, negligible = 0, unmatched = 0, pairs = 0;
  bool positive = true, dominant = true;
  for (i64 i = 0; i < n; ++i) {
    diagonal[i] = T(Real<T>(0));
    paired[i] = 0;
    for (i64 k = indptr[i]; k < indptr[i + 1]; ++k)
      if (indices[k] == i) diagonal[i] = data[k];
    if (!(real(diagonal[i]) > 0.0)) positive = false;
  }
  for (i64 i = 0; i < n; ++i) {
    double row = 0.0, row_sum = 0.0, column = 0.0, column_sum = 0.0;
    const double own = magnitude(diagonal[i]);
    i64 a = indptr[i], b = column_indptr[i];
    const i64 row_end = indptr[i + 1], column_end = column_indptr[i + 1];
    while (a < row_end || b < column_end) {
      const i64 in_row = a < row_end ? indices[a] : n, in_column = b < column_end ? column_indices[b] : n;
      const i64 j = in_row < in_column ? in_row : in_column;
      T right = T(Real<T>(0)), left = right;
      if (in_row == j) right = data[a++];
      if (in_column == j) left = column_data[b++];
      if (in_row != in_column) ++unmatched;
      const double x = magnitude(right), y = magnitude(left), skew = magnitude(right - conj(left));
      if (x > row) row = x;
      if (y > column) column = y;
      row_sum += x;
      column_sum += y;
      if (skew > asymmetry) asymmetry = skew;
      if (paired[i] || j == i || paired[j] || !(x * y > 0.0) || x * y < own * magnitude(diagonal[j])) continue;
      paired[i] = paired[j] = 1;
      ++pairs;
    }
    if (!(2.0 * own >= row_sum * (1.0 - ROUNDING))) dominant = false;
    if (row > largest) largest = row;
    if (row_sum > norm) norm = row_sum;
    if (column_sum > norm_one) norm_one = column_sum;
    if (smallest_row < 0.0 || row < smallest_row) smallest_row = row;
    if (smallest_column < 0.0 || column < smallest_column) smallest_column = column;
    if (row == 0.0 && empty_row < 0) empty_row = i;
    if (column == 0.0 && empty_column < 0) empty_column = i;
    if (own == 0.0) ++zeros;
    if (!(own > 0.0) || own < weak_diagonal * column) ++negligible;
  }
  const double told[] = {largest,
                         smallest_row,
                         smallest_column,
                         norm,
                         norm_one,
                         asymmetry,
                         double(empty_row),
                         double(empty_column),
                         double(zeros),
                         double(negligible),
                         double(pairs),
                         double(unmatched),
                         positive ? 1.0 : 0.0,
                         dominant ? 1.0 : 0.0};
  for (int k = 0; k < 14; ++k) facts[k] = told[k];
}

}  // namespace
}  // namespace resolvent

#define PORTRAIT(suffix, T)                                                                                            \
  EXPORT void permute_to_columns_##suffix(resolvent::i64 n, const resolvent::i32 *indptr,                              \
                                          const resolvent::i32 *indices, const T *data, const resolvent::i32 *rows,    \
                                          const resolvent::i32 *place, resolvent::i32 *indptr_out,                     \
                                          resolvent::i32 *indices_out, T *data_out) {                                  \
    resolvent::permute(n, indptr, indices, data, rows, place, indptr_out, indices_out, data_out);                      \
  }                                                                                                                    \
  EXPORT void describe_matrix_##suffix(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,  \
                                       const T *data, const resolvent::i32 *column_indptr,                             \
                                       const resolvent::i32 *column_indices, const T *column_data,                     \
                                       double weak_diagonal, T *diagonal, resolvent::u8 *paired, double *facts) {      \
    resolvent::describe(n, indptr, indices, data, column_indptr, column_indices, column_data, weak_diagonal, diagonal, \
                        paired, facts);                                                                                \
  }
FOR_VALUES(PORTRAIT)

// Write the graph of A + Aᵀ without loops, in CSR form, sorted; `indices_out` has room for all entries of both.
EXPORT resolvent::i64 symmetric_graph(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,
                                      const resolvent::i32 *column_indptr, const resolvent::i32 *column_indices,
                                      resolvent::i32 *indptr_out, resolvent::i32 *indices_out) {
  using namespace resolvent;
  i64 size = 0;
  for (i64 i = 0; i < n; ++i) {
    indptr_out[i] = i32(size);
    i64 a = indptr[i], b = column_indptr[i];
    while (a < indptr[i + 1] || b < column_indptr[i + 1]) {
      const i64 in_row = a < indptr[i + 1] ? indices[a] : n,
                in_column = b < column_indptr[i + 1] ? column_indices[b] : n;
      const i64 j = in_row < in_column ? in_row : in_column;
      a += in_row == j;
      b += in_column == j;
      if (j != i) indices_out[size++] = i32(j);
    }
  }
  indptr_out[n] = i32(size);
  return size;
}
