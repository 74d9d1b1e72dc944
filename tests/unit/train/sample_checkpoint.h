#pragma once
#include "runtime/train/checkpoint.h"

/** Two layers, 3 -> 4 -> 2, with biases and batch norm: parameters and state, but nothing that computes. */
typedef struct {
  hg_model model;
  hg_layer layers[2];
} sample_model;

void sample_model_init(sample_model *sample);

/** A checkpoint of it with Adam's moments and one finished repeat, every field with a value of its own. */
hg_checkpoint sample_checkpoint(const sample_model *sample);
