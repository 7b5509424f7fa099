// Left-looking incomplete Cholesky factorisation with a threshold, column by column.
#include "solvers/kernels/complex.hpp"
#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr double NEGLIGIBLE = 1e-14;  // a pivot of a matrix with unit diagonal

enum Ended : i64 { FACTORED, NOT_POSITIVE, NO_MEMORY };

// Sort both by the keys, in place (Shell's method: columns are short, and equal keys must end alike everywhere).
void sort_by_keys(i64 count, double *keys, i64 *items) {
  for (i64 gap = count / 2; gap > 0; gap /= 2) {
    for (i64 i = gap; i < count; ++i) {
      const double key = keys[i];
      const i64 item = items[i];
      i64 j = i;
      for (; j >= gap && keys[j - gap] > key; j -= gap) {
        keys[j] = keys[j - gap];
        items[j] = items[j - gap];
      }
      keys[j] = key;
      items[j] = item;
    }
  }
}

// What a factorisation keeps from one column to the next, so that it can be continued with more memory.
template <class T>
struct Columns {
  i64 *columns, *rows;  // L in CSC form, diagonals first
  T *values;
  T *work;         // the column being computed, by row
  i64 *member;     // the last column that has had an entry in the row
  i64 *pattern;    // rows of the entries of the column
  i64 *head;       // first column waiting in the list of a row for that row's column to be computed, or −1
  i64 *following;  // the next column in the same list
  i64 *position;   // the next entry of each column
  double *keys;
};

// Factor a lower triangle in CSC form, diagonals first, from column state[0] on; state[1] entries of L exist. Columns
// of L that have an entry in row k are found through linked lists, each column waiting in the list of the row of its
// next entry. Stop before a column for which `capacity` might not suffice.
template <class T, class I>
Ended factor_ict(i64 n, const I *indptr, const I *indices, const T *data, double shift, double tolerance, double fill,
                 i64 capacity, const Columns<T> &L, i64 *state) {
  i64 end = state[1];
  for (i64 k = state[0]; k < n; ++k) {
    state[0] = k;
    state[1] = end;
    if (end + n - k > capacity) return NO_MEMORY;
    i64 count = 0;
    double square = 0.0;
    L.work[k] = T(Real<T>(1.0 + shift));
    for (i64 e = indptr[k]; e < indptr[k + 1]; ++e) {
      const i64 i = indices[e];
      square += double(squared(data[e]));
      if (i > k) {
        L.work[i] = data[e];
        L.member[i] = k;
        L.pattern[count++] = i;
      }
    }
    const i64 entries = count > 0 ? count : 1;
    for (i64 j = L.head[k]; j >= 0;) {
      const i64 after = L.following[j], p = L.position[j], stop = L.columns[j + 1];
      const T multiplier = conj(L.values[p]);
      L.work[k] -= L.values[p] * multiplier;
      for (i64 q = p + 1; q < stop; ++q) {
        const i64 i = L.rows[q];
        if (L.member[i] != k) {
          L.member[i] = k;
          L.work[i] = T(Real<T>(0));
          L.pattern[count++] = i;
        }
        L.work[i] -= L.values[q] * multiplier;
      }
      L.position[j] = p + 1;
      if (p + 1 < stop) {
        const i64 row = L.rows[p + 1];
        L.following[j] = L.head[row];
        L.head[row] = j;
      }
      j = after;
    }
    const Real<T> pivot = real(L.work[k]);
    if (!(double(pivot) > NEGLIGIBLE)) return NOT_POSITIVE;
    const Real<T> root = std::sqrt(pivot);
    const double threshold = tolerance * std::sqrt(square);
    i64 kept = 0;
    for (i64 e = 0; e < count; ++e)
      if (double(magnitude(L.work[L.pattern[e]])) > threshold) L.pattern[kept++] = L.pattern[e];
    if (double(kept) > fill * double(entries)) {
      for (i64 e = 0; e < kept; ++e) L.keys[e] = -double(magnitude(L.work[L.pattern[e]]));
      sort_by_keys(kept, L.keys, L.pattern);
      kept = i64(fill * double(entries));
    }
    for (i64 e = 0; e < kept; ++e) L.keys[e] = double(L.pattern[e]);
    sort_by_keys(kept, L.keys, L.pattern);
    L.rows[end] = k;
    L.values[end++] = T(root);
    for (i64 e = 0; e < kept; ++e) {
      L.rows[end] = L.pattern[e];
      L.values[end++] = L.work[L.pattern[e]] / root;
    }
    L.columns[k + 1] = end;
    if (kept > 0) {
      L.position[k] = L.columns[k] + 1;
      L.following[k] = L.head[L.pattern[0]];
      L.head[L.pattern[0]] = k;
    }
  }
  state[0] = n;
  state[1] = end;
  return FACTORED;
}

}  // namespace
}  // namespace resolvent

#define ICT(suffix, T, I)                                                                                         \
  EXPORT resolvent::i64 factor_ict_##suffix(resolvent::i64 n, const I *indptr, const I *indices, const T *data,   \
                                            double shift, double tolerance, double fill, resolvent::i64 capacity, \
                                            resolvent::i64 *columns, resolvent::i64 *rows, T *values, T *work,    \
                                            resolvent::i64 *integers, double *keys, resolvent::i64 *state) {      \
    const resolvent::Columns<T> L{columns,          rows,         values,           work,                         \
                                  integers,         integers + n, integers + 2 * n, integers + 3 * n,             \
                                  integers + 4 * n, keys};                                                        \
    return resolvent::factor_ict(n, indptr, indices, data, shift, tolerance, fill, capacity, L, state);           \
  }
FOR_MATRICES(ICT)
