#include "models/slabs.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"

enum {
  ROWS_OF_PIECE = 2048,  // between which MPI is given the processor
  COLUMNS_OF_PIECE = 64, // of a rank, of what is aggregated once
};

hg_status hg_slabs_create(hg_slabs *slabs, hg_world *world, const hg_part *part, int columns)
{
  memset(slabs, 0, sizeof *slabs);
  hg_status rc = HG_OK;
  HG_TRY(hg_grid_create(&slabs->grid, world, part, columns));
  HG_TRY(hg_links_create(&slabs->links, slabs->grid.column, &slabs->grid.part));
done:
  return rc;
}

hg_status hg_slabs_build(hg_slabs *slabs, hg_world *world, const hg_part *part, hg_adjacency_norm norm, bool self_loops)
{
  hg_grid *grid = &slabs->grid;
  hg_status rc = HG_OK;
  HG_TRY(hg_grid_gather(grid, world, part));
  HG_TRY(hg_local_graph_create(&slabs->graph, grid->column, &grid->part, &slabs->links, norm, self_loops));
  hg_free(&grid->part.nodes.original_ids); // the graph has them now
done:
  return rc;
}

void hg_slabs_free(hg_slabs *slabs)
{
  hg_local_graph_free(&slabs->graph);
  hg_links_free(&slabs->links);
  hg_grid_free(&slabs->grid);
}

size_t hg_slabs_bytes(const hg_slabs *slabs, bool symmetric)
{
  const hg_part *p = &slabs->grid.part;
  size_t rows = (size_t)p->n_owned, local = rows + (size_t)p->n_halo;
  size_t entries = (size_t)slabs->grid.entry_offsets[slabs->grid.columns];
  bool shared = symmetric && slabs->grid.n_groups == 1; // the transposed
  size_t forward = (rows + 1) * sizeof(hg_off) + entries * sizeof(hg_lid),
         backward = shared ? 0 : (local + 1) * sizeof(hg_off) + entries * sizeof(hg_lid);
  return forward + backward + (rows + local) * sizeof(hg_real) + (local + (size_t)p->n_halo) * sizeof(hg_gid) +
         (size_t)slabs->links.send_offsets[slabs->links.n_peers_send] * sizeof(hg_lid);
}

hg_status hg_slabs_rows(hg_local_graph *rows, hg_world *world, const hg_part *part, hg_slabs *slabs)
{
  *rows = (hg_local_graph){.world = world,
                           .part = part,
                           .n_global = part->n_global,
                           .n_owned = part->n_owned,
                           .n_interior = part->n_owned,
                           .n_local = part->n_owned,
                           .slabs = slabs};
  hg_status rc = HG_ALLOC(rows->ids, part->n_owned, "original ids");
  if (rc == HG_OK && part->n_owned > 0)
    memcpy(rows->ids, part->nodes.original_ids, (size_t)part->n_owned * sizeof *rows->ids);
  return rc;
}

static hg_off group_rows(const hg_slabs *slabs) { return (hg_off)slabs->grid.part.n_owned + slabs->grid.part.n_halo; }

static int own_columns(const hg_slabs *slabs, int width)
{
  const hg_grid *g = &slabs->grid;
  return hg_grid_first_column(width, g->place + 1, g->columns) - hg_grid_first_column(width, g->place, g->columns);
}

hg_slabs_room hg_slabs_room_for(const hg_slabs *slabs, int width)
{
  const hg_grid *g = &slabs->grid;
  const hg_links *links = &slabs->links;
  hg_off rows = g->row_offsets[g->place + 1] - g->row_offsets[g->place], cols = own_columns(slabs, width);
  return (hg_slabs_room){.columns = group_rows(slabs) * cols,
                         .packed = rows * width,
                         .lists = (hg_off)links->send_offsets[links->n_peers_send] * cols};
}

static hg_off larger(hg_off a, hg_off b) { return a > b ? a : b; }

