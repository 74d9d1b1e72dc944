#pragma once
#include "comm/exchange.h"

/*
 * Exchanges between hosts (ALGORITHMS A.1, node-aware): what ranks of host B need of ranks of host A crosses in one
 * message, each node's row once, however many ranks of B need it. The ranks of A write their rows to memory that they
 * share, and one of them, the pair's server there, sends it from there; one rank of B receives it to such memory, where
 * the others read it. The transposed goes the same way back: gradients of a row that several ranks of B have are added
 * there, in ascending order of ranks, and their sum crosses. Rows between ranks of a host cross as in any exchange.
 */

typedef enum {
  HG_HOSTS_RANKS, ///< rows cross from rank to rank wherever they are
  HG_HOSTS_MERGED ///< as above
} hg_between_hosts;

/** As the config has it: "ranks" or "merged". */
const char *hg_between_hosts_name(hg_between_hosts hosts);

/** An ordered pair of hosts of which one is this rank's, as HG_FILL_HALO goes; HG_ADD_HALO goes the other way. */
typedef struct {
  int host;          ///< the other one
  int server;        ///< of this host, by its number among the host's ranks: it has the rows in its memory
  int peer;          ///< the other host's server, by its number in the world
  hg_lid rows;       ///< of the message
  hg_lid extras;     ///< gradients that are added to another rank's of the same node before they cross
  hg_off at[2];      ///< row of the server's memory where they begin; by hg_exchange_kind
  hg_lid begin, end; ///< this rank's rows: entries of out_rows or in_rows; none: it only serves
  hg_lid place;      ///< out: of the first of them in the message; the others follow
  int n_members;     ///< of the server: ranks of the host with rows of it, but itself; else 0
  int *members;      ///< [n_members] their numbers in the host, ascending
  hg_lid n_sums;     ///< in, of the server: rows of the message with extras
  hg_lid *sums;      ///< [n_sums] which they are
  hg_lid *addends;   ///< [n_sums + 1] their extras, the first one is `rows`
} hg_host_route;

/** Of links; owned by them. */
typedef struct hg_host_routes {
  hg_links near;                      ///< the same links between ranks of this host
  int n_hosts, n_out, n_in, here;     ///< here: this rank's number in its host
  hg_host_route *out, *in;            ///< [n_out], [n_in] of which this rank has rows or is the server; by host
  hg_lid *out_rows;                   ///< owned local ids
  hg_lid *in_rows;                    ///< halo rows, 0 = local id n_owned
  hg_lid *in_places;                  ///< like in_rows: where in the message they are
  hg_lid *in_extras;                  ///< like in_rows: where the gradient goes: in_places, or `rows` + an extra
  struct hg_host_exchange *exchanges; ///< that are open on these links (comm/host_exchange.h)
  hg_off served[2];                   ///< rows of this rank's memory, by hg_exchange_kind
} hg_host_routes;

/**
 * From now on exchanges on these links merge what crosses between hosts. Nothing where there is one host, or one rank
 * on each: then nothing can be merged. Collective. Memory: 16 bytes a row that crosses.
 * @param links   of hg_links_create or hg_links_create_some, of the whole world; no exchanges have been made on them
 * @return        HG_ERR_INPUT where a message would have 2^31 rows
 */
hg_status hg_links_merge(hg_links *links, hg_world *world);

/** Frees what it made. */
void hg_host_routes_free(hg_host_routes **routes);

/** The links between ranks of one host, where others are merged; else all of them. */
const hg_links *hg_links_near(const hg_links *links);
