// Fourier transforms of many columns at once: one column a lane of the vector unit, all in cache.
//
// A block holds n rows of L lanes, L values of a cache line, real and imaginary parts apart: element (i, lane) is at
// i·L + lane. A transform runs along the rows, the same operations in every lane, so a lane's bits do not depend on its
// neighbours. Stockham's autosorting algorithm, decimation in frequency, radices 8, 4, 2, 3 and 5: each pass reads one
// block and writes another; the last has no twiddle factors, and works in place. The inverse is the same with real and
// imaginary parts exchanged. Nothing is scaled.
//
// A transform of two passes or more may read and write outside a block. Its first pass takes its rows from a functor,
// `rows(k, lane)` for the part of row k that begins at a lane, which may compute them as it loads them. Its last pass
// may map the rows before it stores them, or store them elsewhere. So no pass only moves rows: rows that are zero are
// read from one line of zeros, and rows that nothing uses are not written.
//
// Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 1.7.
#pragma once

#include <type_traits>

#include "solvers/timestepping/compiled/butterflies.hpp"

namespace resolvent::stepping {

// The radices of the passes and all their twiddle factors, for length n; made by `lane_plan` in Python.
template <class T>
struct Plan {
  i64 n;
  View<const i64> radices;
  View<const T> cosines, sines;

  Plan(i64 length, i64 passes, const i64 *radix, const void *cosine, const void *sine)
      : n(length),
        radices{radix, passes},
        cosines{static_cast<const T *>(cosine), length - 1},
        sines{static_cast<const T *>(sine), length - 1} {}
  i64 last_radix() const { return radices[radices.size - 1]; }
};

// Rows of lines, real and imaginary parts apart.
template <class T>
struct Block {
  View<T> re, im;

  Block from(i64 begin) const { return {re.from(begin), im.from(begin)}; }
  Block exchanged() const { return {im, re}; }
};

// Where a transform left its result, and the block that is free then.
template <class T>
struct Blocks {
  Block<T> result, other;

  Blocks exchanged() const { return {result.exchanged(), other.exchanged()}; }
};

// The sign of the exponent e^{∓2πi jk/n}.
enum class Direction { FORWARD, INVERSE };
constexpr Direction FORWARD = Direction::FORWARD, INVERSE = Direction::INVERSE;

template <Direction DIRECTION, class T>
Pair<T> turned_to(Pair<T> a) {
  return DIRECTION == INVERSE ? exchanged(a) : a;
}

template <class T>
Pair<T> load_pair(Row<const T> re, Row<const T> im, i64 at) {
  return {Part<T>::load(line<const T>(re, at, PART<T>)), Part<T>::load(line<const T>(im, at, PART<T>))};
}

template <class T>
void store_pair(Pair<T> a, Row<T> re, Row<T> im, i64 at) {
  a.re.store(line<T>(re, at, PART<T>));
  a.im.store(line<T>(im, at, PART<T>));
}

// Rows of a block, in order.
template <class T>
struct BlockRows {
  Row<const T> re, im;

  Pair<T> operator()(i64 k, i64 lane) const { return load_pair<T>(re, im, k * LANES<T> + lane); }
};

// Rows anywhere: row k begins at positions[k].
template <class T>
struct PlacedRows {
  Row<const T> re, im;
  Row<const i64> positions;

