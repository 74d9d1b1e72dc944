#pragma once
#include "models/augment.h"
#include "models/batch.h"
#include "runtime/train/sampler.h"

/**
 * The batches of a list, one after the other: while a model computes on one, a thread of its own fills the next. Two
 * batches are allocated, whatever the list.
 */
typedef struct hg_batch_stream hg_batch_stream;

/**
 * @param source   borrowed     @param room  for the largest batch of any list
 * Not collective.
 */
hg_status hg_batch_stream_create(hg_batch_stream **stream, const hg_batch_source *source, const hg_batch_room *room);
/** Waits for the thread; accepts a NULL there. */
void hg_batch_stream_free(hg_batch_stream **stream);

/** A batch of full size, to plan a model with; there is no list yet. */
const hg_batch *hg_batch_stream_model(const hg_batch_stream *stream);

/**
 * Begins a list: its first batch is being filled from now on. The list before need not have come to its end.
 * @param list      borrowed, unchanged, until the last batch was taken or another list begins
 * @param augment   of every graph, copied; NULL: positions as they are
 */
void hg_batch_stream_begin(hg_batch_stream *stream, const hg_batch_list *list, const hg_augment *augment);

/** The next batch, whose predecessor may be overwritten from now on; NULL after the last one. */
const hg_batch *hg_batch_stream_next(hg_batch_stream *stream);
