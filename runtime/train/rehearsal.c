#include "runtime/train/rehearsal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "models/hidden_rows.h"
#include "runtime/train/edge_time.h"

enum { FEWEST = 3, MOST = 400, COPIED = 1 << 24 };

// One epoch that was timed.
typedef struct {
  double epoch_s, seconds[HG_PHASE_COUNT];
} sample;

typedef struct stage stage;

// One of the ranks on stage.
typedef struct {
  stage *all;
  hg_trainer trainer;
  hg_status status;
  sample samples[MOST];
  double *layer_s; // [MOST x 2 layers]
  char *copied[2]; // [COPIED]
  double edge_s[2], copy_s;
} actor;

struct stage {
  pthread_mutex_t door; // held until all are there
  bool cancelled;       // since one did not come
  pthread_barrier_t together;
  actor *actors;
  int n, runs;
  double seconds;
  bool go_on; // written by the first, between two barriers
};

static const hg_local_graph *graph_of(const actor *a) { return &hg_alone_feed_of(&a->trainer)->base.stage.graph; }

// the least of some copies, and edges, while the others do the same
static void time_kernels(actor *a)
{
  const hg_local_graph *g = graph_of(a);
  for (int run = 0; run < FEWEST; run++) {
    double started = hg_now_s();
    memcpy(a->copied[0], a->copied[1], COPIED);
    double taken = hg_now_s() - started;
    if (run == 0 || taken < a->copy_s) a->copy_s = taken;
  }
  hg_status failed = hg_edge_time(&g->forward, g->n_owned, g->n_local, a->edge_s);
  if (failed != HG_OK) a->status = failed;
}

static void take_sample(actor *a, const hg_phases *phases, double seconds, int run)
{
  size_t layers = 2 * (size_t)a->trainer.model.n_layers;
  a->samples[run].epoch_s = seconds;
  memcpy(a->samples[run].seconds, phases->seconds, sizeof phases->seconds);
  memcpy(a->layer_s + (size_t)run * layers, hg_alone_feed_of(&a->trainer)->layer_s, layers * sizeof *a->layer_s);
}

static bool wants_more(const stage *s, int run, double started)
{
  return run + 1 < MOST && (run + 1 < FEWEST || hg_now_s() - started < s->seconds);
}

static void *play(void *context)
{
  actor *a = context;
  stage *s = a->all;
  hg_phases phases;
  hg_threads_set(hg_threads());                              // OpenMP asks each thread of ours anew
  hg_status failed = hg_alone_step(&a->trainer, 1, &phases); // warms up
  if (failed != HG_OK) a->status = failed;
  double begun = hg_now_s();
  for (int run = 0; s->go_on; run++) {
    hg_alone_fill_halos(&a->trainer);
    pthread_barrier_wait(&s->together);
    double started = hg_now_s();
    failed = hg_alone_step(&a->trainer, run + 2, &phases);
    take_sample(a, &phases, hg_now_s() - started, run);
    if (failed != HG_OK) a->status = failed;
    pthread_barrier_wait(&s->together);
    if (a == s->actors) {
      s->runs = run + 1;
      s->go_on = wants_more(s, run, begun);
    }
    pthread_barrier_wait(&s->together);
  }
  time_kernels(a);
  return NULL;
}

static void *enter(void *context)
{
  actor *a = context;
  pthread_mutex_lock(&a->all->door);
  bool cancelled = a->all->cancelled;
  pthread_mutex_unlock(&a->all->door);
  return cancelled ? NULL : play(a);
}

static hg_status make_actor(actor *a, const hg_config *config, const hg_alone_source *source)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_alone_create(&a->trainer, config, source));
  HG_TRY(HG_ALLOC(a->layer_s, (hg_off)MOST * 2 * a->trainer.model.n_layers, "times of layers"));
  for (int k = 0; k < 2; k++) HG_TRY(HG_ALLOC(a->copied[k], COPIED, "bytes to copy"));
done:
  return rc;
}

static void free_actor(actor *a)
{
  hg_trainer_free(&a->trainer);
  hg_free(&a->layer_s);
  for (int k = 0; k < 2; k++) hg_free(&a->copied[k]);
}

// every actor in a thread of its own, the first one in this
static hg_status play_all(stage *s)
{
  pthread_t *threads = NULL;
  int started = 0;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(threads, s->n, "threads"));
  pthread_mutex_lock(&s->door);
  while (started < s->n - 1 && pthread_create(&threads[started], NULL, enter, &s->actors[started + 1]) == 0) started++;
  s->cancelled = started < s->n - 1;
  pthread_mutex_unlock(&s->door);
  if (s->cancelled)
    rc = hg_fail(HG_ERR_MEMORY, "cannot start %d threads", s->n);
  else
    play(&s->actors[0]);
  for (int k = 0; k < started; k++) pthread_join(threads[k], NULL);
  for (int k = 0; k < s->n; k++)
    if (s->actors[k].status != HG_OK) rc = s->actors[k].status;
done:
  hg_free(&threads);
  return rc;
}

static int by_epoch(const void *a, const void *b)
{
  double x = ((const sample *)a)->epoch_s, y = ((const sample *)b)->epoch_s;
  return (x > y) - (x < y);
}

