// Conjugate gradients on a two-dimensional grid, preconditioned by the float32 cycle.
//
// Each iteration streams its vectors twice: once for the direction, the iterate (late by a step or two) and the product
// with A, row by row; once for the residual.
//
// At mild contrast directions, residuals and the operator that updates them are float32, which halves the memory to
// stream; the iterate is float64. Two directions are stored, so that every other iteration the iterate takes both steps
// at once. By rounding, the residual of the recurrence deviates from the true one by about 10⁻⁵ of its size when it was
// last recomputed. Well before it is that small, it is recomputed as scale·b − A x with float64 faces (reliable
// updates), and directions go on from it. Otherwise all vectors are float64.
//
// van der Vorst and Ye, SIAM J. Sci. Comput. 22 (2000) 835; Clark, Babich, Barros, Brower and Rebbi, Comput. Phys.
// Commun. 181 (2010) 1517.
#pragma once

#include "solvers/multigrid/outcomes.hpp"
#include "solvers/multigrid/plane/cycle.hpp"

namespace resolvent {

// The norm at which to recompute the residual: equal steps to the tolerance, by at most the factor `reduction` each.
inline double next_goal(double norm, double tolerance, double reduction) {
  if (norm <= tolerance) return tolerance;
  if (!(tolerance > 0.0)) return norm * reduction;
  const double stages = std::ceil(std::log(norm / tolerance) / -std::log(reduction));
  return stages <= 1.0 ? tolerance : norm * std::pow(tolerance / norm, 1.0 / stages);
}

// Rows. T is the type of the directions; sums over it are kept in it, and added to each other in float64.

// single = scale b in float32, and with KEEP r = scale b; return ‖r‖².
template <bool KEEP>
KERNEL double start_row(i64 nx, Row<double> r, Row<float> single, Row<const double> b, double scale) {
  Sum<double, LANES<double>> sum;
  for_lanes<double, LANES<double>>(nx, [&](auto at) {
    const auto value = scale * at(b);
    if (KEEP) at.set(r, value);
    at.set(single, value);
    sum.add_product(value, value);
  });
  return sum.total();
}

// x = 0, p = z; p and x are padded.
template <class T>
KERNEL void first_direction_row(i64 nx, Row<T> p, Row<double> x, Row<const float> z) {
  for (i64 i = 0; i < nx; ++i) x[i + 1] = 0.0;
  for (i64 i = 0; i < nx; ++i) p[i + 1] = z[i];
}

// x += α p, then p = z + β p; p and x are padded.
KERNEL void step_and_direction_row(i64 nx, Row<double> p, Row<double> x, Row<const float> z, double alpha,
                                   double beta) {
  for (i64 i = 0; i < nx; ++i) {
    const double old = p[i + 1];
    x[i + 1] = times_plus(alpha, old, x[i + 1]);
    p[i + 1] = times_plus(beta, old, double(z[i]));
  }
}

// p = z + β before; p and before are padded.
KERNEL void direction_row(i64 nx, Row<float> p, Row<const float> before, Row<const float> z, float beta) {
  for (i64 i = 0; i < nx; ++i) p[i + 1] = times_plus(beta, before[i + 1], z[i]);
}

// x += first · (direction in `p`) + second · before, then p = z + β before. All but z are padded.
KERNEL void steps_and_direction_row(i64 nx, Row<double> x, Row<float> p, Row<const float> before, Row<const float> z,
                                    double first, double second, float beta) {
  for (i64 i = 0; i < nx; ++i) {
    const float one = p[i + 1], two = before[i + 1];
    x[i + 1] = times_plus(first, double(one), times_plus(second, double(two), x[i + 1]));
    p[i + 1] = times_plus(beta, two, z[i]);
  }
}

// q = A p on a row; return pᵀ A p over it. The rows of p are padded.
template <class T>
KERNEL double product_row(i64 nx, Row<T> q, Row<const T> below, Row<const T> row, Row<const T> above, Row<const T> east,
                          Row<const T> south, Row<const T> north) {
  Sum<T, LANES<T>> sum;
  for_lanes<T, LANES<T>>(nx, [&](auto at) {
    const auto value = flux(at, below, row, above, east, south, north);
    at.set(q, value);
    sum.add_product(at(row, 1), value);
  });
  return sum.total();
}

// r −= α q; return ‖r‖². `single` becomes r in float32, unless r is.
template <class T>
KERNEL double update_residual_row(i64 n, Row<T> r, Row<const T> q, T alpha, Row<float> single) {
  Sum<T, LANES<T>> sum;
  for_lanes<T, LANES<T>>(n, [&](auto at) {
    const auto value = times_plus(-alpha, at(q), at(r));
    at.set(r, value);
    if (std::is_same<T, double>::value) at.set(single, value);
    sum.add_product(value, value);
  });
  return sum.total();
}

// x += α p.
KERNEL void step_row(i64 n, Row<double> x, Row<const double> p, double alpha) {
  for (i64 i = 0; i < n; ++i) x[i] = times_plus(alpha, p[i], x[i]);
}

// x += first · one + second · two.
KERNEL void steps_row(i64 n, Row<double> x, Row<const float> one, Row<const float> two, double first, double second) {
  for (i64 i = 0; i < n; ++i) x[i] = times_plus(first, double(one[i]), times_plus(second, double(two[i]), x[i]));
}

// single = scale b − A x in float32 on a row, and with KEEP r = it; return ‖r‖² over it. The rows of x are padded.
template <bool KEEP>
KERNEL double residual_row(i64 nx, Row<double> r, Row<float> single, Row<const double> b, Row<const double> below,
                           Row<const double> row, Row<const double> above, Row<const double> east,
                           Row<const double> south, Row<const double> north, double scale) {
  Sum<double, LANES<double>> sum;
  for_lanes<double, LANES<double>>(nx, [&](auto at) {
    const auto value = scale * at(b) - flux(at, below, row, above, east, south, north);
    if (KEEP) at.set(r, value);
    at.set(single, value);
    sum.add_product(value, value);
  });
  return sum.total();
}

// Fill in what lies beyond the ends in y of a padded grid that is periodic there.
template <class T>
void close_ends(Grid<T> p, i64 ny) {
  copy_row<T>(p.columns, p[0], p[ny]);
  copy_row<T>(p.columns, p[ny + 1], p[1]);
}

// A solve of A x = scale·b, from zero.
struct Solve {
  Plane &plane;
  const Hierarchy hierarchy;
  const i64 ny, nx;
  const Sides sides;
  const Grid<double> b, east, north;
  const double scale, tolerance;
  const i64 maxiter, patience;
  const Grid<double> x, p, q, r;               // float64: the iterate and the direction, padded; A p and the residual
  const Grid<float> single, pair[2], product;  // float32: the residual, two padded directions, A times one
  const Links links;
  double norm = 0.0, best = 0.0, start = 0.0;
  i64 iterations = 0;

