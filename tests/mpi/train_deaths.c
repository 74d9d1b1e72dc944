// How a training run ends when something goes wrong on one rank: all ranks end, with one message.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "core/base/files.h"
#include "partition/cache.h"
#include "runtime/train/run.h"
#include "runtime/train/trainer.h"
#include "tests/mpi/train_graph.h"
#include "tests/support/mpi_case.h"

static const hg_run_options quietly = {.quiet = true};

// a graph in a folder of its own, and a config with `changes`
static hg_status prepare(hg_world *world, const train_graph *g, const char *const *changes, char path[HG_PATH_MAX],
                         hg_config *config)
{
  hg_status rc = HG_OK;
  HG_TRY(train_graph_write(world, g, path));
  *config = train_config(path);
  for (; *changes; changes++) HG_TRY(hg_config_override(config, *changes));
  HG_TRY(hg_config_resolve(config));
done:
  return rc;
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

// FOLDER/bad/parts.hg: the first half of FOLDER/parts.hg
static hg_status write_half(const char *folder)
{
  char command[HG_PATH_MAX + 128];
  snprintf(command, sizeof command,
           "cd '%s' && mkdir bad && head -c $(($(stat -c %%s parts.hg) / 2)) parts.hg > bad/parts.hg", folder);
  return system(command) == 0 ? HG_OK : hg_fail(HG_ERR_IO, "cannot run %s", command);
}

static hg_status make_parts(const char *path, const char *folder, int ranks)
{
  char parts[HG_PATH_MAX];
  snprintf(parts, sizeof parts, "%.*s/parts.hg", HG_PATH_MAX - 32, folder);
  hg_partition_options options = hg_partition_options_default();
  hg_status rc = hg_partition_file(path, ranks, &options, parts);
  return rc == HG_OK ? write_half(folder) : rc;
}

// The last rank's working folder holds half a parts file of the same name: as on a node with a broken disk.
static hg_status damaged_parts_on_one_rank(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX], folder[HG_PATH_MAX];
  int rank = hg_world_rank(world), ranks = hg_world_size(world);
  hg_config config;
  hg_status rc = HG_OK;
  HG_TRY(prepare(world, &g, OPTIONS("partition.path=parts.hg"), path, &config));
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
  HG_TRY_ALL(world, "preparing", rank == 0 ? make_parts(path, folder, ranks) : HG_OK);
  if (rank == ranks - 1) snprintf(folder + strlen(folder), 8, "/bad");
  HG_TRY_ALL(world, "preparing", chdir(folder) == 0 ? HG_OK : hg_fail(HG_ERR_IO, "cannot go to %s", folder));
  rc = hg_run_train(world, &config, quietly);
  train_graph_remove(world, path);
done:
  return rc;
}

static hg_status loss_becomes_nan(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_config config;
  hg_status rc = HG_OK;
  HG_TRY(
      prepare(world, &g, OPTIONS("train.learning_rate=1e30", "train.optimizer=sgd", "train.epochs=50"), path, &config));
  rc = hg_run_train(world, &config, quietly);
  train_graph_remove(world, path);
done:
  return rc;
}

// the evaluation that comes before the loss is seen to be NaN must end too
static hg_status scores_become_nan(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_config config;
  hg_status rc = HG_OK;
  g.n_classes = 2;
  HG_TRY(prepare(world, &g,
                 OPTIONS("train.learning_rate=1e36", "train.optimizer=sgd", "train.epochs=50", "train.metric=roc_auc"),
                 path, &config));
  rc = hg_run_train(world, &config, quietly);
  train_graph_remove(world, path);
done:
  return rc;
}

// metrics.jsonl leads to a device that is always full
static hg_status disk_is_full(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX], metrics[HG_PATH_MAX];
  hg_config config;
  hg_status rc = HG_OK;
  HG_TRY(prepare(world, &g, OPTIONS("train.epochs=50"), path, &config));
  snprintf(metrics, sizeof metrics, "%.*s/metrics.jsonl", HG_PATH_MAX - 32, config.output);
  if (hg_world_rank(world) == 0) {
    rc = hg_make_directories(config.output);
    if (rc == HG_OK && symlink("/dev/full", metrics) != 0) rc = hg_fail(HG_ERR_IO, "%s: cannot link", metrics);
  }
  HG_TRY_ALL(world, "preparing", rc);
  rc = hg_run_train(world, &config, quietly);
  train_graph_remove(world, path);
done:
  return rc;
}

static int signal_to_send;

static void on_alarm(int number)
{
  (void)number;
  raise(signal_to_send);
}

// this rank gets `number` in a second, in the middle of its epochs
static void send_later(int number)
{
  signal_to_send = number;
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  alarm(1);
}

static const char *const endless[] = {"train.epochs=1000000", "train.evaluate_every=1000000", NULL};

