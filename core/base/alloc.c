#include "core/base/alloc.h"

#include <inttypes.h>
#include <malloc.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/threads.h"

enum {
  ALIGNMENT = 64,       // a cache line and an AVX-512 register; also the room for the header
  HUGE_PAGE = 2 << 20,  // x86-64
  HUGE_BYTES = 8 << 20, // blocks from this size are asked to lie in huge pages: fewer TLB misses in gathers
};

static atomic_size_t bytes_in_use, bytes_peak;

static void count_bytes(size_t bytes)
{
  size_t now = atomic_fetch_add(&bytes_in_use, bytes) + bytes, peak = atomic_load(&bytes_peak);
  while (now > peak && !atomic_compare_exchange_weak(&bytes_peak, &peak, now)) {
  }
}

size_t hg_physical_bytes(void)
{
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX;
}

static size_t whole_pages(size_t bytes) { return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE; }

// Each thread of the parallel loops touches its block of rows first, so that the pages lie in the memory next to it.
static void touch(unsigned char *block, size_t bytes)
{
  enum { PAGE = 4096 };
  bool alone = omp_in_parallel() || gettid() != getpid(); // another thread has no team
#pragma omp parallel default(none) shared(block, bytes) num_threads(alone ? 1 : hg_threads())
  {
    hg_off first, end;
    hg_block((hg_off)(bytes / PAGE), omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    for (hg_off page = first; page < end; page++) *(volatile unsigned char *)(block + page * PAGE) = 0;
  }
}

// Pages of their own, which are zero and go back to the system when they are freed, whatever malloc keeps.
static unsigned char *map_block(size_t bytes)
{
  size_t room = whole_pages(bytes);
  unsigned char *map = mmap(NULL, room + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return NULL;
  size_t before = (HUGE_PAGE - (uintptr_t)map % HUGE_PAGE) % HUGE_PAGE;
  if (before) munmap(map, before);
  munmap(map + before + room, HUGE_PAGE - before);
  (void)madvise(map + before, bytes, MADV_HUGEPAGE); // only advice
  touch(map + before, bytes);
  return map + before;
}

// zeroed
static unsigned char *take_block(size_t bytes)
{
  if (bytes >= HUGE_BYTES) return map_block(bytes);
  size_t room = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  unsigned char *block = aligned_alloc(ALIGNMENT, room);
  if (block) memset(block, 0, room);
  return block;
}

static void give_block(unsigned char *block, size_t bytes)
{
  if (bytes >= HUGE_BYTES)
    munmap(block, whole_pages(bytes));
  else
    free(block);
}

hg_status hg_alloc(void *out, hg_off count, size_t size, const char *what)
{
  memset(out, 0, sizeof(void *)); // `out` may point to a pointer of any type
  size_t bytes;
  if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) || bytes > SIZE_MAX / 2)
    return hg_fail(HG_ERR_MEMORY, "%s: cannot hold %" PRId64 " elements of %zu bytes", what, count, size);
  // asking for more than the machine has would be granted and end the process when it is touched
  unsigned char *block = bytes > hg_physical_bytes() ? NULL : take_block(bytes + ALIGNMENT);
  if (!block) return hg_fail(HG_ERR_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
  memcpy(block, &bytes, sizeof bytes);
  count_bytes(bytes);
  void *data = block + ALIGNMENT;
  memcpy(out, &data, sizeof data);
  return HG_OK;
}

void hg_free(void *ptr)
{
  unsigned char *data;
  memcpy(&data, ptr, sizeof data);
  if (!data) return;
  size_t bytes;
  memcpy(&bytes, data - ALIGNMENT, sizeof bytes);
  atomic_fetch_sub(&bytes_in_use, bytes);
  give_block(data - ALIGNMENT, bytes + ALIGNMENT);
  memset(ptr, 0, sizeof data);
}

hg_status hg_grow(void *ptr, hg_off *capacity, hg_off needed, size_t size, const char *what)
{
  if (needed <= *capacity) return HG_OK;
  hg_off room = *capacity > needed / 2 ? 2 * *capacity : needed;
  void *old, *grown = NULL;
  memcpy(&old, ptr, sizeof old);
  hg_status rc = hg_alloc(&grown, room, size, what);
  if (rc != HG_OK) return rc;
  // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): hg_alloc gave it
  if (old) memcpy(grown, old, (size_t)*capacity * size);
  hg_free(ptr);
  memcpy(ptr, &grown, sizeof grown);
  *capacity = room;
  return HG_OK;
}

void hg_alloc_count(hg_off bytes)
{
  if (bytes >= 0)
    count_bytes((size_t)bytes);
  else
    atomic_fetch_sub(&bytes_in_use, (size_t)-bytes);
}

void hg_alloc_trim(void) { (void)malloc_trim(0); }

size_t hg_alloc_bytes(void) { return atomic_load(&bytes_in_use); }
size_t hg_alloc_peak_bytes(void) { return atomic_load(&bytes_peak); }

size_t hg_peak_rss_bytes(void)
{
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}
