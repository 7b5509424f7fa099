// Conjugate gradients in mixed precision on a three-dimensional grid, preconditioned by the float32 cycle.
//
// The iterate is float64; directions, residuals and the operator that updates them are float32, half the memory to
// stream. By rounding, the residual of the recurrence deviates from the true one. Before the deviation is as large as
// the residual, it is replaced by scale·b − A x, recomputed in float64 with the float64 operator (reliable updates);
// directions stay conjugate and go on. Only such residuals decide convergence.
//
// Vectors have the layout of the levels, with a rim. Each iteration streams them twice: plane by plane for the
// direction and the product with A, and once for the residual. Two directions are stored, so that every other iteration
// the iterate takes both steps at once.
//
// References: van der Vorst and Ye, SIAM J. Sci. Comput. 22 (2000) 835; Clark, Babich, Barros, Brower and Rebbi,
// Comput. Phys. Commun. 181 (2010) 1517.
#pragma once

#include "solvers/multigrid/outcomes.hpp"
#include "solvers/multigrid/space/cycle.hpp"

// A solve, as it begins, and as it stands when it ends or pauses:
//   scale, tolerance  solve A x = scale·b to ‖r‖ ≤ tolerance
//   patience          a solve whose rate predicts more iterations than this is given up
//   reduction         the factor by which residuals shrink until they are recomputed
//   exchangeable      whether to pause where convergence is slow, so that a more robust hierarchy can be set up
//   history           (maxiter + 1) norms of the residuals
//   iterations, norm  so far
//   start, best       norms at the beginning and after the last recomputation; goal, the norm at which to recompute
//   energy            rᵀ z of the iteration before, 0 if the next direction starts anew
//   first, second     steps along the two directions that are not yet taken
//   recomputed        whether the residual has just been recomputed
#define SPACE_SOLVE_MEMBERS(FIELD) \
  FIELD(double, scale)             \
  FIELD(double, tolerance)         \
  FIELD(double, reduction)         \
  FIELD(i64, maxiter)              \
  FIELD(i64, patience)             \
  FIELD(i64, exchangeable)         \
  FIELD(double *, history)         \
  FIELD(i64, iterations)           \
  FIELD(double, norm)              \
  FIELD(double, start)             \
  FIELD(double, best)              \
  FIELD(double, goal)              \
  FIELD(double, energy)            \
  FIELD(double, first)             \
  FIELD(double, second)            \
  FIELD(i64, recomputed)
STRUCTURE(SpaceSolve, SPACE_SOLVE_MEMBERS)

