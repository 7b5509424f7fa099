// The transforms of time steps, over and over, and nothing else: what the bench measures steps against.
#include "solvers/timestepping/compiled/terms.hpp"

namespace resolvent::stepping {
namespace {

template <class T>
Block<T> block_of(T *re, T *im, i64 size) {
  return {{re, size}, {im, size}};
}

// Compute `count` complex transforms of a block of n rows.
template <class T>
void repeat_transforms(i64 count, const Plan<T> &plan, const Block<T> &x, const Block<T> &y) {
  for (i64 k = 0; k < count; ++k) transform(plan, x, y);
}

// Compute `count` transforms of 2h real points, in turn from the modes u and back to those up to `last`.
template <class T>
void repeat_real_transforms(i64 count, i64 last, const Plan<T> &plan, const Roots<T> &roots, View<const i64> places,
                            const Block<T> &u, const Block<T> &x, const Block<T> &y) {
  for (i64 k = 0; k < count; ++k) {
    if (k % 2 == 0) {
      begin<INVERSE, false>(plan, merged_rows(u, places, places, roots), x);
      finish<INVERSE>(plan, x, y);
    } else {
      split_real(0, last, roots, transform(plan, x, y).result, u);
    }
  }
}

// Transform two arrays of modes to the points and back, `count` times, as a stage of the vorticity step does.
template <class T>
void repeat_sample_transforms(i64 count, const VorticityStages<T> &term, const Memory<T> &m) {
  constexpr i64 L = LANES<T>;
  const auto &tables = term.tables;
  const i64 n = tables.n1, blocks = tables.blocks, rows = 2 * tables.K1 + 2;
  const auto inside = table<i64>(tables.rows, n), kept = table<i64>(tables.kept, n);
  const auto enter = table<i64>(tables.enter, tables.n2), leave = table<i64>(tables.leave, tables.n2);
  for (i64 k = 0; k < count; ++k) {
    for (i64 block = 0; block < 2 * blocks; ++block) {
      const Block<T> w = m.V.from(block / blocks * tables.size + block % blocks * rows * L);
      begin<INVERSE, true>(term.plan_x, PlacedRows<T>{w.re, w.im, inside}, m.a);
      cross(n, term.width, block * L, finish<INVERSE>(term.plan_x, m.a, m.b).result, m.t);
    }
    for (i64 at = 0; at < n * term.width; at += L * term.width) {
      const Block<T> tile = m.t.from(at);
      begin<INVERSE, true>(term.plan_y, PlacedRows<T>{tile.re, tile.im, enter}, m.a);
      const Blocks<T> z = finish<INVERSE>(term.plan_y, m.a, m.b);
      transform_to(term.plan_y, z.result, z.other, leave, tile);
    }
    for (i64 block = 0; block < 2 * blocks; ++block) {
      cross_back(n, term.width, block * L, m.t, m.a);
      transform_to(term.plan_x, m.a, m.b, kept, m.V.from(block / blocks * tables.size + block % blocks * rows * L));
    }
  }
}

}  // namespace
}  // namespace resolvent::stepping

#define TRANSFORMS(suffix, T)                                                                                      \
  EXPORT void repeat_transforms_##suffix(resolvent::i64 count, resolvent::i64 n, resolvent::i64 passes,            \
                                         const resolvent::i64 *radices, const T *cosines, const T *sines, T *x_re, \
                                         T *x_im, T *y_re, T *y_im) {                                              \
    using namespace resolvent::stepping;                                                                           \
    const resolvent::i64 size = n * resolvent::LANES<T>;                                                           \
    repeat_transforms<T>(count, Plan<T>(n, passes, radices, cosines, sines), block_of(x_re, x_im, size),           \
                         block_of(y_re, y_im, size));                                                              \
  }                                                                                                                \
  EXPORT void repeat_real_transforms_##suffix(                                                                     \
      resolvent::i64 count, resolvent::i64 h, resolvent::i64 last, resolvent::i64 passes,                          \
      const resolvent::i64 *radices, const T *cosines, const T *sines, const T *root_cosines, const T *root_sines, \
      const resolvent::i64 *places, T *u_re, T *u_im, T *x_re, T *x_im, T *y_re, T *y_im) {                        \
    using namespace resolvent::stepping;                                                                           \
    const resolvent::i64 size = (h + 1) * resolvent::LANES<T>;                                                     \
    repeat_real_transforms<T>(count, last, Plan<T>(h, passes, radices, cosines, sines),                            \
                              Roots<T>{{root_cosines, h}, {root_sines, h}}, {places, h + 1},                       \
                              block_of(u_re, u_im, size), block_of(x_re, x_im, size), block_of(y_re, y_im, size)); \
  }                                                                                                                \
  EXPORT void repeat_sample_transforms_##suffix(const resolvent::VorticityTables *term,                            \
                                                const resolvent::SteppingMemory *memory, resolvent::i64 count) {   \
    using namespace resolvent::stepping;                                                                           \
    repeat_sample_transforms<T>(count, VorticityStages<T>(*term), Memory<T>(*memory));                             \
  }
TRANSFORMS(f32, float)
TRANSFORMS(f64, double)
