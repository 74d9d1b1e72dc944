#include "core/base/suggest.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 64 };

// Levenshtein distance by one row of the table
static size_t distance(const char *a, const char *b)
{
  size_t n = strlen(a), m = strlen(b), row[LONGEST + 1];
  if (n > LONGEST || m > LONGEST) return LONGEST;
  for (size_t j = 0; j <= m; j++) row[j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[m];
}

const char *hg_suggest(const char *word, const char *const *names)
{
  const char *nearest = NULL;
  size_t least = strlen(word) / 3 + 2; // more edits than that is another word
  for (; *names; names++) {
    size_t d = distance(word, *names);
    if (d < least) {
      least = d;
      nearest = *names;
    }
  }
  return nearest;
}
