#include "runtime/coord/protocol.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef enum { FIELD_INT, FIELD_INT64, FIELD_REAL, FIELD_BOOL, FIELD_TEXT, FIELD_NAME } field_type;

static const char *const kinds[HG_MSG_KINDS + 1] = {"hello", "ready", "plan",  "report", "gradient",
                                                    "sum",   "bye",   "error", NULL};
static const char *const syncs[] = {
    [HG_SYNC_ALLREDUCE] = "allreduce", [HG_SYNC_LOCAL] = "local", [HG_SYNC_COORDINATOR] = "coordinator", NULL};
static const char *const statuses[] = {[HG_OK] = "ok",
                                       [HG_ERR_INPUT] = "input",
                                       [HG_ERR_IO] = "io",
                                       [HG_ERR_MEMORY] = "memory",
                                       [HG_ERR_NUMERIC] = "numeric",
                                       [HG_ERR_INTERNAL] = "internal",
                                       [HG_STOPPED] = "stopped",
                                       NULL};
_Static_assert(sizeof(hg_sync) == sizeof(int) && sizeof(hg_status) == sizeof(int), "FIELD_NAME copies an int");

/** One field of one kind of message: its name in JSON and its place in hg_message. */
typedef struct {
  hg_message_kind kind;
  field_type type;
  const char *name;
  size_t offset;
  int64_t low, high;        ///< integers: the range; text: `high` is the size with its NUL
  const char *const *names; ///< of an enum's values
} field;

