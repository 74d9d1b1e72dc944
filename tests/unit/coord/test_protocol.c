#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/coord/protocol.h"

static hg_message round_trip(const hg_message *message)
{
  char text[HG_MESSAGE_BYTES];
  size_t length = 0;
  hg_message result = {.kind = HG_MSG_KINDS};
  cr_assert_eq(hg_message_encode(message, text, &length), HG_OK, "%s", hg_error_text());
  cr_assert_eq(strlen(text), length);
  cr_assert_eq(hg_message_decode(&result, text, length), HG_OK, "%s: %s", text, hg_error_text());
  cr_assert_eq(result.kind, message->kind);
  return result;
}

Test(protocol, hello_comes_back)
{
  const hg_message m = {.kind = HG_MSG_HELLO, .rank = 3, .ranks = INT_MAX, .token = "0123456789abcdef0123456789abcdef"};
  hg_message r = round_trip(&m);
  cr_expect_eq(r.rank, 3);
  cr_expect_eq(r.ranks, INT_MAX);
  cr_expect_str_eq(r.token, m.token);
}

Test(protocol, a_plan_comes_back_with_all_its_bits)
{
  for (int k = 0; k < 16; k++) {
    const hg_message m = {.kind = HG_MSG_PLAN,
                          .plan = {.epoch = 1 + k,
                                   .learning_rate = 0.1 / (k + 3),
                                   .sync = (hg_sync)(k % 3),
                                   .average = k & 1,
                                   .evaluate = k & 2,
                                   .checkpoint = k & 4,
                                   .stop = k & 8}};
    hg_message r = round_trip(&m);
    cr_expect_eq(r.plan.epoch, m.plan.epoch);
    cr_expect_eq(r.plan.learning_rate, m.plan.learning_rate);
    cr_expect_eq(r.plan.sync, m.plan.sync);
    cr_expect_eq(r.plan.average, m.plan.average);
    cr_expect_eq(r.plan.evaluate, m.plan.evaluate);
    cr_expect_eq(r.plan.checkpoint, m.plan.checkpoint);
    cr_expect_eq(r.plan.stop, m.plan.stop);
  }
}

Test(protocol, a_report_comes_back_with_all_its_bits)
{
  static const double losses[] = {0.0, -0.0, 1.0 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
                                  1,   -7,   0.1};
  for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
    const hg_message m = {.kind = HG_MSG_REPORT,
                          .report = {.epoch = INT_MAX,
                                     .train_loss = losses[k],
                                     .evaluated = k & 1,
                                     .val_metric = -losses[k],
                                     .seconds = losses[k] / 7,
                                     .halo_bytes = INT64_MAX,
                                     .peak_rss_bytes = 1}};
    hg_message r = round_trip(&m);
    cr_expect_eq(memcmp(&r.report.train_loss, &losses[k], sizeof *losses), 0, "%.17g came back as %.17g", losses[k],
                 r.report.train_loss);
    cr_expect_eq(r.report.val_metric, m.report.val_metric);
    cr_expect_eq(r.report.seconds, m.report.seconds);
    cr_expect_eq(r.report.evaluated, m.report.evaluated);
    cr_expect_eq(r.report.halo_bytes, INT64_MAX);
    cr_expect_eq(r.report.peak_rss_bytes, 1);
  }
}

Test(protocol, what_is_not_a_finite_number_comes_back_as_nan)
{
  static const float odd[] = {NAN, INFINITY, -INFINITY};
  for (int k = 0; k < 3; k++) {
    const hg_message m = {.kind = HG_MSG_REPORT, .report = {.epoch = 1, .train_loss = (double)odd[k]}};
    cr_expect(isnan(round_trip(&m).report.train_loss));
  }
}

Test(protocol, the_other_kinds_come_back)
{
  const hg_message ready = {.kind = HG_MSG_READY}, gradient = {.kind = HG_MSG_GRADIENT, .count = (int64_t)1 << 40},
                   sum = {.kind = HG_MSG_SUM, .count = 0};
  round_trip(&ready);
  cr_expect_eq(round_trip(&gradient).count, gradient.count);
  cr_expect_eq(round_trip(&sum).count, 0);
  for (int status = HG_OK; status <= HG_STOPPED; status++) {
    const hg_message bye = {.kind = HG_MSG_BYE, .status = (hg_status)status};
    cr_expect_eq((int)round_trip(&bye).status, status);
  }
}

Test(protocol, the_text_of_an_error_comes_back_even_when_it_is_long_or_odd)
{
  hg_message m = {.kind = HG_MSG_ERROR};
  memset(m.text, 1, sizeof m.text - 1); // the longest in JSON: \u0001 each
  cr_expect_str_eq(round_trip(&m).text, m.text);
  snprintf(m.text, sizeof m.text, "quotes \" and \\ and \n and \xc3\xa9");
  cr_expect_str_eq(round_trip(&m).text, m.text);
  snprintf(m.text, sizeof m.text, "not UTF-8: \xff\xfe.");
  cr_expect_str_eq(round_trip(&m).text, "not UTF-8: ??.");
}

#define HEAD "{\"version\": 1, \"kind\": "
#define PLAN HEAD "\"plan\", \"epoch\": 1, \"learning_rate\": 0.5, "