  Solve(Plane &plane, const double *rhs, double scale, double tolerance, i64 maxiter, i64 patience)
      : plane(plane),
        hierarchy(plane),
        ny(hierarchy.levels[0].ny),
        nx(hierarchy.levels[0].nx),
        sides(hierarchy.sides),
        b{const_cast<double *>(rhs), ny, nx, nx},
        east{plane.faces_east, ny, nx + 1, nx + 1},
        north{plane.faces_north, ny + 1, nx, nx},
        scale(scale),
        tolerance(tolerance),
        maxiter(maxiter),
        patience(patience),
        x{plane.x, ny + 2, nx + 2, plane.wide_width},
        p{plane.p, ny + 2, nx + 2, plane.wide_width},
        q{plane.q, ny, nx, nx},
        r{plane.r, ny, nx, nx},
        single(hierarchy.cells(0, &Level::r)),
        pair{{plane.pair, ny + 2, nx + 2, plane.row_width},
             {plane.pair + (ny + 2) * plane.row_width, ny + 2, nx + 2, plane.row_width}},
        product{plane.product, ny, nx, nx},
        links(hierarchy.links(0)) {}

  // Compute the rows of a new direction d by make_row(j), and out = A d; return dᵀ A d.
  template <class T, class MakeRow>
  double direction_and_product(Grid<T> d, Grid<T> out, Grid<T> faces_east, Grid<T> faces_north,
                               MakeRow make_row) const {
    const auto multiply = [&](i64 j) {
      return product_row<T>(nx, out[j], d[j], d[j + 1], d[j + 2], faces_east[j], faces_north[j], faces_north[j + 1]);
    };
    double total = 0.0;
    for (i64 j = 0; j < ny; ++j) {
      make_row(j);
      close_row(d[j + 1], nx, sides.periodic_x);
      if (j > 1) total += multiply(j - 1);
    }
    if (sides.periodic_y) close_ends(d, ny);
    total += multiply(0);
    return ny > 1 ? total + multiply(ny - 1) : total;
  }

