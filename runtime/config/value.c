#include "runtime/config/value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hg_status hg_value_wrong(const hg_key *key, const char *found, const char *where)
{
  enum { SHOWN = 60 };
  char excerpt[SHOWN + 4] = "", expected[256];
  size_t n = 0;
  for (; n < SHOWN && found[n]; n++) excerpt[n] = iscntrl((unsigned char)found[n]) ? '?' : found[n];
  if (found[n]) {
    while (n > 0 && ((unsigned char)found[n] & 0xc0) == 0x80) n--; // not within a UTF-8 character
    memcpy(excerpt + n, "...", 4);
  }
  hg_key_expected(key, expected, sizeof expected);
  return hg_fail(HG_ERR_INPUT, "%s: found '%s', expected %s", where, excerpt, expected);
}

static void *field(hg_config *config, const hg_key *key) { return (char *)config + key->offset; }
static const void *const_field(const hg_config *config, const hg_key *key)
{
  return (const char *)config + key->offset;
}

// The length of the UTF-8 character at p, 0 for a wrong one (cut, too long a form, surrogate, beyond Unicode)
static size_t utf8_length(const unsigned char *p)
{
  if (p[0] < 0x80) return 1;
  size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
  bool no_character = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
  return overlong || no_character ? 0 : n;
}

static hg_status set_text(char *out, const hg_key *key, const char *text, const char *where)
{
  size_t length = strlen(text);
  if (length > (size_t)key->range->most)
    return hg_fail(HG_ERR_INPUT, "%s: found text of %zu bytes, expected at most %.0f", where, length, key->range->most);
  for (const unsigned char *p = (const unsigned char *)text; *p;) {
    size_t n = utf8_length(p);
    if (n == 0) return hg_fail(HG_ERR_INPUT, "%s: found bytes that are not UTF-8, expected text", where);
    if (iscntrl(*p) || (p[0] == 0xc2 && p[1] < 0xa0))
      return hg_fail(HG_ERR_INPUT, "%s: found a control character, expected printable text", where);
    p += n;
  }
  memcpy(out, text, length + 1);
  return HG_OK;
}

static const char *skip_digits(const char *p)
{
  while (isdigit((unsigned char)*p)) p++;
  return p;
}

// Decimal integers only: 010 is 8 to some readers of YAML and 10 to others
static bool is_integer(const char *text)
{
  const char *p = text + (*text == '-' || *text == '+'), *end = skip_digits(p);
  return end > p && *end == '\0' && (p[0] != '0' || end == p + 1);
}

static bool is_real(const char *text)
{
  const char *p = text + (*text == '-' || *text == '+'), *point = skip_digits(p), *end = point;
  if (*point == '.') end = skip_digits(point + 1);
  if (end == p + (*point == '.')) return false; // no digit at all
  if (*end == 'e' || *end == 'E') {
    const char *exponent = end + 1 + (end[1] == '-' || end[1] == '+');
    end = skip_digits(exponent);
    if (end == exponent) return false;
  }
  return *end == '\0';
}

static bool in_range(const hg_key_range *r, double value)
{
  return isfinite(value) && (r->above ? value > r->least : value >= r->least) &&
         (r->below ? value < r->most : value <= r->most);
}

static hg_status set_number(void *out, const hg_key *key, const char *text, const char *where)
{
  bool automatic = key->range->automatic && strcmp(text, "auto") == 0;
  if (!automatic && !(key->type == HG_KEY_INTEGER ? is_integer(text) : is_real(text)))
    return hg_value_wrong(key, text, where);
  double value = automatic ? -1 : strtod(text, NULL);
  if (key->type == HG_KEY_INTEGER && value > key->range->most)
    return hg_fail(HG_ERR_INPUT, "%s: found '%.40s', expected at most %.0f", where, text, key->range->most);
  if (!automatic && !in_range(key->range, value)) return hg_value_wrong(key, text, where);
  if (key->type == HG_KEY_INTEGER)
    *(int *)out = (int)value;
  else
    *(double *)out = value == 0 ? 0 : value; // no negative zero
  return HG_OK;
}

static hg_status set_seed(uint64_t *out, const hg_key *key, const char *text, const char *where)
{
  errno = 0;
  unsigned long long value = strtoull(text, NULL, 10);
  if (!is_integer(text) || *text == '-' || errno == ERANGE) return hg_value_wrong(key, text, where);
  *out = value;
  return HG_OK;
}

static hg_status set_bool(bool *out, const hg_key *key, const char *text, const char *where)
{
  static const char *const words[] = {"false", "true", "False", "True", "FALSE", "TRUE"};
  for (int w = 0; w < 6; w++) {
    if (strcmp(text, words[w]) != 0) continue;
    *out = w % 2;
    return HG_OK;
  }
  return hg_value_wrong(key, text, where);
}

static int find_word(const hg_key *key, const char *word)
{
  for (int w = 0; key->choices[w]; w++)
    if (strcmp(word, key->choices[w]) == 0) return w;
  return -1;
}

