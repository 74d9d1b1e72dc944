#include "comm/host_routes.h"

#include <string.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "partition/host_rows.h"

const char *hg_between_hosts_name(hg_between_hosts hosts) { return hosts == HG_HOSTS_MERGED ? "merged" : "ranks"; }

// What ranks tell all others of each host.
typedef struct {
  int unique, extras; // of the rows that it owns: those that the host needs, and how many ranks more do
  int wanted;         // rows of that host that it needs
} told;

typedef struct {
  const hg_links *links;
  hg_world *world;
  hg_host_routes *routes;
  int rank, size, n_hosts, host, here; // here: this rank's number in its host
  int *first, *members;                // members [size]: the ranks, host by host; host h from first[h] on
  told *told;                          // [size x n_hosts]
  // of the rows that this rank owns and hosts need
  hg_lid *places, *extras;       // [rows of the send lists] in this rank's rows of the message; extra or -1
  hg_lid *unique_at, *extras_at; // [n_hosts + 1] into out_rows and targets
  hg_lid *targets;               // of each extra the place of the row that it is added to
  // the servers of a host's pairs, by their numbers in it: as the first host, then as the second one
  int *out_server; // [2 x n_hosts]
  int *in_server;  // the second half
  hg_off *loads;   // [size] rows that a rank serves
  int *order;      // [2 x n_hosts] pairs, the largest first
} merging;

static void merging_free(merging *m)
{
  void *arrays[] = {&m->first,     &m->members, &m->told,       &m->places, &m->extras, &m->unique_at,
                    &m->extras_at, &m->targets, &m->out_server, &m->loads,  &m->order};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) hg_free(arrays[k]);
}

static int host_of(const merging *m, int rank) { return hg_world_host_of(m->world, rank); }
static told *told_by(const merging *m, int rank, int host) { return &m->told[(hg_off)rank * m->n_hosts + host]; }

static hg_status list_members(merging *m)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(m->first, m->n_hosts + 1, "ranks of hosts"));
  HG_TRY(HG_ALLOC(m->members, m->size, "ranks of hosts"));
  for (int h = 0, n = 0; h < m->n_hosts; h++) {
    for (int r = 0; r < m->size; r++)
      if (host_of(m, r) == h) m->members[n++] = r;
    m->first[h + 1] = n;
  }
  for (int k = m->first[m->host]; m->members[k] < m->rank; k++) m->here++;
done:
  return rc;
}

// Room for what is made of the send lists.
static hg_status begin(merging *m)
{
  const hg_links *l = m->links;
  hg_off rows = l->send_offsets[l->n_peers_send];
  hg_status rc = HG_OK;
  HG_TRY(list_members(m));
  HG_TRY(HG_ALLOC(m->told, (hg_off)m->size * m->n_hosts, "rows of hosts"));
  HG_TRY(HG_ALLOC(m->places, rows, "places of rows"));
  HG_TRY(HG_ALLOC(m->extras, rows, "places of rows"));
  HG_TRY(HG_ALLOC(m->unique_at, m->n_hosts + 1, "rows of hosts"));
  HG_TRY(HG_ALLOC(m->extras_at, m->n_hosts + 1, "rows of hosts"));
  HG_TRY(HG_ALLOC(m->targets, rows, "places of rows"));
  HG_TRY(HG_ALLOC(m->out_server, 2 * m->n_hosts, "servers"));
  m->in_server = m->out_server + m->n_hosts;
  HG_TRY(HG_ALLOC(m->loads, m->size, "servers"));
  HG_TRY(HG_ALLOC(m->order, 2 * m->n_hosts, "servers"));
  HG_TRY(HG_ALLOC(m->routes->out_rows, rows, "merged rows"));
done:
  return rc;
}

// working space of merge_for: of each owned row, of each row of the message
typedef struct {
  hg_lid *place;   // [n_owned] or -1
  hg_lid *readers; // [n_owned] ranks that need the row; then its first extra
  hg_lid *seen;    // [n_owned]
} space;

