#pragma once
#include <stdio.h>

#include "runtime/observe/record.h"

/**
 * The folder of a run, kept by rank 0: config.yaml, environment.json, metrics.jsonl, summary.json, log.txt,
 * checkpoints/.
 */
typedef struct {
  char path[HG_PATH_MAX];
  FILE *metrics, *log;
  int lock; ///< a file descriptor that keeps other runs out; -1: none
} hg_run_folder;

/**
 * Makes the folder (config->output) and writes config.yaml.
 * @param resume   keep metrics.jsonl and the checkpoints; otherwise those of an earlier run are removed
 * @return         HG_ERR_INPUT or HG_ERR_IO naming what cannot be written; HG_ERR_INPUT while another run writes there
 */
hg_status hg_run_folder_open(hg_run_folder *folder, const hg_config *config, bool resume);
void hg_run_folder_close(hg_run_folder *folder);

/** FOLDER/name in `path`; HG_ERR_INPUT when it is too long. */
hg_status hg_run_folder_file(const hg_run_folder *folder, const char *name, char path[HG_PATH_MAX]);

/** Drops the lines of metrics.jsonl past (repeat, epoch): what a resumed run does again. */
hg_status hg_run_folder_rewind(hg_run_folder *folder, int repeat, int epoch);

/** Appends a line to metrics.jsonl. HG_ERR_IO when the disk is full. */
hg_status hg_run_folder_epoch(hg_run_folder *folder, const hg_epoch_record *record);

/** Writes summary.json, under a temporary name first. */
hg_status hg_run_folder_summary(hg_run_folder *folder, const hg_run_summary *summary);

/**
 * Writes environment.json: machine, libraries, ranks, threads, environment variables, hosts (one name a rank, in rank
 * order) and what each rank is bound to (hg_threads_describe).
 */
hg_status hg_run_folder_environment(hg_run_folder *folder, int ranks, const char *const *hosts,
                                    const char *const *bindings, const char *mpi_version);

/** mean and standard deviation (of the population) of `metric` on test over the repeats. */
void hg_summary_test(const hg_run_summary *summary, double *mean, double *deviation);
