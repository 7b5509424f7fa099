// The operations of a stage on the modes whose term was just computed; a coefficient is a line or a number.
#pragma once

#include "solvers/timestepping/compiled/fourier.hpp"

namespace resolvent::stepping {

constexpr i64 EVALUATED = -1;  // the slot that stands for the last evaluation of N

// Operations of a `StageProgram`: V[out] = C[c] V[a], C[c] V[a] + C[d] V[b], or C[c] V[a] + V[b].
enum class Kind : i64 { SCALE = 1, SUM = 2, ADD = 3 };
struct Operation {
  Kind kind;
  i64 out, a, c, b, d;
};

// The operations of one stage, and the coefficients C, `every` numbers each.
template <class T>
struct StageUpdate {
  View<const Operation> operations;
  View<const T> C;
  i64 every;
  bool folded;  // rows k_x and −k_x have the same coefficients, stored once
};

template <Kind KIND, class T>
Part<T> combined(Part<T> c, Part<T> a, Part<T> d, Part<T> b) {
  if constexpr (KIND == Kind::SCALE) return c * a;
  if constexpr (KIND == Kind::SUM) return times_plus(c, a, d * b);
  return times_plus(c, a, b);
}

// Combine `count` lines: those of V from a, b and out on, and those of C from c and d on, at distances `step`.
template <Kind KIND, class T>
KERNEL void combine_lines(i64 count, Block<T> V, i64 out, i64 a, i64 b, Row<const T> C, i64 c, i64 d, i64 step) {
  constexpr i64 L = LANES<T>;
  const Row<T> re = V.re, im = V.im;
  for (i64 i = 0; i < count * L; i += L, c += step, d += step) {
    for (i64 lane = 0; lane < L; lane += PART<T>) {
      const Part<T> x = Part<T>::load(line<const T>(C, c + lane, PART<T>));
      const Part<T> y = KIND == Kind::SUM ? Part<T>::load(line<const T>(C, d + lane, PART<T>)) : Part<T>{};
      const Pair<T> u = load_pair<T>(re, im, a + i + lane);
      const Pair<T> v = KIND == Kind::SCALE ? Pair<T>{} : load_pair<T>(re, im, b + i + lane);
      const Pair<T> sum = {combined<KIND, T>(x, u.re, y, v.re), combined<KIND, T>(x, u.im, y, v.im)};
      store_pair<T>(sum, re, im, out + i + lane);
    }
  }
}

// Do as `combine_lines` with a number for each line's coefficient.
template <Kind KIND, class T>
KERNEL void combine_numbers(i64 count, Block<T> V, i64 out, i64 a, i64 b, Row<const T> C, i64 c, i64 d) {
  constexpr i64 L = LANES<T>;
  const Row<T> re = V.re, im = V.im;
  for (i64 k = 0; k < count; ++k) {
    const Part<T> x = Part<T>::all(C[c + k]), y = KIND == Kind::SUM ? Part<T>::all(C[d + k]) : Part<T>{};
    for (i64 i = k * L; i < (k + 1) * L; i += PART<T>) {
      const Pair<T> u = load_pair<T>(re, im, a + i);
      const Pair<T> v = KIND == Kind::SCALE ? Pair<T>{} : load_pair<T>(re, im, b + i);
      const Pair<T> sum = {combined<KIND, T>(x, u.re, y, v.re), combined<KIND, T>(x, u.im, y, v.im)};
      store_pair<T>(sum, re, im, out + i);
    }
  }
}

// Call body with the kind of an operation as a constant.
template <class Body>
void with_kind(Kind kind, Body body) {
  switch (kind) {
    case Kind::SCALE:
      return body(std::integral_constant<Kind, Kind::SCALE>{});
    case Kind::SUM:
      return body(std::integral_constant<Kind, Kind::SUM>{});
    case Kind::ADD:
      return body(std::integral_constant<Kind, Kind::ADD>{});
  }
}

// Run the operations of a stage on the 2K + 1 rows of a block of columns, whose N is at V[evaluated:].
template <class T>
void update_columns(const StageUpdate<T> &update, i64 size, i64 K, i64 block, i64 evaluated, const Block<T> &V) {
  constexpr i64 L = LANES<T>;
  const i64 at = block * (2 * K + 2) * L, own = block * (update.folded ? K + 1 : 2 * K + 1) * L, half = (K + 1) * L;
  for (i64 k = 0; k < update.operations.size; ++k) {
    const Operation &each = update.operations[k];
    const auto place = [&](i64 slot) { return slot == EVALUATED ? evaluated : slot * size + at; };
    const i64 out = place(each.out), a = place(each.a), b = place(each.b);
    const i64 c = each.c * update.every + own, d = each.d * update.every + own;
    with_kind(each.kind, [&](auto kind) {
      combine_lines<kind(), T>(K + 1, V, out, a, b, update.C, c, d, L);
      if (update.folded) {  // rows −K … −1 have the coefficients of K … 1
        combine_lines<kind(), T>(K, V, out + half, a + half, b + half, update.C, c + K * L, d + K * L, -L);
      } else {
        combine_lines<kind(), T>(K, V, out + half, a + half, b + half, update.C, c + half, d + half, L);
      }
    });
  }
}

// Run the operations of a stage on `count` modes from number `first` on, whose N is at V[evaluated:]; a mode is a line.
template <class T>
void update_modes(const StageUpdate<T> &update, i64 size, i64 first, i64 count, i64 evaluated, const Block<T> &V) {
  const i64 at = first * LANES<T>;
  for (i64 k = 0; k < update.operations.size; ++k) {
    const Operation &each = update.operations[k];
    const auto place = [&](i64 slot) { return slot == EVALUATED ? evaluated : slot * size + at; };
    const i64 out = place(each.out), a = place(each.a), b = place(each.b);
    const i64 c = each.c * update.every + first, d = each.d * update.every + first;
    with_kind(each.kind, [&](auto kind) { combine_numbers<kind(), T>(count, V, out, a, b, update.C, c, d); });
  }
}

}  // namespace resolvent::stepping
