#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "core/base/alloc.h"
#include "core/graph/import_fields.h"
#include "core/graph/text.h"

// Matrix Market exchange format (Boisvert, Pozo, Remington 1996), coordinate matrices.
typedef struct {
  const char *path;
  hg_off n, entries;
  bool has_values, is_symmetric;
  bool *weights_ignored;
} mtx;

static hg_status word_of(const hg_text *t, char **cursor, const char *const *known, const char *what, int *which)
{
  const char *word = hg_text_word(cursor);
  for (*which = 0; word && known[*which]; (*which)++)
    if (strcasecmp(word, known[*which]) == 0) return HG_OK;
  return hg_text_fail(t, "found %s '%.40s', expected %s%s%s%s%s", what, word ? word : "", known[0],
                      known[1] ? ", " : "", known[1] ? known[1] : "", known[1] && known[2] ? ", " : "",
                      known[1] && known[2] ? known[2] : "");
}

static hg_status read_banner(hg_text *t, mtx *m)
{
  static const char *const banner[] = {"%%MatrixMarket", NULL}, *const object[] = {"matrix", NULL},
                           *const format[] = {"coordinate", NULL},
                           *const field[] = {"pattern", "real", "integer", NULL},
                           *const symmetry[] = {"general", "symmetric", NULL};
  hg_status rc = HG_OK;
  char *line;
  int which;
  HG_TRY(hg_text_line(t, &line));
  if (!line) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: the file is empty, expected a Matrix Market file", m->path));
  HG_TRY(word_of(t, &line, banner, "first word", &which));
  HG_TRY(word_of(t, &line, object, "object", &which));
  HG_TRY(word_of(t, &line, format, "format", &which));
  HG_TRY(word_of(t, &line, field, "field", &which));
  m->has_values = which > 0;
  HG_TRY(word_of(t, &line, symmetry, "symmetry", &which));
  m->is_symmetric = which == 1;
done:
  return rc;
}

// The banner and "rows columns entries": the text stands before the first entry.
static hg_status read_head(hg_text *t, mtx *m)
{
  hg_status rc = HG_OK;
  char *line;
  int64_t columns;
  HG_TRY(read_banner(t, m));
  HG_TRY(hg_text_data_line(t, &line));
  if (!line) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found no line of sizes", m->path));
  HG_TRY(hg_text_int(t, &line, &m->n, "the number of rows"));
  HG_TRY(hg_text_int(t, &line, &columns, "the number of columns"));
  HG_TRY(hg_text_int(t, &line, &m->entries, "the number of entries"));
  if (m->n != columns || m->n < 0 || m->entries < 0)
    HG_TRY(hg_text_fail(t, "found %" PRId64 " x %" PRId64 " with %" PRId64 " entries, expected a square matrix", m->n,
                        columns, m->entries));
done:
  return rc;
}

static hg_status read_entry(const hg_text *t, char *line, const mtx *m, int64_t ends[2])
{
  hg_status rc = HG_OK;
  for (int k = 0; k < 2; k++) {
    HG_TRY(hg_text_int(t, &line, &ends[k], k == 0 ? "a row" : "a column"));
    if (ends[k] < 1 || ends[k] > m->n)
      HG_TRY(hg_text_fail(t, "found node %" PRId64 ", expected 1 to %" PRId64, ends[k], m->n));
  }
  if (!m->has_values) return rc;
  float value;
  HG_TRY(hg_text_float(t, &line, &value, "a value"));
  if (value != value) HG_TRY(hg_text_fail(t, "found a value that is no number"));
  if (value != 1) *m->weights_ignored = true;
done:
  return rc;
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const mtx *m = source;
  mtx again = *m;
  hg_status rc = HG_OK;
  hg_text text = {0};
  char *line;
  hg_off found = 0;
  HG_TRY(hg_text_open(&text, m->path));
  HG_TRY(read_head(&text, &again));
  for (;; found++) {
    int64_t ends[2];
    HG_TRY(hg_text_data_line(&text, &line));
    if (!line) break;
    HG_TRY(read_entry(&text, line, m, ends));
    HG_TRY(edge(context, ends[0] - 1, ends[1] - 1));
    if (m->is_symmetric && ends[0] != ends[1]) HG_TRY(edge(context, ends[1] - 1, ends[0] - 1));
  }
  if (found != m->entries)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " entries, expected %" PRId64, m->path, found, m->entries));
done:
  hg_text_close(&text);
  return rc;
}

hg_status hg_import_mtx(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report)
{
  hg_graph *g = &out->graph;
  hg_status rc = HG_OK;
  hg_text text = {0};
  mtx m = {.path = path, .weights_ignored = &report->weights_ignored};
  HG_TRY(hg_text_open(&text, path));
  HG_TRY(read_head(&text, &m));
  HG_TRY(hg_import_check_nodes(path, m.n));
  HG_TRY(hg_csr_build(&g->adjacency, m.n, each_edge, &m, options->symmetrize, &report->build));
  HG_TRY(hg_import_counted_nodes(&g->nodes, m.n, options));
done:
  hg_text_close(&text);
  return rc;
}
