#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/timer.h"
#include "crew.h"

TestSuite(coordinator_faults, .timeout = 60);

/** A worker in a process of its own, made before there are threads; it begins when it is given the address. */
typedef struct {
  pid_t pid;
  int address; ///< write end of a pipe
} stray;

typedef enum { DIES, FREEZES } fate;

static void live(int address_pipe, int rank, int ranks, fate end)
{
  char address[HG_ADDRESS_SIZE] = "";
  hg_worker *worker;
  hg_plan plan;
  if (read(address_pipe, address, sizeof address - 1) <= 0) _exit(1);
  if (hg_worker_connect(&worker, address, rank, ranks, 20) != HG_OK) _exit(2);
  if (hg_worker_next_plan(worker, &plan) != HG_OK) _exit(3);
  const hg_report report = {.epoch = plan.epoch, .train_loss = 1.0 / plan.epoch};
  hg_worker_report(worker, &report);
  usleep(100000); // until the report is on its way
  if (end == FREEZES) raise(SIGSTOP);
  _exit(0);
}

static stray stray_new(int rank, int ranks, fate end)
{
  int ends[2];
  cr_assert_eq(pipe(ends), 0);
  stray s = {.pid = fork(), .address = ends[1]};
  cr_assert_geq(s.pid, 0);
  if (s.pid == 0) live(ends[0], rank, ranks, end);
  close(ends[0]);
  return s;
}

static void stray_begin(const stray *s, const crew *c)
{
  cr_assert_eq(write(s->address, c->address, strlen(c->address)), (ssize_t)strlen(c->address));
}

static void stray_end(const stray *s)
{
  kill(s->pid, SIGKILL);
  waitpid(s->pid, NULL, 0);
  close(s->address);
}

static void rank_two_is_a_stray(fate end, double timeout_s, double at_most_s)
{
  crew *c = crew_new(3, 100, timeout_s);
  stray s = stray_new(2, 3, end);
  crew_start(c);
  stray_begin(&s, c);
  double start = hg_now_s();
  crew_run(c, 0, 2);
  cr_expect_lt(hg_now_s() - start, at_most_s, "noticed after %g s", hg_now_s() - start);
  crew_expect(c, 0, HG_ERR_IO, "rank 2 is gone after epoch 1");
  crew_expect(c, 1, HG_ERR_IO, "rank 2 is gone after epoch 1");
  char text[128];
  snprintf(text, sizeof text, "rank 2 is gone after epoch 1: it died, or was silent for %g s", timeout_s);
  crew_stop(c, text);
  stray_end(&s);
  crew_free(c);
}

Test(coordinator_faults, a_worker_that_dies_ends_the_run_at_once) { rank_two_is_a_stray(DIES, 30, 5); }
Test(coordinator_faults, a_worker_that_freezes_ends_the_run_after_the_time_out) { rank_two_is_a_stray(FREEZES, 1, 8); }

Test(coordinator_faults, a_worker_that_does_not_come_is_named)
{
  crew *c = crew_new(4, 10, 0.5);
  crew_start(c);
  crew_run(c, 0, 2);
  crew_expect(c, 0, HG_ERR_IO, "rank 2, 3 did not say HELLO within 0.5 s of the first");
  crew_expect(c, 1, HG_ERR_IO, "rank 1: coordinator: rank 2, 3 did not say HELLO");
  crew_stop(c, "rank 2, 3 did not say HELLO within 0.5 s of the first");
  crew_free(c);
}

static hg_status slow_rank_one(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report;
  if (member->rank == 1 && plan->epoch == 2) usleep(1500000);
  return HG_OK;
}

Test(coordinator_faults, an_epoch_may_take_longer_than_the_time_out)
{
  crew *c = crew_new(2, 5, 0.3);
  c->epoch = slow_rank_one;
  crew_start(c);
  crew_run(c, 0, 2);
  crew_expect(c, 0, HG_OK, "");
  crew_expect(c, 1, HG_OK, "");
  crew_stop(c, NULL);
  crew_free(c);
}

static hg_status memory_of_rank_one(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report;
  return member->rank == 1 && plan->epoch == 3 ? hg_fail(HG_ERR_MEMORY, "no memory left") : HG_OK;
}

Test(coordinator_faults, a_worker_that_fails_ends_the_run_of_the_others)
{
  crew *c = crew_new(3, 100, 10);
  c->epoch = memory_of_rank_one;
  crew_start(c);
  crew_run(c, 0, 3);
  crew_expect(c, 0, HG_ERR_IO, "rank 1 failed after epoch 2 (memory)");
  crew_expect(c, 1, HG_ERR_MEMORY, "no memory left");
  crew_expect(c, 2, HG_ERR_IO, "rank 1 failed after epoch 2 (memory)");
  crew_stop(c, "rank 1 failed after epoch 2 (memory)");
  crew_free(c);
}

static hg_status sums_without_rank_one(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report;
  hg_real value = 1;
  if (member->rank == 1 && plan->epoch == 3) return hg_fail(HG_ERR_INTERNAL, "a bug");
  return hg_worker_sum(member->worker, &value, 1);
}