  // Let x take its pending steps by step(j), set single (and r with KEEP) to scale·b − A x; return its norm.
  //
  // Each row of the product follows one row behind the steps; where the box is periodic in y, after all steps.
  template <bool KEEP, class Step>
  double step_and_residual(Step step) const {
    const auto subtract = [&](i64 j) {
      return residual_row<KEEP>(nx, r[j], single[j], b[j], x[j], x[j + 1], x[j + 2], east[j], north[j], north[j + 1],
                                scale);
    };
    double total = 0.0;
    for (i64 j = 0; j < ny; ++j) {
      step(j + 1);
      close_row(x[j + 1], nx, sides.periodic_x);
      if (j > 0 && !sides.periodic_y) total += subtract(j - 1);
    }
    if (sides.periodic_y) close_ends(x, ny);
    for (i64 j = sides.periodic_y ? 0 : ny - 1; j < ny; ++j) total += subtract(j);
    return std::sqrt(total);
  }
  double step_and_residual(double alpha) const {
    return step_and_residual<true>([&](i64 j) { step_row(nx, x[j].from(1), p[j].from(1), alpha); });
  }

  View<double> padded(Grid<double> v) const { return {v.data, v.rows * v.stride}; }
  void record() const { plane.history[iterations] = norm; }
  bool finite() const { return norm <= std::numeric_limits<double>::max(); }

  Outcome run() {
    double total = 0.0;
    for (i64 j = 0; j < ny; ++j)
      total += plane.mild ? start_row<false>(nx, r[j], single[j], b[j], scale)
                          : start_row<true>(nx, r[j], single[j], b[j], scale);
    start = best = norm = std::sqrt(total);
    record();
    if (norm <= tolerance || !finite() || maxiter == 0) {
      padded(x).fill(0.0);
      return norm <= tolerance ? CONVERGED : finite() ? MAXITER : NONFINITE;
    }
    if (plane.mild) {
      const Outcome outcome = with_single_directions();
      if (outcome != SLOW) return outcome;
      padded(p).fill(0.0);
      norm = step_and_residual(0.0);
      best = norm;
    }
    return with_double_directions();
  }

  // Iterate with float32 directions. SLOW means that float64 ones should take over, starting from the recomputed
  // residual: it did not halve, the cycle or A seems indefinite, or `enough` iterations are done.
  Outcome with_single_directions() {
    double pending[2] = {0.0, 0.0};  // steps along the two directions, not yet taken
    double rho = 0.0, goal = next_goal(norm, tolerance, plane.reduction);
    bool recomputed = false;
    while (true) {
      const double energy = cycle(plane, hierarchy);
      bool sound = energy > 0.0;
      if (sound) {
        double beta = rho > 0.0 ? energy / rho : 0.0;
        if (recomputed && beta > 1.0) beta = 0.0;  // the residual has changed too much for the old direction
        recomputed = false;
        rho = energy;
        const double curvature = single_direction(pending, beta);
        sound = curvature > 0.0;
        if (sound) {
          const double alpha = rho / curvature;
          double total = 0.0;
          for (i64 j = 0; j < ny; ++j)
            total += update_residual_row<float>(nx, single[j], product[j], float(alpha), single[j]);
          norm = std::sqrt(total);
          pending[iterations % 2] = alpha;
          ++iterations;
          record();
          if (!finite()) return NONFINITE;
        }
      }
      if (sound && norm > goal && iterations < maxiter && iterations < plane.enough) continue;
      if (iterations == 0) padded(x).fill(0.0);
      norm = step_and_residual<false>(
          [&](i64 j) { steps_row(nx, x[j].from(1), pair[0][j].from(1), pair[1][j].from(1), pending[0], pending[1]); });
      record();
      pending[0] = pending[1] = 0.0;
      if (norm <= tolerance) return CONVERGED;
      const bool halved = sound && norm <= 0.5 * best;
      best = norm;
      if (iterations == maxiter) return MAXITER;
      if (!halved || iterations >= plane.enough) return SLOW;
      recomputed = true;
      goal = next_goal(norm, tolerance, plane.reduction);
    }
  }

