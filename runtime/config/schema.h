#pragma once
#include "runtime/config/config.h"

typedef enum {
  HG_KEY_SECTION, ///< a map of keys; holds no value
  HG_KEY_TEXT,    ///< char[range->most + 1]
  HG_KEY_INTEGER, ///< int
  HG_KEY_SEED,    ///< uint64_t
  HG_KEY_REAL,    ///< double
  HG_KEY_BOOL,    ///< bool
  HG_KEY_CHOICE,  ///< an enum: the number of the word in `choices`
  HG_KEY_FLAGS,   ///< int, given as a list of words: bit i for choices[i]
} hg_key_type;

/** What a number may be; for texts `most` is the number of bytes. */
typedef struct {
  double least, most; ///< no bound: INFINITY, or INT_MAX for integers
  bool above, below;  ///< `least`, `most` itself is not allowed
  bool automatic;     ///< the word `auto` is allowed, and kept as -1
} hg_key_range;

/** A key of the config: everything in this folder is generic over the table of them. */
typedef struct {
  const char *name; ///< dotted: "train.epochs"
  hg_key_type type;
  size_t offset;              ///< of the field in hg_config
  const char *initial;        ///< the default, as hg_value_set takes it; of flags one word
  const hg_key_range *range;  ///< numbers and texts; or NULL
  const char *const *choices; ///< NULL-ended, in the enum's order; or NULL
  const char *help;           ///< one line
} hg_key;

enum { HG_KEY_COUNT = 101 };

/** All keys in the order of the file; a section stands before its keys. */
extern const hg_key hg_keys[HG_KEY_COUNT];

/** The key called `name`, or NULL. */
const hg_key *hg_key_find(const char *name);

/** The last part of the key's name: "epochs". */
const char *hg_key_leaf(const hg_key *key);

/** The name of the key that `name` was probably meant to be, or NULL. */
const char *hg_key_suggest(const char *name);

/** What the key takes, as messages and the documentation say it: "an integer of at least 1". */
void hg_key_expected(const hg_key *key, char *text, size_t size);