  Pair<T> operator()(i64 k, i64 lane) const { return load_pair<T>(re, im, positions[k] + lane); }
};

// A map of rows that leaves them as they are.
template <class T>
struct Itself {
  Pair<T> operator()(Pair<T> a) const { return a; }
};

// Keep the compiler from loading what a loop reads before the loop: registers are few, so it would lie on the stack.
inline void load_in_loop() { __asm__ volatile("" ::: "memory"); }

// Multiply X_k by its twiddle factor; the first has none.
template <class T>
Pair<T> twisted(Pair<T> X, int k, Row<const T> cosines, Row<const T> sines, i64 first) {
  return k == 0 ? X : times(X, Part<T>::all(cosines[first + k - 1]), Part<T>::all(sines[first + k - 1]));
}

// Run the first pass, of radix R, on R·m rows. With GAP rows 3n/8 to 5n/8 are zero, and radix 8 leaves them out.
template <int R, Direction DIRECTION, bool GAP, class T, class Rows>
KERNEL void first_pass(i64 m, Row<const T> cosines, Row<const T> sines, Rows rows, Row<T> y_re, Row<T> y_im) {
  constexpr i64 L = LANES<T>;
  for (i64 p = 0; p < m; ++p) {
    for (i64 lane = 0; lane < L; lane += PART<T>) {
      const auto load = [&](int k) { return turned_to<DIRECTION>(rows(p + k * m, lane)); };
      const auto store = [&](int k, Pair<T> X) {
        X = twisted<T>(X, k, cosines, sines, p * (R - 1));
        store_pair<T>(turned_to<DIRECTION>(X), y_re, y_im, (p * R + k) * L + lane);
      };
      Butterfly<R>::template run<T, GAP>(load, store);
      load_in_loop();
    }
  }
}

// Run a pass of radix R on R·m groups of s rows; `first` is the number of its first twiddle factor.
template <int R, class T>
KERNEL void middle_pass(i64 m, i64 s, Row<const T> cosines, Row<const T> sines, i64 first, Row<const T> x_re,
                        Row<const T> x_im, Row<T> y_re, Row<T> y_im) {
  constexpr i64 L = LANES<T>;
  for (i64 p = 0; p < m; ++p) {
    for (i64 q = 0; q < s * L; q += PART<T>) {
      const auto load = [&](int k) { return load_pair<T>(x_re, x_im, s * (p + k * m) * L + q); };
      const auto store = [&](int k, Pair<T> X) {
        X = twisted<T>(X, k, cosines, sines, first + p * (R - 1));
        store_pair<T>(X, y_re, y_im, s * (p * R + k) * L + q);
      };
      Butterfly<R>::template run<T, false>(load, store);
      load_in_loop();
    }
  }
}

// Run the last pass, on R·s rows, in place; each is mapped before it is stored.
template <int R, Direction DIRECTION, class T, class Map>
KERNEL void last_pass(i64 s, Row<T> x_re, Row<T> x_im, Map map) {
  constexpr i64 L = LANES<T>;
  for (i64 q = 0; q < s * L; q += PART<T>) {
    const auto load = [&](int k) { return turned_to<DIRECTION>(load_pair<T>(x_re, x_im, k * s * L + q)); };
    const auto store = [&](int k, Pair<T> X) {
      store_pair<T>(map(turned_to<DIRECTION>(X)), x_re, x_im, k * s * L + q);
    };
    Butterfly<R>::template run<T, false>(load, store);
  }
}

// Run the last pass, on R·s rows; row k goes to positions[k], unless that is negative. Rows 3n/8 to 5n/8 are left out
// by radix 8.
template <int R, class T>
KERNEL void last_pass_to(i64 s, Row<const T> x_re, Row<const T> x_im, Row<const i64> positions, Row<T> to_re,
                         Row<T> to_im) {
  constexpr i64 L = LANES<T>;
  for (i64 q = 0; q < s; ++q) {
    for (i64 lane = 0; lane < L; lane += PART<T>) {
      const auto load = [&](int k) { return load_pair<T>(x_re, x_im, (q + k * s) * L + lane); };
      const auto store = [&](int k, Pair<T> X) {
        if (R == 8 && (k == 3 || k == 4)) return;
        const i64 at = positions[q + k * s];
        if (at >= 0) store_pair<T>(X, to_re, to_im, at + lane);
      };
      Butterfly<R>::template run<T, false>(load, store);
    }
  }
}

// Call body with the radix as a constant.
template <class Body>
void with_radix(i64 radix, Body body) {
  switch (radix) {
    case 2:
      return body(std::integral_constant<int, 2>{});
    case 3:
      return body(std::integral_constant<int, 3>{});
    case 4:
      return body(std::integral_constant<int, 4>{});
    case 5:
      return body(std::integral_constant<int, 5>{});
    case 8:
      return body(std::integral_constant<int, 8>{});
  }
}

// Run the first pass into block y. With GAP rows 3n/8 to 5n/8 are zero.
template <Direction DIRECTION, bool GAP, class T, class Rows>
void begin(const Plan<T> &plan, const Rows &rows, const Block<T> &y) {
  with_radix(plan.radices[0], [&](auto radix) {
    constexpr int R = radix();
    first_pass<R, DIRECTION, GAP, T>(plan.n / R, plan.cosines, plan.sines, rows, y.re, y.im);
  });
}

// Run all passes between the first and the last; y is as large as x.
template <class T>
Blocks<T> run_passes_between(const Plan<T> &plan, Block<T> x, Block<T> y) {
  i64 s = plan.radices[0], m = plan.n / s, twiddle = m * (s - 1);
  for (i64 k = 1; k + 1 < plan.radices.size; ++k) {
    const i64 r = plan.radices[k];
    m /= r;
    with_radix(r, [&](auto radix) {
      middle_pass<radix(), T>(m, s, plan.cosines, plan.sines, twiddle, x.re, x.im, y.re, y.im);
    });
    const Block<T> free = x;
    x = y;
    y = free;
    twiddle += m * (r - 1);
    s *= r;
  }
  return {x, y};
}

// Run all passes but the first on block x; y is as large. The rows of the result are mapped.
template <Direction DIRECTION, class T, class Map = Itself<T>>
Blocks<T> finish(const Plan<T> &plan, const Block<T> &x, const Block<T> &y, Map map = {}) {
  const bool inverse = DIRECTION == INVERSE;
  Blocks<T> z = run_passes_between(plan, inverse ? x.exchanged() : x, inverse ? y.exchanged() : y);
  if (inverse) z = z.exchanged();
  with_radix(plan.last_radix(), [&](auto radix) {
    constexpr int R = radix();
    last_pass<R, DIRECTION, T>(plan.n / R, z.result.re, z.result.im, map);
  });
  return z;
}

// Transform block x with e^{−2πi jk/n}; y is as large.
template <class T>
Blocks<T> transform(const Plan<T> &plan, const Block<T> &x, const Block<T> &y) {
  if (plan.radices.size == 1) return finish<FORWARD>(plan, x, y);
  begin<FORWARD, false>(plan, BlockRows<T>{x.re, x.im}, y);
  return finish<FORWARD>(plan, y, x);
}

// Transform block x with e^{−2πi jk/n} in two passes or more; row k of the result goes to positions[k]. Rows 3n/8 to
// 5n/8, and all whose position is negative, are not written.
template <class T>
void transform_to(const Plan<T> &plan, const Block<T> &x, const Block<T> &y, View<const i64> positions,
                  const Block<T> &to) {
  begin<FORWARD, false>(plan, BlockRows<T>{x.re, x.im}, y);
  const Block<T> z = run_passes_between(plan, y, x).result;
  with_radix(plan.last_radix(), [&](auto radix) {
    constexpr int R = radix();
    last_pass_to<R, T>(plan.n / R, z.re, z.im, positions, to.re, to.im);
  });
}

}  // namespace resolvent::stepping
