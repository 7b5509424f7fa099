// What transforms begin with and end with: velocities from a vorticity, squares, polynomials.
#pragma once

#include "solvers/timestepping/compiled/fourier.hpp"

namespace resolvent::stepping {

// Rows of û + i v̂ = (k_x + i k_y) ω̂/|k|² at k_y ≥ 0, or mirrored: of −(k_x + i k_y) conj(ω̂)/|k|² at the same k, which
// is û + i v̂ at −k. Tables are in the order of the transform's rows: k_x, or −k_x.
template <class T, bool MIRRORED>
struct VelocityRows {
  Row<const T> re, im;               // ω̂
  Row<const i64> positions;          // of its rows
  Row<const T> inverse;              // 1/|k|²
  Row<const i64> inverse_positions;  // of its rows
  Row<const T> kx, ky;               // one a row, one a lane

  Pair<T> operator()(i64 k, i64 lane) const {
    const Part<T> scale = Part<T>::load(line<const T>(inverse, inverse_positions[k] + lane, PART<T>));
    const Pair<T> w = load_pair<T>(re, im, positions[k] + lane);
    const Part<T> a = w.re * scale, b = w.im * scale;
    const Part<T> x = Part<T>::all(kx[k]), y = Part<T>::load(line<const T>(ky, lane, PART<T>));
    if constexpr (MIRRORED) {
      return {-times_plus(x, a, y * b), times_plus(x, b, -(y * a))};
    } else {
      return {times_plus(x, a, -(y * b)), times_plus(x, b, y * a)};
    }
  }
};

// Map u + iv to u² − v² + i uv, which is its square, imaginary part halved; in products alone, as the pass itself has
// only sums.
template <class T>
struct Square {
  Pair<T> operator()(Pair<T> z) const { return {times_plus(z.re, z.re, -(z.im * z.im)), z.im * z.re}; }
};

// Map both parts u to c₂ u² + c₃ u³.
template <class T>
struct Polynomial {
  T square, cube;

  Pair<T> operator()(Pair<T> z) const { return {of(z.re), of(z.im)}; }
  Part<T> of(Part<T> u) const { return u * u * times_plus(cube, u, Part<T>::all(square)); }
};

}  // namespace resolvent::stepping
