// Approximate minimum degree on a quotient graph, of A + Aᵀ or of AᵀA, which is never formed.
//
// Literature: Amestoy, Davis and Duff, SIAM J. Matrix Anal. Appl. 17 (1996) 886; Davis, Gilbert, Larimore and Ng, ACM
// Trans. Math. Software 30 (2004) 353, whose rows of A are the elements that exist from the start.
#include <cmath>

#include "solvers/kernels/exports.hpp"

namespace resolvent {
namespace {

constexpr i32 NONE = -1;

// The graph that is left while unknowns are eliminated. A node is a variable (0 … n − 1; eliminated, it is an element)
// or, from n on, an element from the start. The list of a variable names its elements first, then its variables; that
// of an element names its variables.
struct QuotientGraph {
  i32 n, nodes;
  i64 capacity, tail;
  i32 *entries;
  i64 *start;
  i32 *length, *element_count;
  i32 *weight;  // unknowns that a variable stands for: 0 once absorbed or eliminated, negative while marked
  i32 *degree;  // upper bound of a variable's external degree; the weight of an element's list
  i64 *stamp;   // of elements: 0 when dead, else `base` + what of the list lies outside the new element
  i32 *head, *next, *previous;  // variables by degree, in lists linked both ways
  i32 *member, *last_member;    // unknowns that were merged with one: a list, and its end
  i64 base;

  void unlink(i32 i) {
    if (previous[i] == NONE)
      head[degree[i]] = next[i];
    else
      next[previous[i]] = next[i];
    if (next[i] != NONE) previous[next[i]] = previous[i];
  }

  void link(i32 i) {
    const i32 first = head[degree[i]];
    next[i] = first;
    previous[i] = NONE;
    if (first != NONE) previous[first] = i;
    head[degree[i]] = i;
  }

  void merge(i32 into, i32 from) {
    member[last_member[into]] = from;
    last_member[into] = last_member[from];
    weight[from] = 0;
  }

  bool alive(i32 node) const { return node < n && weight[node] != 0; }
  bool alive_element(i32 e) const { return stamp[e] != 0; }

  // Move the lists that are still read to the front. The first entry of each gives its place to a mark, −2 − node.
  void collect() {
    for (i32 node = 0; node < nodes; ++node) {
      if (length[node] == 0) continue;
      if (!alive(node) && !alive_element(node)) {
        length[node] = 0;
        continue;
      }
      const i32 first = entries[start[node]];
      entries[start[node]] = -2 - node;
      start[node] = first;
    }
    i64 to = 0;
    for (i64 from = 0; from < tail;) {
      if (entries[from] > NONE) {
        ++from;
        continue;
      }
      const i32 node = -2 - entries[from];
      entries[to] = i32(start[node]);
      start[node] = to;
      for (i32 k = 1; k < length[node]; ++k) entries[to + k] = entries[from + k];
      to += length[node];
      from += length[node];
    }
    tail = to;
  }

  // Eliminate a variable: its neighbours become the list of one new element, which absorbs the elements it was in.
  i32 form_element(i32 pivot, i32 left) {
    i64 bound = length[pivot] - element_count[pivot];
    for (i32 k = 0; k < element_count[pivot]; ++k) bound += length[entries[start[pivot] + k]];
    if (bound > left) bound = left;
    if (tail + bound > capacity) collect();
    const i64 begin = tail;
    i32 size = 0;
    weight[pivot] = -weight[pivot];
    for (i32 k = 0; k <= element_count[pivot]; ++k) {
      const bool direct = k == element_count[pivot];
      const i32 source = direct ? pivot : entries[start[pivot] + k];
      if (!direct && !alive_element(source)) continue;
      const i64 from = start[source] + (direct ? element_count[pivot] : 0), to = start[source] + length[source];
      for (i64 p = from; p < to; ++p) {
        const i32 i = entries[p];
        if (weight[i] <= 0) continue;
        size += weight[i];
        weight[i] = -weight[i];
        unlink(i);
        entries[tail++] = i;
      }
      if (!direct) {
        stamp[source] = 0;
        length[source] = 0;
      }
    }
    start[pivot] = begin;
    length[pivot] = i32(tail - begin);
    return size;
  }

  // Leave in the stamp of each element that meets the new one the weight of what lies outside that.
  void measure(i32 pivot) {
    for (i64 p = start[pivot]; p < start[pivot] + length[pivot]; ++p) {
      const i32 i = entries[p];
      for (i32 k = 0; k < element_count[i]; ++k) {
        const i32 e = entries[start[i] + k];
        if (stamp[e] >= base)
          stamp[e] += weight[i];  // negative: marked
        else if (stamp[e] != 0)
          stamp[e] = base + degree[e] + weight[i];
      }
    }
  }

