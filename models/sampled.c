#include "models/sampled.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

static hg_lid drawn(hg_lid n, double rate)
{
  hg_lid s = (hg_lid)floor(rate * n);
  return s > 0 ? s : n > 0;
}

// offsets of the drawn rows of each peer; returns how many they are
static hg_lid count(const hg_lid *offsets, int n_peers, double rate, hg_lid *to)
{
  hg_lid total = 0;
  for (int p = 0; p < n_peers; p++) {
    total += drawn(offsets[p + 1] - offsets[p], rate);
    if (to) to[p + 1] = total;
  }
  return total;
}

static hg_status copy_peers(const int *from, int n, int **to)
{
  hg_status rc = HG_ALLOC(*to, n, "peers");
  if (rc == HG_OK && n > 0) memcpy(*to, from, (size_t)n * sizeof *from);
  return rc;
}

static hg_status link_drawn(hg_sampled *s)
{
  const hg_links *all = s->base->links;
  hg_links *links = &s->links;
  hg_status rc = HG_OK;
  *links = (hg_links){.n_peers_send = all->n_peers_send,
                      .n_peers_recv = all->n_peers_recv,
                      .n_owned = all->n_owned,
                      .n_halo = all->n_halo};
  HG_TRY(copy_peers(all->send_peers, all->n_peers_send, &links->send_peers));
  HG_TRY(copy_peers(all->recv_peers, all->n_peers_recv, &links->recv_peers));
  HG_TRY(HG_ALLOC(links->send_offsets, all->n_peers_send + 1, "drawn rows"));
  HG_TRY(HG_ALLOC(links->recv_offsets, all->n_peers_recv + 1, "drawn rows"));
  hg_lid sent = count(all->send_offsets, all->n_peers_send, s->rate, links->send_offsets);
  hg_lid received = count(all->recv_offsets, all->n_peers_recv, s->rate, links->recv_offsets);
  HG_TRY(HG_ALLOC(links->send_rows, sent, "drawn rows"));
  HG_TRY(HG_ALLOC(links->recv_rows, (hg_off)received + 1, "drawn rows")); // never NULL: that would mean all rows
done:
  return rc;
}

hg_status hg_sampled_create(hg_sampled *sampled, const hg_local_graph *base, double rate)
{
  hg_status rc = HG_OK;
  *sampled = (hg_sampled){.base = base, .rate = rate, .graph = *base};
  hg_local_graph *g = &sampled->graph;
  HG_TRY(link_drawn(sampled));
  HG_TRY(HG_ALLOC(sampled->scale, base->n_local, "scales of drawn rows"));
  for (hg_lid j = 0; j < base->n_local; j++) sampled->scale[j] = base->col_scale ? base->col_scale[j] : 1;
  g->links = &sampled->links;
  g->col_scale = sampled->scale;
  g->forward.col_scale = sampled->scale;
  g->backward.row_scale = sampled->scale;
done:
  if (rc != HG_OK) hg_sampled_free(sampled);
  return rc;
}

void hg_sampled_free(hg_sampled *sampled)
{
  hg_links_free(&sampled->links);
  hg_free(&sampled->scale);
}

// One pair of ranks: rows [first, end) of the list that both have in the same order, of which `wanted` are drawn.
typedef struct {
  uint64_t seed;
  int epoch, sender, receiver;
  hg_lid first, end, wanted;
} pair;

// Every choice of `wanted` rows is as likely as another, ascending (Knuth, TAOCP 2, 3.4.2, algorithm S).
static void draw_pair(const pair *d, hg_lid *positions)
{
  const hg_rng rng = {d->seed, HG_STREAM_SAMPLE | (uint32_t)d->epoch << 8};
  uint32_t ranks = (uint32_t)d->sender << 16 | (uint32_t)d->receiver;
  hg_lid n = d->end - d->first, chosen = 0;
  for (hg_lid k = 0; k < n && chosen < d->wanted; k++)
    if (hg_rng_below(rng, (uint64_t)k, ranks, (uint64_t)(n - k)) < (uint64_t)(d->wanted - chosen))
      positions[chosen++] = d->first + k;
}

static void draw_sent(hg_sampled *s, int rank, uint64_t seed, int epoch)
{
  const hg_links *all = s->base->links, *links = &s->links;
  for (int p = 0; p < all->n_peers_send; p++) {
    hg_lid first = links->send_offsets[p], end = links->send_offsets[p + 1];
    const pair d = {.seed = seed,
                    .epoch = epoch,
                    .sender = rank,
                    .receiver = all->send_peers[p],
                    .first = all->send_offsets[p],
                    .end = all->send_offsets[p + 1],
                    .wanted = end - first};
    draw_pair(&d, links->send_rows + first);
    for (hg_lid k = first; k < end; k++) links->send_rows[k] = all->send_rows[links->send_rows[k]];
  }
}

static void draw_received(hg_sampled *s, int rank, uint64_t seed, int epoch)
{
  const hg_local_graph *base = s->base;
  const hg_links *all = base->links, *links = &s->links;
  for (hg_lid j = base->n_owned; j < base->n_local; j++) s->scale[j] = 0;
  for (int p = 0; p < all->n_peers_recv; p++) {
    hg_lid first = links->recv_offsets[p], end = links->recv_offsets[p + 1];
    const pair d = {.seed = seed,
                    .epoch = epoch,
                    .sender = all->recv_peers[p],
                    .receiver = rank,
                    .first = all->recv_offsets[p],
                    .end = all->recv_offsets[p + 1],
                    .wanted = end - first};
    hg_real factor = (hg_real)((double)(d.end - d.first) / d.wanted);
    draw_pair(&d, links->recv_rows + first);
    for (hg_lid k = first; k < end; k++) {
      hg_lid row = all->recv_rows ? all->recv_rows[links->recv_rows[k]] : links->recv_rows[k];
      hg_lid j = base->n_owned + row;
      links->recv_rows[k] = row;
      s->scale[j] = factor * (base->col_scale ? base->col_scale[j] : 1);
    }
  }
}

void hg_sampled_draw(hg_sampled *sampled, uint64_t seed, int epoch)
{
  int rank = hg_world_rank(sampled->base->world);
  draw_sent(sampled, rank, seed, epoch);
  draw_received(sampled, rank, seed, epoch);
}

hg_lid hg_sampled_sent(const hg_links *links, double rate)
{
  return count(links->send_offsets, links->n_peers_send, rate, NULL);
}

hg_lid hg_sampled_received(const hg_links *links, double rate)
{
  return count(links->recv_offsets, links->n_peers_recv, rate, NULL);
}

size_t hg_sampled_bytes(const hg_links *links, double rate)
{
  hg_off rows = (hg_off)hg_sampled_sent(links, rate) + hg_sampled_received(links, rate);
  return (size_t)rows * sizeof(hg_lid) + (size_t)((hg_off)links->n_owned + links->n_halo) * sizeof(hg_real);
}