void hg_slabs_room_widen(hg_slabs_room *room, const hg_slabs_room *other)
{
  room->columns = larger(room->columns, other->columns);
  room->packed = larger(room->packed, other->packed);
  room->lists = larger(room->lists, other->lists);
}

size_t hg_slabs_room_bytes(const hg_slabs_room *room)
{
  return (size_t)(2 * room->columns + room->packed + room->lists) * sizeof(hg_real);
}

hg_status hg_slabs_buffers_create(hg_slabs_buffers *buffers, const hg_slabs_room *room)
{
  hg_status rc = HG_OK;
  *buffers = (hg_slabs_buffers){.room = *room};
  for (int k = 0; k < 2; k++) HG_TRY(HG_ALLOC(buffers->columns[k], room->columns, "columns of a group's rows"));
  HG_TRY(HG_ALLOC(buffers->packed, room->packed, "packed columns"));
  HG_TRY(HG_ALLOC(buffers->lists, room->lists, "halo rows of columns"));
done:
  return rc;
}

void hg_slabs_buffers_free(hg_slabs_buffers *buffers)
{
  for (int k = 0; k < 2; k++) hg_free(&buffers->columns[k]);
  hg_free(&buffers->packed);
  hg_free(&buffers->lists);
}

static hg_status create_exchanges(hg_turned *t, const hg_slabs *slabs, const hg_slabs_buffers *buffers)
{
  hg_world *column = slabs->grid.column;
  const hg_exchange_packing packing = {.format = HG_PACK_REAL,
                                       .lent[0] = hg_matrix_view(buffers->lists, buffers->room.lists, 1)};
  hg_status rc = HG_OK;
  HG_TRY(hg_exchange_create_packed(&t->fill, column, &slabs->links, HG_FILL_HALO, &t->in, 0, &packing));
  HG_TRY(hg_exchange_create_packed(&t->add, column, &slabs->links, HG_ADD_HALO, &t->out, 1, &packing));
done:
  return rc;
}

hg_status hg_turned_create(hg_turned **turned, const hg_slabs *slabs, int width, const hg_slabs_buffers *buffers)
{
  const hg_grid *grid = &slabs->grid;
  hg_status rc = HG_OK;
  HG_TRY_ALL(grid->group, "preparing a turn", HG_ALLOC(*turned, 1, "turned aggregation"));
  hg_turned *t = *turned;
  t->slabs = slabs;
  t->width = width;
  t->cols = own_columns(slabs, width);
  t->in = hg_matrix_view(buffers->columns[0], group_rows(slabs), t->cols);
  t->out = hg_matrix_view(buffers->columns[1], group_rows(slabs), t->cols);
  const hg_turn_buffers shared = {
      .grid = grid, .width = width, .in = t->in.data, .out = t->out.data, .packed = buffers->packed};
  HG_TRY(hg_turn_create(&t->turn, &shared));
  if (grid->n_groups > 1) HG_TRY(create_exchanges(t, slabs, buffers));
done:
  if (rc != HG_OK) hg_turned_free(turned);
  return rc;
}

void hg_turned_free(hg_turned **turned)
{
  hg_turned *t = *turned;
  if (!t) return;
  hg_turn_free(&t->turn);
  hg_exchange_free(&t->fill);
  hg_exchange_free(&t->add);
  hg_free(turned);
}

// rows [first, end) of what this rank aggregates, with progress of what is under way
static void aggregate_rows(hg_turned *t, const hg_operator *op, const hg_matrix *x, hg_off first, hg_off end,
                           hg_exchange *exchange)
{
  if (t->cols == 0) return;
  for (hg_off i = first; i < end; i += ROWS_OF_PIECE) {
    hg_spmm(op, i, end - i < ROWS_OF_PIECE ? end - i : ROWS_OF_PIECE, x, &t->out);
    if (exchange)
      hg_exchange_progress(exchange);
    else
      hg_turn_progress(t->turn);
  }
}

