// The group /scales of a checkpoint.
#include "runtime/train/scaling_file.h"

#include <math.h>

#include "core/base/alloc.h"

static const char features[] = "/scales/feature_mean", inverses[] = "/scales/feature_inverse",
                  target_means[] = "/scales/target_mean", target_scales[] = "/scales/target_scale",
                  position[] = "/scales/position";

hg_status hg_scales_write(const hg_scales *scales, const hg_h5 *file)
{
  hg_status rc = HG_OK;
  if (!hg_scales_known(scales)) return HG_OK;
  HG_TRY(hg_h5_make_group(file, "/scales"));
  HG_TRY(hg_h5_write(file, features, HG_H5_F64, scales->width, 0, scales->mean));
  HG_TRY(hg_h5_write(file, inverses, HG_H5_F64, scales->width, 0, scales->inverse));
  HG_TRY(hg_h5_write(file, target_means, HG_H5_F64, scales->n_targets, 0, scales->target_mean));
  HG_TRY(hg_h5_write(file, target_scales, HG_H5_F64, scales->n_targets, 0, scales->target_scale));
  HG_TRY(hg_h5_write(file, position, HG_H5_F64, 1, 0, &scales->position));
done:
  return rc;
}

// n numbers into `out`
static hg_status read_into(const hg_h5 *file, const char *name, int n, bool positive, double *out)
{
  hg_h5_shape shape;
  hg_status rc = HG_OK;
  HG_TRY(hg_h5_inspect(file, name, HG_H5_F64, 1, &shape));
  if (shape.dims[0] != n)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: %s: found %lld numbers, expected %d as the model has", file->path, name,
                   (long long)shape.dims[0], n));
  if (n > 0) HG_TRY(hg_h5_read_rows(file, name, HG_H5_F64, 0, n, out));
  for (int k = 0; k < n; k++) {
    bool sound = isfinite(out[k]) && (!positive || (out[k] > 0 && isfinite(1 / out[k])));
    if (!sound)
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: %s: found %g, expected a finite number%s", file->path, name, out[k],
                     positive ? " above 0" : ""));
  }
done:
  return rc;
}

static hg_status read_list(const hg_h5 *file, const char *name, int n, bool positive, double **out)
{
  hg_status rc = n > 0 ? HG_ALLOC(*out, n, "scales") : HG_OK;
  return rc == HG_OK ? read_into(file, name, n, positive, *out) : rc;
}

hg_status hg_scales_read(hg_scales *scales, const hg_h5 *file, int inputs, int targets)
{
  hg_h5_shape shape;
  hg_status rc = HG_OK;
  if (!hg_h5_exists(file, "/scales")) return HG_OK;
  HG_TRY(hg_h5_inspect(file, features, HG_H5_F64, 1, &shape));
  scales->width = shape.dims[0] == 0 ? 0 : inputs; // none: the features are not standardized
  scales->n_targets = targets;
  HG_TRY(read_list(file, features, scales->width, false, &scales->mean));
  HG_TRY(read_list(file, inverses, scales->width, true, &scales->inverse));
  HG_TRY(read_list(file, target_means, targets, false, &scales->target_mean));
  HG_TRY(read_list(file, target_scales, targets, true, &scales->target_scale));
  HG_TRY(read_into(file, position, 1, true, &scales->position));
done:
  return rc;
}
