#include "runtime/train/batch_stream.h"

#include <pthread.h>

#include "core/base/alloc.h"

enum { SLOTS = 2 };

// The thread fills slot `filling % SLOTS` whenever `filling` < `wanted`; the model computes on slot `taken % SLOTS`.
struct hg_batch_stream {
  const hg_batch_source *source;
  hg_batch slots[SLOTS];
  hg_off *n_global; // [n_stages] of the batch being filled
  const hg_batch_list *list;
  hg_augment augment;
  bool augmented, running, closing;
  hg_off taken, wanted, filled; // batches that the model has had, that may be filled, that are filled
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
};

// rows at every stage of the whole batch, over all ranks
static void count_rows(hg_batch_stream *s, hg_off b)
{
  const hg_hierarchy *h = s->source->hierarchy;
  const hg_off *graphs = s->list->graphs + b * s->list->batch_size, n = hg_batch_list_size(s->list, b);
  for (int level = 0; level < h->n_levels; level++) {
    const hg_off *ptr = h->levels[level].graph_ptr;
    s->n_global[level] = 0;
    for (hg_off k = 0; k < n; k++) s->n_global[level] += ptr[graphs[k] + 1] - ptr[graphs[k]];
  }
  s->n_global[h->n_levels] = n;
}

static void fill(hg_batch_stream *s, hg_off b)
{
  const hg_batch_list *l = s->list;
  hg_batch *batch = &s->slots[b % SLOTS];
  count_rows(s, b);
  hg_batch_fill(batch, s->source, l->mine + l->offsets[b], l->offsets[b + 1] - l->offsets[b], s->n_global);
  if (s->augmented) hg_augment_batch(&s->augment, s->source, batch);
}

static void *run(void *context)
{
  hg_batch_stream *s = context;
  pthread_mutex_lock(&s->mutex);
  while (!s->closing) {
    if (s->filled == s->wanted) {
      pthread_cond_wait(&s->changed, &s->mutex);
      continue;
    }
    hg_off b = s->filled;
    pthread_mutex_unlock(&s->mutex);
    fill(s, b);
    pthread_mutex_lock(&s->mutex);
    s->filled++;
    pthread_cond_broadcast(&s->changed);
  }
  pthread_mutex_unlock(&s->mutex);
  return NULL;
}

static hg_status start_thread(hg_batch_stream *s)
{
  pthread_mutex_init(&s->mutex, NULL);
  pthread_cond_init(&s->changed, NULL);
  s->running = pthread_create(&s->thread, NULL, run, s) == 0;
  return s->running ? HG_OK : hg_fail(HG_ERR_INTERNAL, "cannot start the thread that fills batches");
}

hg_status hg_batch_stream_create(hg_batch_stream **stream, const hg_batch_source *source, const hg_batch_room *room)
{
  hg_batch_stream *s = NULL;
  hg_status rc = HG_OK;
  *stream = NULL;
  HG_TRY(HG_ALLOC(s, 1, "batches"));
  *stream = s;
  s->source = source;
  HG_TRY(HG_ALLOC(s->n_global, source->hierarchy->n_levels + 1, "rows of a batch"));
  for (int k = 0; k < SLOTS; k++) HG_TRY(hg_batch_create(&s->slots[k], source, room));
  HG_TRY(start_thread(s));
done:
  if (rc != HG_OK) hg_batch_stream_free(stream);
  return rc;
}

void hg_batch_stream_free(hg_batch_stream **stream)
{
  hg_batch_stream *s = *stream;
  if (!s) return;
  if (s->running) {
    pthread_mutex_lock(&s->mutex);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
  }
  for (int k = 0; k < SLOTS; k++) hg_batch_free(&s->slots[k]);
  hg_free(&s->n_global);
  hg_free(stream);
}

const hg_batch *hg_batch_stream_model(const hg_batch_stream *stream) { return &stream->slots[0]; }

static hg_off at_most(hg_off a, hg_off b) { return a < b ? a : b; }

void hg_batch_stream_begin(hg_batch_stream *stream, const hg_batch_list *list, const hg_augment *augment)
{
  hg_batch_stream *s = stream;
  pthread_mutex_lock(&s->mutex);
  while (s->filled < s->wanted) pthread_cond_wait(&s->changed, &s->mutex); // of a list that was left early
  s->list = list;
  s->augmented = augment != NULL;
  if (augment) s->augment = *augment;
  s->taken = s->filled = 0;
  s->wanted = at_most(1, list->n_batches);
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->mutex);
}

const hg_batch *hg_batch_stream_next(hg_batch_stream *stream)
{
  hg_batch_stream *s = stream;
  const hg_batch *batch = NULL;
  pthread_mutex_lock(&s->mutex);
  if (s->taken < s->list->n_batches) {
    s->wanted = at_most(s->taken + SLOTS, s->list->n_batches);
    pthread_cond_broadcast(&s->changed);
    while (s->filled <= s->taken) pthread_cond_wait(&s->changed, &s->mutex);
    batch = &s->slots[s->taken++ % SLOTS];
  }
  pthread_mutex_unlock(&s->mutex);
  return batch;
}
