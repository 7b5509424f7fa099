// Transpositions between columns, the lanes of transforms along x, and lines of neighbours along x.
#pragma once

#include <utility>

#include "solvers/timestepping/compiled/fourier.hpp"

namespace resolvent::stepping {

// Numbers along a side of the squares that are transposed in registers: half a line, or less where registers are
// shorter. Their halves are exchanged as they are loaded, which costs nothing.
template <class T>
constexpr int SIDE = PART<T> < LANES<T> / 2 ? PART<T> : LANES<T> / 2;

template <class T, int... I>
auto joined(T low, T high, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(low, high, I...);
}

template <class T>
typename Register<T, SIDE<T>>::type load_halves(const T *low, const T *high) {
  typedef typename Register<T, SIDE<T> / 2>::type Half;
  typedef typename Register<T, SIDE<T> / 2>::unaligned Stored;
  const Half a = *reinterpret_cast<const Stored *>(low), b = *reinterpret_cast<const Stored *>(high);
  return joined(a, b, std::make_integer_sequence<int, SIDE<T>>{});
}

// Exchange the off-diagonal blocks, `WIDTH` numbers wide, of the squares that two rows hold.
template <int WIDTH, class V, int... I>
void exchange_blocks(V &a, V &b, std::integer_sequence<int, I...>) {
  constexpr int N = sizeof...(I);
  const V low = __builtin_shufflevector(a, b, ((I & WIDTH) ? N + I - WIDTH : I)...);
  const V high = __builtin_shufflevector(a, b, ((I & WIDTH) ? N + I : I + WIDTH)...);
  a = low;
  b = high;
}

template <int WIDTH, class V, int N>
void exchange_within(V (&rows)[N]) {
  if constexpr (WIDTH < N / 2) {
    for (int i = 0; i < N; ++i) {
      if (!(i & WIDTH)) exchange_blocks<WIDTH>(rows[i], rows[i + WIDTH], std::make_integer_sequence<int, N>{});
    }
    exchange_within<2 * WIDTH>(rows);
  }
}

// Set target[to + j·L + i] = source[from + i·L + j] for i, j < L, in registers.
template <class T>
void transpose_tile(Row<const T> source, i64 from, Row<T> target, i64 to) {
  constexpr int L = LANES<T>, N = SIDE<T>, HALF = N / 2;
  for (int i0 = 0; i0 < L; i0 += N) {
    for (int j0 = 0; j0 < L; j0 += N) {
      typename Register<T, N>::type rows[N];
      for (int k = 0; k < N; ++k) {
        const i64 at = from + (i0 + k % HALF) * L + j0 + k / HALF * HALF;
        rows[k] = load_halves(line<const T>(source, at, HALF), line<const T>(source, at + HALF * L, HALF));
      }
      exchange_within<1>(rows);
      for (int j = 0; j < N; ++j) {
        typedef typename Register<T, N>::unaligned Stored;
        *reinterpret_cast<Stored *>(line<T>(target, to + (j0 + j) * L + i0, N)) = rows[j];
      }
    }
  }
}

// Transpose tiles of L lines, at distances of `leap` and `jump` numbers.
template <class T>
KERNEL void transpose_tiles(i64 count, Row<const T> source, i64 leap, Row<T> target, i64 jump) {
  for (i64 k = 0; k < count; ++k) transpose_tile<T>(source, k * leap, target, k * jump);
}

// Transpose the columns of a block, from number `column` on, to the lines of n/L tiles of `width` lines each.
//
// Line c of a tile holds L neighbours along x of column c: the values transformed next, along y, are then adjacent.
template <class T>
void cross(i64 n, i64 width, i64 column, const Block<T> &x, const Block<T> &t) {
  constexpr i64 L = LANES<T>;
  transpose_tiles<T>(n / L, x.re, L * L, t.re.from(column * L), width * L);
  transpose_tiles<T>(n / L, x.im, L * L, t.im.from(column * L), width * L);
}

// Transpose them back.
template <class T>
void cross_back(i64 n, i64 width, i64 column, const Block<T> &t, const Block<T> &x) {
  constexpr i64 L = LANES<T>;
  transpose_tiles<T>(n / L, t.re.from(column * L), width * L, x.re, L * L);
  transpose_tiles<T>(n / L, t.im.from(column * L), width * L, x.im, L * L);
}

}  // namespace resolvent::stepping