static hg_status rank_is_killed_while_training(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_config config;
  hg_status rc = HG_OK;
  HG_TRY(prepare(world, &g, endless, path, &config));
  if (hg_world_rank(world) == 1) send_later(SIGKILL);
  rc = hg_run_train(world, &config, quietly);
done:
  return rc;
}

// the same between hosts: nobody waits for ever for what a rank of its host, or of another, does not tell any more
static hg_status rank_is_killed_with_merged_hosts(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_config config;
  hg_status rc = HG_OK;
  HG_TRY(hg_world_group_hosts(world, hg_world_rank(world) / 2));
  HG_TRY(prepare(world, &g, endless, path, &config));
  config.model.halo.hosts = HG_HOSTS_MERGED;
  if (hg_world_rank(world) == 2) send_later(SIGKILL);
  rc = hg_run_train(world, &config, quietly);
done:
  return rc;
}

// the epochs of metrics.jsonl are 1, 2, ... `last`
static hg_status check_lines(const char *output, int last)
{
  char path[HG_PATH_MAX], *line = NULL;
  size_t size = 0;
  int n = 0;
  snprintf(path, sizeof path, "%.*s/metrics.jsonl", HG_PATH_MAX - 32, output);
  FILE *file = fopen(path, "r");
  if (!file) return hg_fail(HG_ERR_INTERNAL, "%s is not there", path);
  hg_status rc = HG_OK;
  while (rc == HG_OK && getline(&line, &size, file) > 0) {
    char expected[32];
    snprintf(expected, sizeof expected, "\"epoch\":%d,", ++n);
    if (!strstr(line, expected)) rc = hg_fail(HG_ERR_INTERNAL, "%s: line %d is not of epoch %d", path, n, n);
  }
  free(line);
  fclose(file);
  return rc == HG_OK && n != last ? hg_fail(HG_ERR_INTERNAL, "%s: found %d lines, expected %d", path, n, last) : rc;
}

static hg_status resume_and_finish(hg_world *world, hg_config *config)
{
  char path[HG_PATH_MAX];
  hg_checkpoint stopped = {0};
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "finding the checkpoint", hg_checkpoint_find_last(config->output, path));
  HG_TRY_ALL(world, "reading the checkpoint", hg_checkpoint_read(&stopped, path));
  HG_TRY_ALL(world, "counting lines", hg_world_rank(world) == 0 ? check_lines(config->output, stopped.epoch) : HG_OK);
  config->train.epochs = stopped.epoch + 5;
  HG_TRY(hg_run_train(world, config, (hg_run_options){.quiet = true, .resume = true}));
  HG_TRY_ALL(world, "counting lines",
             hg_world_rank(world) == 0 ? check_lines(config->output, stopped.epoch + 5) : HG_OK);
done:
  hg_checkpoint_free(&stopped);
  return rc;
}

static hg_status signal_stops_after_a_checkpoint(hg_world *world)
{
  train_graph g = train_graph_default();
  char path[HG_PATH_MAX];
  hg_config config;
  hg_status rc = HG_OK;
  HG_TRY(prepare(world, &g, endless, path, &config));
  if (hg_world_rank(world) == hg_world_size(world) - 1) send_later(SIGTERM);
  rc = hg_run_train(world, &config, quietly);
  if (rc != HG_STOPPED) {
    rc = hg_fail(HG_ERR_INTERNAL, "ended with %d, expected to be stopped: %s", (int)rc, hg_error_text());
    goto done;
  }
  HG_TRY(resume_and_finish(world, &config));
  rc = HG_STOPPED;
  train_graph_remove(world, path);
done:
  return rc;
}

const mpi_death train_deaths[] = {
    {"death/damaged_parts_on_one_rank", damaged_parts_on_one_rank, "2", 2, 30, "rank 1, loading parts: parts.hg: "},
    {"death/damaged_parts_on_one_rank", damaged_parts_on_one_rank, "3", 2, 30, "rank 2, loading parts: parts.hg: "},
    {"death/loss_becomes_nan", loss_becomes_nan, "1 2 3", 1, 30, ": the training loss is not a number any more"},
    {"death/scores_become_nan", scores_become_nan, "1 3", 1, 30, ": the training loss is not a number any more"},
    {"death/disk_is_full", disk_is_full, "2 3", 1, 30, "metrics.jsonl: cannot write: No space left on device"},
    {"death/rank_is_killed_while_training", rank_is_killed_while_training, "2 3", 137, 20, ""},
    {"death/rank_is_killed_with_merged_hosts", rank_is_killed_with_merged_hosts, "4", 137, 20, ""},
    {"death/signal_stops_after_a_checkpoint", signal_stops_after_a_checkpoint, "1 2 3", 75, 40, ""},
    {0},
};