static const struct {
  const char *text, *error;
} bad[] = {
    {"", "found no JSON: '[' or '{' expected near end of file, at byte 0"},
    {"{\"version\": 1", "found no JSON: '}' expected near end of file, at byte 13"},
    {"[]", "found an array, expected an object"},
    {"{}", "found no version, expected version 1"},
    {"{\"version\": \"1\"}", "found no version, expected version 1"},
    {"{\"version\": 1.0, \"kind\": \"ready\"}", "found no version, expected version 1"},
    {"{\"version\": 2, \"kind\": \"ready\"}", "found version 2 of the protocol, expected 1"},
    {"{\"version\": 1}", "found no kind, expected hello, ready, plan, ..."},
    {HEAD "7}", "found no kind, expected hello, ready, plan, ..."},
    {HEAD "\"helo\"}", "found a message of kind \"helo\", which is not known"},
    {HEAD "\"ready\", \"kind\": \"ready\"}", "found no JSON: duplicate object key near '\"kind\"', at byte 38"},
    {HEAD "\"ready\", \"extra\": 1}", "ready: found the field \"extra\", which is not known"},
    {HEAD "\"ready\"} {}", "found no JSON: end of file expected near '{', at byte 33"},
    {HEAD "\"hello\"}", "hello: rank is missing"},
    {HEAD "\"hello\", \"rank\": \"0\"}", "hello: rank: found a string, expected an integer"},
    {HEAD "\"hello\", \"rank\": 0.0}", "hello: rank: found a real, expected an integer"},
    {HEAD "\"hello\", \"rank\": -1}", "hello: rank: found -1, expected 0 to 2147483647"},
    {HEAD "\"hello\", \"rank\": 4294967296}", "hello: rank: found 4294967296, expected 0 to 2147483647"},
    {HEAD "\"hello\", \"rank\": 99999999999999999999}",
     "found no JSON: too big integer near '99999999999999999999', at byte 60"},
    {HEAD "\"hello\", \"rank\": 0, \"ranks\": 0}", "hello: ranks: found 0, expected 1 to 2147483647"},
    {HEAD "\"hello\", \"rank\": 0, \"ranks\": 1, \"token\": 5}", "hello: token: found an integer, expected a string"},
    {HEAD "\"hello\", \"rank\": 0, \"ranks\": 1, \"token\": \"0123456789abcdef0123456789abcdef0\"}",
     "hello: token: found 33 bytes, expected less than 33"},
    {HEAD "\"plan\", \"epoch\": 0}", "plan: epoch: found 0, expected 1 to 2147483647"},
    {HEAD "\"plan\", \"epoch\": 1, \"learning_rate\": \"NaN\"}",
     "plan: learning_rate: found a string, expected a number or null"},
    {HEAD "\"plan\", \"epoch\": 1, \"learning_rate\": NaN}", "found no JSON: invalid token near 'NaN', at byte 63"},
    {HEAD "\"plan\", \"epoch\": 1, \"learning_rate\": 1e999}",
     "found no JSON: real number overflow near '1e999', at byte 65"},
    {PLAN "\"sync\": 1}", "plan: sync: found an integer, expected a string"},
    {PLAN "\"sync\": \"never\"}", "plan: sync: found \"never\", which is not known"},
    {PLAN "\"sync\": \"local\", \"average\": 1}", "plan: average: found an integer, expected true or false"},
    {PLAN "\"sync\": \"local\", \"average\": null}", "plan: average: found null, expected true or false"},
    {PLAN "\"sync\": \"local\", \"average\": true, \"evaluate\": true, \"checkpoint\": true}", "plan: stop is missing"},
    {HEAD "\"report\", \"epoch\": 1, \"train_loss\": true}",
     "report: train_loss: found true, expected a number or null"},
    {HEAD "\"gradient\", \"count\": -5}", "gradient: count: found -5, expected 0 to 1152921504606846975"},
    {HEAD "\"gradient\", \"count\": 9223372036854775807}",
     "gradient: count: found 9223372036854775807, expected 0 to 1152921504606846975"},
    {HEAD "\"bye\", \"status\": 0}", "bye: status: found an integer, expected a string"},
    {HEAD "\"bye\", \"status\": \"fine\"}", "bye: status: found \"fine\", which is not known"},
    {"{\x1b[2J\n", "found no JSON: string or '}' expected near '?', at byte 2"},
    {HEAD "\"error\", \"text\": [1]}", "error: text: found an array, expected a string"},
};

Test(protocol, bad_messages_are_refused_with_their_cause)
{
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    hg_message m = {.kind = HG_MSG_READY, .rank = 77};
    cr_expect_eq(hg_message_decode(&m, bad[k].text, strlen(bad[k].text)), HG_ERR_INPUT, "taken: %s", bad[k].text);
    cr_expect_str_eq(hg_error_text(), bad[k].error, "%s\n  found: %s\n  expected: %s", bad[k].text, hg_error_text(),
                     bad[k].error);
    cr_expect(m.kind == HG_MSG_READY && m.rank == 77, "changed by %s", bad[k].text);
  }
}

Test(protocol, long_and_deep_messages_are_refused)
{
  static char text[2 * HG_MESSAGE_BYTES];
  hg_message m;
  memset(text, '[', sizeof text);
  cr_expect_eq(hg_message_decode(&m, text, HG_MESSAGE_BYTES - 1), HG_ERR_INPUT);
  cr_expect_eq(hg_message_decode(&m, text, sizeof text), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "found a message of 8192 bytes, expected less than 4096");
}

Test(protocol, every_truncation_of_a_message_is_refused)
{
  char text[HG_MESSAGE_BYTES];
  size_t length;
  const hg_message m = {.kind = HG_MSG_PLAN, .plan = {.epoch = 5, .learning_rate = 0.1}};
  cr_assert_eq(hg_message_encode(&m, text, &length), HG_OK);
  for (size_t n = 0; n < length; n++) {
    hg_message r;
    cr_expect_eq(hg_message_decode(&r, text, n), HG_ERR_INPUT, "%zu bytes of %zu were taken", n, length);
  }
}
