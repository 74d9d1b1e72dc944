#pragma once
#include "models/layer.h"

/* Staleness of a layer's exchanges in training (comm/stale_exchange.h); nothing where layer->staleness is NONE. */

/** Makes what training passes divert the layer's exchanges to: after hg_layer_activate, if at all. Collective. */
hg_status hg_stale_create(hg_layer *layer);
void hg_stale_free(hg_layer *layer);

/** Bytes of it on these links, of a planned layer. */
size_t hg_stale_bytes(const hg_layer *layer, const hg_links *links);

/** Diverts the layer's exchanges in a training pass and back in others. */
void hg_stale_choose(hg_layer *layer, const hg_pass *pass);

void hg_stale_add_traffic(const hg_layer *layer, hg_traffic *sum);

/** The layer's k-th stale exchange, forward or transposed, or NULL. */
hg_stale_exchange *hg_stale_of(const hg_layer *layer, int k);

/**
 * The way down of halo rows whose values are of an earlier epoch, through the dropout and activation that made those:
 * a value of 0 was dropped then, so no mask is drawn again. Of smoothed values it is that of the last ones that came.
 * @param first     of the layer's local rows, a halo row     @param d    their gradient, used up
 * @param d_x       the rows of x, which become it
 * @return          false: the layer's rows are of this epoch, and nothing was done
 */
bool hg_stale_pass_rows(const hg_layer *layer, hg_dropout dropout, hg_off first, hg_matrix *d, hg_matrix *d_x);
