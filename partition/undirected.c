#include "partition/undirected.h"

#include <string.h>

#include "core/base/alloc.h"

static void copy_row(hg_lid *out, const hg_csr *a, hg_lid i)
{
  hg_off entries = a->indptr[i + 1] - a->indptr[i];
  if (entries > 0) memcpy(out, a->indices + a->indptr[i], (size_t)entries * sizeof *out);
}

hg_status hg_undirected_create(hg_undirected *out, const hg_graph *graph)
{
  hg_status rc = HG_OK;
  const hg_csr *a = &graph->adjacency;
  hg_csr t = {0};
  *out = (hg_undirected){(hg_lid)graph->nodes.n, a->indptr, a->indices, NULL, NULL};
  if (graph->symmetric) return HG_OK;
  HG_TRY(hg_csr_transpose(&t, a));
  HG_TRY(HG_ALLOC(out->own_indptr, (hg_off)out->n + 1, "undirected row pointers"));
  HG_TRY(HG_ALLOC(out->own_indices, 2 * hg_csr_entries(a), "undirected adjacency"));
  for (hg_lid i = 0; i < out->n; i++) {
    out->own_indptr[i + 1] = a->indptr[i + 1] + t.indptr[i + 1];
    copy_row(out->own_indices + out->own_indptr[i], a, i);
    copy_row(out->own_indices + out->own_indptr[i + 1] - (t.indptr[i + 1] - t.indptr[i]), &t, i);
  }
  out->indptr = out->own_indptr;
  out->indices = out->own_indices;
done:
  hg_csr_free(&t);
  if (rc != HG_OK) hg_undirected_free(out);
  return rc;
}

void hg_undirected_free(hg_undirected *u)
{
  hg_free(&u->own_indptr);
  hg_free(&u->own_indices);
  *u = (hg_undirected){0};
}
