#pragma once
#include "runtime/config/schema.h"

/** How a value was written: without quotes it may be a number, a word or nothing; quoted it is text. */
typedef enum { HG_VALUE_PLAIN, HG_VALUE_QUOTED } hg_value_style;

enum { HG_VALUE_TEXT_MAX = 8 * HG_PATH_MAX };

/**
 * Sets the key's field from text, checking type and range. Not for sections and flags.
 * @param where   begins the message: "cora.yaml:3: train.epochs"
 * @return        HG_ERR_INPUT: "WHERE: found X, expected Y"; the field is as it was then
 */
hg_status hg_value_set(hg_config *config, const hg_key *key, const char *text, hg_value_style style, const char *where);

/** Adds one word to *flags, which begins at 0. The same errors; a word given twice is one. */
hg_status hg_value_add_flag(int *flags, const hg_key *key, const char *word, const char *where);

/** Stores a complete set of flags; none at all is HG_ERR_INPUT. */
hg_status hg_value_set_flags(hg_config *config, const hg_key *key, int flags, const char *where);

/** The value as text that hg_value_set reads back to the same bits; flags as "[nodes, edges]". */
void hg_value_text(const hg_config *config, const hg_key *key, char *text, size_t size);

int hg_value_flags(const hg_config *config, const hg_key *key);

/** Fails with "WHERE: found X, expected Y"; long or unprintable text is shortened for the message. */
hg_status hg_value_wrong(const hg_key *key, const char *found, const char *where);
