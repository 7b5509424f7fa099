// Transforms of real data on lanes: 2h real points are the real and imaginary parts of h complex ones.
//
// Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 4.2.
#pragma once

#include "solvers/timestepping/compiled/fourier.hpp"

namespace resolvent::stepping {

// Cosines and sines of 2πk/2h, k < h.
template <class T>
struct Roots {
  View<const T> cosines, sines;
};

// The first pass of the inverse transform of length h to even + i odd points of 2h real ones, unscaled.
//
// Its rows are Z_k = (U_k + conj U_{h−k}) + i e^{2πik/2h} (U_k − conj U_{h−k}), k < h, of the modes U_0 … U_h. The
// parts of U_k lie at real[k] and imaginary[k].
template <class T>
struct MergedRows {
  Row<const T> re, im;
  Row<const i64> real, imaginary;
  Row<const T> cosines, sines;
  i64 h;

  Pair<T> operator()(i64 k, i64 lane) const {
    const Pair<T> a = mode(k, lane), b = mode(h - k, lane);
    const Part<T> c = Part<T>::all(cosines[k]), d = Part<T>::all(sines[k]);
    const Part<T> dr = a.re - b.re, di = a.im + b.im;
    return {(a.re + b.re) - times_plus(dr, d, di * c), (a.im - b.im) + times_plus(dr, c, -(di * d))};
  }
  Pair<T> mode(i64 k, i64 lane) const {
    return {Part<T>::load(line<const T>(re, real[k] + lane, PART<T>)),
            Part<T>::load(line<const T>(im, imaginary[k] + lane, PART<T>))};
  }
};

template <class T>
MergedRows<T> merged_rows(const Block<T> &u, View<const i64> real, View<const i64> imaginary, const Roots<T> &roots) {
  return {u.re, u.im, real, imaginary, roots.cosines, roots.sines, roots.cosines.size};
}

// Compute 2 U_k, first ≤ k ≤ last < h, of 2h real points from the transform Z of even + i odd points.
//
// 2 U_k = (Z_k + conj Z_{h−k}) − i e^{−2πik/2h} (Z_k − conj Z_{h−k}), in line k − first of u.
template <class T>
KERNEL void split_real_rows(i64 h, i64 first, i64 last, Row<const T> cosines, Row<const T> sines, Row<const T> z_re,
                            Row<const T> z_im, Row<T> u_re, Row<T> u_im) {
  constexpr i64 L = LANES<T>;
  for (i64 k = first; k <= last; ++k) {
    const i64 mirrored = k == 0 ? 0 : h - k;
    const Part<T> c = Part<T>::all(cosines[k]), d = Part<T>::all(sines[k]);
    for (i64 lane = 0; lane < L; lane += PART<T>) {
      const Pair<T> a = load_pair<T>(z_re, z_im, k * L + lane), b = load_pair<T>(z_re, z_im, mirrored * L + lane);
      const Part<T> dr = a.re - b.re, di = a.im + b.im;
      const Pair<T> u = {(a.re + b.re) + times_plus(di, c, -(dr * d)), (a.im - b.im) - times_plus(dr, c, di * d)};
      store_pair<T>(u, u_re, u_im, (k - first) * L + lane);
    }
  }
}

template <class T>
void split_real(i64 first, i64 last, const Roots<T> &roots, const Block<T> &z, const Block<T> &u) {
  split_real_rows<T>(roots.cosines.size, first, last, roots.cosines, roots.sines, z.re, z.im, u.re, u.im);
}

}  // namespace resolvent::stepping
