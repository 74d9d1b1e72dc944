#pragma once
#include "core/base/status.h"

/**
 * The parameters of a checkpoint file as safetensors: "layers.0.weight" [inputs x outputs] (a layer computes x @
 * weight), "layers.0.bias", ... in float32 or float64 as trained. Appears only when complete. Not collective.
 */
hg_status hg_export_safetensors(const char *checkpoint_path, const char *path);
