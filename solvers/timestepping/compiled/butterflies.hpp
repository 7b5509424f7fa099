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

template <class T, class Second, class Third>
void transform_four(Pair<T> a0, Second a1, Third a2, Pair<T> a3, Pair<T> (&out)[4]) {
  const Pair<T> even = a0 + a2, odd = a1 + a3, low = a0 - a2, high = turned(a1 - a3);
  out[0] = even + odd;
  out[1] = low + high;
  out[2] = even - odd;
  out[3] = low - high;
}

// Transform eight numbers of which the fourth and the fifth may be Zero.
template <class T, class Fourth, class Fifth>
void transform_eight(Pair<T> (&a)[8], Fourth a3, Fifth a4) {
  Pair<T> even[4], odd[4];
  transform_four(a[0], a[2], a4, a[6], even);
  transform_four(a[1], a3, a[5], a[7], odd);
  const auto half = Part<T>::all(T(0.70710678118654752440));
  const Pair<T> one = odd[1], three = odd[3];
  odd[1] = {(one.re + one.im) * half, (one.im - one.re) * half};
  odd[2] = turned(odd[2]);
  odd[3] = {(three.im - three.re) * half, -((three.re + three.im) * half)};
  for (int k = 0; k < 4; ++k) {
    a[k] = even[k] + odd[k];
    a[k + 4] = even[k] - odd[k];
  }
}

// a_k ← Σ_j a_j e^{−2πi jk/R}. With `GAP` the fourth and the fifth of eight numbers are zero, and not looked at.
template <bool GAP, class T>
void butterfly(Pair<T> (&a)[2]) {
  const Pair<T> first = a[0];
  a[0] = first + a[1];
  a[1] = first - a[1];
}

template <bool GAP, class T>
void butterfly(Pair<T> (&a)[4]) {
  Pair<T> out[4];
  transform_four(a[0], a[1], a[2], a[3], out);
  for (int k = 0; k < 4; ++k) a[k] = out[k];
}

template <bool GAP, class T>
void butterfly(Pair<T> (&a)[8]) {
  if constexpr (GAP) {
    transform_eight(a, Zero{}, Zero{});
  } else {
    transform_eight(a, a[3], a[4]);
  }
}

// Radices 3 and 5 take sums s_j and differences d_j of a_j and a_{R−j}, j < R/2:
// X_k, X_{R−k} = a_0 + Σ_j s_j cos(2πjk/R) ∓ i Σ_j d_j sin(2πjk/R).
template <bool GAP, class T>
void butterfly(Pair<T> (&a)[3]) {
  const auto cosine = Part<T>::all(T(-0.5)), sine = Part<T>::all(T(0.86602540378443864676));
  const Pair<T> s = a[1] + a[2], d = a[1] - a[2];
  const Pair<T> even = {times_plus(s.re, cosine, a[0].re), times_plus(s.im, cosine, a[0].im)};
  const Pair<T> odd = turned(Pair<T>{d.re * sine, d.im * sine});
  a[0] = a[0] + s;
  a[1] = even + odd;
  a[2] = even - odd;
}

template <bool GAP, class T>
void butterfly(Pair<T> (&a)[5]) {
  const auto cos1 = Part<T>::all(T(0.30901699437494742410)), cos2 = Part<T>::all(T(-0.80901699437494742410));
  const auto sin1 = Part<T>::all(T(0.95105651629515357212)), sin2 = Part<T>::all(T(0.58778525229247312917));
  const Pair<T> s1 = a[1] + a[4], s2 = a[2] + a[3], d1 = a[1] - a[4], d2 = a[2] - a[3];
  const Pair<T> even1 = {times_plus(s2.re, cos2, times_plus(s1.re, cos1, a[0].re)),
                         times_plus(s2.im, cos2, times_plus(s1.im, cos1, a[0].im))};
  const Pair<T> even2 = {times_plus(s2.re, cos1, times_plus(s1.re, cos2, a[0].re)),
                         times_plus(s2.im, cos1, times_plus(s1.im, cos2, a[0].im))};
  const Pair<T> odd1 = turned(Pair<T>{d1.re * sin1 + d2.re * sin2, d1.im * sin1 + d2.im * sin2});
  const Pair<T> odd2 = turned(Pair<T>{d1.re * sin2 - d2.re * sin1, d1.im * sin2 - d2.im * sin1});
  a[0] = (a[0] + s1) + s2;
  a[1] = even1 + odd1;
  a[2] = even2 + odd2;
  a[3] = even2 - odd2;
  a[4] = even1 - odd1;
}

}  // namespace resolvent::stepping
