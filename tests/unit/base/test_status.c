#include <criterion/criterion.h>
#include <string.h>

#include "core/base/status.h"
#include "core/base/types.h"

enum { TEXT_BYTES = 1024 };

TestSuite(status);

Test(status, failing_returns_the_code_and_keeps_the_message)
{
  cr_expect_eq(hg_fail(HG_ERR_IO, "%s: line %d", "a.txt", 3), HG_ERR_IO);
  cr_expect_str_eq(hg_error_text(), "a.txt: line 3");
}

Test(status, a_message_may_quote_the_one_before)
{
  (void)hg_fail(HG_ERR_INPUT, "cause");
  (void)hg_fail(HG_ERR_INPUT, "new: %s, again: %s", hg_error_text(), hg_error_text());
  cr_expect_str_eq(hg_error_text(), "new: cause, again: cause");
}

Test(status, contexts_go_in_front)
{
  hg_status rc = hg_fail(HG_ERR_INPUT, "no such key");
  rc = hg_context(hg_context(rc, "line %d", 7), "%s", "x.yaml");
  cr_expect_eq(rc, HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "x.yaml: line 7: no such key");
}

Test(status, a_context_of_success_changes_nothing)
{
  (void)hg_fail(HG_ERR_INPUT, "older");
  cr_expect_eq(hg_context(HG_OK, "x"), HG_OK);
  cr_expect_str_eq(hg_error_text(), "older");
}

Test(status, a_context_may_quote_the_message)
{
  (void)hg_fail(HG_ERR_INPUT, "cause");
  (void)hg_context(HG_ERR_INPUT, "because of <%s>", hg_error_text());
  cr_expect_str_eq(hg_error_text(), "because of <cause>: cause");
}

Test(status, long_messages_are_cut_not_overrun)
{
  char line[3 * TEXT_BYTES];
  memset(line, 'x', sizeof line - 1);
  line[sizeof line - 1] = '\0';
  (void)hg_fail(HG_ERR_INPUT, "%s", line);
  cr_expect_eq(strlen(hg_error_text()), TEXT_BYTES - 1);
  (void)hg_context(HG_ERR_INPUT, "file");
  cr_expect_eq(strncmp(hg_error_text(), "file: xxx", 9), 0, "%.20s", hg_error_text());
  cr_expect_lt(strlen(hg_error_text()), TEXT_BYTES);
  (void)hg_context(HG_ERR_INPUT, "%s", line);
  cr_expect_eq(strlen(hg_error_text()), TEXT_BYTES - 1);
  cr_expect_eq(strspn(hg_error_text(), "x"), TEXT_BYTES - 1, "the context comes first");
  for (size_t n = TEXT_BYTES - 5; n < TEXT_BYTES + 2; n++) { // around the place where the message stops fitting
    (void)hg_fail(HG_ERR_INPUT, "cause");
    (void)hg_context(HG_ERR_INPUT, "%.*s", (int)n, line);
    cr_expect_lt(strlen(hg_error_text()), TEXT_BYTES);
  }
}

Test(status, exit_statuses_are_those_of_the_command_line)
{
  cr_expect_eq(hg_exit_status(HG_OK), 0);
  cr_expect_eq(hg_exit_status(HG_ERR_INPUT), 2);
  cr_expect_eq(hg_exit_status(HG_ERR_IO), 1);
  cr_expect_eq(hg_exit_status(HG_ERR_MEMORY), 1);
  cr_expect_eq(hg_exit_status(HG_ERR_NUMERIC), 1);
  cr_expect_eq(hg_exit_status(HG_ERR_INTERNAL), 1);
  cr_expect_eq(hg_exit_status(HG_STOPPED), 75);
}

static hg_status tries(hg_status first, int *reached)
{
  hg_status rc = HG_OK;
  HG_TRY(first);
  *reached = 1;
done:
  return rc;
}

Test(status, try_leaves_at_the_first_failure)
{
  int reached = 0;
  cr_expect_eq(tries(HG_ERR_MEMORY, &reached), HG_ERR_MEMORY);
  cr_expect_eq(reached, 0);
  cr_expect_eq(tries(HG_OK, &reached), HG_OK);
  cr_expect_eq(reached, 1);
}

Test(status, narrowing_fails_where_it_does_not_fit)
{
  int32_t narrow = 5;
  cr_expect_eq(hg_to_i32(&narrow, INT32_MAX, "nodes"), HG_OK);
  cr_expect_eq(narrow, INT32_MAX);
  cr_expect_eq(hg_to_i32(&narrow, INT32_MIN, "nodes"), HG_OK);
  cr_expect_eq(narrow, INT32_MIN);
  cr_expect_eq(hg_to_i32(&narrow, (int64_t)INT32_MAX + 1, "nodes"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "nodes: found 2147483648, expected at most 2147483647");
  cr_expect_eq(hg_to_i32(&narrow, (int64_t)INT32_MIN - 1, "nodes"), HG_ERR_INPUT);
  cr_expect_eq(narrow, INT32_MIN, "unchanged on failure");
}
