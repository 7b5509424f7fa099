// The V-cycle on three-dimensional grids.
//
// On the finest level, relaxation steps follow each other through the planes like waves: step s is at plane t − s while
// step 0 is at plane t, so that each plane is read from memory once and its k steps, the residual and the transfer
// happen while it is in the second-level cache. Where the box is periodic in z, and on coarse levels, steps are whole
// passes.
#pragma once

#include "solvers/multigrid/space/linear_transfers.hpp"
#include "solvers/multigrid/space/sweeps.hpp"

namespace resolvent::space {

// aᵀ b of vectors in float32, summed in float64.
KERNEL double product(Row<const float> a, Row<const float> b, i64 count) {
  Sum<double, 8> sum;
  for_lanes<double, 8>(count, [&](auto at) { sum.add_product(at(a), at(b)); });
  return sum.total();
}

// Relaxation factors of one level.
struct Steps {
  const float *omega;
  i64 count;
};

inline Steps steps_of(const Space &space, i64 number) {
  if (number > 0 && space.rediscretised) return {space.omegas_below, space.steps_below};
  return {space.omegas, space.steps};
}

inline bool has_seven_points(const Space &space, i64 number) { return space.rediscretised || number == 0; }

inline void restrict_to(const Space &space, View<float> fine, i64 k, const Level &level, const Level &coarse) {
  if (space.rediscretised)
    restrict_linear(fine, k, level, coarse);
  else
    restrict_plane(fine, k, level, coarse);
}

inline void prolong_from(const Space &space, View<float> fine, i64 k, const Level &level, const Level &coarse) {
  if (space.rediscretised)
    prolong_linear(fine, k, level, coarse);
  else
    prolong_plane(fine, k, level, coarse);
}

// Set x = A⁻¹ r by the dense inverse; return rᵀ x.
inline double solve_coarsest(const Level &level) {
  const i64 nz = level.size[Z], ny = level.size[Y], nx = level.size[X];
  i64 entry = 0;
  double energy = 0.0;
  for (i64 k = 0; k < nz; ++k) {
    for (i64 j = 0; j < ny; ++j) {
      for (i64 i = 0; i < nx; ++i) {
        float sum = 0.0f;
        for (i64 kk = 0; kk < nz; ++kk)
          for (i64 jj = 0; jj < ny; ++jj)
            for (i64 ii = 0; ii < nx; ++ii)
              sum = times_plus(level.weights[entry++], level.r[level.at(kk, jj, ii)], sum);
        const i64 c = level.at(k, j, i);
        level.x[c] = sum;
        energy = times_plus(double(sum), double(level.r[c]), energy);
      }
    }
  }
  close_rim(level.x, level);
  return energy;
}

// Do one step on a whole level, from one vector to another.
inline void relax(View<float> out, View<float> x, const Level &level, bool seven, View<float> work, float omega) {
  if (seven)
    for (i64 k = 1; k <= level.size[Z]; ++k)
      relax_plane(level.plane(out, k), level.plane(x, k - 1), level.plane(x, k), level.plane(x, k + 1), level, k,
                  omega);
  else
    relax_level(out, x, level, work, omega);
  if (level.any_periodic()) close_rim(out, level);
}

// The two vectors of a level, and in which one the steps before the coarse correction start: so that k steps and k more
// end in x.
struct Pair {
  View<float> from, to;
  void swap() {
    const View<float> before = from;
    from = to;
    to = before;
  }
};

// Do the steps of a level from zero, into z (x if their number is even), and set r of the next level = Pᵀ (r − A x).
inline void descend(const Space &space, i64 number) {
  const Level level = level_of(space, number), coarse = level_of(space, number + 1);
  const View<float> work = {space.work, space.work_size};
  const bool seven = has_seven_points(space, number);
  const Steps steps = steps_of(space, number);
  Pair x = {level.z, level.x};
  first_step(x.from, level.inverse_diagonal, level.r, steps.omega[0], level.n);
  if (level.any_periodic()) close_rim(x.from, level);
  for (i64 m = 1; m < steps.count; ++m, x.swap()) relax(x.to, x.from, level, seven, work, steps.omega[m]);
  if (!seven) residual_level(x.to, x.from, level, work, 1.0f);
  for (i64 k = 0; k < level.size[Z]; ++k) {
    if (seven) residual_plane(work, x.from, level, k + 1, 1.0f);
    restrict_to(space, seven ? work : level.plane(x.to, k + 1), k, level, coarse);
  }
}

// Do the steps of a level, into x, from the result of `descend` plus P x of the next level.
inline void ascend(const Space &space, i64 number) {
  const Level level = level_of(space, number), coarse = level_of(space, number + 1);
  const View<float> work = {space.work, space.work_size};
  const Steps steps = steps_of(space, number);
  Pair x = {level.x, level.z};
  if (steps.count % 2) x.swap();
  for (i64 k = 0; k < level.size[Z]; ++k) prolong_from(space, level.plane(x.from, k + 1), k, level, coarse);
  if (level.any_periodic()) close_rim(x.from, level);
  for (i64 m = 0; m < steps.count; ++m, x.swap())
    relax(x.to, x.from, level, has_seven_points(space, number), work, steps.omega[m]);
}

// The planes that waves have passed: four for each step but the last, and one for the residual.
struct Rings {
  View<float> memory;
  i64 s, steps;

