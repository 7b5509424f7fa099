// The two-dimensional multigrid: what workspace.py calls.
#include "solvers/multigrid/plane/conjugate_gradients.hpp"
#include "solvers/multigrid/plane/set_up.hpp"

// Fill in the hierarchy for a coefficient (ny, nx); return whether the coarsest matrix is definite.
EXPORT resolvent::i64 plane_set_up(resolvent::Plane *plane, const double *coefficient, double weight_y,
                                   double weight_x) {
  return resolvent::set_up(*plane, coefficient, weight_y, weight_x);
}

// The same, from transmissibilities.
EXPORT resolvent::i64 plane_set_up_from_faces(resolvent::Plane *plane, const double *east, const double *north) {
  return resolvent::set_up_from_faces(*plane, east, north);
}

// Run one V-cycle for the right-hand side in the finest level's r; see `place` and `energy`.
EXPORT void plane_cycle(resolvent::Plane *plane) {
  plane->energy = resolvent::cycle(*plane, resolvent::Hierarchy(*plane));
}

// Solve A x = scale·b to ‖r‖ ≤ tolerance from zero; return the outcome. See `iterations`, `residual` and `history`.
//
// scale: brings the norm of the right-hand side near one, where float32 neither overflows nor underflows
// maxiter, patience: iterations allowed. From the hundredth on, every fifty iterations, the solve gives up as SLOW if
//     at its mean rate so far it would need more than `patience` iterations.
EXPORT resolvent::i64 plane_solve(resolvent::Plane *plane, const double *b, double scale, double tolerance,
                                  resolvent::i64 maxiter, resolvent::i64 patience) {
  resolvent::Solve solve(*plane, b, scale, tolerance, maxiter, patience);
  const resolvent::Outcome outcome = solve.run();
  plane->iterations = solve.iterations;
  plane->residual = solve.norm;
  return outcome;
}

EXPORT double plane_next_goal(double norm, double tolerance, double reduction) {
  return resolvent::next_goal(norm, tolerance, reduction);
}