namespace resolvent::space {

// Returned instead of an outcome where the hierarchy should be exchanged; the solve then goes on.
constexpr i64 PAUSED = -1;

// Every so many iterations the rate is checked, while the hierarchy can still be exchanged for a better one.
constexpr i64 GLANCE = 6;

// With more iterations than this ahead the exchange pays; it costs as much as four of them.
constexpr double ENOUGH = 20.0;

// ln x of a positive number, by operations whose bits are the same everywhere: it decides when residuals are
// recomputed.
inline double logarithm(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  double exponent = double(i64(bits >> 52) - 1023), m;
  bits = (bits & 0xFFFFFFFFFFFFFu) | (std::uint64_t(1023) << 52);
  std::memcpy(&m, &bits, sizeof m);  // x = m 2^exponent
  if (m > 1.5) m *= 0.5, exponent += 1.0;
  const double z = (m - 1.0) / (m + 1.0);  // ln m = 2 (z + z³/3 + z⁵/5 + …), |z| ≤ 0.2
  double sum = 0.0;
  for (int k = 23; k > 0; k -= 2) sum = sum * z * z + 1.0 / k;
  return exponent * 0.6931471805599453 + 2.0 * z * sum;
}

// The k-th root of x < 1, by Newton's method from above.
inline double root(double x, i64 k) {
  for (double y = 1.0;;) {
    double power = 1.0;
    for (i64 i = 1; i < k; ++i) power *= y;
    const double next = (double(k - 1) * y + x / power) / double(k);
    if (!(next < y)) return y;
    y = next;
  }
}

// The norm at which to recompute the residual: equal steps to the tolerance, at most `reduction` each.
inline double goal_after(double norm, double tolerance, double reduction) {
  if (!(norm > tolerance && tolerance > 0.0)) return tolerance;
  const double steps = logarithm(norm / tolerance) / -logarithm(reduction);
  const i64 stages = i64(steps) + (double(i64(steps)) < steps);
  return stages <= 1 ? tolerance : norm * root(tolerance / norm, stages);
}

// The new direction = z + β · (the one before).
KERNEL void new_direction(Row<float> out, Row<const float> before, Row<const float> z, float beta, i64 count) {
  for (i64 c = 0; c < count; ++c) out[c] = times_plus(beta, before[c], z[c]);
}

// Add first · p + second · before to x; then the new direction p = z + β · before.
KERNEL void take_steps(Row<double> x, Row<float> p, Row<const float> before, Row<const float> z, double first,
                       double second, float beta, i64 count) {
  for (i64 c = 0; c < count; ++c) {
    x[c] = times_plus(second, double(before[c]), times_plus(first, double(p[c]), x[c]));
    p[c] = times_plus(beta, before[c], z[c]);
  }
}

// x += first · p₁ + second · p₂.
KERNEL void add_steps(Row<double> x, Row<const float> p1, Row<const float> p2, double first, double second, i64 count) {
  for (i64 c = 0; c < count; ++c) x[c] = times_plus(second, double(p2[c]), times_plus(first, double(p1[c]), x[c]));
}

// Set q = A p on a plane; return pᵀ q over it.
KERNEL double product_of_plane(Row<float> q, Row<const float> p, Row<const float> east, Row<const float> north,
                               Row<const float> up, i64 w, i64 s, i64 ny, i64 nx) {
  double total = 0.0;
  for (i64 c = w + 1; c < (ny + 1) * w; c += w) {
    Sum<float, 8> sum;
    for_lanes<float, 8>(nx, [&](auto at) {
      const auto flux = fluxes(at, c, p, east, north, up, w, s);
      at.set(q + c, flux);
      sum.add_product(at(p, c), flux);
    });
    total += sum.total();
  }
  return total;
}

// Subtract α q from r; return ‖r‖².
KERNEL double update_residual(Row<float> r, Row<const float> q, float alpha, i64 count) {
  Sum<float, 16> sum;
  for_lanes<float, 16>(count, [&](auto at) {
    const auto value = times_plus(-alpha, at(q), at(r));
    at.set(r, value);
    sum.add_product(value, value);
  });
  return sum.total();
}

// Set r = scale·b − A x on a plane, b without a rim; return ‖r‖² over it.
KERNEL double true_residual(Row<float> r, Row<const double> b, Row<const double> x, Row<const double> east,
                            Row<const double> north, Row<const double> up, double scale, i64 w, i64 s, i64 ny, i64 nx) {
  Sum<double, 8> sum;
  for (i64 j = 0; j < ny; ++j) {
    const i64 c = (j + 1) * w + 1;
    for_lanes<double, 8>(nx, [&](auto at) {
      const auto value = scale * at(b, j * nx) - fluxes(at, c, x, east, north, up, w, s);
      at.set(r + c, value);
      sum.add_product(value, value);
    });
  }
  return sum.total();
}

// Set r = scale·b on a row; return ‖r‖² over it.
KERNEL double first_residual(Row<float> r, Row<const double> b, double scale, i64 count) {
  Sum<double, 8> sum;
  for_lanes<double, 8>(count, [&](auto at) {
    const auto value = scale * at(b);
    at.set(r, value);
    sum.add_product(value, value);
  });
  return sum.total();
}

// One solve: its vectors, and what an iteration does with them.
struct System {
  Space &space;
  SpaceSolve &solve;
  View<const double> b;
  Level level;
  View<double> x, faces;
  View<float> directions[2], q;

  System(Space &all, SpaceSolve &one, const double *rhs) : space(all), solve(one), level(level_of(all, 0)) {
    const i64 n = level.n;
    b = {rhs, level.size[Z] * level.size[Y] * level.size[X]};
    x = {space.iterate, n};
    faces = {space.faces, 3 * n};
    directions[0] = {space.directions, n};
    directions[1] = {space.directions + n, n};
    q = {space.directions + 2 * n, n};
  }

  // Set x = 0 and r = scale·b; return ‖r‖.
  double first_norm() const {
    const i64 ny = level.size[Y], nx = level.size[X];
    double total = 0.0;
    x.fill(0.0);  // the other vectors are written before they count
    for (i64 k = 0; k < level.size[Z]; ++k)
      for (i64 j = 0; j < ny; ++j)
        total += first_residual(row_at(level.r, level.at(k, j, 0)), b.from((k * ny + j) * nx), solve.scale, nx);
    return std::sqrt(total);
  }

  // Bring x up to date and set r = scale·b − A x, computed in float64; return ‖r‖.
  double true_norm() const {
    const i64 ny = level.size[Y], nx = level.size[X], n = level.n, s = level.s;
    add_steps(x, directions[0], directions[1], solve.first, solve.second, n);
    solve.first = solve.second = 0.0;
    if (level.any_periodic()) close_rim(x, level);
    double total = 0.0;
    for (i64 k = 0; k < level.size[Z]; ++k) {
      const i64 p = (k + 1) * s;
      total += true_residual(row_at(level.r, p), b.from(k * ny * nx), row_at(x, p), row_at(faces, p),
                             row_at(faces, n + p), row_at(faces, 2 * n + p), solve.scale, level.w, s, ny, nx);
    }
    return std::sqrt(total);
  }

