#include <jansson.h>
#include <string.h>

#include "bench/bench.h"

static json_t *row_json(const hg_bench_row *row)
{
  return json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:s, s:f, s:s, s:f, s:f, s:f}", "name", row->name,
                   "threads", row->threads, "runs", row->times.runs, "median_s", row->times.median_s, "min_s",
                   row->times.min_s, "low_quartile_s", row->times.low_s, "high_quartile_s", row->times.high_s, "rate",
                   row->rate, "unit", row->unit, "floor_s", row->floor_s, "floor", row->floor_why, "times_floor",
                   row->floor_s > 0 ? row->times.median_s / row->floor_s : 0.0, "edges_per_s", row->edges_per_s,
                   "memory_bytes", row->memory_bytes);
}

static hg_status write_json(const hg_bench_report *report, FILE *out)
{
  json_t *rows = json_array(), *root = json_pack("{s:o}", "benchmarks", rows);
  for (int r = 0; root && r < report->count; r++) json_array_append_new(rows, row_json(&report->rows[r]));
  if (!root) return hg_fail(HG_ERR_MEMORY, "out of memory");
  int failed = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  json_decref(root);
  if (failed || fputc('\n', out) == EOF) return hg_fail(HG_ERR_IO, "cannot write the benchmark's results");
  return HG_OK;
}

static void write_row(const hg_bench_row *row, FILE *out)
{
  fprintf(out, "%-32s %7d", row->name, row->threads);
  if (row->times.runs > 0)
    fprintf(out, " %10.3f %10.3f %10.3f %10.3f", row->times.median_s * 1e3, row->times.min_s * 1e3,
            row->times.low_s * 1e3, row->times.high_s * 1e3);
  else
    fprintf(out, "%44s", "");
  if (row->unit[0]) fprintf(out, " %9.1f %s", row->rate, row->unit);
  if (row->floor_s > 0) // the unit's column is as wide as the longest of them
    fprintf(out, "%*s %10.3f %8.2f  %s", (row->unit[0] ? 8 : 18) - (int)strlen(row->unit), "", row->floor_s * 1e3,
            row->times.median_s / row->floor_s, row->floor_why);
  if (row->edges_per_s > 0) fprintf(out, ", %.1f million edges/s", row->edges_per_s * 1e-6);
  if (row->memory_bytes > 0) fprintf(out, ", %.1f MB", row->memory_bytes * 1e-6);
  fputc('\n', out);
}

hg_status hg_bench_write(const hg_bench_report *report, bool json, FILE *out)
{
  if (json) return write_json(report, out);
  fprintf(out, "%-32s %7s %10s %10s %10s %10s %9s %-8s %10s %8s  %s\n", "benchmark", "threads", "median ms", "min ms",
          "25 % ms", "75 % ms", "rate", "", "floor ms", "x floor", "floor by");
  for (int r = 0; r < report->count; r++) write_row(&report->rows[r], out);
  return HG_OK;
}
