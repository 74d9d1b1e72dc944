#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "crew.h"

TestSuite(strangers, .timeout = 60);

/** A ZeroMQ socket of the test, connected to the coordinator. */
typedef struct {
  void *context, *socket;
} line;

static line line_open(const crew *c, int type)
{
  char endpoint[HG_ADDRESS_SIZE];
  snprintf(endpoint, sizeof endpoint, "%s", c->address);
  *strrchr(endpoint, '#') = '\0';
  int linger = 500, timeout = 2000;
  line l = {.context = zmq_ctx_new()};
  l.socket = zmq_socket(l.context, type);
  zmq_setsockopt(l.socket, ZMQ_LINGER, &linger, sizeof linger);
  zmq_setsockopt(l.socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
  zmq_setsockopt(l.socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
  cr_assert_eq(zmq_connect(l.socket, endpoint), 0);
  return l;
}

static void line_close(line *l)
{
  zmq_close(l->socket);
  zmq_ctx_term(l->context);
}

/** Expects an ERROR with that text. */
static void expect_error(line *l, const char *text)
{
  char answer[HG_MESSAGE_BYTES];
  hg_message m;
  int n = zmq_recv(l->socket, answer, sizeof answer, 0);
  cr_assert_gt(n, 0, "no answer");
  cr_assert_eq(hg_message_decode(&m, answer, (size_t)n), HG_OK, "%s", hg_error_text());
  cr_expect_eq(m.kind, HG_MSG_ERROR);
  cr_expect_str_eq(m.text, text);
}

static void say(line *l, const char *text) { zmq_send(l->socket, text, strlen(text), 0); }

static void hello(line *l, const crew *c, int rank, int ranks)
{
  char text[HG_MESSAGE_BYTES];
  hg_message m = {.kind = HG_MSG_HELLO, .rank = rank, .ranks = ranks};
  size_t length;
  snprintf(m.token, sizeof m.token, "%s", strrchr(c->address, '#') + 1);
  cr_assert_eq(hg_message_encode(&m, text, &length), HG_OK);
  zmq_send(l->socket, text, length, 0);
}

static const char *const garbage[] = {
    "",
    "garbage",
    "{",
    "{}",
    "[1, 2]",
    "\"hello\"",
    "{\"version\": 2, \"kind\": \"hello\", \"rank\": 0, \"ranks\": 2, \"token\": \"\"}",
    "{\"version\": 1, \"kind\": \"hello\", \"rank\": 0, \"ranks\": 2, \"token\": \"0123456789abcdef0123456789abcdef\"}",
    "{\"version\": 1, \"kind\": \"bye\", \"status\": \"ok\"}",
    "{\"version\": 1, \"kind\": \"gradient\", \"count\": 1000000000000}",
    "\xff\xfe\x00\x01",
};

static void send_garbage(const crew *c, int type)
{
  line l = line_open(c, type);
  for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++) say(&l, garbage[k]);
  for (int k = 0; k < 5; k++) zmq_send(l.socket, "many frames", 11, k < 4 ? ZMQ_SNDMORE : 0);
  line_close(&l);
}

/** Longer than any message: the connection is closed. */
static void send_flood(const crew *c)
{
  static char flood[1 << 20];
  line l = line_open(c, ZMQ_DEALER);
  zmq_send(l.socket, flood, sizeof flood, 0);
  line_close(&l);
}

/** Not ZeroMQ at all. */
static void send_raw(const crew *c, const void *bytes, size_t n)
{
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  const char *path = c->address + strlen("ipc://");
  snprintf(at.sun_path, sizeof at.sun_path, "%.*s", (int)strcspn(path, "#"), path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  cr_assert_eq(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
  cr_expect_eq(write(fd, bytes, n), (ssize_t)n);
  close(fd);
}

static hg_status disturbed(crew_member *member, const hg_plan *plan, hg_report *report)
{
  (void)report;
  if (member->rank == 0 && plan->epoch % 10 == 0) send_garbage(member->of, ZMQ_DEALER);
  return HG_OK;
}

static void run_disturbed(hg_transport transport)
{
  static const unsigned char greeting[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
  crew *c = crew_new(2, 30, 10);
  c->config.coordinator.transport = transport;
  c->epoch = disturbed;
  crew_start(c);
  static const int types[] = {ZMQ_DEALER, ZMQ_REQ, ZMQ_PUB, ZMQ_PUSH};
  for (size_t k = 0; k < 2; k++) send_garbage(c, types[k]);
  for (size_t k = 2; k < 4; k++) { // refused by ZeroMQ's own handshake
    line l = line_open(c, types[k]);
    zmq_send(l.socket, "x", 1, ZMQ_DONTWAIT);
    line_close(&l);
  }
  send_flood(c);
  if (transport == HG_TRANSPORT_IPC) {
    send_raw(c, "GET / HTTP/1.1\r\n\r\n", 18);
    send_raw(c, greeting, sizeof greeting);
    send_raw(c, "", 0);
  }
  crew_run(c, 0, 2);
  for (int r = 0; r < 2; r++) crew_expect(c, r, HG_OK, "");
  crew_stop(c, NULL);
  crew_free(c);
}

Test(strangers, garbage_is_ignored_over_ipc) { run_disturbed(HG_TRANSPORT_IPC); }
Test(strangers, garbage_is_ignored_over_tcp) { run_disturbed(HG_TRANSPORT_TCP); }

Test(strangers, a_second_hello_of_a_rank_is_refused)
{
  crew *c = crew_new(2, 10, 10);
  crew_start(c);
  line first = line_open(c, ZMQ_DEALER), second = line_open(c, ZMQ_DEALER);
  hello(&first, c, 0, 2);
  usleep(200000);
  hello(&second, c, 0, 2);
  expect_error(&second, "rank 0 has said HELLO before");
  say(&first, "{\"version\": 1, \"kind\": \"bye\", \"status\": \"ok\"}");
  line_close(&first);
  line_close(&second);
  crew_stop(c, NULL);
  crew_free(c);
}

Test(strangers, a_hello_with_wrong_numbers_is_refused)
{
  crew *c = crew_new(2, 10, 10);
  crew_start(c);
  line l = line_open(c, ZMQ_DEALER);
  hello(&l, c, 0, 3);
  expect_error(&l, "rank 0 says that there are 3 ranks, expected 2");
  hello(&l, c, 2, 2);
  expect_error(&l, "found rank 2, expected 0 to 1");
  line_close(&l);
  crew_run(c, 0, 2); // and the run goes on
  for (int r = 0; r < 2; r++) crew_expect(c, r, HG_OK, "");
  crew_stop(c, NULL);
  crew_free(c);
}

static void expect_failure_after(const char *message, const char *failure)
{
  crew *c = crew_new(1, 10, 10);
  crew_start(c);
  line l = line_open(c, ZMQ_DEALER);
  hello(&l, c, 0, 1);
  say(&l, message);
  char text[HG_MESSAGE_BYTES];
  for (int k = 0; k < 3; k++) cr_assert_gt(zmq_recv(l.socket, text, sizeof text, 0), 0); // READY and two plans
  expect_error(&l, failure);
  say(&l, "{\"version\": 1, \"kind\": \"bye\", \"status\": \"io\"}");
  line_close(&l);
  crew_stop(c, failure);
  crew_free(c);
}

Test(strangers, bad_messages_of_a_worker_name_its_rank)
{
  static const char *const table[][2] = {
      {"nonsense", "rank 0 sent a bad message: found no JSON: '[' or '{' expected near 'nonsense', at byte 8"},
      {"{\"version\": 1, \"kind\": \"ready\"}", "rank 0 sent a ready message out of turn"},
      {"{\"version\": 1, \"kind\": \"gradient\", \"count\": 4}",
       "rank 0 sent a bad message: gradient: found 1 frames, expected 2"},
      {"{\"version\": 3, \"kind\": \"bye\", \"status\": \"ok\"}",
       "rank 0 sent a bad message: found version 3 of the protocol, expected 1"},
  };
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) expect_failure_after(table[k][0], table[k][1]);
}
