// What Python sees of a kernel: functions with C names, and structures of pointers that are filled once.
#pragma once

#include "solvers/kernels/views.hpp"

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

// Define a structure whose members are pointers, i64 and double, 8 bytes each, and a function `NAME_members` that
// returns them as text, which Python compares with what it fills in. MEMBERS(FIELD) lists FIELD(type, name).
#define RESOLVENT_MEMBER(type, name) type name;
#define RESOLVENT_MEMBER_TEXT(type, name) #type " " #name ";"
#define STRUCTURE(NAME, MEMBERS) \
  namespace resolvent {          \
  struct NAME {                  \
    MEMBERS(RESOLVENT_MEMBER)    \
  };                             \
  }                              \
  EXPORT inline __attribute__((used)) const char *NAME##_members() { return MEMBERS(RESOLVENT_MEMBER_TEXT); }
