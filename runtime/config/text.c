#include "runtime/config/text.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

hg_status hg_text_begin(hg_text *t)
{
  *t = (hg_text){0};
  t->file = open_memstream(&t->text, &t->size);
  return t->file ? HG_OK : hg_fail(HG_ERR_MEMORY, "out of memory");
}

hg_status hg_text_end(hg_text *t, char **out)
{
  hg_status rc = HG_OK;
  if (t->file && fclose(t->file) != 0) rc = hg_fail(HG_ERR_MEMORY, "out of memory");
  if (rc == HG_OK && out) rc = HG_ALLOC(*out, t->size + 1, "text");
  if (rc == HG_OK && out) memcpy(*out, t->text, t->size + 1);
  free(t->text); // allow(malloc): it is open_memstream's
  *t = (hg_text){0};
  return rc;
}
