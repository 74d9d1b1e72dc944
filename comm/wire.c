#include "comm/wire.h"

#include <limits.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"

struct hg_wire {
  hg_real *out, *in; // [rows of the send lists x cols], [halo rows x cols]
  int n;
  MPI_Request *requests; // [n] receives first
};

static hg_status make_buffers(hg_wire **wire, const hg_links *links, int cols)
{
  hg_status rc = HG_OK;
  hg_off rows_out = links->send_offsets[links->n_peers_send];
  HG_TRY(HG_ALLOC(*wire, 1, "wire"));
  hg_wire *w = *wire;
  if (rows_out * cols > INT_MAX || (hg_off)links->n_halo * cols > INT_MAX)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%lld rows of %d columns are more than %d numbers: measure fewer columns",
                   (long long)(rows_out > links->n_halo ? rows_out : links->n_halo), cols, INT_MAX));
  HG_TRY(HG_ALLOC(w->out, rows_out * cols, "wire buffer"));
  HG_TRY(HG_ALLOC(w->in, (hg_off)links->n_halo * cols, "wire buffer"));
  HG_TRY(HG_ALLOC(w->requests, links->n_peers_recv + links->n_peers_send, "wire requests"));
done:
  return rc;
}

hg_status hg_wire_create(hg_wire **wire, hg_world *world, const hg_links *links, int cols)
{
  hg_status rc = HG_OK;
  *wire = NULL;
  MPI_Comm comm = hg_world_comm(world);
  HG_TRY(hg_world_same(world, cols, "width of a wire"));
  HG_TRY_ALL(world, "preparing a wire", make_buffers(wire, links, cols));
  hg_wire *w = *wire;
  for (int p = 0; p < links->n_peers_recv; p++) {
    hg_lid first = links->recv_offsets[p], rows = links->recv_offsets[p + 1] - first;
    MPI_Recv_init(w->in + (hg_off)first * cols, rows * cols, HG_MPI_REAL, links->recv_peers[p], HG_TAG_WIRE, comm,
                  &w->requests[w->n++]);
  }
  for (int p = 0; p < links->n_peers_send; p++) {
    hg_lid first = links->send_offsets[p], rows = links->send_offsets[p + 1] - first;
    MPI_Send_init(w->out + (hg_off)first * cols, rows * cols, HG_MPI_REAL, links->send_peers[p], HG_TAG_WIRE, comm,
                  &w->requests[w->n++]);
  }
done:
  if (rc != HG_OK) hg_wire_free(wire);
  return rc;
}

void hg_wire_run(hg_wire *wire)
{
  MPI_Startall(wire->n, wire->requests);
  MPI_Waitall(wire->n, wire->requests, MPI_STATUSES_IGNORE);
}

void hg_wire_free(hg_wire **wire)
{
  hg_wire *w = *wire;
  if (!w) return;
  for (int k = 0; k < w->n; k++) MPI_Request_free(&w->requests[k]);
  hg_free(&w->out);
  hg_free(&w->in);
  hg_free(&w->requests);
  hg_free(wire);
}
