#pragma once
#include <stdbool.h>

/**
 * From now on SIGTERM, SIGINT and SIGUSR1 only set a flag, which the epoch's agreement reads. Call it after METIS,
 * which traps SIGTERM.
 */
void hg_signals_catch(void);

/** Back to what they did before. */
void hg_signals_release(void);

/** Whether one has come since hg_signals_catch. */
bool hg_signals_came(void);
