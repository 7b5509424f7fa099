// Nonlinear terms, and the stages of a time step that evaluate them: transforms, products, combinations of states.
//
// In two dimensions a sample's columns are the lanes of the transforms, in one dimension several samples are. Between
// the transforms along the two axes lies one transposition, in registers, into an array with x contiguous; there the
// rows of a block are transformed to the points, multiplied and transformed back before the next block is read, so that
// no field ever exists in memory as a whole. Columns that de-aliasing leaves empty are never transformed.
//
// There is no other pass over a sample. The first pass of a transform computes its input as it loads it (velocities,
// squares, powers), the last pass writes only the rows that are needed, to where they are needed, and the combinations
// of a stage follow the last transform of each column while N is in the first-level cache. States are stored column by
// column, L columns a block of 2K + 1 rows and one of zeros; coefficients that are equal at ±k_x are stored once, in
// one dimension as one number a mode.
//
// The rest costs, at 128² and relative to the transforms: the transposition 14 %, combinations 8 % (they wait for the
// second-level cache: four arrays of a sample do not fit into the first), velocities 5 %, writing rows elsewhere 5 %.
// Tried without gain: N computed in the last pass of its second transform, lanes of half a line, radix 16, one moving
// pointer for all rows of a butterfly. Whole lines instead of parts take a tenth longer with registers of AVX2.
#pragma once

#include "solvers/kernels/exports.hpp"
#include "solvers/timestepping/compiled/products.hpp"
#include "solvers/timestepping/compiled/real_fourier.hpp"
#include "solvers/timestepping/compiled/stage_updates.hpp"
#include "solvers/timestepping/compiled/transposition.hpp"

