#include "runtime/train/signals.h"

#include <signal.h>
#include <stddef.h>

static const int caught[] = {SIGTERM, SIGINT, SIGUSR1};
enum { N_CAUGHT = sizeof caught / sizeof *caught };

static volatile sig_atomic_t came;
static struct sigaction before[N_CAUGHT];

static void on_signal(int number)
{
  (void)number;
  came = 1;
}

void hg_signals_catch(void)
{
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  came = 0;
  for (int k = 0; k < N_CAUGHT; k++) sigaction(caught[k], &action, &before[k]);
}

void hg_signals_release(void)
{
  for (int k = 0; k < N_CAUGHT; k++) sigaction(caught[k], &before[k], NULL);
}

bool hg_signals_came(void) { return came != 0; }
