#pragma once
#include <hdf5.h>
#include <stdint.h>

#include "core/base/types.h"

/*
 * A thin layer over HDF5 for our own files: one message per failure that names file and object, checksums on what
 * is written, and no trust in what is read: element type, shape and size are checked against the file before
 * anybody allocates.
 */

/** An open file and the path for messages, which is borrowed. */
typedef struct {
  hid_t id;
  const char *path;
} hg_h5;

/** The element types of our datasets; little-endian in the file. */
typedef enum { HG_H5_I64, HG_H5_I32, HG_H5_F32, HG_H5_F64, HG_H5_U8 } hg_h5_type;

/** What a dataset claims, and the file was found able to hold. */
typedef struct {
  int rank;
  hg_off dims[2]; ///< dims[1] = 1 for a list
} hg_h5_shape;

/**
 * Opens for reading without file locks, so that many ranks may read a read-only file system. HG_ERR_INPUT:
 * missing, a folder, no HDF5.
 */
hg_status hg_h5_open(hg_h5 *file, const char *path);

/** Creates `temporary`; messages speak of `path`. The format checksums its metadata (HDF5 1.10 and later read it). */
hg_status hg_h5_create(hg_h5 *file, const char *temporary, const char *path);

/** Closes; HG_ERR_IO when what was written cannot be flushed. Does nothing on a zeroed struct. */
hg_status hg_h5_close(hg_h5 *file);

/** Closes without a word: after reading, or after a failure whose message shall stay. */
void hg_h5_drop(hg_h5 *file);

hg_status hg_h5_make_group(const hg_h5 *file, const char *name);

/** Whether `name` ("/csr/indptr") is there, with all the groups above it. */
bool hg_h5_exists(const hg_h5 *file, const char *name);
bool hg_h5_is_group(const hg_h5 *file, const char *name);

/** Attributes of the object `name` ("/" for the file). Text is read into `size` bytes; a longer one is HG_ERR_INPUT. */
hg_status hg_h5_write_text(const hg_h5 *file, const char *name, const char *attribute, const char *text);
hg_status hg_h5_read_text(const hg_h5 *file, const char *name, const char *attribute, char *text, size_t size);

/** A text of any length up to 64 MiB; hg_alloc, the caller frees. */
hg_status hg_h5_read_long_text(const hg_h5 *file, const char *name, const char *attribute, char **text);
hg_status hg_h5_write_number(const hg_h5 *file, const char *name, const char *attribute, int64_t value);

/** Fails outside [low, high]. */
hg_status hg_h5_read_number(const hg_h5 *file, const char *name, const char *attribute, int64_t low, int64_t high,
                            int64_t *value);

/** Fingerprints use the whole range of 64 bits without sign. */
hg_status hg_h5_write_u64(const hg_h5 *file, const char *name, const char *attribute, uint64_t value);
hg_status hg_h5_read_u64(const hg_h5 *file, const char *name, const char *attribute, uint64_t *value);

/**
 * Writes a whole dataset of rows x cols (cols 0: a list of rows) in chunks of about 64 Ki elements with
 * Fletcher32 checksums. data NULL: all zeros, for hg_h5_write_rows.
 */
hg_status hg_h5_write(const hg_h5 *file, const char *name, hg_h5_type type, hg_off rows, hg_off cols, const void *data);

/** Opens what hg_h5_create made, after it was closed, to write more; messages speak of `path`. */
hg_status hg_h5_reopen(hg_h5 *file, const char *temporary, const char *path);

/** Writes rows [first, first + n) of a dataset that is there, all columns. */
hg_status hg_h5_write_rows(const hg_h5 *file, const char *name, hg_h5_type type, hg_off first, hg_off n,
                           const void *data);

/**
 * The shape of a dataset after checking that it has this element type and rank, uses no filter but Fletcher32,
 * deflate and shuffle, lies in this file, and claims no more than the file can hold.
 */
hg_status hg_h5_inspect(const hg_h5 *file, const char *name, hg_h5_type type, int rank, hg_h5_shape *shape);

/** Reads rows [first, first + n) of an inspected dataset, all columns. HG_ERR_INPUT for a broken checksum. */
hg_status hg_h5_read_rows(const hg_h5 *file, const char *name, hg_h5_type type, hg_off first, hg_off n, void *data);
