#pragma once
#include <stdint.h>

/**
 * Counter-based random numbers (Philox 4x32-10; Salmon et al., SC 2011): a draw is a function of (seed, stream, a, b)
 * alone, so every rank, thread and rank count draws the same numbers.
 */
typedef struct {
  uint64_t seed;
  uint32_t
      stream; ///< low 8 bits: who draws, an hg_stream, so that two users of one seed never meet; above: more counter
} hg_rng;

typedef enum {
  HG_STREAM_INIT = 1,  ///< initial weights: a = parameter number
  HG_STREAM_DROPOUT,   ///< a = original id, b = layer (8 bits) and block of 8 columns (24), stream << 8 = epoch (24)
  HG_STREAM_SPLIT,     ///< train/val/test splits
  HG_STREAM_GENERATE,  ///< generated graphs
  HG_STREAM_PARTITION, ///< random partition
  HG_STREAM_TEST,      ///< tests
  HG_STREAM_AUGMENT,   ///< a = node, graph or batch, b = what is drawn (8 bits) and sample (24), stream << 8 = epoch
  HG_STREAM_SHUFFLE,   ///< order of the training graphs: a = place, stream << 8 = epoch
  HG_STREAM_PACK, ///< rounding of sent rows: a = original id and sender, b = layer and block of 8 columns, as DROPOUT
  HG_STREAM_PACK_GRADIENT, ///< the same of gradients
  HG_STREAM_SAMPLE,        ///< halo rows of an epoch: a = place in a pair's list, b = both ranks, stream << 8 = epoch
  HG_STREAM_LABELS,        ///< labels shown as inputs: a = original id, stream << 8 = epoch
} hg_stream;

/** Four independent 32-bit words for the counter (a, b). */
void hg_rng_words(hg_rng rng, uint64_t a, uint32_t b, uint32_t words[4]);

/** Uniform in [0, 1) with 53 bits. */
double hg_rng_uniform(hg_rng rng, uint64_t a, uint32_t b);

/** Standard normal (Box-Muller). */
double hg_rng_normal(hg_rng rng, uint64_t a, uint32_t b);

/** Uniform integer in [0, n), n > 0, without modulo bias beyond 2^-64 n. */
uint64_t hg_rng_below(hg_rng rng, uint64_t a, uint32_t b, uint64_t n);
