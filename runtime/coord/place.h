#pragma once
#include "runtime/coord/coordinator.h"

/** Where the coordinator listens. */
typedef struct {
  char folder[108];          ///< private folder of the ipc socket; "" over tcp
  char endpoint[160];        ///< to bind; the port of tcp is not chosen yet
  char token[HG_TOKEN_SIZE]; ///< random: who knows it was given the address
} hg_place;

/**
 * Chooses transport and address, makes the ipc folder. HG_ERR_INPUT: ipc over several hosts, an unknown
 * HALOGNN_INTERFACE.
 */
hg_status hg_place_make(hg_place *place, hg_transport transport, bool one_host);

/** Removes the ipc folder and the socket in it. Accepts a zeroed place. */
void hg_place_remove(hg_place *place);

/** Writes {"version": 1, "address": ...} with mode 0600. */
hg_status hg_place_write(const char *path, const char *address);