// The rows of this rank that `host` needs: in the order in which its ranks ask for them, ascending.
static void merge_for(merging *m, int host, space *s)
{
  const hg_links *l = m->links;
  hg_lid *rows = m->routes->out_rows + m->unique_at[host], *targets = m->targets + m->extras_at[host];
  hg_lid n = 0, n_extras = 0;
  for (int p = 0; p < l->n_peers_send; p++) {
    if (host_of(m, l->send_peers[p]) != host) continue;
    for (hg_lid k = l->send_offsets[p]; k < l->send_offsets[p + 1]; k++) {
      hg_lid i = l->send_rows[k];
      if (s->place[i] < 0) {
        s->place[i] = n;
        rows[n++] = i;
      }
      m->places[k] = s->place[i];
      s->readers[s->place[i]]++;
    }
  }
  for (hg_lid r = 0; r < n; r++) { // extras lie row by row
    hg_lid more = s->readers[r] - 1;
    s->readers[r] = n_extras;
    for (hg_lid e = 0; e < more; e++) targets[n_extras++] = r;
  }
  for (int p = 0; p < l->n_peers_send; p++) {
    if (host_of(m, l->send_peers[p]) != host) continue;
    for (hg_lid k = l->send_offsets[p]; k < l->send_offsets[p + 1]; k++) {
      hg_lid r = m->places[k], before = s->seen[r]++;
      m->extras[k] = before == 0 ? -1 : s->readers[r] + before - 1;
    }
  }
  for (hg_lid r = 0; r < n; r++) {
    s->place[rows[r]] = -1;
    s->readers[r] = s->seen[r] = 0;
  }
  m->unique_at[host + 1] = m->unique_at[host] + n;
  m->extras_at[host + 1] = m->extras_at[host] + n_extras;
}

static hg_status merge_rows(merging *m)
{
  const hg_links *l = m->links;
  told *mine = told_by(m, m->rank, 0);
  space s = {0};
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(s.place, l->n_owned, "places of rows"));
  HG_TRY(HG_ALLOC(s.readers, l->n_owned, "readers of rows"));
  HG_TRY(HG_ALLOC(s.seen, l->n_owned, "readers of rows"));
  for (hg_lid i = 0; i < l->n_owned; i++) s.place[i] = -1;
  for (int h = 0; h < m->n_hosts; h++) {
    m->unique_at[h + 1] = m->unique_at[h];
    m->extras_at[h + 1] = m->extras_at[h];
    if (h != m->host) merge_for(m, h, &s);
    mine[h].unique = m->unique_at[h + 1] - m->unique_at[h];
    mine[h].extras = m->extras_at[h + 1] - m->extras_at[h];
  }
  for (int p = 0; p < l->n_peers_recv; p++)
    mine[host_of(m, l->recv_peers[p])].wanted += l->recv_offsets[p + 1] - l->recv_offsets[p];
done:
  hg_free(&s.place);
  hg_free(&s.readers);
  hg_free(&s.seen);
  return rc;
}

// Where what a rank owns begins in the message to a host, and its extras.
typedef struct {
  hg_lid place, extra;
} segment;

static segment segment_of(const merging *m, int rank, int host, hg_lid rows)
{
  segment s = {0, rows};
  for (int k = m->first[host_of(m, rank)]; m->members[k] < rank; k++) {
    s.place += told_by(m, m->members[k], host)->unique;
    s.extra += told_by(m, m->members[k], host)->extras;
  }
  return s;
}

// Rows and extras of a message from host a to host b.
static hg_off rows_between(const merging *m, int a, int b, hg_off *extras)
{
  hg_off rows = 0;
  *extras = 0;
  for (int k = m->first[a]; k < m->first[a + 1]; k++) {
    rows += told_by(m, m->members[k], b)->unique;
    *extras += told_by(m, m->members[k], b)->extras;
  }
  return rows;
}