  // Shorten the list of a neighbour, bound its degree outside the new element, and return a hash of the list.
  i64 update(i32 i, i32 pivot, i64 *outside) {
    const i64 begin = start[i], elements_end = begin + element_count[i], end = begin + length[i];
    i64 to = begin, hash = 0, bound = 0;
    for (i64 p = begin; p < elements_end; ++p) {
      const i32 e = entries[p];
      if (stamp[e] == 0) continue;
      const i64 beyond = stamp[e] - base;
      if (beyond == 0) {  // within the new element, and so of no more use
        stamp[e] = 0;
        length[e] = 0;
        continue;
      }
      bound += beyond;
      hash += e;
      entries[to++] = e;
    }
    const i64 kept = to - begin;
    // The new element comes after the others, in the place of one that has gone or of a variable that moves.
    i64 variables = to;
    for (i64 p = elements_end; p < end; ++p) {
      const i32 j = entries[p];
      if (weight[j] <= 0) continue;
      bound += weight[j];
      hash += j;
      entries[variables++] = j;
    }
    if (variables > to) entries[variables] = entries[to];
    entries[to] = pivot;
    element_count[i] = i32(kept) + 1;
    length[i] = i32(variables - begin) + 1;
    *outside = bound;
    return hash + pivot;
  }

  bool same_lists(i32 i, i32 j, const i64 *mark, i64 value) const {
    if (length[i] != length[j] || element_count[i] != element_count[j]) return false;
    for (i32 k = 0; k < length[j]; ++k)
      if (mark[entries[start[j] + k]] != value) return false;
    return true;
  }
};

// Eliminate all `left` variables whose weight is positive. `mark` (nodes) and `bucket` (n) are zero and NONE;
// `chain` and `hashes` are of n. The pivots are written to `order`, each followed by the unknowns merged with it.
i32 eliminate(QuotientGraph &graph, i32 left, i32 *order, i64 *mark, i32 *bucket, i32 *chain, i32 *hashes) {
  const i32 n = graph.n;
  i32 placed = 0, lowest = 0;
  i64 marks = 0;
  while (left > 0) {
    while (graph.head[lowest] == NONE) ++lowest;
    const i32 pivot = graph.head[lowest];
    graph.unlink(pivot);
    i32 eliminated = graph.weight[pivot];
    i32 size = graph.form_element(pivot, left);
    graph.base += 2 * i64(n) + 1;
    graph.measure(pivot);
    const i64 begin = graph.start[pivot], end = begin + graph.length[pivot];
    for (i64 p = begin; p < end; ++p) {
      const i32 i = graph.entries[p];
      i64 outside;
      const i64 hash = graph.update(i, pivot, &outside);
      if (outside == 0) {  // its neighbours are those of the pivot: eliminated with it, without more fill
        const i32 own = -graph.weight[i];
        eliminated += own;
        size -= own;
        graph.merge(pivot, i);
        graph.length[i] = 0;
        continue;
      }
      if (outside < graph.degree[i]) graph.degree[i] = i32(outside);
      hashes[i] = i32(hash % n);
      chain[i] = bucket[hashes[i]];
      bucket[hashes[i]] = i;
    }
    // Neighbours with equal lists stay alike for good: one stands for all.
    for (i64 p = begin; p < end; ++p) {
      const i32 any = graph.entries[p];
      if (graph.weight[any] == 0) continue;
      i32 i = bucket[hashes[any]];
      bucket[hashes[any]] = NONE;
      for (; i != NONE && chain[i] != NONE; i = chain[i]) {
        ++marks;
        for (i32 k = 0; k < graph.length[i]; ++k) mark[graph.entries[graph.start[i] + k]] = marks;
        for (i32 before = i, j = chain[i]; j != NONE; j = chain[before]) {
          if (!graph.same_lists(i, j, mark, marks)) {
            before = j;
            continue;
          }
          graph.weight[i] += graph.weight[j];
          graph.merge(i, j);
          graph.length[j] = 0;
          chain[before] = chain[j];
        }
      }
    }
    left -= eliminated;
    i64 to = begin;
    for (i64 p = begin; p < end; ++p) {
      const i32 i = graph.entries[p];
      if (graph.weight[i] == 0) continue;
      graph.weight[i] = -graph.weight[i];
      i64 bound = i64(graph.degree[i]) + size - graph.weight[i];
      const i64 most = i64(left) - graph.weight[i];
      if (bound > most) bound = most;
      graph.degree[i] = i32(bound);
      graph.link(i);
      if (graph.degree[i] < lowest) lowest = graph.degree[i];
      graph.entries[to++] = i;
    }
    graph.tail = to;
    graph.length[pivot] = i32(to - begin);
    graph.degree[pivot] = size;
    graph.stamp[pivot] = to > begin ? 1 : 0;
    graph.weight[pivot] = 0;
    for (i32 i = pivot; i != NONE; i = graph.member[i]) order[placed++] = i;
  }
  return placed;
}

// A row or column of more entries than this is dense: it would make every degree large, and tells nothing.
i64 dense_from(i64 n) {
  const i64 many = i64(10.0 * std::sqrt(double(n)));
  return many > 16 ? many : 16;
}

// Cut the work space: `integers` (12 n + 3 elements + capacity + 1) and `wide` (3 (n + elements)).
QuotientGraph prepared(i64 n, i64 elements, i64 capacity, i32 *integers, i64 *wide) {
  QuotientGraph graph;
  const i64 nodes = n + elements;
  graph.n = i32(n);
  graph.nodes = i32(nodes);
  graph.capacity = capacity;
  graph.tail = 0;
  graph.base = 1;
  graph.length = integers;
  graph.element_count = integers + nodes;
  graph.degree = integers + 2 * nodes;
  i32 *rest = integers + 3 * nodes;
  graph.weight = rest;
  graph.next = rest + n;
  graph.previous = rest + 2 * n;
  graph.member = rest + 3 * n;
  graph.last_member = rest + 4 * n;
  graph.head = rest + 5 * n;  // n + 1
  graph.entries = rest + 9 * n + 1;
  graph.start = wide;
  graph.stamp = wide + nodes;
  for (i64 node = 0; node < nodes; ++node) {
    graph.length[node] = graph.element_count[node] = graph.degree[node] = 0;
    graph.start[node] = graph.stamp[node] = wide[2 * nodes + node] = 0;
  }
  for (i64 i = 0; i < n; ++i) {
    graph.weight[i] = 1;
    graph.member[i] = graph.head[i] = rest[6 * n + 1 + i] = NONE;
    graph.last_member[i] = i32(i);
  }
  graph.head[n] = NONE;
  return graph;
}

// Order the variables of weight 1 by elimination, and those of weight 0 after them, as they come.
void finish(QuotientGraph &graph, i32 *order, i32 *integers, i64 *wide) {
  const i64 n = graph.n, nodes = graph.nodes;
  i32 left = 0;
  for (i64 i = n - 1; i >= 0; --i) {
    if (graph.weight[i] == 0) continue;
    ++left;
    graph.link(i32(i));
  }
  i32 last = i32(n);
  for (i64 i = n - 1; i >= 0; --i)
    if (graph.weight[i] == 0) order[--last] = i32(i);
  i32 *rest = integers + 3 * nodes;
  eliminate(graph, left, order, wide + 2 * nodes, rest + 6 * n + 1, rest + 7 * n + 1, rest + 8 * n + 1);
}

}  // namespace
}  // namespace resolvent

