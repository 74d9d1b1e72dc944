#include "comm/turn.h"

#include <limits.h>
#include <string.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"

struct hg_turn {
  hg_turn_buffers buffers;
  int columns, place;      // of the grid
  hg_lid rows;             // of this rank
  int first, cols;         // its columns
  MPI_Request *to_columns; // [2 x columns] receives, then sends, by place; null where there is nothing to send
  MPI_Request *to_rows;    // the same
  int64_t bytes[2];        // that a turn to columns and one to rows send
  int messages[2];
  int64_t far_bytes[2]; // of these, to other hosts
  int far_messages[2];
  double began_at;
  hg_traffic total;
};

static int first_column(const hg_turn *t, int place)
{
  return hg_grid_first_column(t->buffers.width, place, t->columns);
}

static int columns_of(const hg_turn *t, int place) { return first_column(t, place + 1) - first_column(t, place); }

static hg_lid rows_of(const hg_turn *t, int place)
{
  return t->buffers.grid->row_offsets[place + 1] - t->buffers.grid->row_offsets[place];
}

// this rank's rows of the columns of `place`, in the packed buffer
static hg_real *packed_block(const hg_turn *t, int place)
{
  return t->buffers.packed + (hg_off)t->rows * first_column(t, place);
}

// the rows of `place` in a matrix of this rank's columns
static hg_real *rows_block(const hg_turn *t, hg_real *matrix, int place)
{
  return matrix + (hg_off)t->buffers.grid->row_offsets[place] * t->cols;
}

static hg_off packed_numbers(const hg_turn *t, int place) { return (hg_off)t->rows * columns_of(t, place); }
static hg_off rows_numbers(const hg_turn *t, int place) { return (hg_off)rows_of(t, place) * t->cols; }

static hg_status check_sizes(const hg_turn *t)
{
  for (int p = 0; p < t->columns; p++) {
    hg_off most = packed_numbers(t, p) > rows_numbers(t, p) ? packed_numbers(t, p) : rows_numbers(t, p);
    if (p != t->place && most > INT_MAX)
      return hg_fail(HG_ERR_INPUT,
                     "a message between this rank and another of its group would have %lld numbers; at most %d are "
                     "possible: use more ranks or narrower layers",
                     (long long)most, INT_MAX);
  }
  return HG_OK;
}

static hg_status prepare(hg_turn **turn, const hg_turn_buffers *buffers)
{
  const hg_grid *grid = buffers->grid;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*turn, 1, "turn"));
  hg_turn *t = *turn;
  t->buffers = *buffers;
  t->columns = grid->columns;
  t->place = grid->place;
  t->rows = rows_of(t, t->place);
  t->first = first_column(t, t->place);
  t->cols = columns_of(t, t->place);
  HG_TRY(check_sizes(t));
  HG_TRY(HG_ALLOC(t->to_columns, 2 * t->columns, "requests of a turn"));
  HG_TRY(HG_ALLOC(t->to_rows, 2 * t->columns, "requests of a turn"));
  for (int k = 0; k < 2 * t->columns; k++) t->to_columns[k] = t->to_rows[k] = MPI_REQUEST_NULL;
done:
  return rc;
}

static void make_requests(hg_turn *t)
{
  const hg_world *group = t->buffers.grid->group;
  MPI_Comm comm = hg_world_comm(group);
  for (int p = 0; p < t->columns; p++) {
    int packed = p == t->place ? 0 : (int)packed_numbers(t, p), rows = p == t->place ? 0 : (int)rows_numbers(t, p);
    MPI_Request *columns = &t->to_columns[p], *back = &t->to_rows[p];
    hg_real *in = rows_block(t, t->buffers.in, p), *out = rows_block(t, t->buffers.out, p), *block = packed_block(t, p);
    if (rows > 0) MPI_Recv_init(in, rows, HG_MPI_REAL, p, HG_TAG_TO_COLUMNS, comm, columns);
    if (packed > 0) MPI_Send_init(block, packed, HG_MPI_REAL, p, HG_TAG_TO_COLUMNS, comm, columns + t->columns);
    if (packed > 0) MPI_Recv_init(block, packed, HG_MPI_REAL, p, HG_TAG_TO_ROWS, comm, back);
    if (rows > 0) MPI_Send_init(out, rows, HG_MPI_REAL, p, HG_TAG_TO_ROWS, comm, back + t->columns);
    t->bytes[0] += packed * (int64_t)sizeof(hg_real);
    t->bytes[1] += rows * (int64_t)sizeof(hg_real);
    t->messages[0] += packed > 0;
    t->messages[1] += rows > 0;
    if (hg_world_host_of(group, p) == hg_world_host_of(group, hg_world_rank(group))) continue;
    t->far_bytes[0] += packed * (int64_t)sizeof(hg_real);
    t->far_bytes[1] += rows * (int64_t)sizeof(hg_real);
    t->far_messages[0] += packed > 0;
    t->far_messages[1] += rows > 0;
  }
}