  View<float> operator()(i64 m, i64 plane) const {
    const i64 number = 4 * m + (plane & 3);
    return memory.part(number * s, (number + 1) * s);
  }
  View<float> residual() const { return memory.part(4 * s * (steps - 1), 4 * s * (steps - 1) + s); }
  void clear() const { memory.part(0, 4 * s * (steps - 1)).fill(0.0f); }
};

inline Rings rings_of(const Space &space, const Level &level) {
  return {{space.rings, 4 * level.s * (space.steps - 1) + level.s}, level.s, space.steps};
}

// Do what `descend` does on the finest level of a box that is not periodic in z; the result is in x.
inline void descend_in_waves(const Space &space) {
  const Level level = level_of(space, 0), coarse = level_of(space, 1);
  const i64 nz = level.size[Z], steps = space.steps;
  const float *omega = space.omegas;
  const Rings ring = rings_of(space, level);
  // Where step m leaves plane j.
  const auto result = [&](i64 m, i64 j) { return m < steps - 1 ? ring(m, j) : level.plane(level.x, j + 1); };
  const auto close = [&](View<float> plane) {
    if (level.periodic_in_planes()) close_plane(plane, level);
  };
  ring.clear();
  for (i64 t = 0; t < nz + steps; ++t) {
    for (i64 m = 0; m < steps; ++m) {
      const i64 j = t - m;
      if (j < 0 || j > nz) continue;
      if (j == nz) {
        if (m < steps - 1) result(m, j).fill(0.0f);
        continue;
      }
      const View<float> out = result(m, j);
      if (m == 0)
        first_step(out, level.plane(level.inverse_diagonal, j + 1), level.plane(level.r, j + 1), omega[0], level.s);
      else
        relax_plane(out, ring(m - 1, j - 1), ring(m - 1, j), ring(m - 1, j + 1), level, j + 1, omega[m]);
      close(out);
    }
    if (t < steps) continue;
    const i64 j = t - steps;
    residual_plane(ring.residual(), level.x, level, j + 1, 1.0f);
    restrict_to(space, ring.residual(), j, level, coarse);
  }
}

// Do what `ascend` does on the finest level of a box not periodic in z, at least two steps; return rᵀ x.
inline double ascend_in_waves(const Space &space) {
  const Level level = level_of(space, 0), coarse = level_of(space, 1);
  const i64 nz = level.size[Z], steps = space.steps;
  const float *omega = space.omegas;
  const Rings ring = rings_of(space, level);
  const auto plane = [&](i64 k) { return level.plane(level.x, k); };
  double energy = 0.0;
  ring.clear();
  for (i64 t = 0; t < nz + steps; ++t) {
    if (t < nz) {
      prolong_from(space, plane(t + 1), t, level, coarse);
      if (level.periodic_in_planes()) close_plane(plane(t + 1), level);
    }
    for (i64 m = 0; m < steps; ++m) {
      const i64 j = t - m - 1;
      const bool last = m == steps - 1;
      if (j < 0 || j > nz) continue;
      if (j == nz) {
        if (!last) ring(m, j).fill(0.0f);
        continue;
      }
      const View<float> out = last ? plane(j + 1) : ring(m, j);
      if (m == 0)
        relax_plane(out, plane(j), plane(j + 1), plane(j + 2), level, j + 1, omega[0]);
      else
        relax_plane(out, ring(m - 1, j - 1), ring(m - 1, j), ring(m - 1, j + 1), level, j + 1, omega[m]);
      if (last)
        energy += product(level.plane(level.r, j + 1), out, level.s);
      else if (level.periodic_in_planes())
        close_plane(out, level);
    }
  }
  return energy;
}

// Run one V-cycle for the right-hand side in the finest level's r; leave z ≈ A⁻¹ r in its x and return rᵀ z.
//
// On rediscretised hierarchies coarse operators have seven points and transfers are linear; else operators have
// twenty-seven points and transfers are operator-dependent.
inline double cycle(const Space &space) {
  const i64 last = space.level_count - 1;
  const bool waves = !space.wraps[Z] && space.steps > 1;
  for (i64 number = 0; number < last; ++number) {
    level_of(space, number + 1).r.fill(0.0f);
    if (number == 0 && waves)
      descend_in_waves(space);
    else
      descend(space, number);
  }
  double energy = solve_coarsest(level_of(space, last));
  for (i64 number = last - 1; number >= 0; --number) {
    if (number == 0 && waves) return ascend_in_waves(space);
    ascend(space, number);
    const Level level = level_of(space, number);
    if (number == 0) energy = product(level.r, level.x, level.n);
  }
  return energy;
}

}  // namespace resolvent::space
