#include "crew.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

crew *crew_new(int ranks, int epochs, double timeout_s)
{
  crew *c = calloc(1, sizeof *c);
  cr_assert(c);
  c->config.train.epochs = epochs;
  c->config.train.learning_rate = 0.01;
  c->config.train.evaluate_every = 1;
  c->config.coordinator.timeout_seconds = timeout_s;
  c->options = (hg_coordinator_options){.config = &c->config, .ranks = ranks, .first_epoch = 1, .one_host = true};
  for (int r = 0; r < CREW_MAX; r++) c->members[r] = (crew_member){.of = c, .rank = r};
  return c;
}

void crew_free(crew *c) { free(c); }

void crew_start(crew *c)
{
  hg_status rc = hg_coordinator_start(&c->coordinator, &c->options, c->address, sizeof c->address);
  cr_assert_eq(rc, HG_OK, "%s", hg_error_text());
}

static hg_status run_epochs(crew_member *m)
{
  while (m->n_plans < CREW_EPOCHS) {
    hg_plan plan;
    hg_status rc = hg_worker_next_plan(m->worker, &plan);
    if (rc != HG_OK) return rc;
    m->plans[m->n_plans++] = plan;
    if (plan.stop) return HG_OK;
    hg_report report = {.epoch = plan.epoch, .train_loss = 1.0 / plan.epoch};
    if (m->of->epoch) rc = m->of->epoch(m, &plan, &report);
    if (rc == HG_OK) rc = hg_worker_report(m->worker, &report);
    if (rc != HG_OK) return rc;
  }
  return hg_fail(HG_ERR_INTERNAL, "no stop after %d epochs", CREW_EPOCHS);
}

static void *run_member(void *member)
{
  crew_member *m = member;
  double timeout_s = m->of->config.coordinator.timeout_seconds;
  m->status = hg_worker_connect(&m->worker, m->of->address, m->rank, m->of->options.ranks, timeout_s);
  if (m->status == HG_OK) m->status = run_epochs(m);
  if (m->status != HG_OK) snprintf(m->text, sizeof m->text, "%s", hg_error_text());
  if (m->worker) m->seconds = hg_worker_seconds(m->worker);
  hg_worker_bye(&m->worker, m->status);
  return NULL;
}

void crew_run(crew *c, int first, int end)
{
  pthread_t threads[CREW_MAX];
  for (int r = first; r < end; r++) cr_assert_eq(pthread_create(&threads[r], NULL, run_member, &c->members[r]), 0);
  for (int r = first; r < end; r++) pthread_join(threads[r], NULL);
}

void crew_stop(crew *c, const char *expected)
{
  hg_status rc = hg_coordinator_stop(&c->coordinator);
  cr_expect_eq(rc, expected ? HG_ERR_IO : HG_OK, "found status %d: %s", (int)rc, rc == HG_OK ? "" : hg_error_text());
  if (expected && rc != HG_OK) cr_expect_str_eq(hg_error_text(), expected);
}

void crew_expect(const crew *c, int rank, hg_status status, const char *part)
{
  const crew_member *m = &c->members[rank];
  cr_expect_eq(m->status, status, "rank %d: status %d, \"%s\"", rank, (int)m->status, m->text);
  cr_expect(strstr(m->text, part), "rank %d: \"%s\" has no \"%s\"", rank, m->text, part);
}
