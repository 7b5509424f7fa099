// Complex numbers, and the functions that let one kernel serve real and complex matrices.
//
// Products are the textbook ones, a few operations; std::complex calls a library function for each, for the sake of
// infinities.
#pragma once

#include <cmath>
#include <limits>

#include "solvers/kernels/views.hpp"

namespace resolvent {

template <class T>
struct Complex {
  T re, im;

  Complex() = default;
  Complex(T real) : re(real), im(T(0)) {}
  Complex(T real, T imaginary) : re(real), im(imaginary) {}

  friend Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
  friend Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
  friend Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
  friend Complex operator/(Complex a, T b) { return {a.re / b, a.im / b}; }
  // Smith's division: no intermediate overflows where the quotient does not.
  friend Complex operator/(Complex a, Complex b) {
    if (std::fabs(b.re) >= std::fabs(b.im)) {
      const T ratio = b.im / b.re, scale = b.re + b.im * ratio;
      return {(a.re + a.im * ratio) / scale, (a.im - a.re * ratio) / scale};
    }
    const T ratio = b.re / b.im, scale = b.re * ratio + b.im;
    return {(a.re * ratio + a.im) / scale, (a.im * ratio - a.re) / scale};
  }
  Complex &operator+=(Complex b) { return *this = *this + b; }
  Complex &operator-=(Complex b) { return *this = *this - b; }
  Complex &operator/=(Complex b) { return *this = *this / b; }
};

inline float real(float a) { return a; }
inline double real(double a) { return a; }
template <class T>
T real(Complex<T> a) {
  return a.re;
}

inline float conj(float a) { return a; }
inline double conj(double a) { return a; }
template <class T>
Complex<T> conj(Complex<T> a) {
  return {a.re, -a.im};
}

// |a|².
inline float squared(float a) { return a * a; }
inline double squared(double a) { return a * a; }
template <class T>
T squared(Complex<T> a) {
  return a.re * a.re + a.im * a.im;
}

inline float magnitude(float a) { return std::fabs(a); }
inline double magnitude(double a) { return std::fabs(a); }
// |a| by square roots alone, whose bits are the same everywhere; scaled, so that no square overflows.
template <class T>
T magnitude(Complex<T> a) {
  const T x = std::fabs(a.re), y = std::fabs(a.im), largest = x > y ? x : y;
  if (!(largest > T(0)) || largest > std::numeric_limits<T>::max()) return largest;
  const T u = x / largest, v = y / largest;
  return largest * std::sqrt(u * u + v * v);
}

template <class T>
struct RealOf {
  using type = T;
};
template <class T>
struct RealOf<Complex<T>> {
  using type = T;
};
template <class T>
using Real = typename RealOf<T>::type;

}  // namespace resolvent

// Define an exported kernel for every type of values: DEFINE(suffix, T).
#define FOR_VALUES(DEFINE)               \
  DEFINE(f32, float)                     \
  DEFINE(f64, double)                    \
  DEFINE(c64, resolvent::Complex<float>) \
  DEFINE(c128, resolvent::Complex<double>)

// Define an exported kernel for every type of matrix: DEFINE(suffix, T, I) with T the values and I the indices.
#define FOR_MATRICES(DEFINE)                                   \
  DEFINE(f32_i32, float, resolvent::i32)                       \
  DEFINE(f32_i64, float, resolvent::i64)                       \
  DEFINE(f64_i32, double, resolvent::i32)                      \
  DEFINE(f64_i64, double, resolvent::i64)                      \
  DEFINE(c64_i32, resolvent::Complex<float>, resolvent::i32)   \
  DEFINE(c64_i64, resolvent::Complex<float>, resolvent::i64)   \
  DEFINE(c128_i32, resolvent::Complex<double>, resolvent::i32) \
  DEFINE(c128_i64, resolvent::Complex<double>, resolvent::i64)