#define RESOLVENT_PLAN(FIELD, axis)   \
  FIELD(i64, passes_##axis)           \
  FIELD(const i64 *, radices_##axis)  \
  FIELD(const void *, cosines_##axis) \
  FIELD(const void *, sines_##axis)

// A `VorticityTerm`: sizes, plans, tables of positions and factors of the modes. What belongs to rows along x is in the
// order of the transform, at k_x and, mirrored, at −k_x.
#define VORTICITY_TABLES(FIELD)                                \
  FIELD(i64, n1)                                               \
  FIELD(i64, n2)                                               \
  FIELD(i64, K1)                                               \
  FIELD(i64, blocks)                                           \
  FIELD(i64, size)                                             \
  RESOLVENT_PLAN(FIELD, x)                                     \
  RESOLVENT_PLAN(FIELD, y)                                     \
  FIELD(const i64 *, rows) /* of the modes */                  \
  FIELD(const i64 *, mirrored_rows)                            \
  FIELD(const i64 *, inverse_rows) /* of 1/|k|² */             \
  FIELD(const i64 *, mirrored_inverse_rows)                    \
  FIELD(const void *, kx)                                      \
  FIELD(const void *, mirrored_kx)                             \
  FIELD(const void *, ky)      /* a column */                  \
  FIELD(const void *, inverse) /* 1/|k|² */                    \
  FIELD(const i64 *, enter)    /* rows along y, in */          \
  FIELD(const i64 *, leave)    /* and out */                   \
  FIELD(const i64 *, kept)     /* rows along x, out */         \
  FIELD(const i64 *, mirrored_kept)                            \
  FIELD(const void *, of_product) /* k_x², scaled, a row */    \
  FIELD(const void *, of_squares) /* −k_x, scaled, a row */    \
  FIELD(const void *, of_column)  /* k_y², scaled, a column */ \
  FIELD(i64, forced)                                           \
  FIELD(const void *, forcing_re)                              \
  FIELD(const void *, forcing_im)
STRUCTURE(VorticityTables, VORTICITY_TABLES)

// A `PolynomialTerm` in one dimension (n1 = 0, and nothing belongs to x) or two.
#define POLYNOMIAL_TABLES(FIELD)                   \
  FIELD(i64, n1)                                   \
  FIELD(i64, h) /* half the points along y */      \
  FIELD(i64, K1)                                   \
  FIELD(i64, K2)                                   \
  FIELD(i64, blocks)                               \
  FIELD(i64, size)                                 \
  RESOLVENT_PLAN(FIELD, x)                         \
  RESOLVENT_PLAN(FIELD, y)                         \
  FIELD(const void *, root_cosines)                \
  FIELD(const void *, root_sines)                  \
  FIELD(const i64 *, rows) /* rows along x, in */  \
  FIELD(const i64 *, kept) /* and out */           \
  FIELD(const i64 *, real) /* rows along y, in */  \
  FIELD(const i64 *, imaginary)                    \
  FIELD(double, square)                            \
  FIELD(double, cube)                              \
  FIELD(i64, by_i) /* D is i times `multiplier` */ \
  FIELD(const void *, multiplier)
STRUCTURE(PolynomialTables, POLYNOMIAL_TABLES)

// The stages of a step: a `StageProgram` and its coefficients, as `CompiledTerm.spread` lays them out.
#define STAGE_TABLES(FIELD)                        \
  FIELD(i64, stages)                               \
  FIELD(i64, slots)                                \
  FIELD(const i64 *, sources)                      \
  FIELD(const i64 *, begins)                       \
  FIELD(const i64 *, operations)                   \
  FIELD(i64, coefficients) /* how many numbers */  \
  FIELD(i64, every)        /* numbers of each C */ \
  FIELD(i64, folded)                               \
  FIELD(const void *, C)
STRUCTURE(StageTables, STAGE_TABLES)

// The working memory of a thread: states and N (V), lines along y (t), and blocks of `block` numbers.
#define STEPPING_MEMORY(FIELD)         \
  FIELD(i64, numbers) /* of V and t */ \
  FIELD(i64, block)                    \
  FIELD(void *, V_re)                  \
  FIELD(void *, V_im)                  \
  FIELD(void *, t_re)                  \
  FIELD(void *, t_im)                  \
  FIELD(void *, a_re)                  \
  FIELD(void *, a_im)                  \
  FIELD(void *, b_re)                  \
  FIELD(void *, b_im)                  \
  FIELD(void *, p_re)                  \
  FIELD(void *, p_im)                  \
  FIELD(void *, q_re)                  \
  FIELD(void *, q_im)
STRUCTURE(SteppingMemory, STEPPING_MEMORY)

namespace resolvent::stepping {

template <class T>
View<const T> table(const void *data, i64 size) {
  return {static_cast<const T *>(data), size};
}

template <class T>
struct Memory {
  Block<T> V, t, a, b, p, q;

  explicit Memory(const SteppingMemory &m)
      : V(of(m.V_re, m.V_im, m.numbers)),
        t(of(m.t_re, m.t_im, m.numbers)),
        a(of(m.a_re, m.a_im, m.block)),
        b(of(m.b_re, m.b_im, m.block)),
        p(of(m.p_re, m.p_im, m.block)),
        q(of(m.q_re, m.q_im, m.block)) {}
  static Block<T> of(void *re, void *im, i64 size) {
    return {{static_cast<T *>(re), size}, {static_cast<T *>(im), size}};
  }
};

// N from a + i b = Q(k) and c + i d = Q(−k), Q the transform of u² − v² + i uv, both in the order of the modes.
template <bool FORCED, class T>
KERNEL void curl_rows(i64 rows, Row<const T> of_product, Row<const T> of_squares, Row<const T> of_column,
                      Row<const T> ky, Row<const T> f_re, Row<const T> f_im, Row<const T> p_re, Row<const T> p_im,
                      Row<const T> q_re, Row<const T> q_im, Row<T> out_re, Row<T> out_im) {
  constexpr i64 L = LANES<T>;
  for (i64 k = 0; k < rows; ++k) {
    const Part<T> x2 = Part<T>::all(of_product[k]), x = Part<T>::all(of_squares[k]);
    for (i64 lane = 0; lane < L; lane += PART<T>) {
      const i64 at = k * L + lane;
      const Part<T> product = x2 - Part<T>::load(line<const T>(of_column, lane, PART<T>));
      const Part<T> squares = x * Part<T>::load(line<const T>(ky, lane, PART<T>));
      const Pair<T> p = load_pair<T>(p_re, p_im, at), q = load_pair<T>(q_re, q_im, at);
      Pair<T> out = {times_plus(product, p.im + q.im, squares * (p.re + q.re)),
                     times_plus(product, q.re - p.re, squares * (p.im - q.im))};
      if (FORCED) out = out + load_pair<T>(f_re, f_im, at);
      store_pair<T>(out, out_re, out_im, at);
    }
  }
}

// A stage of `VorticityTerm`; see there for the formulas.
template <class T>
struct VorticityStages {
  static constexpr i64 L = LANES<T>;
  const VorticityTables &tables;
  Plan<T> plan_x, plan_y;
  i64 columns, width;  // of a tile: those at k_y ≥ 0, those at −k_y, a line of zeros

  explicit VorticityStages(const VorticityTables &t)
      : tables(t),
        plan_x(t.n1, t.passes_x, t.radices_x, t.cosines_x, t.sines_x),
        plan_y(t.n2, t.passes_y, t.radices_y, t.cosines_y, t.sines_y),
        columns(t.blocks * L),
        width(2 * columns + 1) {}

  i64 size() const { return tables.size; }

  void run(i64 source, const StageUpdate<T> &update, i64 evaluated, const Memory<T> &m) const {
    for (i64 block = 0; block < tables.blocks; ++block) {
      velocities_of_columns<false>(block, source, m);
      velocities_of_columns<true>(block, source, m);
    }
    for (i64 tile = 0; tile < tables.n1 / L; ++tile) squares_of_lines(m.t.from(tile * L * width), m);
    for (i64 block = 0; block < tables.blocks; ++block) {
      products_of_columns(block, evaluated, m);
      update_columns(update, size(), tables.K1, block, evaluated, m.V);
    }
  }

  // û + i v̂ of a block of columns at k_y ≥ 0 or, mirrored, at −k_y, to the points along x.
  template <bool MIRRORED>
  void velocities_of_columns(i64 block, i64 source, const Memory<T> &m) const {
    const i64 rows = 2 * tables.K1 + 2, n = tables.n1;
    const Block<T> w = m.V.from(source * size() + block * rows * L);
    const VelocityRows<T, MIRRORED> velocities{
        w.re,
        w.im,
        table<i64>(MIRRORED ? tables.mirrored_rows : tables.rows, n),
        table<T>(tables.inverse, columns * (tables.K1 + 1)).from(block * (tables.K1 + 1) * L),
        table<i64>(MIRRORED ? tables.mirrored_inverse_rows : tables.inverse_rows, n),
        table<T>(MIRRORED ? tables.mirrored_kx : tables.kx, n),
        table<T>(tables.ky, columns).from(block * L)};
    begin<INVERSE, true>(plan_x, velocities, m.a);
    const Block<T> z = finish<INVERSE>(plan_x, m.a, m.b).result;
    cross(n, width, (MIRRORED ? columns : 0) + block * L, z, m.t);
  }

  // The lines of a tile to the points along y, squared there, and back to the modes.
  void squares_of_lines(const Block<T> &tile, const Memory<T> &m) const {
    begin<INVERSE, true>(plan_y, PlacedRows<T>{tile.re, tile.im, table<i64>(tables.enter, tables.n2)}, m.a);
    const Blocks<T> z = finish<INVERSE>(plan_y, m.a, m.b, Square<T>{});
    transform_to(plan_y, z.result, z.other, table<i64>(tables.leave, tables.n2), tile);
    for (i64 lane = 0; lane < L; ++lane) {  // the columns k_y = 0 and −0 are the same
      tile.re[columns * L + lane] = tile.re[lane];
      tile.im[columns * L + lane] = tile.im[lane];
    }
  }

  // N of a block of columns, from the squares at its k and at −k.
  void products_of_columns(i64 block, i64 evaluated, const Memory<T> &m) const {
    const i64 n = tables.n1, rows = 2 * tables.K1 + 1;
    cross_back(n, width, block * L, m.t, m.a);
    transform_to(plan_x, m.a, m.b, table<i64>(tables.kept, n), m.p);
    cross_back(n, width, columns + block * L, m.t, m.a);
    transform_to(plan_x, m.a, m.b, table<i64>(tables.mirrored_kept, n), m.q);
    const auto of_product = table<T>(tables.of_product, rows), of_squares = table<T>(tables.of_squares, rows);
    const auto of_column = table<T>(tables.of_column, columns).from(block * L);
    const auto ky = table<T>(tables.ky, columns).from(block * L);
    const Block<T> out = m.V.from(evaluated);
    if (tables.forced) {
      const auto f_re = table<T>(tables.forcing_re, columns * rows).from(block * rows * L);
      const auto f_im = table<T>(tables.forcing_im, columns * rows).from(block * rows * L);
      curl_rows<true, T>(rows, of_product, of_squares, of_column, ky, f_re, f_im, m.p.re, m.p.im, m.q.re, m.q.im,
                         out.re, out.im);
    } else {
      curl_rows<false, T>(rows, of_product, of_squares, of_column, ky, View<const T>{}, View<const T>{}, m.p.re, m.p.im,
                          m.q.re, m.q.im, out.re, out.im);
    }
  }
};

template <bool BY_I, class T>
Pair<T> scaled(Part<T> c, Pair<T> a) {
  return BY_I ? Pair<T>{-(c * a.im), c * a.re} : Pair<T>{c * a.re, c * a.im};
}

// Multiply `count` lines by numbers, or by i times numbers, in place.
template <bool BY_I, class T>
KERNEL void scale_by_numbers(i64 count, Row<const T> numbers, Row<T> re, Row<T> im) {
  constexpr i64 L = LANES<T>;
  for (i64 k = 0; k < count; ++k) {
    const Part<T> c = Part<T>::all(numbers[k]);
    for (i64 i = k * L; i < (k + 1) * L; i += PART<T>) {
      store_pair<T>(scaled<BY_I, T>(c, load_pair<T>(re, im, i)), re, im, i);
    }
  }
}

// Multiply `count` lines by lines, or by i times lines.
template <bool BY_I, class T>
KERNEL void scale_by_lines(i64 count, Row<const T> C, Row<const T> x_re, Row<const T> x_im, Row<T> re, Row<T> im) {
  for (i64 i = 0; i < count * LANES<T>; i += PART<T>) {
    const Part<T> c = Part<T>::load(line<const T>(C, i, PART<T>));
    store_pair<T>(scaled<BY_I, T>(c, load_pair<T>(x_re, x_im, i)), re, im, i);
  }
}

// What stages of `PolynomialTerm` share: the transforms along the last axis.
template <class T>
struct PolynomialStages {
  static constexpr i64 L = LANES<T>;
  const PolynomialTables &tables;
  Plan<T> plan_y;
  Roots<T> roots;

  explicit PolynomialStages(const PolynomialTables &t)
      : tables(t),
        plan_y(t.h, t.passes_y, t.radices_y, t.cosines_y, t.sines_y),
        roots{table<T>(t.root_cosines, t.h), table<T>(t.root_sines, t.h)} {}

  i64 size() const { return tables.size; }

  // The modes of lines to the points, the polynomial there, and its complex transform; `split_real` makes modes of it.
  Block<T> polynomial_of_lines(const Block<T> &modes, const Memory<T> &m) const {
    const auto real = table<i64>(tables.real, tables.h + 1), imaginary = table<i64>(tables.imaginary, tables.h + 1);
    begin<INVERSE, false>(plan_y, merged_rows(modes, real, imaginary, roots), m.a);
    const Polynomial<T> polynomial{T(tables.square), T(tables.cube)};
    const Blocks<T> z = finish<INVERSE>(plan_y, m.a, m.b, polynomial);
    return transform(plan_y, z.result, z.other).result;
  }
};

// A stage in one dimension, a sample a lane.
template <class T>
struct LineStages : PolynomialStages<T> {
  using PolynomialStages<T>::L, PolynomialStages<T>::tables, PolynomialStages<T>::roots, PolynomialStages<T>::size;
  using PolynomialStages<T>::PolynomialStages;
  static constexpr i64 CHUNK = 32;  // modes treated together: their N is used while it is in the first-level cache

  void run(i64 source, const StageUpdate<T> &update, i64 evaluated, const Memory<T> &m) const {
    const i64 modes = tables.K2 + 1;
    const Block<T> z = this->polynomial_of_lines(m.V.from(source * size()), m), N = m.V.from(evaluated);
    for (i64 first = 0; first < modes; first += CHUNK) {
      const i64 count = CHUNK < modes - first ? CHUNK : modes - first;
      split_real(first, first + count - 1, roots, z, N);
      const auto multiplier = table<T>(tables.multiplier, modes).from(first);
      if (tables.by_i) {
        scale_by_numbers<true, T>(count, multiplier, N.re, N.im);
      } else {
        scale_by_numbers<false, T>(count, multiplier, N.re, N.im);
      }
      update_modes(update, size(), first, count, evaluated, m.V);
    }
  }
};

// A stage in two dimensions.
template <class T>
struct PlaneStages : PolynomialStages<T> {
  using PolynomialStages<T>::L, PolynomialStages<T>::tables, PolynomialStages<T>::roots, PolynomialStages<T>::size;
  Plan<T> plan_x;
  i64 columns, width;  // of a tile: the columns, and a line of zeros

  explicit PlaneStages(const PolynomialTables &t)
      : PolynomialStages<T>(t),
        plan_x(t.n1, t.passes_x, t.radices_x, t.cosines_x, t.sines_x),
        columns(t.blocks * L),
        width(columns + 1) {}

  void run(i64 source, const StageUpdate<T> &update, i64 evaluated, const Memory<T> &m) const {
    const i64 n = tables.n1, rows = 2 * tables.K1 + 1;
    for (i64 block = 0; block < tables.blocks; ++block) {
      const Block<T> u = m.V.from(source * size() + block * (rows + 1) * L);
      begin<INVERSE, true>(plan_x, PlacedRows<T>{u.re, u.im, table<i64>(tables.rows, n)}, m.a);
      cross(n, width, block * L, finish<INVERSE>(plan_x, m.a, m.b).result, m.t);
    }
    for (i64 at = 0; at < n * width; at += L * width) {
      const Block<T> tile = m.t.from(at);
      split_real(0, tables.K2, roots, this->polynomial_of_lines(tile, m), tile);
    }
    for (i64 block = 0; block < tables.blocks; ++block) {
      cross_back(n, width, block * L, m.t, m.a);
      transform_to(plan_x, m.a, m.b, table<i64>(tables.kept, n), m.p);
      const auto multiplier = table<T>(tables.multiplier, columns * rows).from(block * rows * L);
      const Block<T> N = m.V.from(evaluated);
      if (tables.by_i) {
        scale_by_lines<true, T>(rows, multiplier, m.p.re, m.p.im, N.re, N.im);
      } else {
        scale_by_lines<false, T>(rows, multiplier, m.p.re, m.p.im, N.re, N.im);
      }
      update_columns(update, size(), tables.K1, block, evaluated, m.V);
    }
  }
};

}  // namespace resolvent::stepping
