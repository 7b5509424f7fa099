// Vectors of numbers, sums in fixed lanes, and loops written for both: what every kernel with a sum is made of.
//
// Floating-point operations are done as they are written: the build turns contraction and reordering off, a product
// that is rounded once with a sum is `times_plus`, and a sum runs in as many lanes as its type says, whatever the
// registers. So a kernel's bits depend on nothing but the instruction level: below x86-64-v3 `times_plus` rounds twice.
#pragma once

#include <cmath>
#include <cstring>
#include <type_traits>

#include "solvers/kernels/views.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace resolvent {

constexpr i64 LINE_BYTES = 64;

// Numbers of a type that fit into a cache line: 16 of float, 8 of double.
template <class T>
constexpr i64 LANES = LINE_BYTES / i64(sizeof(T));

#if defined(__AVX512F__)
constexpr int REGISTER_BYTES = 64;
#elif defined(__AVX2__)
constexpr int REGISTER_BYTES = 32;
#else
constexpr int REGISTER_BYTES = 16;
#endif

#if defined(__FMA__) || defined(__aarch64__)
inline double times_plus(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float times_plus(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
inline double times_plus(double a, double b, double c) { return a * b + c; }
inline float times_plus(float a, float b, float c) { return a * b + c; }
#endif

template <class T, int N>
struct Register {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
  typedef T unaligned
      __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));  // as it lies in memory
};

template <class V>
inline V register_times_plus(V a, V b, V c) {
  return a * b + c;
}
#if defined(__AVX512F__)
inline __m512d register_times_plus(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }
inline __m512 register_times_plus(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
#endif
#if defined(__FMA__)
inline __m256d register_times_plus(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
inline __m256 register_times_plus(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
inline __m128d register_times_plus(__m128d a, __m128d b, __m128d c) { return _mm_fmadd_pd(a, b, c); }
inline __m128 register_times_plus(__m128 a, __m128 b, __m128 c) { return _mm_fmadd_ps(a, b, c); }
#elif defined(__aarch64__)
inline float64x2_t register_times_plus(float64x2_t a, float64x2_t b, float64x2_t c) { return vfmaq_f64(c, a, b); }
inline float32x4_t register_times_plus(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
#endif

// The numbers of a register, each converted to another type.
template <class To, class From>
inline To converted(From x) {
#if defined(__AVX__)  // gcc converts halves one by one
  if constexpr (std::is_same_v<From, Register<float, 4>::type> && std::is_same_v<To, Register<double, 4>::type>)
    return _mm256_cvtps_pd(x);
  else
#endif
    return __builtin_convertvector(x, To);
}

// N numbers in as many registers as they need, with the arithmetic of numbers.
template <class T, int N>
struct Vector {
  static constexpr int WIDTH = REGISTER_BYTES / int(sizeof(T)) < N ? REGISTER_BYTES / int(sizeof(T)) : N;
  static constexpr int PARTS = N / WIDTH;
  typedef typename Register<T, WIDTH>::type Part;

  Part part[PARTS];

  // Load N numbers of any type, converted.
  template <class S>
  static Vector load(const S *from) {
    Vector v;
    for (int k = 0; k < PARTS; ++k) {
      typedef typename Register<S, WIDTH>::type Given;
      const Given x = *reinterpret_cast<const typename Register<S, WIDTH>::unaligned *>(from + k * WIDTH);
      v.part[k] = converted<Part>(x);
    }
    return v;
  }
  template <class S>
  void store(S *to) const {
    for (int k = 0; k < PARTS; ++k) {
      typedef typename Register<S, WIDTH>::type Wanted;
      *reinterpret_cast<typename Register<S, WIDTH>::unaligned *>(to + k * WIDTH) =
          __builtin_convertvector(part[k], Wanted);
    }
  }
  static Vector all(T value) {
    Vector v;
    for (int k = 0; k < PARTS; ++k) v.part[k] = value - Part{};  // x − 0 is x for every x, 0 + x is not for −0
    return v;
  }
  friend Vector operator+(Vector a, Vector b) {
    for (int k = 0; k < PARTS; ++k) a.part[k] += b.part[k];
    return a;
  }
  friend Vector operator-(Vector a, Vector b) {
    for (int k = 0; k < PARTS; ++k) a.part[k] -= b.part[k];
    return a;
  }
  friend Vector operator*(Vector a, Vector b) {
    for (int k = 0; k < PARTS; ++k) a.part[k] *= b.part[k];
    return a;
  }
  friend Vector operator/(Vector a, Vector b) {
    for (int k = 0; k < PARTS; ++k) a.part[k] /= b.part[k];
    return a;
  }
  friend Vector operator*(T a, Vector b) { return all(a) * b; }
  friend Vector operator-(Vector a, T b) { return a - all(b); }
  friend Vector operator-(Vector a) {
    for (int k = 0; k < PARTS; ++k) a.part[k] = -a.part[k];
    return a;
  }
  // a · b + c, rounded once where the level has the instruction.
  friend Vector times_plus(Vector a, Vector b, Vector c) {
    for (int k = 0; k < PARTS; ++k) a.part[k] = register_times_plus(a.part[k], b.part[k], c.part[k]);
    return a;
  }
  friend Vector times_plus(T a, Vector b, Vector c) { return times_plus(all(a), b, c); }
  // Sum of the lanes: halves are added to each other until one is left.
  T sum() const {
    T lane[N];
    store(lane);
    for (int half = N / 2; half > 0; half /= 2)
      for (int l = 0; l < half; ++l) lane[l] += lane[l + half];
    return lane[0];
  }
};

// The place i of N neighbouring numbers: at(row, k) are those from row[i + k] on, at.set(row, v) stores v to row[i].
template <class T, int N>
struct Place {
  i64 i;
  template <class R>
  Vector<T, N> operator()(const R &row, i64 shift = 0) const {
    return Vector<T, N>::load(line(row, i + shift, N));
  }
  template <class R>
  void set(const R &row, Vector<T, N> value) const {
    value.store(line(row, i, N));
  }
};
template <class T>
struct Place<T, 1> {
  i64 i;
  template <class R>
  T operator()(const R &row, i64 shift = 0) const {
    return T(row[i + shift]);
  }
  template <class R>
  void set(const R &row, T value) const {
    row[i] = std::decay_t<decltype(row[i])>(value);
  }
};

// Call body(place) for all i < n, N numbers at a time, then one by one. The body is a generic lambda; a KERNEL inlines
// it. Write a loop with a sum so; the compiler vectorises a plain loop without one by itself.
template <class T, int N, class Body>
inline void for_lanes(i64 n, Body body) {
  i64 i = 0;
  for (; i + N <= n; i += N) body(Place<T, N>{i});
  for (; i < n; ++i) body(Place<T, 1>{i});
}

// A sum in N lanes, and one more for the numbers that fill no vector.
template <class T, int N>
struct Sum {
  Vector<T, N> lanes = Vector<T, N>::all(T(0));
  T rest = T(0);

  void add(Vector<T, N> v) { lanes = lanes + v; }
  void add(T v) { rest += v; }
  void add_product(Vector<T, N> a, Vector<T, N> b) { lanes = times_plus(a, b, lanes); }
  void add_product(T a, T b) { rest = times_plus(a, b, rest); }
  T total() const { return lanes.sum() + rest; }
};

}  // namespace resolvent
