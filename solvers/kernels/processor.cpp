// Which instruction level the processor has, asked before any other kernel runs: this file is compiled for all of them.
#include "solvers/kernels/exports.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

namespace {

bool bit(unsigned word, int k) { return (word >> k) & 1U; }

// The registers that the operating system saves: 6 for those of AVX, 0xe6 for those of AVX-512.
unsigned long long saved_registers() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
}

}  // namespace

// Return 1 to 4 for x86-64, x86-64-v2, -v3 and -v4.
EXPORT int processor_level() {
  unsigned a, b, c, d, b7 = 0, c7 = 0, d7 = 0, ce = 0, de = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 1;
  const bool v2 = bit(c, 0) && bit(c, 9) && bit(c, 13) && bit(c, 19) && bit(c, 20) && bit(c, 23);
  if (!v2) return 1;
  __get_cpuid_count(7, 0, &a, &b7, &c7, &d7);
  __get_cpuid(0x80000001, &a, &b, &ce, &de);
  const bool features = bit(c, 12) && bit(c, 22) && bit(c, 28) && bit(c, 29) && bit(b7, 3) && bit(b7, 5) && bit(b7, 8);
  if (!(features && bit(ce, 5) && bit(c, 27) && (saved_registers() & 6) == 6)) return 2;
  const bool wide = bit(b7, 16) && bit(b7, 17) && bit(b7, 28) && bit(b7, 30) && bit(b7, 31);
  return wide && (saved_registers() & 0xe6) == 0xe6 ? 4 : 3;
}

#else

EXPORT int processor_level() { return 0; }

#endif