// What is left to aggregate of x, each rank's rows going to it when they are made. done: rows at each one's begin that
// are made already, or NULL; op: NULL, all are
static void aggregate_to_rows(hg_turned *t, const hg_operator *op, const hg_matrix *x, const hg_lid *done, hg_matrix *y,
                              hg_phases *phases)
{
  const hg_grid *g = &t->slabs->grid;
  int b = g->columns;
  hg_turn_to_rows_begin(t->turn);
  for (int k = 1; k <= b; k++) { // what others wait for first
    int p = (g->place + k) % b;
    if (op) aggregate_rows(t, op, x, g->row_offsets[p] + (done ? done[p] : 0), g->row_offsets[p + 1], NULL);
    hg_turn_to_rows_send(t->turn, p);
  }
  hg_phases_lap(phases, HG_PHASE_AGGREGATE);
  hg_turn_to_rows_end(t->turn, y);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
}

void hg_turned_aggregate(hg_turned *turned, const hg_matrix *x, hg_matrix *y, hg_phases *phases)
{
  hg_turned *t = turned;
  const hg_grid *g = &t->slabs->grid;
  const hg_operator *op = &t->slabs->graph.forward;
  hg_turn_to_columns(t->turn, x);
  if (t->fill) hg_exchange_begin(t->fill);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  if (t->fill) {
    for (int p = 0; p < g->columns; p++)
      aggregate_rows(t, op, &t->in, g->row_offsets[p], g->row_offsets[p] + g->inner[p], t->fill);
    hg_phases_lap(phases, HG_PHASE_AGGREGATE);
    hg_exchange_end(t->fill);
    hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  }
  aggregate_to_rows(t, op, &t->in, t->fill ? g->inner : NULL, y, phases);
}

void hg_turned_aggregate_kept(hg_turned *turned, const hg_matrix *kept, hg_dropout dropout, hg_matrix *y,
                              hg_phases *phases)
{
  hg_turned *t = turned;
  const hg_grid *g = &t->slabs->grid;
  int first = hg_grid_first_column(t->width, g->place, g->columns);
  bool drops = dropout.rate > 0;
  if (drops) hg_dropout_columns(dropout, t->slabs->graph.ids, first, kept, &t->in);
  hg_phases_lap(phases, HG_PHASE_ELEMENTWISE);
  aggregate_to_rows(t, &t->slabs->graph.forward, drops ? &t->in : kept, NULL, y, phases);
}

void hg_turned_aggregate_gradient(hg_turned *turned, const hg_matrix *d_y, hg_matrix *d_x, hg_phases *phases)
{
  hg_turned *t = turned;
  const hg_operator *op = &t->slabs->graph.backward;
  const hg_lid n = t->slabs->grid.part.n_owned;
  hg_turn_to_columns(t->turn, d_y);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  if (t->add) {
    aggregate_rows(t, op, &t->in, n, group_rows(t->slabs), t->add);
    hg_phases_lap(phases, HG_PHASE_AGGREGATE);
    hg_exchange_begin(t->add);
    hg_phases_lap(phases, HG_PHASE_EXCHANGE);
    aggregate_rows(t, op, &t->in, 0, n, t->add);
    hg_phases_lap(phases, HG_PHASE_AGGREGATE);
    hg_exchange_end(t->add);
    hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  }
  aggregate_to_rows(t, t->add ? NULL : op, &t->in, NULL, d_x, phases);
}

hg_traffic hg_turned_traffic(const hg_turned *turned)
{
  hg_traffic total = hg_turn_traffic(turned->turn);
  const hg_exchange *exchanges[] = {turned->fill, turned->add};
  for (int k = 0; k < 2; k++) {
    if (!exchanges[k]) continue;
    hg_traffic t = hg_exchange_traffic(exchanges[k]);
    hg_traffic_add(&total, &t);
  }
  return total;
}

