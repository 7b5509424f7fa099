// The loops over bytes behind HDF5's filters shuffle and Fletcher-32, and a guess whether bytes can be compressed.
#include <cstring>

#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr i64 BLOCK = 2048;  // words

typedef u8 Bytes __attribute__((vector_size(16)));

// Interleave the bytes of two vectors: a0 b0 a1 b1 …, the first half of the result, then the second.
inline Bytes low_halves(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
inline Bytes high_halves(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// Transpose 16 words of 8 bytes in eight registers. The number of a byte has seven bits, three for its register and
// four for its place; interleaving register k with register k + 4 rotates them by one, so four rounds exchange the
// three bits of the byte in its word with the four of the word.
inline void transpose_words(const u8 *words, u8 *out, i64 stride) {
  Bytes x[8], y[8];
  std::memcpy(x, words, sizeof x);
  for (int round = 0; round < 4; ++round) {
    for (int k = 0; k < 4; ++k) {
      y[2 * k] = low_halves(x[k], x[k + 4]);
      y[2 * k + 1] = high_halves(x[k], x[k + 4]);
    }
    std::memcpy(x, y, sizeof x);
  }
  for (int k = 0; k < 8; ++k) std::memcpy(out + k * stride, &x[k], sizeof x[k]);
}

typedef u16 Words __attribute__((vector_size(16)));
typedef u32 Sums __attribute__((vector_size(32)));

// Σ w and Σ (n − i) w over n little-endian words, whose bytes are swapped first.
//
// Eight lanes of sums a and of sums of sums b: after r rows of eight, b = Σ (r − row) w in each lane. With at most 256
// rows no lane reaches 2³².
KERNEL void sums_of_block(i64 n, Row<const u16> words, i64 &plain, i64 &weighted) {
  Sums a = {}, b = {};
  const i64 even = n / 8 * 8;
  for (i64 i = 0; i < even; i += 8) {
    Words w;
    std::memcpy(&w, line(words, i, 8), sizeof w);
    w = (w << 8) | (w >> 8);
    a += __builtin_convertvector(w, Sums);
    b += a;
  }
  plain = weighted = 0;
  for (int l = 0; l < 8; ++l) {
    plain += a[l];
    weighted += 8 * i64(b[l]) - l * i64(a[l]);
  }
  weighted += (n - even) * plain;
  for (i64 i = even; i < n; ++i) {
    const i64 word = u16(words[i] << 8 | words[i] >> 8);
    plain += word;
    weighted += (n - i) * word;
  }
}

// Reduce a value modulo 65535; multiples other than zero become 65535, as when HDF5 adds the carries.
i64 folded(i64 value) { return value % 65535 ? value % 65535 : (value ? 65535 : 0); }

}  // namespace
}  // namespace resolvent

using namespace resolvent;

// groups[k] = byte k of each of n words, little-endian; groups is (8, n).
EXPORT void split_words(i64 n, const u64 *words, u8 *groups) {
  i64 i = 0;
  for (; i + 16 <= n; i += 16) transpose_words(reinterpret_cast<const u8 *>(words + i), groups + i, n);
  for (; i < n; ++i)
    for (int k = 0; k < 8; ++k) groups[k * n + i] = u8(words[i] >> (8 * k));
}

// shrinks[k] tells whether row k of groups (count, n) looks compressible by `probe` bytes from its middle; `counts`
// holds 256 numbers, `table` 4096.
//
// For N random bytes, Σ (count of a value)² is N²/256 + N in the mean, with a spread of N/11; entropy coding saves 5 %
// if it is half as much again. Among N random triples of bytes about N²/2²⁵, that is none, repeat an earlier one that
// is still in the table.
EXPORT void which_shrink(i64 count, i64 n, const u8 *groups, i64 probe, bool *shrinks, i32 *counts, i32 *table) {
  for (i64 k = 0; k < count; ++k) {
    const View<const u8> bytes = View<const u8>{groups + k * n, n}.part((n - probe) / 2, (n - probe) / 2 + probe);
    View<i32>{counts, 256}.fill(0);
    for (i64 i = 0; i < probe; ++i) counts[bytes[i]] += 1;
    i64 squares = 0;
    for (i64 i = 0; i < 256; ++i) squares += i64(counts[i]) * counts[i];
    shrinks[k] = 2 * squares > 3 * (probe * probe / 256 + probe);
    if (shrinks[k]) continue;
    View<i32>{table, 4096}.fill(-1);
    i64 repeated = 0;
    for (i64 i = 0; i < probe - 2; ++i) {
      const u32 triple = u32(bytes[i]) | u32(bytes[i + 1]) << 8 | u32(bytes[i + 2]) << 16;
      const u32 place = (triple * 2654435761U) >> 20;
      repeated += table[place] == i32(triple);
      table[place] = i32(triple);
    }
    shrinks[k] = 20 * repeated > probe;
  }
}

// sums = both sums of Fletcher-32 over n words.
EXPORT void fletcher_sums(i64 n, const u16 *words, i64 *sums) {
  const View<const u16> all{words, n};
  i64 total = 0, weighted = 0;
  for (i64 begin = 0; begin < n; begin += BLOCK) {
    const View<const u16> block = all.part(begin, begin + BLOCK < n ? begin + BLOCK : n);
    i64 plain, product;
    sums_of_block(block.size, block, plain, product);
    weighted = folded(weighted + block.size * total + product);
    total = folded(total + plain);
  }
  sums[0] = total;
  sums[1] = weighted;
}