static hg_status set_choice(int *out, const hg_key *key, const char *text, const char *where)
{
  int w = find_word(key, text);
  if (w < 0) return hg_value_wrong(key, text, where);
  *out = w;
  return HG_OK;
}

static bool is_nothing(const char *text)
{
  static const char *const words[] = {"", "~", "null", "Null", "NULL"};
  for (int w = 0; w < 5; w++)
    if (strcmp(text, words[w]) == 0) return true;
  return false;
}

hg_status hg_value_set(hg_config *config, const hg_key *key, const char *text, hg_value_style style, const char *where)
{
  char expected[256];
  hg_key_expected(key, expected, sizeof expected);
  if (style == HG_VALUE_PLAIN && is_nothing(text))
    return hg_fail(HG_ERR_INPUT, "%s: found nothing, expected %s", where, expected);
  bool wants_quotes = key->type == HG_KEY_TEXT || key->type == HG_KEY_CHOICE;
  if (style == HG_VALUE_QUOTED && !wants_quotes)
    return hg_fail(HG_ERR_INPUT, "%s: found text in quotes, expected %s", where, expected);
  switch (key->type) {
  case HG_KEY_TEXT:
    return set_text(field(config, key), key, text, where);
  case HG_KEY_INTEGER:
  case HG_KEY_REAL:
    return set_number(field(config, key), key, text, where);
  case HG_KEY_SEED:
    return set_seed(field(config, key), key, text, where);
  case HG_KEY_BOOL:
    return set_bool(field(config, key), key, text, where);
  case HG_KEY_CHOICE:
    return set_choice(field(config, key), key, text, where);
  case HG_KEY_SECTION:
  case HG_KEY_FLAGS:
    break;
  }
  return hg_value_wrong(key, text, where);
}

hg_status hg_value_add_flag(int *flags, const hg_key *key, const char *word, const char *where)
{
  int w = find_word(key, word);
  if (w < 0) return hg_value_wrong(key, word, where);
  if (*flags & (1 << w)) return hg_fail(HG_ERR_INPUT, "%s: found '%s' twice, expected it once", where, word);
  *flags |= 1 << w;
  return HG_OK;
}

hg_status hg_value_set_flags(hg_config *config, const hg_key *key, int flags, const char *where)
{
  char expected[256];
  hg_key_expected(key, expected, sizeof expected);
  if (flags == 0) return hg_fail(HG_ERR_INPUT, "%s: found an empty list, expected %s", where, expected);
  *(int *)field(config, key) = flags;
  return HG_OK;
}

int hg_value_flags(const hg_config *config, const hg_key *key) { return *(const int *)const_field(config, key); }

// The fewest digits that read back to the same number, with a point in it: 1e-05 alone is text to some readers of YAML
static void real_text(double value, char *text, size_t size)
{
  char digits[32];
  for (int precision = 1; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    bool needless_power = strstr(digits, "e+") && value < 1e15 && value > -1e15; // 6e+01
    if (strtod(digits, NULL) == value && !needless_power) break;
  }
  char *exponent = strchr(digits, 'e');
  int mantissa = exponent ? (int)(exponent - digits) : (int)strlen(digits);
  bool has_point = memchr(digits, '.', (size_t)mantissa) != NULL;
  snprintf(text, size, "%.*s%s%s", mantissa, digits, has_point ? "" : ".0", digits + mantissa);
}

static void flags_text(int flags, const hg_key *key, char *text, size_t size)
{
  size_t used = (size_t)snprintf(text, size, "[");
  for (int w = 0; key->choices[w]; w++)
    if (flags & (1 << w))
      used += (size_t)snprintf(text + used, size - used, "%s%s", used > 1 ? ", " : "", key->choices[w]);
  snprintf(text + used, size - used, "]");
}

void hg_value_text(const hg_config *config, const hg_key *key, char *text, size_t size)
{
  const void *value = const_field(config, key);
  bool automatic = key->range && key->range->automatic;
  switch (key->type) {
  case HG_KEY_SECTION:
    snprintf(text, size, "%s", "");
    return;
  case HG_KEY_TEXT:
    snprintf(text, size, "%s", (const char *)value);
    return;
  case HG_KEY_INTEGER:
    if (automatic && *(const int *)value < 0)
      snprintf(text, size, "auto");
    else
      snprintf(text, size, "%d", *(const int *)value);
    return;
  case HG_KEY_SEED:
    snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)value);
    return;
  case HG_KEY_BOOL:
    snprintf(text, size, "%s", *(const bool *)value ? "true" : "false");
    return;
  case HG_KEY_CHOICE:
    snprintf(text, size, "%s", key->choices[*(const int *)value]);
    return;
  case HG_KEY_FLAGS:
    flags_text(*(const int *)value, key, text, size);
    return;
  case HG_KEY_REAL:
    if (automatic && *(const double *)value < 0)
      snprintf(text, size, "auto");
    else
      real_text(*(const double *)value, text, size);
    return;
  }
}
