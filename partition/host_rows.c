#include "partition/host_rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

typedef struct {
  const hg_parts_index *index;
  int hosts, parts;  // parts of a host
  int32_t *stamp;    // [nodes] 1 + the last host that needed the node
  int32_t *between;  // [hosts x hosts] rows without duplicates from a host to a host
  hg_off *sent;      // [hosts]
  hg_off *part_rows; // [parts of all hosts] to and from parts of the same host
  hg_off *part_messages;
} counts;

static void free_counts(counts *c)
{
  hg_free(&c->stamp);
  hg_free(&c->between);
  hg_free(&c->sent);
  hg_free(&c->part_rows);
  hg_free(&c->part_messages);
}

static void count_part(counts *c, int part, hg_host_rows *rows)
{
  const hg_parts_index *index = c->index;
  int owner = 0, last_owner = -1, host = part / c->parts;
  for (hg_off h = index->halo_offsets[part]; h < index->halo_offsets[part + 1]; h++) {
    hg_gid id = index->halo_ids[h];
    while (id >= index->offsets[owner + 1]) owner++; // ids ascend
    int from = owner / c->parts;
    bool another = owner != last_owner;
    last_owner = owner;
    if (from == host) {
      c->part_rows[part]++;
      c->part_rows[owner]++;
      c->part_messages[part] += another;
      c->part_messages[owner] += another;
      continue;
    }
    c->sent[from]++;
    rows->pairs += another;
    if (c->stamp[id] != host + 1) c->between[(hg_off)from * c->hosts + host]++;
    c->stamp[id] = host + 1;
  }
}

static int by_size(const void *a, const void *b, void *sizes)
{
  const int *x = a, *y = b;
  const hg_off *s = sizes;
  if (s[*x] != s[*y]) return s[*x] < s[*y] ? 1 : -1;
  return *x - *y;
}

void hg_host_pairs_share(hg_off *sizes, int n, int parts, int *order, int *server, hg_off *loads)
{
  memset(loads, 0, (size_t)parts * sizeof *loads);
  for (int k = 0; k < n; k++) order[k] = k;
  qsort_r(order, (size_t)n, sizeof *order, by_size, sizes);
  for (int k = 0; k < n; k++) {
    int least = 0;
    for (int p = 1; p < parts; p++)
      if (loads[p] < loads[least]) least = p;
    loads[least] += sizes[order[k]];
    server[order[k]] = least;
  }
}

// working space to share the messages of one host, out and in
typedef struct {
  hg_off *sizes, *loads; // [2 x hosts], [parts]
  int *order, *server;   // [2 x hosts]
} sharing;

static void share_host(counts *c, int host, const sharing *s, hg_host_rows *rows)
{
  hg_off sent = 0, *part_rows = c->part_rows + (hg_off)host * c->parts;
  hg_off *messages = c->part_messages + (hg_off)host * c->parts;
  for (int h = 0; h < c->hosts; h++) {
    s->sizes[h] = c->between[(hg_off)host * c->hosts + h];
    s->sizes[c->hosts + h] = c->between[(hg_off)h * c->hosts + host];
    sent += s->sizes[h];
    rows->host_pairs += s->sizes[h] > 0;
  }
  hg_host_pairs_share(s->sizes, 2 * c->hosts, c->parts, s->order, s->server, s->loads);
  for (int k = 0; k < 2 * c->hosts; k++) messages[s->server[k]] += s->sizes[k] > 0;
  for (int p = 0; p < c->parts; p++) {
    if (part_rows[p] + s->loads[p] > rows->part_rows) rows->part_rows = part_rows[p] + s->loads[p];
    if (s->loads[p] > rows->part_served) rows->part_served = s->loads[p];
    if (messages[p] > rows->part_messages) rows->part_messages = messages[p];
  }
  rows->unique += sent;
  if (sent > rows->unique_max) rows->unique_max = sent;
}

static hg_status share_all(counts *c, hg_host_rows *rows)
{
  hg_status rc = HG_OK;
  sharing s = {0};
  HG_TRY(HG_ALLOC(s.sizes, 2 * c->hosts, "rows of hosts"));
  HG_TRY(HG_ALLOC(s.loads, c->parts, "rows of hosts"));
  HG_TRY(HG_ALLOC(s.order, 2 * c->hosts, "rows of hosts"));
  HG_TRY(HG_ALLOC(s.server, 2 * c->hosts, "rows of hosts"));
  for (int h = 0; h < c->hosts; h++) share_host(c, h, &s, rows);
done:
  hg_free(&s.sizes);
  hg_free(&s.loads);
  hg_free(&s.order);
  hg_free(&s.server);
  return rc;
}

hg_status hg_host_rows_count(hg_host_rows *rows, const hg_parts_index *index, int hosts)
{
  hg_status rc = HG_OK;
  counts c = {.index = index, .hosts = hosts};
  int k = index->n_parts;
  *rows = (hg_host_rows){.hosts = hosts};
  if (hosts < 1 || hosts > k || k % hosts != 0)
    return hg_fail(HG_ERR_INPUT, "%d parts on %d hosts, expected as many on each", k, hosts);
  c.parts = k / hosts;
  HG_TRY(HG_ALLOC(c.stamp, index->offsets[k], "hosts that need a node"));
  HG_TRY(HG_ALLOC(c.between, (hg_off)hosts * hosts, "rows between hosts"));
  HG_TRY(HG_ALLOC(c.sent, hosts, "rows of hosts"));
  HG_TRY(HG_ALLOC(c.part_rows, k, "rows of parts"));
  HG_TRY(HG_ALLOC(c.part_messages, k, "messages of parts"));
  for (int p = 0; p < k; p++) count_part(&c, p, rows);
  for (int h = 0; h < hosts; h++) {
    rows->rows += c.sent[h];
    if (c.sent[h] > rows->rows_max) rows->rows_max = c.sent[h];
  }
  HG_TRY(share_all(&c, rows));
done:
  free_counts(&c);
  return rc;
}