Test(coordinator_faults, a_worker_that_fails_ends_the_sums_of_the_others)
{
  crew *c = crew_new(3, 100, 10);
  c->config.train.sync = HG_SYNC_COORDINATOR;
  c->epoch = sums_without_rank_one;
  crew_start(c);
  crew_run(c, 0, 3);
  crew_expect(c, 0, HG_ERR_IO, "rank 1 failed after epoch 2 (internal)");
  crew_expect(c, 2, HG_ERR_IO, "rank 1 failed after epoch 2 (internal)");
  crew_stop(c, "rank 1 failed after epoch 2 (internal)");
  crew_free(c);
}

static hg_status stopped_at_four(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report, (void)member;
  return plan->epoch == 4 ? hg_fail(HG_STOPPED, "a signal") : HG_OK;
}

Test(coordinator_faults, workers_that_a_signal_stops_together_are_no_failure)
{
  crew *c = crew_new(3, 100, 10);
  c->epoch = stopped_at_four;
  crew_start(c);
  crew_run(c, 0, 3);
  for (int r = 0; r < 3; r++) crew_expect(c, r, HG_STOPPED, "a signal");
  crew_stop(c, NULL);
  crew_free(c);
}

static hg_status rank_one_stops_at_four(crew_member *member, const hg_plan *plan, hg_report *report)
{
  return member->rank == 1 ? stopped_at_four(member, plan, report) : HG_OK;
}

Test(coordinator_faults, a_worker_that_leaves_alone_does_not_let_the_others_wait)
{
  crew *c = crew_new(2, 100, 10);
  c->epoch = rank_one_stops_at_four;
  crew_start(c);
  crew_run(c, 0, 2);
  crew_expect(c, 0, HG_ERR_IO, "rank 1 left after epoch 3, before the end");
  crew_expect(c, 1, HG_STOPPED, "a signal");
  hg_coordinator_stop(&c->coordinator);
  crew_free(c);
}

static hg_status other_loss(crew_member *member, const hg_plan *plan, hg_report *report)
{
  if (member->rank == 2 && plan->epoch == 7) report->train_loss = 0.5;
  return HG_OK;
}

Test(coordinator_faults, different_losses_name_both_ranks)
{
  crew *c = crew_new(3, 100, 10);
  c->epoch = other_loss;
  crew_start(c);
  crew_run(c, 0, 3);
  static const char text[] = "epoch 7: rank 0 and rank 2 report different losses: 0.14285714285714285 and 0.5";
  for (int r = 0; r < 3; r++) crew_expect(c, r, HG_ERR_IO, text);
  crew_stop(c, text);
  crew_free(c);
}

static hg_status loss_is_not_a_number(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)member, (void)plan;
  report->train_loss = (double)__builtin_nanf("");
  return HG_OK;
}

Test(coordinator_faults, a_loss_that_is_not_a_number_on_all_ranks_is_the_same)
{
  crew *c = crew_new(3, 10, 10);
  c->epoch = loss_is_not_a_number;
  crew_start(c);
  crew_run(c, 0, 3);
  for (int r = 0; r < 3; r++) crew_expect(c, r, HG_OK, "");
  crew_stop(c, NULL);
  crew_free(c);
}

static hg_status wrong_epoch(crew_member *member, const hg_plan *plan, hg_report *report)
{
  if (member->rank == 1 && plan->epoch == 2) report->epoch = 5;
  return HG_OK;
}

Test(coordinator_faults, a_report_of_another_epoch_names_the_rank)
{
  crew *c = crew_new(2, 100, 10);
  c->epoch = wrong_epoch;
  crew_start(c);
  crew_run(c, 0, 2);
  crew_expect(c, 0, HG_ERR_IO, "rank 1 reports epoch 5, expected 2");
  crew_expect(c, 1, HG_ERR_IO, "rank 1 reports epoch 5, expected 2");
  hg_coordinator_stop(&c->coordinator);
  crew_free(c);
}

static hg_status gradients_of_different_lengths(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)plan, (void)report;
  hg_real values[3] = {0};
  return hg_worker_sum(member->worker, values, member->rank == 1 ? 3 : 2);
}

Test(coordinator_faults, gradients_of_different_lengths_name_both_ranks)
{
  crew *c = crew_new(2, 100, 10);
  c->config.train.sync = HG_SYNC_COORDINATOR;
  c->epoch = gradients_of_different_lengths;
  crew_start(c);
  crew_run(c, 0, 2);
  for (int r = 0; r < 2; r++) crew_expect(c, r, HG_ERR_IO, "rank 0 and rank 1 send gradients of 2 and 3 numbers");
  crew_stop(c, "rank 0 and rank 1 send gradients of 2 and 3 numbers");
  crew_free(c);
}

