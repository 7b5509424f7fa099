// Discrete Fourier transforms of 2, 3, 4, 5 and 8 complex numbers, in every lane of a register at once.
//
// Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 1.7.
#pragma once

#include "solvers/kernels/lines.hpp"

namespace resolvent::stepping {

// What is worked on at once: as much of a line as a register holds. The lanes of a line are independent, so a line is
// computed part by part with the same bits; a butterfly of radix 8 on a whole line would need 32 registers of AVX2,
// which has 16.
template <class T>
constexpr int PART = REGISTER_BYTES < LINE_BYTES ? REGISTER_BYTES / int(sizeof(T)) : LANES<T>;
template <class T>
using Part = Vector<T, PART<T>>;

// A complex number in every lane.
template <class T>
struct Pair {
  Part<T> re, im;

  friend Pair operator+(Pair a, Pair b) { return {a.re + b.re, a.im + b.im}; }
  friend Pair operator-(Pair a, Pair b) { return {a.re - b.re, a.im - b.im}; }
};

// −i a.
template <class T>
Pair<T> turned(Pair<T> a) {
  return {a.im, -a.re};
}

// Real and imaginary part exchanged: i conj(a). A transform of exchanged numbers is the inverse one, exchanged.
template <class T>
Pair<T> exchanged(Pair<T> a) {
  return {a.im, a.re};
}

// a (c + i d).
template <class T>
Pair<T> times(Pair<T> a, Part<T> c, Part<T> d) {
  return {times_plus(a.re, c, -(a.im * d)), times_plus(a.re, d, a.im * c)};
}

// A number that is known to be zero: nothing is computed for it.
struct Zero {};
template <class T>
Pair<T> operator+(Pair<T> a, Zero) {
  return a;
}
template <class T>
Pair<T> operator-(Pair<T> a, Zero) {
  return a;
}
template <class T>
Pair<T> operator+(Zero, Pair<T> b) {
  return b;
}
template <class T>
Pair<T> operator-(Zero, Pair<T> b) {
  return {-b.re, -b.im};
}

// X_k = Σ_j a_j e^{−2πi jk/4}.
template <class T, class Second, class Third>
void transform_four(Pair<T> a0, Second a1, Third a2, Pair<T> a3, Pair<T> (&X)[4]) {
  const Pair<T> even = a0 + a2, odd = a1 + a3, low = a0 - a2, high = turned(a1 - a3);
  X[0] = even + odd;
  X[1] = low + high;
  X[2] = even - odd;
  X[3] = low - high;
}

// Compute X_k = Σ_j a_j e^{−2πi jk/R}; `load(j)` returns a_j, `store(k, value)` takes X_k.
//
// Numbers are loaded when they are needed first, and stored as soon as they are known: so few are in registers at once.
// All are loaded before the first is stored. With GAP the fourth and the fifth of eight are zero.
template <int R>
struct Butterfly;

template <>
struct Butterfly<2> {
  template <class T, bool GAP, class Load, class Store>
  static void run(Load load, Store store) {
    const Pair<T> a0 = load(0), a1 = load(1);
    store(0, a0 + a1);
    store(1, a0 - a1);
  }
};

template <>
struct Butterfly<4> {
  template <class T, bool GAP, class Load, class Store>
  static void run(Load load, Store store) {
    Pair<T> X[4];
    const Pair<T> a0 = load(0), a2 = load(2), a1 = load(1), a3 = load(3);
    transform_four(a0, a1, a2, a3, X);
    for (int k = 0; k < 4; ++k) store(k, X[k]);
  }
};

template <>
struct Butterfly<8> {
  template <class T, bool GAP, class Load, class Store>
  static void run(Load load, Store store) {
    Pair<T> even[4], odd[4];
    const Pair<T> a0 = load(0), a2 = load(2), a6 = load(6);
    if constexpr (GAP) {
      transform_four(a0, a2, Zero{}, a6, even);
    } else {
      transform_four(a0, a2, load(4), a6, even);
    }
    const Pair<T> a1 = load(1), a5 = load(5), a7 = load(7);
    if constexpr (GAP) {
      transform_four(a1, Zero{}, a5, a7, odd);
    } else {
      transform_four(a1, load(3), a5, a7, odd);
    }
    store(0, even[0] + odd[0]);
    store(4, even[0] - odd[0]);
    const auto half = Part<T>::all(T(0.70710678118654752440));  // √½
    const Pair<T> one = {(odd[1].re + odd[1].im) * half, (odd[1].im - odd[1].re) * half};
    store(1, even[1] + one);
    store(5, even[1] - one);
    const Pair<T> two = turned(odd[2]);
    store(2, even[2] + two);
    store(6, even[2] - two);
    const Pair<T> three = {(odd[3].im - odd[3].re) * half, -((odd[3].re + odd[3].im) * half)};
    store(3, even[3] + three);
    store(7, even[3] - three);
  }
};

// Radices 3 and 5 take sums s_j and differences d_j of a_j and a_{R−j}, j < R/2:
// X_k, X_{R−k} = a_0 + Σ_j s_j cos(2πjk/R) ∓ i Σ_j d_j sin(2πjk/R).
template <>
struct Butterfly<3> {
  template <class T, bool GAP, class Load, class Store>
  static void run(Load load, Store store) {
    const auto cosine = Part<T>::all(T(-0.5)), sine = Part<T>::all(T(0.86602540378443864676));
    const Pair<T> a0 = load(0), a1 = load(1), a2 = load(2), s = a1 + a2, d = a1 - a2;
    const Pair<T> even = {times_plus(s.re, cosine, a0.re), times_plus(s.im, cosine, a0.im)};
    const Pair<T> odd = turned(Pair<T>{d.re * sine, d.im * sine});
    store(0, a0 + s);
    store(1, even + odd);
    store(2, even - odd);
  }
};

template <>
struct Butterfly<5> {
  template <class T, bool GAP, class Load, class Store>
  static void run(Load load, Store store) {
    const auto cos1 = Part<T>::all(T(0.30901699437494742410)), cos2 = Part<T>::all(T(-0.80901699437494742410));
    const auto sin1 = Part<T>::all(T(0.95105651629515357212)), sin2 = Part<T>::all(T(0.58778525229247312917));
    const Pair<T> a0 = load(0), a1 = load(1), a4 = load(4), a2 = load(2), a3 = load(3);
    const Pair<T> s1 = a1 + a4, s2 = a2 + a3, d1 = a1 - a4, d2 = a2 - a3;
    store(0, (a0 + s1) + s2);
    const auto sums = [&](Part<T> c1, Part<T> c2) {
      return Pair<T>{times_plus(s2.re, c2, times_plus(s1.re, c1, a0.re)),
                     times_plus(s2.im, c2, times_plus(s1.im, c1, a0.im))};
    };
    const Pair<T> even1 = sums(cos1, cos2), even2 = sums(cos2, cos1);
    const Pair<T> odd1 = turned(Pair<T>{d1.re * sin1 + d2.re * sin2, d1.im * sin1 + d2.im * sin2});
    const Pair<T> odd2 = turned(Pair<T>{d1.re * sin2 - d2.re * sin1, d1.im * sin2 - d2.im * sin1});
    store(1, even1 + odd1);
    store(4, even1 - odd1);
    store(2, even2 + odd2);
    store(3, even2 - odd2);
  }
};

}  // namespace resolvent::stepping
