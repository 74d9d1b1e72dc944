#pragma once
#include "comm/exchange.h"
#include "comm/host_exchange.h"
#include "comm/world_mpi.h"

// What an exchange consists of: comm/exchange_create.c makes it, comm/exchange.c runs it.

enum { HG_ARRIVED_ROWS = 96 }; // of sums that are refined at a time

// One message: rows [first, end) of the send lists or of the halo.
typedef struct {
  int peer, distance; // distance: (peer - rank) mod P, so that not all ranks begin with rank 0
  hg_lid first, end;
  bool far; // to another host
} hg_message;

struct hg_exchange {
  const hg_links *links;   // of its own messages: where others are merged, those of this host
  hg_host_exchange *hosts; // what crosses between hosts then, or NULL
  hg_exchange_kind kind;
  hg_matrix x;     // a view
  hg_real *buffer; // [rows of the send lists x cols] FILL: gathered rows; ADD: what arrives
  hg_real *halo;   // [links->recv_rows x cols] or NULL: what crosses lies in x as it crosses
  hg_real *sums;   // ADD on links of sums: [threads x HG_ARRIVED_ROWS x cols] what arrived for some nodes
  int threads;     // of `sums`
  hg_refine_arrivals *refine;
  void *refine_context;
  int n_sends, n_receives;
  hg_message *sends, *receives; // [n_sends], [n_receives] in the order in which they are started
  MPI_Request *requests;        // [n_receives + n_sends] receives first
  bool under_way, arrived;      // arrived: its last message was seen to be through
  double began_at;              // when hg_exchange_begin ended
  double packed_s;              // total.packed_s then
  int64_t bytes;                // of the messages of one exchange
  int64_t far_bytes, n_far;     // of these, to other hosts
  hg_traffic total;
  hg_stale_exchange *stale; // borrowed, or NULL: what takes its messages' place

  // of exchanges that can pack: the same messages once more, in bytes
  hg_exchange_packing packing;
  bool packs; // the next or present one
  hg_pack_draw draw;
  size_t row_bytes;
  uint8_t *packed_lists;        // [rows of the send lists x row_bytes] stands in `buffer`, but on links of sums
  uint8_t *packed_halo;         // [n_halo x row_bytes]
  hg_real *error;               // [rows sent x cols] or NULL
  MPI_Request *packed_requests; // like `requests`

  // where sizes vary (hg_exchange_varies): sends are made anew each time; row_bytes is the most
  MPI_Comm comm;
  int tag;
  hg_off *starts; // without zeros: [rows of the send lists or n_halo, the larger, + 1] working space

  // of HG_PACK_ADAPTIVE
  float *weights; // FILL: [rows of the send lists] what their receivers told
  float *scores;  // [rows of the send lists or n_halo, the larger], like `chosen`: working space
  hg_lid *chosen;
};

static inline bool hg_exchange_can_pack(const hg_exchange *e)
{
  return e->packing.format != HG_PACK_REAL || e->packing.skip_zeros;
}

static inline bool hg_exchange_is_adaptive(const hg_exchange *e) { return e->packing.format == HG_PACK_ADAPTIVE; }

static inline bool hg_exchange_varies(const hg_exchange *e)
{
  return hg_exchange_is_adaptive(e) || e->packing.skip_zeros;
}

static inline hg_off hg_numbers_in(const hg_exchange *e, const hg_message *m)
{
  return (hg_off)(m->end - m->first) * e->x.cols;
}

static inline hg_off hg_packed_in(const hg_exchange *e, const hg_message *m)
{
  return (hg_off)(m->end - m->first) * (hg_off)e->row_bytes;
}

static inline hg_real *hg_halo_row(const hg_exchange *e, hg_lid row)
{
  return e->x.data + ((hg_off)e->links->n_owned + row) * e->x.cols;
}

// rows of the halo that cross
static inline hg_lid hg_crossing(const hg_links *links) { return links->recv_offsets[links->n_peers_recv]; }