static const field fields[] = {
    {HG_MSG_HELLO, FIELD_INT, "rank", offsetof(hg_message, rank), 0, INT_MAX, NULL},
    {HG_MSG_HELLO, FIELD_INT, "ranks", offsetof(hg_message, ranks), 1, INT_MAX, NULL},
    {HG_MSG_HELLO, FIELD_TEXT, "token", offsetof(hg_message, token), 0, HG_TOKEN_SIZE, NULL},
    {HG_MSG_PLAN, FIELD_INT, "epoch", offsetof(hg_message, plan.epoch), 1, INT_MAX, NULL},
    {HG_MSG_PLAN, FIELD_REAL, "learning_rate", offsetof(hg_message, plan.learning_rate), 0, 0, NULL},
    {HG_MSG_PLAN, FIELD_NAME, "sync", offsetof(hg_message, plan.sync), 0, 0, syncs},
    {HG_MSG_PLAN, FIELD_BOOL, "average", offsetof(hg_message, plan.average), 0, 0, NULL},
    {HG_MSG_PLAN, FIELD_BOOL, "evaluate", offsetof(hg_message, plan.evaluate), 0, 0, NULL},
    {HG_MSG_PLAN, FIELD_BOOL, "checkpoint", offsetof(hg_message, plan.checkpoint), 0, 0, NULL},
    {HG_MSG_PLAN, FIELD_BOOL, "stop", offsetof(hg_message, plan.stop), 0, 0, NULL},
    {HG_MSG_REPORT, FIELD_INT, "epoch", offsetof(hg_message, report.epoch), 1, INT_MAX, NULL},
    {HG_MSG_REPORT, FIELD_REAL, "train_loss", offsetof(hg_message, report.train_loss), 0, 0, NULL},
    {HG_MSG_REPORT, FIELD_BOOL, "evaluated", offsetof(hg_message, report.evaluated), 0, 0, NULL},
    {HG_MSG_REPORT, FIELD_REAL, "val_metric", offsetof(hg_message, report.val_metric), 0, 0, NULL},
    {HG_MSG_REPORT, FIELD_REAL, "seconds", offsetof(hg_message, report.seconds), 0, 0, NULL},
    {HG_MSG_REPORT, FIELD_INT64, "halo_bytes", offsetof(hg_message, report.halo_bytes), 0, INT64_MAX, NULL},
    {HG_MSG_REPORT, FIELD_INT64, "peak_rss_bytes", offsetof(hg_message, report.peak_rss_bytes), 0, INT64_MAX, NULL},
    {HG_MSG_GRADIENT, FIELD_INT64, "count", offsetof(hg_message, count), 0, INT64_MAX / (int64_t)sizeof(double), NULL},
    {HG_MSG_SUM, FIELD_INT64, "count", offsetof(hg_message, count), 0, INT64_MAX / (int64_t)sizeof(double), NULL},
    {HG_MSG_BYE, FIELD_NAME, "status", offsetof(hg_message, status), 0, 0, statuses},
    {HG_MSG_ERROR, FIELD_TEXT, "text", offsetof(hg_message, text), 0, HG_ERROR_SIZE, NULL},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

const char *hg_message_name(hg_message_kind kind) { return kinds[kind]; }
const char *hg_message_status(hg_status status) { return statuses[status]; }

static int find_name(const char *const *names, const char *name)
{
  for (int k = 0; names[k]; k++)
    if (strcmp(names[k], name) == 0) return k;
  return -1;
}

static json_t *encode_name(const char *const *names, int value)
{
  for (int k = 0; names[k]; k++)
    if (k == value) return json_string(names[k]);
  return NULL;
}

static json_t *encode_text(const char *text)
{
  json_t *value = json_string(text);
  if (value) return value;
  char plain[HG_ERROR_SIZE]; // not UTF-8: a file's name can be any bytes
  size_t n = 0;
  for (; n < sizeof plain - 1 && text[n]; n++) plain[n] = (char)((unsigned char)text[n] < 128 ? text[n] : '?');
  plain[n] = '\0';
  return json_string(plain);
}

static json_t *encode_field(const field *f, const hg_message *message)
{
  const char *at = (const char *)message + f->offset;
  int integer;
  int64_t wide;
  double real;
  bool truth;
  switch (f->type) {
  case FIELD_INT:
    memcpy(&integer, at, sizeof integer);
    return json_integer(integer);
  case FIELD_INT64:
    memcpy(&wide, at, sizeof wide);
    return json_integer(wide);
  case FIELD_REAL:
    memcpy(&real, at, sizeof real);
    return isfinite(real) ? json_real(real) : json_null();
  case FIELD_BOOL:
    memcpy(&truth, at, sizeof truth);
    return json_boolean(truth);
  case FIELD_NAME:
    memcpy(&integer, at, sizeof integer);
    return encode_name(f->names, integer);
  case FIELD_TEXT:
    return encode_text(at);
  }
  return NULL;
}

hg_status hg_message_encode(const hg_message *message, char *text, size_t *length)
{
  json_t *object = json_object();
  bool failed = !object || json_object_set_new(object, "version", json_integer(HG_PROTOCOL_VERSION)) != 0 ||
                json_object_set_new(object, "kind", json_string(kinds[message->kind])) != 0;
  for (int k = 0; k < N_FIELDS && !failed; k++)
    if (fields[k].kind == message->kind)
      failed = json_object_set_new(object, fields[k].name, encode_field(&fields[k], message)) != 0;
  size_t bytes = failed ? 0 : json_dumpb(object, text, HG_MESSAGE_BYTES - 1, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(object);
  if (failed || bytes == 0) return hg_fail(HG_ERR_MEMORY, "out of memory: a message to encode");
  if (bytes >= HG_MESSAGE_BYTES)
    return hg_fail(HG_ERR_INTERNAL, "a %s message of %zu bytes", kinds[message->kind], bytes);
  text[bytes] = '\0';
  *length = bytes;
  return HG_OK;
}

static const char *type_name(const json_t *value)
{
  static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                      "a real",    "true",     "false",    "null"};
  return names[json_typeof(value)];
}

static hg_status wrong_type(const char *kind, const char *name, const json_t *value, const char *expected)
{
  return hg_fail(HG_ERR_INPUT, "%s: %s: found %s, expected %s", kind, name, type_name(value), expected);
}

static hg_status decode_integer(const field *f, const json_t *value, char *at)
{
  const char *kind = kinds[f->kind];
  if (!json_is_integer(value)) return wrong_type(kind, f->name, value, "an integer");
  int64_t wide = json_integer_value(value);
  if (wide < f->low || wide > f->high)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found %" PRId64 ", expected %" PRId64 " to %" PRId64, kind, f->name, wide,
                   f->low, f->high);
  int narrow = (int)wide;
  if (f->type == FIELD_INT) memcpy(at, &narrow, sizeof narrow);
  if (f->type == FIELD_INT64) memcpy(at, &wide, sizeof wide);
  return HG_OK;
}

static hg_status decode_name(const field *f, const json_t *value, char *at)
{
  const char *kind = kinds[f->kind];
  if (!json_is_string(value)) return wrong_type(kind, f->name, value, "a string");
  int found = find_name(f->names, json_string_value(value));
  if (found < 0)
    return hg_fail(HG_ERR_INPUT, "%s: %s: found \"%.40s\", which is not known", kind, f->name,
                   json_string_value(value));
  memcpy(at, &found, sizeof found);
  return HG_OK;
}

