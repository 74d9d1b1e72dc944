#include "runtime/cli/plan_report.h"

#include <inttypes.h>
#include <stdio.h>

// how long a host's network is busy with what a rank sends, were all of it to cross
static double network_seconds(const hg_network *n, const hg_scheme *s)
{
  return s->messages * n->latency_s + s->largest / n->bytes_s;
}

static void print_number(double value, double unit, int digits)
{
  if (value > 0)
    printf(" %11.*f", digits, value / unit);
  else
    printf(" %11s", "-");
}

static void print_scheme(const hg_plan_report *r, const hg_scheme *s)
{
  const double mib = 1 << 20, ms = 1e-3;
  char name[64];
  bool chosen = r->traffic->chosen >= 0 && s == &r->traffic->schemes[r->traffic->chosen];
  snprintf(name, sizeof name, s->part_groups ? "%s, %d x %d" : "%s", s->name, s->part_groups,
           s->part_groups ? r->traffic->ranks / s->part_groups : 0);
  printf("  %c %-18s %11.3f %11.3f %9.0f %11.3f", s->runs ? '*' : ' ', name, s->total / mib, s->largest / mib,
         s->messages, network_seconds(r->network, s) / ms);
  print_number(s->epoch_s > 0 ? s->exposed_s : 0, ms, 3);
  print_number(s->epoch_s, ms, 3);
  print_number(s->memory, mib, 1);
  printf("%s\n", chosen ? "  <- chosen" : "");
}

void hg_plan_print(const hg_plan_report *r)
{
  const hg_halo_rows *rows = &r->ranks->rows;
  printf("%d rank%s: %" PRId64 " rows an exchange, of covers %" PRId64 " (partitioned in %.2f s, covers in %.2f s)\n",
         r->traffic->ranks, r->traffic->ranks > 1 ? "s" : "", rows->total[HG_SEND_SOURCES], rows->total[HG_SEND_HYBRID],
         r->ranks->partition_seconds, rows->seconds);
  const hg_host_rows *b = &r->ranks->between;
  if (b->hosts > 0)
    printf("    between %d hosts: %" PRId64 " rows in %" PRId64 " messages; %" PRId64 " in %" PRId64
           " where each crosses once\n",
           b->hosts, b->rows, b->pairs, b->unique, b->host_pairs);
  printf("    %-18s %11s %11s %9s %11s %11s %11s %11s\n", "an epoch", "MiB in all", "MiB a rank", "messages",
         "network ms", "exposed ms", "epoch ms", "memory MiB");
  for (const hg_scheme *s = r->traffic->schemes; s < r->traffic->schemes + r->traffic->n_schemes; s++)
    print_scheme(r, s);
}

static json_t *scheme_json(const hg_plan_report *r, const hg_scheme *s)
{
  json_t *far = s->far_known ? json_real(s->far * s->total) : json_null();
  return json_pack("{ss ss sb sb si sf sf sf sf sf sf sf so}", "name", s->name, "how", s->how, "runs", (int)s->runs,
                   "exact", (int)s->exact, "part_groups", s->part_groups, "bytes", s->total, "largest_rank_bytes",
                   s->largest, "messages", s->messages, "seconds", network_seconds(r->network, s), "exposed_seconds",
                   s->exposed_s, "epoch_seconds", s->epoch_s, "memory_bytes", s->memory, "bytes_between_hosts", far);
}

// what a rank computes in an epoch, by phase
static json_t *computed_json(const hg_rehearsal *r)
{
  json_t *phases = json_object();
  for (int k = 0; k <= HG_PHASE_OPTIMIZER; k++)
    json_object_set_new(phases, hg_phase_name((hg_phase)k), json_real(r->seconds[k]));
  return json_pack("{sf sI sI so}", "seconds", r->epoch_s, "rows", (json_int_t)r->rows, "edges", (json_int_t)r->edges,
                   "phases", phases);
}

json_t *hg_plan_json(const hg_plan_report *r)
{
  const hg_halo_rows *rows = &r->ranks->rows;
  json_t *schemes = json_array();
  for (const hg_scheme *s = r->traffic->schemes; s < r->traffic->schemes + r->traffic->n_schemes; s++)
    json_array_append_new(schemes, scheme_json(r, s));
  json_t *all =
      json_pack("{si sI sI sI sf sf so so}", "ranks", r->traffic->ranks, "halo_rows",
                (json_int_t)rows->total[HG_SEND_SOURCES], "partial_rows", (json_int_t)rows->total[HG_SEND_PARTIALS],
                "cover_rows", (json_int_t)rows->total[HG_SEND_HYBRID], "partition_seconds", r->ranks->partition_seconds,
                "cover_seconds", rows->seconds, "computed", computed_json(&r->ranks->rehearsal), "schemes", schemes);
  const hg_host_rows *b = &r->ranks->between;
  if (b->hosts > 0)
    json_object_update_new(all, json_pack("{si sI sI}", "hosts", b->hosts, "host_rows", (json_int_t)b->rows,
                                          "host_rows_unique", (json_int_t)b->unique));
  if (r->traffic->chosen >= 0)
    json_object_set_new(all, "chosen", json_string(r->traffic->schemes[r->traffic->chosen].name));
  return all;
}
