// How a compiled solve ended: what the kernels of conjugate gradients return.
#pragma once

#include "solvers/kernels/views.hpp"

namespace resolvent {

// In the order of outcomes.py.
enum Outcome : i64 { CONVERGED, MAXITER, STAGNATED, INDEFINITE, NONFINITE, SLOW };

}  // namespace resolvent