hg_status hg_turn_create(hg_turn **turn, const hg_turn_buffers *buffers)
{
  hg_status rc = HG_OK;
  *turn = NULL;
  HG_TRY(hg_world_same(buffers->grid->group, buffers->width, "width of a turn"));
  HG_TRY_ALL(buffers->grid->group, "preparing a turn", prepare(turn, buffers));
  make_requests(*turn);
done:
  if (rc != HG_OK) hg_turn_free(turn);
  return rc;
}

static void free_requests(MPI_Request **requests, int n)
{
  for (int k = 0; *requests && k < n; k++)
    if ((*requests)[k] != MPI_REQUEST_NULL) MPI_Request_free(&(*requests)[k]);
  hg_free(requests);
}

void hg_turn_free(hg_turn **turn)
{
  hg_turn *t = *turn;
  if (!t) return;
  free_requests(&t->to_columns, 2 * t->columns);
  free_requests(&t->to_rows, 2 * t->columns);
  hg_free(turn);
}

// rows x cols numbers between matrices whose rows are that far apart
static void copy_block(hg_real *to, hg_off to_stride, const hg_real *from, hg_off from_stride, hg_off rows, int cols)
{
  size_t bytes = (size_t)cols * sizeof(hg_real);
  if (cols == 0) return;
#pragma omp parallel for num_threads(hg_threads()) schedule(static) if (rows * cols >= HG_EXCHANGE_PARALLEL)
  for (hg_off i = 0; i < rows; i++) memcpy(to + i * to_stride, from + i * from_stride, bytes);
}

static void start(MPI_Request *request)
{
  if (*request != MPI_REQUEST_NULL) MPI_Start(request);
}

static void wait_all(hg_turn *t, MPI_Request *requests)
{
  double from = hg_now_s();
  MPI_Waitall(2 * t->columns, requests, MPI_STATUSES_IGNORE);
  double now = hg_now_s();
  t->total.waited_s += now - from;
  t->total.under_way_s += now - t->began_at;
}

static void count(hg_turn *t, int way)
{
  t->total.bytes_sent += t->bytes[way];
  t->total.messages_sent += t->messages[way];
  t->total.far_bytes += t->far_bytes[way];
  t->total.far_messages += t->far_messages[way];
}

void hg_turn_to_columns(hg_turn *turn, const hg_matrix *x)
{
  hg_turn *t = turn;
  int b = t->columns, width = t->buffers.width;
  double from = hg_now_s();
  for (int p = 0; p < b; p++) start(&t->to_columns[p]);
  for (int k = 1; k < b; k++) {
    int p = (t->place + k) % b, cols = columns_of(t, p);
    copy_block(packed_block(t, p), cols, x->data + first_column(t, p), width, t->rows, cols);
    start(&t->to_columns[b + p]); // each as soon as it is packed
  }
  copy_block(rows_block(t, t->buffers.in, t->place), t->cols, x->data + t->first, width, t->rows, t->cols);
  t->began_at = hg_now_s();
  t->total.packed_s += t->began_at - from;
  count(t, 0);
  if (b > 1) wait_all(t, t->to_columns);
}

void hg_turn_to_rows_begin(hg_turn *turn)
{
  for (int p = 0; p < turn->columns; p++) start(&turn->to_rows[p]);
  turn->began_at = 0;
}

void hg_turn_to_rows_send(hg_turn *turn, int place)
{
  if (turn->began_at == 0) turn->began_at = hg_now_s();
  start(&turn->to_rows[turn->columns + place]);
}

void hg_turn_progress(hg_turn *turn)
{
  int done;
  MPI_Testall(2 * turn->columns, turn->to_rows, &done, MPI_STATUSES_IGNORE);
}

void hg_turn_to_rows_end(hg_turn *turn, hg_matrix *y)
{
  hg_turn *t = turn;
  int b = t->columns, width = t->buffers.width;
  if (b > 1) wait_all(t, t->to_rows);
  double from = hg_now_s();
  for (int p = 0; p < b; p++) {
    int cols = columns_of(t, p);
    const hg_real *block = p == t->place ? rows_block(t, t->buffers.out, p) : packed_block(t, p);
    copy_block(y->data + first_column(t, p), width, block, cols, t->rows, cols);
  }
  t->total.packed_s += hg_now_s() - from;
  count(t, 1);
}

hg_traffic hg_turn_traffic(const hg_turn *turn) { return turn->total; }
