// Time steps on the CPU: whole steps of samples, without leaving the cache.
#include "solvers/timestepping/compiled/terms.hpp"

namespace resolvent::stepping {
namespace {

// Set total to 0 in the lanes of V[0] that hold only finite numbers, to NaN in the others.
template <class T>
KERNEL void spoil_lanes(i64 size, Row<const T> re, Row<const T> im, T *total) {
  for (i64 lane = 0; lane < LANES<T>; lane += PART<T>) {
    const Part<T> zero = Part<T>::all(T(0));
    Pair<T> sum = {zero, zero};
    for (i64 i = lane; i < size; i += LANES<T>) {
      const Pair<T> a = load_pair<T>(re, im, i);
      sum = {times_plus(a.re, zero, sum.re), times_plus(a.im, zero, sum.im)};
    }
    (sum.re + sum.im).store(total + lane);
  }
}

// Count for each sample of a block that all its numbers are finite after `done` steps, if they were before the last
// `every`; return how many samples are. In one dimension a sample is a lane, else it is the whole block.
template <class T>
i64 count_finite(const Block<T> &state, i64 together, i64 every, i64 done, View<i64> reached) {
  T total[LANES<T>];
  spoil_lanes<T>(state.re.size, state.re, state.im, total);
  if (together == 1) {
    for (i64 lane = 1; lane < LANES<T>; ++lane) total[0] += total[lane];
  }
  i64 finite = 0;
  for (i64 lane = 0; lane < together; ++lane) {
    if (reached[lane] == done - every && total[lane] == T(0)) {
      reached[lane] = done;
      ++finite;
    }
  }
  return finite;
}

template <class T>
void copy(View<const T> from, View<T> to) {
  for (i64 i = 0; i < from.size; ++i) to[i] = from[i];
}

// Advance the blocks first…last of states (blocks, 2, size) in place, and say in reached (blocks, together) after how
// many steps each sample was still finite.
template <class T, class Stages>
void advance(const Stages &term, const StageTables &program, const SteppingMemory &memory, i64 first, i64 last,
             i64 steps, i64 together, T *states, i64 *reached) {
  const Memory<T> m(memory);
  const i64 size = term.size(), evaluated = program.slots * size;
  const View<const i64> sources{program.sources, program.stages}, begins{program.begins, program.stages + 1};
  const View<const Operation> operations{reinterpret_cast<const Operation *>(program.operations),
                                         begins[program.stages]};
  const auto C = table<T>(program.C, program.coefficients);
  const Block<T> state{m.V.re.part(0, size), m.V.im.part(0, size)};

  for (i64 b = first; b < last; ++b) {
    const View<T> re{states + 2 * b * size, size}, im{states + (2 * b + 1) * size, size};
    const View<i64> own{reached + b * together, together};
    // Finiteness is checked after all steps; if a sample blew up, all are done again and it is checked at each.
    for (i64 every = steps;; every = 1) {
      copy<T>(re, state.re);
      copy<T>(im, state.im);
      own.fill(0);
      i64 finite = together;
      for (i64 done = 0; done < steps && finite > 0;) {
        for (i64 step = 0; step < every; ++step) {
          for (i64 i = 0; i < program.stages; ++i) {
            const StageUpdate<T> update{operations.part(begins[i], begins[i + 1]), C, program.every,
                                        program.folded != 0};
            term.run(sources[i], update, evaluated, m);
          }
        }
        done += every;
        finite = count_finite(state, together, every, done, own);
      }
      if (every <= 1 || finite == together) break;
    }
    copy<T>(state.re, re);
    copy<T>(state.im, im);
  }
}

// Transform a block x of n rows; return whether the result lies in y.
template <class T>
i64 transform_lanes(i64 n, i64 passes, const i64 *radices, const T *cosines, const T *sines, T *x_re, T *x_im, T *y_re,
                    T *y_im) {
  const i64 size = n * LANES<T>;
  const Block<T> x{{x_re, size}, {x_im, size}}, y{{y_re, size}, {y_im, size}};
  return transform(Plan<T>(n, passes, radices, cosines, sines), x, y).result.re.data == y_re;
}

}  // namespace
}  // namespace resolvent::stepping

#define TIME_STEPPING(suffix, T)                                                                                    \
  EXPORT void advance_vorticity_##suffix(                                                                           \
      const resolvent::VorticityTables *term, const resolvent::StageTables *program,                                \
      const resolvent::SteppingMemory *memory, resolvent::i64 first, resolvent::i64 last, resolvent::i64 steps,     \
      T *states, resolvent::i64 *reached) {                                                                         \
    resolvent::stepping::advance<T>(resolvent::stepping::VorticityStages<T>(*term), *program, *memory, first, last, \
                                    steps, 1, states, reached);                                                     \
  }                                                                                                                 \
  EXPORT void advance_polynomial_##suffix(                                                                          \
      const resolvent::PolynomialTables *term, const resolvent::StageTables *program,                               \
      const resolvent::SteppingMemory *memory, resolvent::i64 first, resolvent::i64 last, resolvent::i64 steps,     \
      T *states, resolvent::i64 *reached) {                                                                         \
    if (term->n1 == 0) {                                                                                            \
      resolvent::stepping::advance<T>(resolvent::stepping::LineStages<T>(*term), *program, *memory, first, last,    \
                                      steps, resolvent::LANES<T>, states, reached);                                 \
    } else {                                                                                                        \
      resolvent::stepping::advance<T>(resolvent::stepping::PlaneStages<T>(*term), *program, *memory, first, last,   \
                                      steps, 1, states, reached);                                                   \
    }                                                                                                               \
  }                                                                                                                 \
  EXPORT resolvent::i64 transform_lanes_##suffix(resolvent::i64 n, resolvent::i64 passes,                           \
                                                 const resolvent::i64 *radices, const T *cosines, const T *sines,   \
                                                 T *x_re, T *x_im, T *y_re, T *y_im) {                              \
    return resolvent::stepping::transform_lanes<T>(n, passes, radices, cosines, sines, x_re, x_im, y_re, y_im);     \
  }                                                                                                                 \
  EXPORT void transpose_tiles_##suffix(resolvent::i64 count, const T *source, resolvent::i64 leap, T *target,       \
                                       resolvent::i64 jump) {                                                       \
    const resolvent::i64 tile = resolvent::LANES<T> * resolvent::LANES<T>;                                          \
    const resolvent::View<const T> from{source, (count - 1) * leap + tile};                                         \
    const resolvent::View<T> to{target, (count - 1) * jump + tile};                                                 \
    resolvent::stepping::transpose_tiles<T>(count, from, leap, to, jump);                                           \
  }
TIME_STEPPING(f32, float)
TIME_STEPPING(f64, double)