// Columns of a piece of a wide matrix: what aggregating it once needs is a matter of these.
static int piece_width(const hg_slabs *slabs, int width)
{
  int most = COLUMNS_OF_PIECE * slabs->grid.columns;
  return width < most ? width : most;
}

size_t hg_slabs_aggregate_once_bytes(const hg_slabs *slabs, int width)
{
  const hg_grid *g = &slabs->grid;
  const hg_slabs_room room = hg_slabs_room_for(slabs, piece_width(slabs, width));
  hg_off rows = g->row_offsets[g->place + 1] - g->row_offsets[g->place];
  return hg_slabs_room_bytes(&room) + (size_t)(rows * piece_width(slabs, width)) * sizeof(hg_real);
}

// The columns of `wide` from `first` on are those of `piece`: copied there, or back.
static void move_columns(const hg_matrix *wide, int first, const hg_matrix *piece, bool back)
{
  size_t bytes = (size_t)piece->cols * sizeof(hg_real);
#pragma omp parallel for schedule(static) default(none) shared(wide, first, piece, back, bytes) \
    num_threads(hg_threads())
  for (hg_off i = 0; i < piece->rows; i++) {
    hg_real *here = piece->data + i * piece->cols, *there = wide->data + i * wide->cols + first;
    memcpy(back ? there : here, back ? here : there, bytes);
  }
}

static hg_status aggregate_piece(const hg_slabs *slabs, const hg_slabs_buffers *buffers, const hg_matrix *x,
                                 hg_matrix *y, int first, hg_matrix *piece)
{
  hg_turned *turned = NULL;
  hg_phases unused;
  hg_phases_start(&unused);
  hg_status rc = hg_turned_create(&turned, slabs, piece->cols, buffers);
  if (rc != HG_OK) return rc;
  move_columns(x, first, piece, false);
  hg_turned_aggregate(turned, piece, piece, &unused);
  move_columns(y, first, piece, true);
  hg_turned_free(&turned);
  return HG_OK;
}

hg_status hg_slabs_aggregate_once(const hg_slabs *slabs, const hg_matrix *x, hg_matrix *y)
{
  int width = piece_width(slabs, x->cols);
  const hg_grid *g = &slabs->grid;
  const hg_slabs_room room = hg_slabs_room_for(slabs, width);
  hg_slabs_buffers buffers = {0};
  hg_matrix piece = {0};
  hg_off rows = g->row_offsets[g->place + 1] - g->row_offsets[g->place];
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->group, "allocating columns", hg_slabs_buffers_create(&buffers, &room));
  HG_TRY_ALL(g->group, "allocating columns", hg_matrix_create(&piece, rows, width, "columns of features"));
  for (int first = 0; first < x->cols; first += width) {
    piece.cols = x->cols - first < width ? x->cols - first : width;
    HG_TRY(aggregate_piece(slabs, &buffers, x, y, first, &piece));
  }
done:
  hg_matrix_free(&piece);
  hg_slabs_buffers_free(&buffers);
  return rc;
}

size_t hg_slabs_columns_bytes(const hg_slabs *slabs, int width)
{
  return (size_t)(group_rows(slabs) * own_columns(slabs, width)) * sizeof(hg_real);
}

hg_status hg_slabs_columns_once(const hg_slabs *slabs, const hg_matrix *x, hg_matrix *columns)
{
  const hg_slabs_room room = hg_slabs_room_for(slabs, x->cols);
  hg_slabs_buffers buffers = {0};
  hg_turned *turned = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(slabs->grid.group, "allocating columns", hg_slabs_buffers_create(&buffers, &room));
  HG_TRY(hg_turned_create(&turned, slabs, x->cols, &buffers));
  hg_turn_to_columns(turned->turn, x);
  if (turned->fill) {
    hg_exchange_begin(turned->fill);
    hg_exchange_end(turned->fill);
  }
  *columns = turned->in;
  buffers.columns[0] = NULL; // the caller's now
done:
  hg_turned_free(&turned);
  hg_slabs_buffers_free(&buffers);
  return rc;
}