  // Compute the new direction p and A p; return pᵀ A p. In even iterations x takes the pending steps along both.
  double single_direction(double pending[2], double beta) const {
    const bool odd = iterations % 2;
    const Grid<float> d = pair[odd], before = pair[!odd];
    const View<float> z{plane.arena + plane.place, ny * nx};
    const double curvature = direction_and_product<float>(d, product, links.east, links.north, [&](i64 j) {
      const View<float> z_row = z.part(j * nx, (j + 1) * nx);
      if (odd)
        direction_row(nx, d[j + 1], before[j + 1], z_row, float(beta));
      else if (iterations == 0)
        first_direction_row<float>(nx, d[j + 1], x[j + 1], z_row);
      else
        steps_and_direction_row(nx, x[j + 1], d[j + 1], before[j + 1], z_row, pending[0], pending[1], float(beta));
    });
    if (!odd) pending[0] = pending[1] = 0.0;
    return curvature;
  }

  // Iterate with float64 directions.
  Outcome with_double_directions() {
    double alpha = 0.0, rho = 0.0;  // alpha: the step along p, not yet taken
    Outcome outcome = MAXITER;
    while (iterations < maxiter) {
      const double energy = cycle(plane, hierarchy);
      if (!(energy > 0.0)) {
        outcome = energy <= 0.0 ? INDEFINITE : NONFINITE;
        break;
      }
      const double beta = rho > 0.0 ? energy / rho : 0.0;
      rho = energy;
      const double curvature = double_direction(alpha, beta);
      if (!(curvature > 0.0)) {
        alpha = 0.0;
        outcome = curvature <= 0.0 ? INDEFINITE : NONFINITE;
        break;
      }
      alpha = rho / curvature;
      double total = 0.0;
      for (i64 j = 0; j < ny; ++j) total += update_residual_row<double>(nx, r[j], q[j], alpha, single[j]);
      norm = std::sqrt(total);
      ++iterations;
      record();
      if (!finite()) {
        outcome = NONFINITE;
        break;
      }
      if (norm <= tolerance || iterations == maxiter) {
        norm = step_and_residual(alpha);
        record();
        alpha = rho = 0.0;
        if (norm <= tolerance) return CONVERGED;
        if (iterations == maxiter) return MAXITER;
        // A second start from the true residual that does not halve it has met float64's floor.
        if (norm > 0.5 * best) return STAGNATED;
        best = norm;
      } else if (iterations % 50 == 0 && iterations >= 100 && needed() > double(patience)) {
        outcome = SLOW;
        break;
      }
    }
    if (iterations == 0) {
      padded(x).fill(0.0);
      padded(p).fill(0.0);
    }
    norm = step_and_residual(alpha);
    record();
    return outcome;
  }

  // Iterations that the solve would need in all, at its mean rate so far.
  double needed() const {
    const double reached = std::log(start / norm);
    return double(iterations) * std::log(start / tolerance) / (reached > 1e-3 ? reached : 1e-3);
  }

  // Set x += α p, p = z + β p, q = A p; return pᵀ q. At first x = 0, p = z.
  double double_direction(double alpha, double beta) const {
    const View<float> z{plane.arena + plane.place, ny * nx};
    return direction_and_product<double>(p, q, east, north, [&](i64 j) {
      const View<float> z_row = z.part(j * nx, (j + 1) * nx);
      if (iterations == 0)
        first_direction_row<double>(nx, p[j + 1], x[j + 1], z_row);
      else
        step_and_direction_row(nx, p[j + 1], x[j + 1], z_row, alpha, beta);
    });
  }
};

}  // namespace resolvent
