#include "tests/support/run.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 64, CHUNK = 65536 };

typedef struct {
  char *data;
  size_t size;
} text;

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void child(const char *folder, const char *const *argv, int out, int err)
{
  int none = open("/dev/null", O_RDONLY);
  setpgid(0, 0);
  signal(SIGPIPE, SIG_DFL);
  if (folder && chdir(folder) != 0) _exit(127);
  if (dup2(none, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(127);
  unsetenv("BXFI_MAP"); // Criterion's own; a program linked with it would take it for its own start
  char *copy[MAX_ARGUMENTS + 1];
  size_t n = 0;
  for (; argv[n] && n < MAX_ARGUMENTS; n++) copy[n] = strdup(argv[n]);
  copy[n] = NULL;
  if (n > 0) execvp(copy[0], copy);
  fprintf(stderr, "cannot run %s: %s\n", n > 0 ? copy[0] : "nothing", strerror(errno));
  _exit(127);
}

// false at the end of the stream
static bool take(int fd, text *t)
{
  t->data = realloc(t->data, t->size + CHUNK + 1);
  cr_assert_not_null(t->data);
  ssize_t got = read(fd, t->data + t->size, CHUNK);
  if (got > 0) t->size += (size_t)got;
  t->data[t->size] = '\0';
  return got > 0 || (got < 0 && errno == EINTR);
}

// Reads both pipes until they close; false when the time is up first.
static bool collect(int out, int err, text texts[2], double until_s)
{
  struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    double left_s = until_s - now_s();
    if (left_s <= 0) return false;
    if (poll(fds, 2, (int)(left_s * 1e3) + 1) < 0 && errno != EINTR) return false;
    for (int k = 0; k < 2; k++) {
      if (fds[k].fd >= 0 && fds[k].revents && !take(fds[k].fd, &texts[k])) fds[k].fd = -1;
      fds[k].revents = 0;
    }
  }
  return true;
}

// The exit status once it has ended, or -1 when the time is up first (a child that has closed its output may still
// run).
static int wait_for(pid_t pid, double until_s)
{
  int state;
  for (;;) {
    pid_t ended = waitpid(pid, &state, WNOHANG);
    if (ended == pid) return WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
    if (ended < 0 || now_s() > until_s) return -1;
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  }
}

run_result run_in(const char *folder, double limit_s, const char *const *argv)
{
  int out[2], err[2];
  cr_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "no pipe: %s", strerror(errno));
  double start_s = now_s();
  fflush(NULL);
  pid_t pid = fork();
  cr_assert(pid >= 0, "no process: %s", strerror(errno));
  if (pid == 0) child(folder, argv, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  text texts[2] = {{calloc(1, 1), 0}, {calloc(1, 1), 0}};
  int status = collect(out[0], err[0], texts, start_s + limit_s) ? wait_for(pid, start_s + limit_s) : -1;
  close(out[0]);
  close(err[0]);
  if (status < 0) {
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
  }
  return (run_result){.status = status < 0 ? 124 : status,
                      .timed_out = status < 0,
                      .seconds = now_s() - start_s,
                      .out = texts[0].data,
                      .err = texts[1].data};
}

run_result run_program(double limit_s, const char *program, ...)
{
  const char *argv[MAX_ARGUMENTS + 1] = {program};
  va_list ap;
  va_start(ap, program);
  for (size_t n = 1; n < MAX_ARGUMENTS && (argv[n] = va_arg(ap, const char *)) != NULL; n++) {
  }
  va_end(ap);
  return run_in(NULL, limit_s, argv);
}

void run_free(run_result *result)
{
  free(result->out);
  free(result->err);
  *result = (run_result){0};
}

const char *run_command_line(const char *const *argv)
{
  static char line[4096];
  size_t used = 0;
  line[0] = '\0';
  for (; *argv && used < sizeof line; argv++) {
    int n = snprintf(line + used, sizeof line - used, "%s%s", used ? " " : "", *argv);
    if (n < 0) break;
    used += (size_t)n;
  }
  return line;
}

char *temporary_folder(void)
{
  const char *base = getenv("TMPDIR");
  char *path;
  cr_assert(asprintf(&path, "%s/halognn-test-XXXXXX", base && *base ? base : "/tmp") > 0);
  cr_assert_not_null(mkdtemp(path), "no temporary folder: %s", strerror(errno));
  return path;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
  (void)info;
  (void)type;
  (void)where;
  return remove(path);
}

void temporary_folder_remove(char **folder)
{
  if (*folder) nftw(*folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  free(*folder);
  *folder = NULL;
}

const char *path_in(const char *folder, const char *name)
{
  static char paths[8][4096];
  static unsigned turn;
  char *path = paths[turn++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

void write_file(const char *path, const void *data, unsigned long size)
{
  FILE *file = fopen(path, "wb");
  cr_assert_not_null(file, "%s: %s", path, strerror(errno));
  cr_assert(fwrite(data, 1, size, file) == size && fclose(file) == 0, "%s: cannot write", path);
}

void write_text(const char *path, const char *content) { write_file(path, content, strlen(content)); }

const char *shared_data(const char *name)
{
  static char path[4096];
  const char *folder = getenv("SHARED_DATA");
  if (!folder) cr_skip_test("SHARED_DATA is not set: no data sets to test with");
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (access(path, R_OK) != 0) cr_skip_test("%s is not there", path);
  return path;
}