// The servers of a host's pairs. All ranks find the same.
static hg_status share_pairs(merging *m, int host)
{
  int n = m->n_hosts;
  hg_off *sizes = NULL, extras;
  hg_status rc = HG_ALLOC(sizes, 2 * n, "rows of pairs of hosts");
  if (rc != HG_OK) return rc;
  for (int k = 0; k < 2 * n; k++)
    sizes[k] = k < n ? rows_between(m, host, k, &extras) : rows_between(m, k - n, host, &extras);
  hg_host_pairs_share(sizes, 2 * n, m->first[host + 1] - m->first[host], m->order, m->out_server, m->loads);
  hg_free(&sizes);
  return HG_OK;
}

static bool is_member(const merging *m, int rank, int host, bool out)
{
  const told *t = told_by(m, rank, host);
  return (out ? t->unique : t->wanted) > 0;
}

// One pair: its size and who shares it, as far as this host is concerned.
static hg_status describe(merging *m, hg_host_route *r, int host, bool out)
{
  hg_off extras, rows = out ? rows_between(m, m->host, host, &extras) : rows_between(m, host, m->host, &extras);
  int first = m->first[m->host], ranks = m->first[m->host + 1] - first;
  hg_status rc = HG_OK;
  *r = (hg_host_route){.host = host, .server = out ? m->out_server[host] : m->in_server[host]};
  HG_TRY(hg_to_i32(&r->rows, rows, "rows between two hosts"));
  HG_TRY(hg_to_i32(&r->extras, rows + extras, "rows between two hosts"));
  r->extras = out ? 0 : r->extras - r->rows;
  if (out) r->place = segment_of(m, m->rank, host, 0).place;
  if (r->server != m->here) goto done;
  HG_TRY(HG_ALLOC(r->members, ranks, "ranks with rows of a pair of hosts"));
  for (int k = 0; k < ranks; k++)
    if (k != m->here && is_member(m, m->members[first + k], host, out)) r->members[r->n_members++] = k;
done:
  return rc;
}

// The pairs of this host: where each lies in its server's memory, and those in which this rank has a part.
static hg_status lay_out(merging *m, bool out, hg_off *used)
{
  hg_host_routes *routes = m->routes;
  hg_host_route *list = NULL;
  int n = 0, ranks = m->first[m->host + 1] - m->first[m->host];
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(list, m->n_hosts, "pairs of hosts"));
  *(out ? &routes->out : &routes->in) = list;
  for (int h = 0; h < m->n_hosts; h++) {
    hg_host_route *r = &list[n];
    if (h == m->host) continue;
    HG_TRY(describe(m, r, h, out));
    for (int kind = 0; kind < 2; kind++) {
      hg_off *end = &used[kind * ranks + r->server];
      r->at[kind] = *end;
      *end += r->rows + (kind == HG_ADD_HALO ? r->extras : 0);
    }
    if (r->rows > 0 && (r->server == m->here || is_member(m, m->rank, h, out)))
      n++;
    else
      hg_free(&r->members);
    *(out ? &routes->n_out : &routes->n_in) = n;
  }
done:
  return rc;
}

static hg_status lay_out_all(merging *m)
{
  int ranks = m->first[m->host + 1] - m->first[m->host];
  hg_off *used = NULL;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(used, 2 * ranks, "rows that ranks serve"));
  HG_TRY(share_pairs(m, m->host));
  HG_TRY(lay_out(m, true, used));
  HG_TRY(lay_out(m, false, used));
  for (int kind = 0; kind < 2; kind++) m->routes->served[kind] = used[kind * ranks + m->here];
  for (int k = 0; k < m->routes->n_out; k++) {
    hg_host_route *r = &m->routes->out[k];
    r->begin = m->unique_at[r->host];
    r->end = m->unique_at[r->host + 1];
  }
done:
  hg_free(&used);
  return rc;
}

