#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "runtime/config/value.h"

static void expect_same(const hg_config *a, const hg_config *b, const char *yaml)
{
  for (const hg_key *key = hg_keys; key < hg_keys + HG_KEY_COUNT; key++) {
    const char *p = (const char *)a + key->offset, *q = (const char *)b + key->offset;
    bool same = true;
    switch (key->type) {
    case HG_KEY_SECTION:
      break;
    case HG_KEY_TEXT:
      same = strcmp(p, q) == 0;
      break;
    case HG_KEY_BOOL:
      same = *(const bool *)p == *(const bool *)q;
      break;
    case HG_KEY_SEED:
      same = memcmp(p, q, sizeof(uint64_t)) == 0;
      break;
    case HG_KEY_REAL:
      same = memcmp(p, q, sizeof(double)) == 0;
      break;
    default:
      same = memcmp(p, q, sizeof(int)) == 0;
      break;
    }
    cr_expect(same, "%s came back otherwise from\n%s", key->name, yaml);
  }
}

static void expect_round_trip(const hg_config *config)
{
  char *yaml = NULL, *again = NULL;
  cr_assert_eq(hg_config_print(config, &yaml), HG_OK, "%s", hg_error_text());
  hg_config back = hg_config_default();
  cr_assert_eq(hg_config_parse(&back, yaml, strlen(yaml), "printed"), HG_OK, "%s in\n%s", hg_error_text(), yaml);
  expect_same(config, &back, yaml);
  cr_assert_eq(hg_config_print(&back, &again), HG_OK, "%s", hg_error_text());
  cr_expect_str_eq(yaml, again);
  hg_free(&yaml);
  hg_free(&again);
}

static void random_text(char *text, hg_rng rng, uint64_t key)
{
  static const char *const pieces[] = {"a",
                                       "Z",
                                       "0",
                                       " ",
                                       "#",
                                       ":",
                                       "\"",
                                       "'",
                                       "\\",
                                       "- ",
                                       ": ",
                                       " #",
                                       "[",
                                       "{",
                                       "&",
                                       "*",
                                       "!",
                                       "|",
                                       ">",
                                       "%",
                                       "@",
                                       "true",
                                       "null",
                                       "\xc3\xa9",
                                       "\xf0\x9f\x98\x80",
                                       "\xe2\x80\xa8",
                                       "~",
                                       "1e3",
                                       ".",
                                       "/",
                                       "\xef\xbb\xbf",
                                       "?",
                                       ",",
                                       "\xef\xbf\xbe"};
  uint64_t n = hg_rng_below(rng, key, 100, 12);
  text[0] = '\0';
  for (uint64_t i = 0, used = 0; i < n; i++)
    used += (uint64_t)snprintf(text + used, HG_NAME_MAX - used, "%s",
                               pieces[hg_rng_below(rng, key, (uint32_t)i, sizeof pieces / sizeof *pieces)]);
}

static double random_real(const hg_key_range *range, hg_rng rng, uint64_t key)
{
  double u = hg_rng_uniform(rng, key, 0);
  if (range->most < 1e9) return range->least + (u == 0 ? 0.5 : u) * (range->most - range->least);
  uint32_t words[4];
  double any = 0;
  hg_rng_words(rng, key, 1, words);
  words[1] = (words[1] & 0x7fffffffu) % 0x7ff00000u; // positive and finite, of any size
  memcpy(&any, words, sizeof any);
  return any > 0 ? any : 1;
}