  // Set q = A p on plane k, counted with the rim; return pᵀ q over it.
  double product_of(View<float> p, i64 k) const {
    const i64 begin = k * level.s;
    return product_of_plane(row_at(q, begin), row_at(p, begin), row_at(level.link(0), begin),
                            row_at(level.link(1), begin), row_at(level.link(2), begin), level.w, level.s, level.size[Y],
                            level.size[X]);
  }

  // Compute the new direction p (in odd iterations in the second slot) and q = A p; return pᵀ A p. In even iterations x
  // takes the steps along both directions before.
  double direction_and_product(bool odd, double beta) const {
    const i64 nz = level.size[Z];
    const View<float> p = directions[odd], before = directions[!odd];
    double total = 0.0;
    for (i64 k = 1; k <= nz; ++k) {
      const View<float> plane = level.plane(p, k), last = level.plane(before, k), z = level.plane(level.x, k);
      if (odd)
        new_direction(plane, last, z, float(beta), level.s);
      else
        take_steps(level.plane(x, k), plane, last, z, solve.first, solve.second, float(beta), level.s);
      if (level.periodic_in_planes()) close_plane(plane, level);
      if (k > 2) total += product_of(p, k - 1);
    }
    if (level.periodic[Z]) set_ends(p, level, level.periodic);
    total += product_of(p, 1);
    if (nz > 1) total += product_of(p, nz);
    if (!odd) solve.first = solve.second = 0.0;
    return total;
  }

  // Subtract from r the new direction's share, α q; return ‖r‖.
  double update() const {
    const i64 odd = solve.iterations % 2;
    const double alpha = odd ? solve.second : solve.first;
    double total = 0.0;
    for (i64 k = 1; k <= level.size[Z]; ++k)
      total += update_residual(level.plane(level.r, k), level.plane(q, k), float(alpha), level.s);
    return std::sqrt(total);
  }

  // End with a residual computed in float64.
  i64 end(i64 outcome) const {
    solve.norm = solve.history[solve.iterations] = true_norm();
    return outcome;
  }
};

// Begin to solve from zero; return an outcome where nothing is left to do, else PAUSED.
inline i64 begin(const System &system) {
  SpaceSolve &solve = system.solve;
  solve.iterations = solve.recomputed = 0;
  solve.energy = solve.first = solve.second = 0.0;
  solve.start = solve.best = solve.norm = solve.history[0] = system.first_norm();
  if (solve.norm <= solve.tolerance) return CONVERGED;
  if (!(solve.norm < HUGE_VAL)) return NONFINITE;
  solve.goal = goal_after(solve.norm, solve.tolerance, solve.reduction);
  return PAUSED;
}

// Go on with a solve; return how it ended, or PAUSED.
inline i64 iterate(const System &system) {
  SpaceSolve &solve = system.solve;
  while (solve.iterations < solve.maxiter) {
    const double energy = cycle(system.space);
    if (!(energy > 0.0)) return system.end(energy <= 0.0 ? INDEFINITE : NONFINITE);
    double beta = solve.energy > 0.0 ? energy / solve.energy : 0.0;
    if (solve.recomputed && beta > 1.0) beta = 0.0;  // the residual has changed too much for the old direction
    solve.recomputed = 0;
    solve.energy = energy;
    const bool odd = solve.iterations % 2;
    const double curvature = system.direction_and_product(odd, beta);
    if (!(curvature > 0.0)) return system.end(curvature <= 0.0 ? INDEFINITE : NONFINITE);
    (odd ? solve.second : solve.first) = energy / curvature;
    solve.norm = system.update();
    solve.history[++solve.iterations] = solve.norm;
    if (!(solve.norm < HUGE_VAL)) return system.end(NONFINITE);
    const bool last = solve.iterations == solve.maxiter;
    if (solve.norm <= solve.goal || last) {
      system.end(PAUSED);
      if (solve.norm <= solve.tolerance) return CONVERGED;
      // A recomputed residual that is not half the one before has reached float64's floor.
      if (solve.norm > 0.5 * solve.best && !last) return STAGNATED;
      solve.best = solve.norm;
      solve.recomputed = 1;
      solve.goal = goal_after(solve.norm, solve.tolerance, solve.reduction);
      continue;
    }
    const double rate = logarithm(solve.start / solve.norm) / double(solve.iterations);
    if (solve.exchangeable && solve.iterations % GLANCE == 0 &&
        logarithm(solve.norm / solve.tolerance) > ENOUGH * rate) {
      solve.exchangeable = 0;
      solve.energy = 0.0;
      return system.end(PAUSED);
    }
    if (solve.iterations % 50 == 0 && solve.iterations >= 100 &&
        logarithm(solve.start / solve.tolerance) > double(solve.patience) * (rate > 1e-5 ? rate : 1e-5))
      return system.end(SLOW);
  }
  return MAXITER;
}

}  // namespace resolvent::space