Test(coordinator_faults, a_worker_that_does_not_say_bye_is_named)
{
  crew *c = crew_new(1, 10, 0.5);
  crew_start(c);
  hg_worker *worker;
  hg_plan plan;
  cr_assert_eq(hg_worker_connect(&worker, c->address, 0, 1, 10), HG_OK);
  crew_stop(c, "rank 0 did not say BYE within 0.5 s of the end");
  hg_status rc = HG_OK;
  for (int k = 0; k < 3 && rc == HG_OK; k++) rc = hg_worker_next_plan(worker, &plan); // two had been sent
  cr_expect_eq(rc, HG_ERR_IO);
  cr_expect_str_eq(hg_error_text(), "rank 0 did not say BYE within 0.5 s of the end");
  const hg_report report = {.epoch = 1};
  cr_expect_eq(hg_worker_report(worker, &report), HG_ERR_IO, "a failed worker fails again");
  hg_worker_bye(&worker, rc);
  crew_free(c);
}

/** A coordinator in a process of its own, for one worker; its address comes through the pipe. */
static pid_t fork_coordinator(double timeout_s, char *address)
{
  int ends[2];
  cr_assert_eq(pipe(ends), 0);
  pid_t pid = fork();
  if (pid == 0) {
    crew *c = crew_new(1, 100, timeout_s);
    if (hg_coordinator_start(&c->coordinator, &c->options, address, HG_ADDRESS_SIZE) != HG_OK) _exit(1);
    if (write(ends[1], address, HG_ADDRESS_SIZE) != HG_ADDRESS_SIZE) _exit(1);
    for (;;) pause();
  }
  cr_assert_eq(read(ends[0], address, HG_ADDRESS_SIZE), HG_ADDRESS_SIZE);
  close(ends[0]);
  close(ends[1]);
  return pid;
}

static void coordinator_gets_a_signal(int signal_number, double timeout_s, double at_most_s)
{
  char address[HG_ADDRESS_SIZE] = "";
  hg_worker *worker;
  hg_plan plan;
  pid_t pid = fork_coordinator(timeout_s, address);
  cr_assert_eq(hg_worker_connect(&worker, address, 0, 1, timeout_s), HG_OK, "%s", hg_error_text());
  for (int epoch = 1; epoch <= 2; epoch++) cr_assert_eq(hg_worker_next_plan(worker, &plan), HG_OK);
  kill(pid, signal_number);
  double start = hg_now_s();
  cr_expect_eq(hg_worker_next_plan(worker, &plan), HG_ERR_IO);
  cr_expect(strstr(hg_error_text(), "the coordinator is gone"), "%s", hg_error_text());
  hg_worker_bye(&worker, HG_ERR_IO);
  cr_expect_lt(hg_now_s() - start, at_most_s, "noticed after %g s", hg_now_s() - start);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  char *mark = strrchr(address, '#'), *path = address + strlen("ipc://"); // what a killed process cannot remove
  *mark = '\0';
  unlink(path);
  *strrchr(path, '/') = '\0';
  rmdir(path);
}

Test(coordinator_faults, a_coordinator_that_dies_is_noticed_at_once) { coordinator_gets_a_signal(SIGKILL, 30, 5); }
Test(coordinator_faults, a_coordinator_that_freezes_is_noticed_after_the_time_out)
{
  coordinator_gets_a_signal(SIGSTOP, 1, 8);
}

Test(coordinator_faults, nobody_at_the_address_times_out)
{
  hg_worker *worker;
  double start = hg_now_s();
  hg_status rc = hg_worker_connect(&worker, "ipc:///tmp/halognn-nobody#0123456789abcdef0123456789abcdef", 1, 2, 0.3);
  cr_expect_eq(rc, HG_ERR_IO);
  cr_expect_str_eq(hg_error_text(), "rank 1: coordinator: no answer from the coordinator within 0.3 s");
  cr_expect_lt(hg_now_s() - start, 5);
  cr_expect_null(worker);
}

Test(coordinator_faults, an_address_of_another_form_is_an_input_error)
{
  static const char *const bad[] = {"",
                                    "ipc:///tmp/x",
                                    "ipc:///tmp/x#short",
                                    "#0123456789abcdef0123456789abcdef",
                                    "carrier-pigeon://x#0123456789abcdef0123456789abcdef",
                                    "tcp://no port#0123456789abcdef0123456789abcdef"};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    hg_worker *worker;
    cr_expect_eq(hg_worker_connect(&worker, bad[k], 0, 1, 0.3), HG_ERR_INPUT, "\"%s\" was taken", bad[k]);
    cr_expect_null(worker);
  }
}

static int count_unblocked(int signal_number)
{
  int unblocked = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *task = readdir(tasks); task; task = readdir(tasks)) {
    char path[300], line[256];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
    FILE *status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
    while (status && fgets(line, sizeof line, status))
      if (strncmp(line, "SigBlk:", 7) == 0) unblocked += !(strtoull(line + 7, NULL, 16) >> (signal_number - 1) & 1);
    if (status) fclose(status);
  }
  closedir(tasks);
  return unblocked;
}

Test(coordinator_faults, its_threads_take_no_signals)
{
  int before = count_unblocked(SIGTERM);
  crew *c = crew_new(1, 10, 10);
  crew_start(c);
  cr_expect_eq(count_unblocked(SIGTERM), before, "a thread of the coordinator takes SIGTERM");
  cr_expect_eq(count_unblocked(SIGINT), before);
  crew_run(c, 0, 1);
  crew_stop(c, NULL);
  crew_free(c);
}
