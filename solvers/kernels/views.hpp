// Views of arrays that kernels read and write: a pointer, sizes and distances, all counted in elements.
//
// A view owns nothing. A debug build (RESOLVENT_CHECKED) compares every index with the size, and ends the process with
// one line for the first that lies outside; otherwise an access is one addition.
#pragma once

#include <cstdint>
#include <type_traits>

#ifdef RESOLVENT_CHECKED
#include <cstdio>
#include <cstdlib>
#endif

// A function of rows: compiled once, out of line, with all that it calls inlined. Inlined itself, a loop over many rows
// is often not vectorised, and `__restrict` holds for arguments only.
#ifdef RESOLVENT_CHECKED
#define KERNEL static
#else
#define KERNEL static __attribute__((noinline, flatten))
#endif

namespace resolvent {

using i64 = std::int64_t;
using i32 = std::int32_t;
using u8 = std::uint8_t;

#ifdef RESOLVENT_CHECKED

inline void check(bool inside, i64 index, i64 size) {
  if (!inside) {
    std::fprintf(stderr, "resolvent kernels: index %lld outside a view of %lld\n", (long long)index, (long long)size);
    std::abort();
  }
}

// A row that a kernel takes as an argument, and how far it reaches in both directions: stencils look one cell back.
template <class T>
struct Row {
  T *data;
  i64 low, high;
  T &operator[](i64 i) const {
    check(low <= i && i < high, i, high);
    return data[i];
  }
  T *line(i64 i, i64 count) const {
    check(low <= i && i + count <= high, i, high);
    return data + i;
  }
  Row operator+(i64 k) const { return {data + k, low - k, high - k}; }
  operator Row<const T>() const { return {data, low, high}; }
};

template <class T>
inline T *line(Row<T> row, i64 i, i64 count) {
  return row.line(i, count);
}

#else

inline void check(bool, i64, i64) {}

// A row that a kernel takes as an argument: what is written through it is read through no other argument.
template <class T>
using Row = T *__restrict;

template <class T>
inline T *line(T *row, i64 i, i64) {
  return row + i;
}

#endif

// Holds where U is T, but constant.
template <class T, class U>
using ReadOnly = std::enable_if_t<!std::is_const_v<T> && std::is_same_v<const T, U>>;

// A contiguous vector.
template <class T>
struct View {
  T *data = nullptr;
  i64 size = 0;

  T &operator[](i64 i) const {
    check(0 <= i && i < size, i, size);
    return data[i];
  }
  View part(i64 begin, i64 end) const {
    check(0 <= begin && begin <= end && end <= size, end, size);
    return {data + begin, end - begin};
  }
  View from(i64 begin) const { return part(begin, size); }
  void fill(T value) const {
    for (i64 i = 0; i < size; ++i) data[i] = value;
  }
  template <class U, class = ReadOnly<T, U>>
  operator View<U>() const {
    return {data, size};
  }
#ifdef RESOLVENT_CHECKED
  template <class U, class = std::enable_if_t<std::is_same_v<std::remove_const_t<U>, std::remove_const_t<T>>>>
  operator Row<U>() const {
    return {data, 0, size};
  }
#else
  operator T *() const { return data; }
#endif
};

// A matrix whose rows are contiguous, `stride` apart.
template <class T>
struct Grid {
  T *data = nullptr;
  i64 rows = 0, columns = 0, stride = 0;

  View<T> operator[](i64 j) const {
    check(0 <= j && j < rows, j, rows);
    return {data + j * stride, columns};
  }
  T &operator()(i64 j, i64 i) const { return (*this)[j][i]; }
  template <class U, class = ReadOnly<T, U>>
  operator Grid<U>() const {
    return {data, rows, columns, stride};
  }
};

}  // namespace resolvent
