// libFuzzer target: whatever bytes a config file has, reading them ends in HG_OK or HG_ERR_INPUT with a message, and
// what was read comes back from its own print.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "runtime/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, hg_error_text());
  abort();
}

static void expect_round_trip(const hg_config *config)
{
  char *once = NULL, *twice = NULL;
  hg_config back = hg_config_default();
  demand(hg_config_print(config, &once) == HG_OK, "a config that was read cannot be printed");
  demand(hg_config_parse(&back, once, strlen(once), "printed") == HG_OK, "a printed config cannot be read");
  demand(hg_config_print(&back, &twice) == HG_OK, "a config that was read twice cannot be printed");
  demand(strcmp(once, twice) == 0, "a printed config changes when it is read");
  hg_free(&once);
  hg_free(&twice);
}

// The bytes as a config file, and as the argument of --set
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  for (int as_override = 0; as_override < 2; as_override++) {
    hg_config config = hg_config_default();
    (void)hg_fail(HG_OK, "%s", "");
    hg_status rc = as_override ? hg_config_override(&config, text) : hg_config_parse(&config, text, size, "fuzz");
    demand(rc == HG_OK || (rc == HG_ERR_INPUT && hg_error_text()[0] != '\0'), "a wrong config must say why");
    if (rc == HG_OK && hg_config_resolve(&config) == HG_OK) expect_round_trip(&config);
  }
  free(text);
  return 0;
}