// Order a symmetric graph without loops; dense unknowns go last.
EXPORT void minimum_degree(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,
                           resolvent::i32 *order, resolvent::i64 capacity, resolvent::i32 *integers,
                           resolvent::i64 *wide) {
  using namespace resolvent;
  QuotientGraph graph = prepared(n, 0, capacity, integers, wide);
  const i64 dense = dense_from(n);
  for (i64 i = 0; i < n; ++i)
    if (indptr[i + 1] - indptr[i] > dense) graph.weight[i] = 0;
  for (i64 i = 0; i < n; ++i) {
    if (graph.weight[i] == 0) continue;
    graph.start[i] = graph.tail;
    for (i64 k = indptr[i]; k < indptr[i + 1]; ++k)
      if (graph.weight[indices[k]] != 0) graph.entries[graph.tail++] = indices[k];
    graph.length[i] = graph.degree[i] = i32(graph.tail - graph.start[i]);
  }
  finish(graph, order, integers, wide);
}

// Order the columns of a square A by the graph of AᵀA: by its rows (indptr, indices) and its columns (both 'by
// column').
EXPORT void minimum_degree_of_columns(resolvent::i64 n, const resolvent::i32 *indptr, const resolvent::i32 *indices,
                                      const resolvent::i32 *column_indptr, const resolvent::i32 *column_indices,
                                      resolvent::i32 *order, resolvent::i64 capacity, resolvent::i32 *integers,
                                      resolvent::i64 *wide) {
  using namespace resolvent;
  QuotientGraph graph = prepared(n, n, capacity, integers, wide);
  const i64 dense = dense_from(n);
  i64 columns = 0;
  for (i64 j = 0; j < n; ++j) {
    if (column_indptr[j + 1] - column_indptr[j] > dense) graph.weight[j] = 0;
    columns += graph.weight[j];
  }
  for (i64 i = 0; i < n; ++i) {
    if (indptr[i + 1] - indptr[i] > dense) continue;
    const i64 e = n + i;
    graph.start[e] = graph.tail;
    for (i64 k = indptr[i]; k < indptr[i + 1]; ++k)
      if (graph.weight[indices[k]] != 0) graph.entries[graph.tail++] = indices[k];
    graph.length[e] = graph.degree[e] = i32(graph.tail - graph.start[e]);
    graph.stamp[e] = graph.length[e] > 1 ? 1 : 0;
  }
  for (i64 j = 0; j < n; ++j) {
    if (graph.weight[j] == 0) continue;
    graph.start[j] = graph.tail;
    i64 bound = 0;
    for (i64 k = column_indptr[j]; k < column_indptr[j + 1]; ++k) {
      const i32 e = i32(n) + column_indices[k];
      if (graph.stamp[e] == 0) continue;
      graph.entries[graph.tail++] = e;
      bound += graph.length[e] - 1;
    }
    graph.length[j] = graph.element_count[j] = i32(graph.tail - graph.start[j]);
    graph.degree[j] = i32(bound < columns ? bound : columns - 1);
  }
  finish(graph, order, integers, wide);
}