// The other hosts' servers: each host shares its pairs alike.
static hg_status find_peers(merging *m)
{
  hg_host_routes *routes = m->routes;
  hg_status rc = HG_OK;
  for (int k = 0; k < routes->n_out + routes->n_in; k++) {
    bool out = k < routes->n_out;
    hg_host_route *r = out ? &routes->out[k] : &routes->in[k - routes->n_out];
    HG_TRY(share_pairs(m, r->host));
    r->peer = m->members[m->first[r->host] + (out ? m->in_server[m->host] : m->out_server[m->host])];
  }
done:
  return rc;
}

// Halo rows from other hosts, host by host; what their owners then tell of them has room here.
static hg_status list_incoming(merging *m)
{
  const hg_links *l = m->links;
  hg_host_routes *routes = m->routes;
  hg_off rows = l->recv_offsets[l->n_peers_recv];
  hg_lid n = 0;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(routes->in_rows, rows, "merged halo rows"));
  HG_TRY(HG_ALLOC(routes->in_places, rows, "places of halo rows"));
  HG_TRY(HG_ALLOC(routes->in_extras, rows, "places of halo rows"));
  for (int k = 0; k < routes->n_in; k++) {
    hg_host_route *r = &routes->in[k];
    r->begin = n;
    for (int p = 0; p < l->n_peers_recv; p++)
      for (hg_lid h = l->recv_offsets[p]; host_of(m, l->recv_peers[p]) == r->host && h < l->recv_offsets[p + 1]; h++)
        routes->in_rows[n++] = l->recv_rows ? l->recv_rows[h] : h;
    r->end = n;
    if (r->server == m->here) HG_TRY(HG_ALLOC(r->sums, r->extras, "sums of gradients"));
    if (r->server == m->here) HG_TRY(HG_ALLOC(r->addends, r->extras + 1, "sums of gradients"));
  }
done:
  return rc;
}

// Rows from a peer, if it is on the route's host.
static hg_lid count_from(const merging *m, const hg_host_route *r, int peer)
{
  const hg_links *l = m->links;
  return host_of(m, l->recv_peers[peer]) == r->host ? l->recv_offsets[peer + 1] - l->recv_offsets[peer] : 0;
}

typedef struct {
  MPI_Request *list;
  int n;
} requests;

static void send(requests *r, const merging *m, const hg_lid *from, hg_lid n, int rank, int tag)
{
  if (n > 0) MPI_Isend(from, n, MPI_INT32_T, rank, tag, hg_world_comm(m->world), &r->list[r->n++]);
}

static void receive(requests *r, const merging *m, hg_lid *to, hg_lid n, int rank, int tag)
{
  if (n > 0) MPI_Irecv(to, n, MPI_INT32_T, rank, tag, hg_world_comm(m->world), &r->list[r->n++]);
}

// Each owner tells the ranks of other hosts where its rows are in their message.
static void tell_places(const merging *m, requests *q)
{
  const hg_links *l = m->links;
  const hg_host_routes *routes = m->routes;
  q->n = 0;
  for (int k = 0; k < routes->n_in; k++) {
    const hg_host_route *r = &routes->in[k];
    hg_lid at = r->begin;
    for (int p = 0; p < l->n_peers_recv; p++) {
      hg_lid n = count_from(m, r, p);
      receive(q, m, routes->in_places + at, n, l->recv_peers[p], HG_TAG_HOST_PLACES);
      receive(q, m, routes->in_extras + at, n, l->recv_peers[p], HG_TAG_HOST_EXTRAS);
      at += n;
    }
  }
  for (int p = 0; p < l->n_peers_send; p++) {
    hg_lid first = l->send_offsets[p], n = l->send_offsets[p + 1] - first;
    if (host_of(m, l->send_peers[p]) == m->host) continue;
    send(q, m, m->places + first, n, l->send_peers[p], HG_TAG_HOST_PLACES);
    send(q, m, m->extras + first, n, l->send_peers[p], HG_TAG_HOST_EXTRAS);
  }
  MPI_Waitall(q->n, q->list, MPI_STATUSES_IGNORE);
  for (int k = 0; k < routes->n_in; k++) {
    const hg_host_route *r = &routes->in[k];
    hg_lid at = r->begin;
    for (int p = 0; p < l->n_peers_recv; p++) {
      const segment s = segment_of(m, l->recv_peers[p], m->host, r->rows);
      for (hg_lid end = at + count_from(m, r, p); at < end; at++) {
        routes->in_places[at] += s.place;
        routes->in_extras[at] = routes->in_extras[at] < 0 ? routes->in_places[at] : s.extra + routes->in_extras[at];
      }
    }
  }
}

