#pragma once
#include <stddef.h>

#include "core/base/types.h"

/**
 * Aligned (64 bytes), zeroed memory for `count` elements of `size` bytes; counted in hg_alloc_bytes().
 * Large arrays are touched by the threads that will use them, block of rows by block of rows.
 * @param out    address of the pointer; NULL there on failure; a count of 0 gives a valid pointer
 * @param what   names the array in the message
 * @return       HG_ERR_MEMORY, with the bytes asked for; also for a negative count or one that overflows
 */
hg_status hg_alloc(void *out, hg_off count, size_t size, const char *what);

/** Makes room for `needed` elements, at least doubling `*capacity`; keeps the contents, new space is zeroed. */
hg_status hg_grow(void *ptr, hg_off *capacity, hg_off needed, size_t size, const char *what);

/** Frees what hg_alloc gave and sets the pointer whose address is `ptr` to NULL; accepts a NULL pointer there. */
void hg_free(void *ptr);

/** Bytes that hg_alloc has given and hg_free has not taken back; now, and at the highest. */
size_t hg_alloc_bytes(void);
size_t hg_alloc_peak_bytes(void);

/** Counts bytes in hg_alloc_bytes that another library gave; negative: took back. */
void hg_alloc_count(hg_off bytes);

/** Gives what was freed back to the system, which malloc would keep: after a step that needed much for a while. */
void hg_alloc_trim(void);

/** hg_alloc for a typed pointer: HG_TRY(HG_ALLOC(indptr, n + 1, "row pointers")). */
#define HG_ALLOC(ptr, count, what) hg_alloc(&(ptr), (hg_off)(count), sizeof *(ptr), (what))

/** Memory of the machine in bytes; SIZE_MAX where the system does not tell. */
size_t hg_physical_bytes(void);

/** Peak resident set of this process in bytes (VmHWM), 0 where the system does not tell. */
size_t hg_peak_rss_bytes(void);