static hg_status decode_field(const field *f, const json_t *value, hg_message *message)
{
  char *at = (char *)message + f->offset;
  const char *kind = kinds[f->kind];
  double real = (double)NAN;
  bool truth = json_is_true(value);
  switch (f->type) {
  case FIELD_INT:
  case FIELD_INT64:
    return decode_integer(f, value, at);
  case FIELD_REAL:
    if (!json_is_number(value) && !json_is_null(value)) return wrong_type(kind, f->name, value, "a number or null");
    if (json_is_number(value)) real = json_number_value(value);
    memcpy(at, &real, sizeof real);
    return HG_OK;
  case FIELD_BOOL:
    if (!json_is_boolean(value)) return wrong_type(kind, f->name, value, "true or false");
    memcpy(at, &truth, sizeof truth);
    return HG_OK;
  case FIELD_NAME:
    return decode_name(f, value, at);
  case FIELD_TEXT:
    if (!json_is_string(value)) return wrong_type(kind, f->name, value, "a string");
    if (json_string_length(value) >= (size_t)f->high)
      return hg_fail(HG_ERR_INPUT, "%s: %s: found %zu bytes, expected less than %" PRId64, kind, f->name,
                     json_string_length(value), f->high);
    memcpy(at, json_string_value(value), json_string_length(value) + 1);
    return HG_OK;
  }
  return hg_fail(HG_ERR_INTERNAL, "%s: %s has no type", kind, f->name);
}

/** Version and kind; everything after depends on them. */
static hg_status decode_head(const json_t *object, hg_message_kind *kind)
{
  const json_t *version = json_object_get(object, "version"), *name = json_object_get(object, "kind");
  if (!json_is_integer(version))
    return hg_fail(HG_ERR_INPUT, "found no version, expected version %d", HG_PROTOCOL_VERSION);
  if (json_integer_value(version) != HG_PROTOCOL_VERSION)
    return hg_fail(HG_ERR_INPUT, "found version %" JSON_INTEGER_FORMAT " of the protocol, expected %d",
                   json_integer_value(version), HG_PROTOCOL_VERSION);
  if (!json_is_string(name)) return hg_fail(HG_ERR_INPUT, "found no kind, expected hello, ready, plan, ...");
  int found = find_name(kinds, json_string_value(name));
  if (found < 0)
    return hg_fail(HG_ERR_INPUT, "found a message of kind \"%.40s\", which is not known", json_string_value(name));
  *kind = (hg_message_kind)found;
  return HG_OK;
}

static bool is_field(hg_message_kind kind, const char *name)
{
  for (int k = 0; k < N_FIELDS; k++)
    if (fields[k].kind == kind && strcmp(fields[k].name, name) == 0) return true;
  return strcmp(name, "version") == 0 || strcmp(name, "kind") == 0;
}

static hg_status decode_object(json_t *object, hg_message *message)
{
  hg_status rc = decode_head(object, &message->kind);
  for (int k = 0; k < N_FIELDS && rc == HG_OK; k++) {
    if (fields[k].kind != message->kind) continue;
    const json_t *value = json_object_get(object, fields[k].name);
    if (!value) return hg_fail(HG_ERR_INPUT, "%s: %s is missing", kinds[message->kind], fields[k].name);
    rc = decode_field(&fields[k], value, message);
  }
  if (rc != HG_OK) return rc;
  const char *name;
  json_t *value;
  json_object_foreach(object, name, value) if (!is_field(message->kind, name)) return hg_fail(
      HG_ERR_INPUT, "%s: found the field \"%.40s\", which is not known", kinds[message->kind], name);
  return HG_OK;
}

/** The parser quotes what it found: a stranger's bytes shall not steer our terminal. */
static hg_status not_json(json_error_t *error)
{
  for (char *at = error->text; *at; at++)
    if ((unsigned char)*at < ' ' || *at == 127) *at = '?';
  return hg_fail(HG_ERR_INPUT, "found no JSON: %s, at byte %d", error->text, error->position);
}

hg_status hg_message_decode(hg_message *message, const char *text, size_t length)
{
  if (length >= HG_MESSAGE_BYTES)
    return hg_fail(HG_ERR_INPUT, "found a message of %zu bytes, expected less than %d", length, HG_MESSAGE_BYTES);
  json_error_t error;
  json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
  if (!object) return not_json(&error);
  hg_message result = {.kind = HG_MSG_KINDS};
  hg_status rc = json_is_object(object) ? decode_object(object, &result)
                                        : hg_fail(HG_ERR_INPUT, "found %s, expected an object", type_name(object));
  json_decref(object);
  if (rc == HG_OK) *message = result;
  return rc;
}
