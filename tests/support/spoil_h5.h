#pragma once
#include <hdf5.h>
#include <stdint.h>

/* Edits of a sound .hg file through the HDF5 library, which keeps its checksums right. They fail the Criterion test. */

/** Opens `path`, calls `edit`, closes. */
void h5_spoil(const char *path, void (*edit)(hid_t file));

/** A dataset of another type, shape or content; data may be NULL for storage that was never written. */
void h5_replace(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data);

/** One element of a list, or of column 0 of a matrix. */
void h5_poke(hid_t file, const char *name, hsize_t at, hid_t type, const void *value);
void h5_poke_long(hid_t file, const char *name, hsize_t at, int64_t value);

/** Attributes, of whatever type they were. */
void h5_set_number(hid_t file, const char *object, const char *name, int64_t value);
void h5_set_text(hid_t file, const char *object, const char *name, const char *value);
