#include "partition/host_rows.h"

#include "core/base/alloc.h"

typedef struct {
  const hg_parts_index *index;
  int parts;         // of a host
  int32_t *stamp;    // [nodes] 1 + the last host that needed the node
  int32_t *met;      // [hosts] 1 + the last host that needed a row of that one
  hg_off *sent;      // [hosts]
  hg_off *sent_once; // [hosts]
} counts;

static void count_part(counts *c, int part, hg_host_rows *rows)
{
  const hg_parts_index *index = c->index;
  int owner = 0, last_owner = -1, host = part / c->parts;
  for (hg_off h = index->halo_offsets[part]; h < index->halo_offsets[part + 1]; h++) {
    hg_gid id = index->halo_ids[h];
    while (id >= index->offsets[owner + 1]) owner++; // ids ascend
    int from = owner / c->parts;
    if (from == host) continue;
    c->sent[from]++;
    if (owner != last_owner) rows->pairs++;
    last_owner = owner;
    if (c->met[from] != host + 1) rows->host_pairs++;
    c->met[from] = host + 1;
    if (c->stamp[id] != host + 1) c->sent_once[from]++;
    c->stamp[id] = host + 1;
  }
}

hg_status hg_host_rows_count(hg_host_rows *rows, const hg_parts_index *index, int hosts)
{
  hg_status rc = HG_OK;
  counts c = {.index = index};
  int k = index->n_parts;
  *rows = (hg_host_rows){.hosts = hosts};
  if (hosts < 1 || hosts > k || k % hosts != 0)
    return hg_fail(HG_ERR_INPUT, "%d parts on %d hosts, expected as many on each", k, hosts);
  c.parts = k / hosts;
  HG_TRY(HG_ALLOC(c.stamp, index->offsets[k], "hosts that need a node"));
  HG_TRY(HG_ALLOC(c.met, hosts, "hosts that need a row"));
  HG_TRY(HG_ALLOC(c.sent, hosts, "rows of hosts"));
  HG_TRY(HG_ALLOC(c.sent_once, hosts, "rows of hosts"));
  for (int p = 0; p < k; p++) count_part(&c, p, rows);
  for (int h = 0; h < hosts; h++) {
    rows->rows += c.sent[h];
    rows->unique += c.sent_once[h];
    if (c.sent[h] > rows->rows_max) rows->rows_max = c.sent[h];
    if (c.sent_once[h] > rows->unique_max) rows->unique_max = c.sent_once[h];
  }
done:
  hg_free(&c.stamp);
  hg_free(&c.met);
  hg_free(&c.sent);
  hg_free(&c.sent_once);
  return rc;
}
