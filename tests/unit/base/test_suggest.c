#include <criterion/criterion.h>
#include <string.h>

#include "core/base/suggest.h"

TestSuite(suggest);

static const char *const names[] = {"train", "predict", "partition", "export", "info", NULL};

Test(suggest, finds_the_nearest_name)
{
  static const char *const pairs[][2] = {
      {"trian", "train"},  {"train", "train"},         {"tran", "train"},
      {"trainn", "train"}, {"partitoin", "partition"}, {"predic", "predict"},
      {"inf", "info"},     {"exprot", "export"},       {"part1t1on", "partition"},
  };
  for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
    const char *found = hg_suggest(pairs[k][0], names);
    cr_expect(found && strcmp(found, pairs[k][1]) == 0, "%s: found %s", pairs[k][0], found ? found : "nothing");
  }
}

Test(suggest, finds_nothing_for_another_word)
{
  static const char *const words[] = {"", "x", "bicycle", "trainandpartition", "zzzzzzzzz"};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++) cr_expect_null(hg_suggest(words[k], names), "%s", words[k]);
}

Test(suggest, takes_the_first_of_two_that_are_as_near)
{
  const char *const twins[] = {"cat", "car", NULL};
  cr_expect_str_eq(hg_suggest("cax", twins), "cat");
}

Test(suggest, survives_long_words_and_an_empty_list)
{
  const char *const none[] = {NULL};
  char word[1000];
  memset(word, 'a', sizeof word - 1);
  word[sizeof word - 1] = '\0';
  cr_expect_null(hg_suggest("train", none));
  const char *const long_names[] = {word, NULL};
  cr_expect_null(hg_suggest("a", long_names));
  (void)hg_suggest(word, names);
}
