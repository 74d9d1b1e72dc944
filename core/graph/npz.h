#pragma once
#include "core/graph/npy.h"

/** An .npz archive of NumPy arrays: zip, stored or deflated members, zip64. */
typedef struct hg_npz hg_npz;

/** @return HG_ERR_INPUT when the file is missing or no zip archive */
hg_status hg_npz_open(hg_npz **npz, const char *path);

/** The same from memory, borrowed until hg_npz_close; `name` stands for the path in messages. */
hg_status hg_npz_open_memory(hg_npz **npz, const void *data, size_t size, const char *name);

void hg_npz_close(hg_npz **npz);

const char *hg_npz_path(const hg_npz *npz);

/** Whether the archive has the array `key` (the member key.npy). */
bool hg_npz_has(hg_npz *npz, const char *key);

/** The names of its arrays, "adj_data, adj_indices, ...", for messages; cut when too long. */
void hg_npz_list(hg_npz *npz, char *text, size_t size);

/**
 * Starts reading the array `key`; ends the one before. What the directory claims is checked against the archive's
 * size and what deflate can reach before any memory is taken, so `array->count` can be trusted.
 */
hg_status hg_npz_begin(hg_npz *npz, const char *key, hg_npy *array);

/** Ends reading: HG_ERR_INPUT when the checksum is wrong or when elements were not read. */
hg_status hg_npz_end(hg_npz *npz);

/**
 * Whole arrays. *out is created (hg_alloc). `count` may be NULL; for f32, shape gets 2 lengths (1 for those that are
 * not there).
 */
hg_status hg_npz_i64(hg_npz *npz, const char *key, int64_t **out, hg_off *count);
hg_status hg_npz_i32(hg_npz *npz, const char *key, int32_t **out, hg_off *count);
hg_status hg_npz_f32(hg_npz *npz, const char *key, float **out, hg_off shape[2]);