// Which rows of the message a server adds extras to, from the place of each.
static void list_sums(hg_host_route *r)
{
  hg_lid *targets = r->sums;
  r->n_sums = 0;
  for (hg_lid e = 0; e < r->extras; e++) {
    if (r->n_sums > 0 && targets[e] == r->sums[r->n_sums - 1]) continue;
    r->addends[r->n_sums] = r->rows + e;
    r->sums[r->n_sums++] = targets[e];
  }
  r->addends[r->n_sums] = r->rows + r->extras;
}

// Each owner tells the servers that receive for other hosts which of its rows have extras.
static void tell_sums(const merging *m, requests *q)
{
  const hg_host_routes *routes = m->routes;
  q->n = 0;
  for (int k = 0; k < routes->n_in; k++) {
    const hg_host_route *r = &routes->in[k];
    for (int a = m->first[r->host]; r->server == m->here && a < m->first[r->host + 1]; a++) {
      int owner = m->members[a];
      receive(q, m, r->sums + segment_of(m, owner, m->host, 0).extra, told_by(m, owner, m->host)->extras, owner,
              HG_TAG_HOST_SUMS);
    }
  }
  for (int k = 0; k < routes->n_out; k++) {
    const hg_host_route *r = &routes->out[k];
    hg_lid first = m->extras_at[r->host], n = m->extras_at[r->host + 1] - first;
    if (r->end > r->begin) send(q, m, m->targets + first, n, r->peer, HG_TAG_HOST_SUMS);
  }
  MPI_Waitall(q->n, q->list, MPI_STATUSES_IGNORE);
  for (int k = 0; k < routes->n_in; k++) {
    hg_host_route *r = &routes->in[k];
    if (r->server != m->here) continue;
    for (int a = m->first[r->host]; a < m->first[r->host + 1]; a++) {
      const segment s = segment_of(m, m->members[a], m->host, 0);
      for (hg_lid e = 0; e < told_by(m, m->members[a], m->host)->extras; e++) r->sums[s.extra + e] += s.place;
    }
    list_sums(r);
  }
}

// The peers of this host, and what crosses to or from them: rows that lie one after the other stay where they are.
static hg_status near_peers(const merging *m, int n_peers, const int *peers, const hg_lid *offsets, int *n_near,
                            int **near, hg_lid **near_offsets, hg_lid **places)
{
  hg_status rc = HG_OK;
  hg_lid n = 0;
  HG_TRY(HG_ALLOC(*near, n_peers, "peers"));
  HG_TRY(HG_ALLOC(*near_offsets, n_peers + 1, "peers' rows"));
  HG_TRY(HG_ALLOC(*places, offsets[n_peers], "rows of a host"));
  for (int p = 0; p < n_peers; p++) {
    if (host_of(m, peers[p]) != m->host) continue;
    (*near)[*n_near] = peers[p];
    for (hg_lid k = offsets[p]; k < offsets[p + 1]; k++) (*places)[n++] = k;
    (*near_offsets)[++*n_near] = n;
  }
done:
  return rc;
}

// whether rows of the halo lie one after the other as they arrive
static bool together(const hg_lid *places, hg_lid n) { return n == 0 || places[n - 1] - places[0] == n - 1; }

