#include "tests/mpi/train_collection.h"

#include "core/base/alloc.h"
#include "core/graph/store.h"
#include "tests/support/sample_collection.h"

train_collection train_collection_default(void)
{
  return (train_collection){
      .n_graphs = 30, .width = 3, .n_dims = 2, .n_classes = 3, .task = HG_TASK_CLASSES, .seed = 3};
}

static hg_status write_alone(const void *wanted, const char *path)
{
  const train_collection *w = wanted;
  hg_collection c = {0};
  hg_status rc = HG_OK;
  HG_TRY(sample_collection(&c, w->n_graphs, w->width, w->n_dims, w->task, w->n_classes, w->seed));
  if (w->directed) sample_collection_direct(&c, w->seed);
  if (w->without_split) hg_free(&c.items.split);
  HG_TRY(hg_store_write_collection(path, &c, "test"));
done:
  hg_collection_free(&c);
  return rc;
}

hg_status train_collection_write(hg_world *world, const train_collection *what, char path[HG_PATH_MAX])
{
  return train_file_write(world, write_alone, what, path);
}
