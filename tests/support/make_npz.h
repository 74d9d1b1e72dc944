#pragma once
#include <stdbool.h>
#include <stddef.h>

/**
 * An array as NumPy would save it: {"labels", "<i8", "(4,)", data, sizeof data}. The header says what the caller
 * says, right or wrong.
 */
typedef struct {
  const char *key;   ///< the member's name without .npy
  const char *descr; ///< dtype; NULL: the array is left out; "raw": `data` is the whole member
  const char *shape;
  const void *data;
  size_t bytes;
} npz_array;

/** Writes the arrays, ended by a NULL key, stored or deflated. Fails the Criterion test when it cannot. */
void make_npz(const char *path, bool deflate, const npz_array *arrays);

/** Writes one array as an .npy file of that format version (1, 2 or 3). */
void make_npy(const char *path, int version, npz_array array);

/**
 * A graph of four nodes with edges 0->1, 0->2, 1->2, 2->0, 2->1; node 3 is isolated; features 4 x 3, labels 0 1 1 -1,
 * node 0 train, 1 val, 2 test; with the arrays of `changes` (ended by a NULL key, may be NULL) instead of its own, or
 * beside them.
 */
void make_tiny_npz(const char *path, bool deflate, const npz_array *changes);

/**
 * A collection of three graphs: 3 nodes with edges 0->1, 1->0, 1->2; one node; 2 nodes with the edge 0->1; features
 * x 6 x 2 (0, 0.5, 1, ...), positions in the plane, classes 1 0 2, graph 0 train, 2 val, 1 test. As make_tiny_npz.
 */
void make_tiny_collection_npz(const char *path, bool deflate, const npz_array *changes);