static void randomize(hg_config *c, const hg_key *key, hg_rng rng, uint64_t draw)
{
  char *p = (char *)c + key->offset;
  int choices = 0;
  while (key->choices && key->choices[choices]) choices++;
  switch (key->type) {
  case HG_KEY_SECTION:
    return;
  case HG_KEY_TEXT:
    random_text(p, rng, draw);
    return;
  case HG_KEY_BOOL:
    *(bool *)p = hg_rng_below(rng, draw, 0, 2);
    return;
  case HG_KEY_SEED:
    *(uint64_t *)p = hg_rng_below(rng, draw, 0, UINT64_MAX);
    return;
  case HG_KEY_REAL:
    *(double *)p = random_real(key->range, rng, draw);
    return;
  case HG_KEY_CHOICE:
    *(int *)p = (int)hg_rng_below(rng, draw, 0, (uint64_t)choices);
    return;
  case HG_KEY_FLAGS:
    *(int *)p = 1 + (int)hg_rng_below(rng, draw, 0, (1u << choices) - 1);
    return;
  case HG_KEY_INTEGER:
    *(int *)p =
        (int)(key->range->least + (double)hg_rng_below(rng, draw, 0, (uint64_t)(key->range->most - key->range->least)));
    return;
  }
}

Test(config_print, defaults_come_back)
{
  hg_config c = hg_config_default();
  expect_round_trip(&c);
}

Test(config_print, random_configs_come_back_to_the_same_bits)
{
  for (uint64_t seed = 0; seed < 500; seed++) {
    hg_rng rng = {.seed = seed, .stream = HG_STREAM_TEST};
    hg_config c = hg_config_default();
    for (int k = 0; k < HG_KEY_COUNT; k++) randomize(&c, &hg_keys[k], rng, (uint64_t)k);
    expect_round_trip(&c);
  }
}

Test(config_print, numbers_have_the_fewest_digits_and_a_point)
{
  static const struct {
    double value;
    const char *text;
  } cases[] = {
      {0.1, "0.1"},      {60, "60.0"},           {5e-4, "0.0005"}, {1e-8, "1.0e-08"},   {1.0 / 3, "0.3333333333333333"},
      {1e22, "1.0e+22"}, {1234567, "1234567.0"}, {0, "0.0"},       {5e-324, "5.0e-324"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hg_config c = hg_config_default();
    char text[64];
    c.train.weight_decay = cases[i].value;
    hg_value_text(&c, hg_key_find("train.weight_decay"), text, sizeof text);
    cr_expect_str_eq(text, cases[i].text);
  }
}

static void expect_line(const char *name, const char *line)
{
  hg_config c = hg_config_default();
  char *yaml = NULL;
  snprintf(c.name, sizeof c.name, "%s", name);
  cr_assert_eq(hg_config_print(&c, &yaml), HG_OK);
  *strchr(yaml, '\n') = '\0';
  cr_expect_str_eq(yaml, line);
  hg_free(&yaml);
}

Test(config_print, texts_are_quoted_when_a_reader_could_take_them_for_something_else)
{
  expect_line("cora_gcn-2.b", "name: cora_gcn-2.b");
  expect_line("true", "name: \"true\"");
  expect_line("No", "name: \"No\"");
  expect_line("12", "name: \"12\"");
  expect_line("", "name: \"\"");
  expect_line("a b", "name: \"a b\"");
  expect_line("a\"b", "name: \"a\\\"b\"");
}

Test(config_print, the_schema_documents_every_key)
{
  char *plain = NULL, *markdown = NULL, word[128];
  cr_assert_eq(hg_config_schema(&plain), HG_OK);
  cr_assert_eq(hg_config_schema_markdown(&markdown), HG_OK);
  for (const hg_key *key = hg_keys; key < hg_keys + HG_KEY_COUNT; key++) {
    snprintf(word, sizeof word, "%s:", hg_key_leaf(key));
    cr_expect(strstr(plain, word) && strstr(plain, key->help), "%s", key->name);
    snprintf(word, sizeof word, key->type == HG_KEY_SECTION ? "### %s:" : "| `%s` |", key->name);
    cr_expect(strstr(markdown, word) && strstr(markdown, key->help), "%s", key->name);
  }
  hg_free(&plain);
  hg_free(&markdown);
}
