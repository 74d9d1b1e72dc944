#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/suggest.h"
#include "core/base/threads.h"
#include "runtime/cli/command.h"

static const hg_command commands[] = {
    {"import", "read a graph from npz, edge lists, Matrix Market, OGB or GraphBolt into an .hg file", hg_cmd_import,
     false},
    {"generate", "make a graph: csbm, rmat, geometric or grid", hg_cmd_generate, false},
    {"partition", "split a graph into parts with METIS or otherwise", hg_cmd_partition, false},
    {"plan", "what epochs would send and take on 2, 4, ... ranks, each way of exchanging", hg_cmd_plan, true},
    {"info", "what a graph, parts or checkpoint file holds", hg_cmd_info, false},
    {"train", "train a model from a config file, on every rank of mpirun", hg_cmd_train, true},
    {"predict", "predictions and embeddings of a trained run, by original id", hg_cmd_predict, true},
    {"export", "weights of a trained run as safetensors", hg_cmd_export, false},
    {"bench", "measure the machine, the kernels, the exchange and whole epochs", hg_cmd_bench, true},
    {"config", "check a config file, print it resolved, document every key", hg_cmd_config, false},
    {0},
};

static void usage(FILE *to)
{
  fprintf(to, "Usage: halognn COMMAND [OPTION...]\nDistributed training of graph neural networks on CPU "
              "clusters.\n\nCommands:\n");
  for (const hg_command *c = commands; c->name; c++) fprintf(to, "  %-10s %s\n", c->name, c->help);
  fprintf(to, "\n`halognn COMMAND --help` tells more. `mpirun -n P halognn train CONFIG.yaml` runs on P ranks.\n"
              "Exit status: 0 done, 1 failed, 2 usage or input error, 75 stopped by a signal after a checkpoint.\n");
}

static hg_status unknown(const char *word)
{
  const char *names[sizeof commands / sizeof *commands];
  size_t n = 0;
  for (const hg_command *c = commands; c->name; c++) names[n++] = c->name;
  names[n] = NULL;
  const char *near = hg_suggest(word, names);
  return hg_fail(HG_ERR_INPUT, "unknown command '%s'%s%s%s; see `halognn --help`", word, near ? ", did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
}

static hg_status run(int argc, char **argv)
{
  if (argc < 2) return hg_fail(HG_ERR_INPUT, "no command given; see `halognn --help`");
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    usage(stdout);
    return HG_OK;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("halognn %s\n", HALOGNN_VERSION);
    return HG_OK;
  }
  for (const hg_command *c = commands; c->name; c++) {
    if (strcmp(argv[1], c->name) != 0) continue;
    if (c->waits) hg_threads_limit_spinning(argv);
    char name[64];
    snprintf(name, sizeof name, "halognn %s", c->name);
    argv[1] = name;
    return c->run(argc - 1, argv + 1);
  }
  return unknown(argv[1]);
}

// results that nobody can read are no results
static hg_status finish_output(void)
{
  errno = 0;
  bool flushed = fflush(stdout) == 0;
  if (flushed && !ferror(stdout)) return HG_OK;
  return hg_fail(HG_ERR_IO, "standard output: cannot write%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
}

int main(int argc, char **argv)
{
  hg_status rc = run(argc, argv);
  if (rc == HG_OK) rc = finish_output();
  if (rc != HG_OK && rc != HG_STOPPED && strcmp(hg_error_text(), "") != 0)
    fprintf(stderr, "halognn: %s\n", hg_error_text());
  return hg_exit_status(rc);
}
