#pragma once

/** The name of the NULL-ended list `names` that is nearest to `word` (edit distance), or NULL when none is near. */
const char *hg_suggest(const char *word, const char *const *names);