static hg_status link_near(const merging *m)
{
  const hg_links *l = m->links;
  hg_links *near = &m->routes->near;
  hg_status rc = HG_OK;
  *near = (hg_links){.n_owned = l->n_owned, .n_halo = l->n_halo};
  HG_TRY(near_peers(m, l->n_peers_send, l->send_peers, l->send_offsets, &near->n_peers_send, &near->send_peers,
                    &near->send_offsets, &near->send_rows));
  HG_TRY(near_peers(m, l->n_peers_recv, l->recv_peers, l->recv_offsets, &near->n_peers_recv, &near->recv_peers,
                    &near->recv_offsets, &near->recv_rows));
  hg_lid sent = near->send_offsets[near->n_peers_send], received = near->recv_offsets[near->n_peers_recv];
  for (hg_lid k = 0; k < sent; k++) near->send_rows[k] = l->send_rows[near->send_rows[k]];
  if (!l->recv_rows && together(near->recv_rows, received)) {
    for (int p = 0; received > 0 && p <= near->n_peers_recv; p++) near->recv_offsets[p] += near->recv_rows[0];
    hg_free(&near->recv_rows);
  }
  for (hg_lid k = 0; l->recv_rows && k < received; k++) near->recv_rows[k] = l->recv_rows[near->recv_rows[k]];
done:
  return rc;
}

static hg_status make(merging *m)
{
  requests q = {0};
  hg_status rc = HG_OK;
  HG_TRY_ALL(m->world, "merging rows of hosts", begin(m));
  HG_TRY_ALL(m->world, "merging rows of hosts", merge_rows(m));
  MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, m->told, 3 * m->n_hosts, MPI_INT, hg_world_comm(m->world));
  HG_TRY_ALL(m->world, "merging rows of hosts", lay_out_all(m));
  HG_TRY_ALL(m->world, "merging rows of hosts", find_peers(m));
  HG_TRY_ALL(m->world, "merging rows of hosts", list_incoming(m));
  int most = 2 * (m->links->n_peers_send + m->links->n_peers_recv) + m->routes->n_out + m->size * 2;
  HG_TRY_ALL(m->world, "merging rows of hosts", HG_ALLOC(q.list, most, "requests"));
  tell_places(m, &q);
  tell_sums(m, &q);
  HG_TRY_ALL(m->world, "merging rows of hosts", link_near(m));
done:
  hg_free(&q.list);
  return rc;
}

hg_status hg_links_merge(hg_links *links, hg_world *world)
{
  merging m = {.links = links,
               .world = world,
               .rank = hg_world_rank(world),
               .size = hg_world_size(world),
               .n_hosts = hg_world_n_hosts(world)};
  hg_host_routes *routes = NULL;
  hg_status rc = HG_OK;
  m.host = hg_world_host_of(world, m.rank);
  if (m.n_hosts == 1 || m.n_hosts == m.size) return HG_OK;
  HG_TRY_ALL(world, "merging rows of hosts", HG_ALLOC(routes, 1, "rows of hosts"));
  m.routes = routes;
  HG_TRY(make(&m));
  routes->n_hosts = m.n_hosts;
  routes->here = m.here;
  links->hosts = routes;
done:
  merging_free(&m);
  if (rc != HG_OK) hg_host_routes_free(&routes);
  return rc;
}

static void free_list(hg_host_route **list, int n)
{
  for (int k = 0; *list && k < n; k++) {
    hg_free(&(*list)[k].members);
    hg_free(&(*list)[k].sums);
    hg_free(&(*list)[k].addends);
  }
  hg_free(list);
}

void hg_host_routes_free(hg_host_routes **routes)
{
  hg_host_routes *r = *routes;
  if (!r) return;
  hg_links_free(&r->near);
  free_list(&r->out, r->n_out);
  free_list(&r->in, r->n_in);
  hg_free(&r->out_rows);
  hg_free(&r->in_rows);
  hg_free(&r->in_places);
  hg_free(&r->in_extras);
  hg_free(routes);
}

const hg_links *hg_links_near(const hg_links *links) { return links->hosts ? &links->hosts->near : links; }
