// Multigrid for diffusion in three dimensions: what `Workspace3D` calls.
#include "solvers/multigrid/space/conjugate_gradients.hpp"
#include "solvers/multigrid/space/levels.hpp"

using namespace resolvent;

// Set the hierarchy up for cell values, weights 2/h² along z, y, x times any scale; return whether the coarsest matrix
// is positive definite.
EXPORT i64 space_set_up(Space *space, const SpaceTables *finest_tables, const SpaceTables *tables,
                        const double *coefficient, double weight_z, double weight_y, double weight_x,
                        i64 rediscretised) {
  const space::Level level = space::level_of(*space, 0);
  const double weights[3] = {weight_z, weight_y, weight_x};
  const i64 cells = level.size[0] * level.size[1] * level.size[2];
  space::fill_faces(*space, level, {coefficient, cells}, weights);
  return space::set_up_levels(*space, *finest_tables, *tables, rediscretised != 0);
}

// Set the hierarchy up for faces that are there.
EXPORT i64 space_set_up_levels(Space *space, const SpaceTables *finest_tables, const SpaceTables *tables,
                               i64 rediscretised) {
  return space::set_up_levels(*space, *finest_tables, *tables, rediscretised != 0);
}

// Apply one V-cycle to r of the finest level; return rᵀ x.
EXPORT double space_cycle(const Space *space) { return space::cycle(*space); }

// Solve from zero, or go on after a pause; return the outcome, or PAUSED.
EXPORT i64 space_solve(Space *space, SpaceSolve *solve, const double *b) {
  const space::System system(*space, *solve, b);
  const i64 outcome = space::begin(system);
  return outcome == space::PAUSED ? space::iterate(system) : outcome;
}
EXPORT i64 space_go_on(Space *space, SpaceSolve *solve, const double *b) {
  return space::iterate(space::System(*space, *solve, b));
}

// Fill a dense matrix with the operator of a level, of thirteen vectors of links or of three.
EXPORT void space_operator(const Space *space, i64 number, i64 vectors, double *matrix) {
  const space::Level level = space::level_of(*space, number);
  const i64 cells = level.size[0] * level.size[1] * level.size[2];
  space::dense_operator(level, vectors, {matrix, cells * cells});
}