// the run whose epoch is the median: its phases and layers add up
static int median_run(const actor *a, int runs)
{
  sample sorted[MOST];
  memcpy(sorted, a->samples, (size_t)runs * sizeof *sorted);
  qsort(sorted, (size_t)runs, sizeof *sorted, by_epoch);
  int run = 0;
  while (a->samples[run].epoch_s != sorted[runs / 2].epoch_s) run++;
  return run;
}

static double share(hg_off part, hg_off all) { return all > 0 ? (double)part / (double)all : 0; }

// what of a layer needs no exchange: of its rows and of its edges, on the average
static void fill_shares(hg_layer_time *time, const hg_layer *l, const hg_active *active, int n_layers)
{
  const hg_local_graph *g = hg_layer_training_reach(l)->graph;
  const hg_operator *a = &g->forward, *t = &g->backward;
  int k = n_layers - 1 - l->index;
  time->interior = (share(hg_operator_entries(a, g->n_interior), hg_operator_entries(a, g->n_owned)) +
                    share(g->n_interior, g->n_owned)) /
                   2;
  time->owned =
      (share(hg_operator_entries(t, g->n_owned), hg_operator_entries(t, g->n_local)) + share(g->n_owned, g->n_local)) /
      2;
  time->crossing = 1;
  if (k < active->n_levels && active->levels[k].pruned)
    time->crossing = share(active->levels[k].links.recv_offsets[1], g->n_local - g->n_owned);
  time->columns = !hg_model_aggregates(l) ? 0 : l->aggregate_first ? l->f_in : l->f_out;
  time->exchanges = l->index > 0 && !l->type->local;
  time->narrow = !l->aggregate_first;
  time->makes_hidden = !hg_reads_stored_rows(l);
  time->sums_bytes = (double)l->n_theta * (double)sizeof(hg_real);
}

static hg_status sum_up(hg_rehearsal *r, const actor *a, int run)
{
  const hg_model *m = &a->trainer.model;
  const hg_part *part = &hg_alone_feed_of(&a->trainer)->base.dataset.part;
  const double *layer_s = a->layer_s + (ptrdiff_t)run * 2 * m->n_layers;
  hg_status rc = HG_ALLOC(r->layers, m->n_layers, "times of layers");
  if (rc != HG_OK) return rc;
  r->n_layers = m->n_layers;
  r->epoch_s = a->samples[run].epoch_s;
  memcpy(r->seconds, a->samples[run].seconds, sizeof r->seconds);
  for (int l = 0; l < m->n_layers; l++) {
    r->layers[l] = (hg_layer_time){.forward_s = layer_s[l], .backward_s = layer_s[m->n_layers + l]};
    fill_shares(&r->layers[l], &m->layers[l], &hg_alone_feed_of(&a->trainer)->base.active, m->n_layers);
  }
  r->rows = part->n_owned;
  r->halo = part->n_halo;
  r->edges = hg_csr_entries(&part->a);
  r->copy_bytes_s = COPIED / a->copy_s;
  memcpy(r->edge_s, a->edge_s, sizeof r->edge_s);
  return HG_OK;
}

static hg_status choose_slowest(hg_rehearsal *r, const stage *s)
{
  const actor *slowest = s->actors;
  for (const actor *a = s->actors + 1; a < s->actors + s->n; a++)
    if (a->samples[median_run(a, s->runs)].epoch_s > slowest->samples[median_run(slowest, s->runs)].epoch_s)
      slowest = a;
  return sum_up(r, slowest, median_run(slowest, s->runs));
}

hg_status hg_rehearse(hg_rehearsal *rehearsal, const hg_config *config, const hg_alone_source *sources, int n,
                      int threads, double seconds)
{
  stage s = {.door = PTHREAD_MUTEX_INITIALIZER, .n = n, .seconds = seconds, .go_on = true};
  hg_status rc = HG_OK;
  bool ready = pthread_barrier_init(&s.together, NULL, (unsigned)n) == 0;
  *rehearsal = (hg_rehearsal){0};
  hg_threads_set(threads);
  if (!ready) HG_TRY(hg_fail(HG_ERR_MEMORY, "cannot make a barrier for %d threads", n));
  HG_TRY(HG_ALLOC(s.actors, n, "parts to time"));
  for (int k = 0; k < n; k++) {
    s.actors[k].all = &s;
    HG_TRY(make_actor(&s.actors[k], config, &sources[k]));
  }
  HG_TRY(play_all(&s));
  HG_TRY(choose_slowest(rehearsal, &s));
done:
  for (int k = 0; s.actors && k < n; k++) free_actor(&s.actors[k]);
  hg_free(&s.actors);
  if (ready) pthread_barrier_destroy(&s.together);
  return rc;
}

void hg_rehearsal_scale(hg_rehearsal *r, double products, double rest)
{
  double before = r->epoch_s, after = before * rest;
  for (int k = 0; k < HG_PHASE_COUNT; k++) {
    double factor = k == HG_PHASE_TRANSFORM ? products : rest;
    after += r->seconds[k] * (factor - rest);
    r->seconds[k] *= factor;
  }
  r->epoch_s = after;
  for (hg_layer_time *l = r->layers; before > 0 && l < r->layers + r->n_layers; l++) {
    l->forward_s *= after / before;
    l->backward_s *= after / before;
  }
  for (int k = 0; k < 2; k++) r->edge_s[k] *= rest;
  r->copy_bytes_s /= rest;
}

void hg_rehearsal_free(hg_rehearsal *rehearsal) { hg_free(&rehearsal->layers); }
