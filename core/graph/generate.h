#pragma once
#include "core/base/rng.h"
#include "core/graph/csr_build.h"

/** What a generated graph shall be; kinds ignore what is not theirs. */
typedef struct {
  hg_off nodes;
  double degree;     ///< mean in-degree asked for; what comes out is a little less, as duplicates are dropped
  int classes;       ///< 0: no labels
  int features;      ///< width, 0: none
  double signal;     ///< length of a class mean in each feature, beside noise of variance 1
  double train, val; ///< fractions of the nodes, the rest is test; train = 0: no split
  uint64_t seed;
  double homophily; ///< csbm: fraction of edges inside a class
  double power;     ///< csbm: exponent (> 2) of power-law degrees, 0: none
  double a, b, c;   ///< rmat: chances of the quadrants, d = 1 - a - b - c
  int dims;         ///< geometric, grid: dimension of the positions
  double radius;    ///< geometric: joins nearer points, 0: from the degree
  bool knn;         ///< geometric: joins each point to its `degree` nearest
  bool diagonals;   ///< grid: also joins cells that touch at an edge or a corner
} hg_generate_options;

hg_generate_options hg_generate_options_default(void);

/** A kind of graph. */
typedef struct {
  const char *name, *help;
  /**
   * Structure, labels and positions of the graph; hg_generate adds features, split and ids.
   * @param graph    zeroed; nodes.n is set; on failure the caller frees
   * @param counts   what the edges that were drawn came to
   */
  hg_status (*run)(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts);
} hg_generator;

extern const hg_generator hg_generators[]; ///< ends with a NULL name

/**
 * Makes a graph; a function of the options alone, whatever the number of threads. Undirected. Edges are streamed:
 * memory is the result's before duplicates are dropped and some 20 bytes a node.
 * @param name     one of hg_generators; HG_ERR_INPUT names them
 * @return         HG_ERR_INPUT for options that make no sense, with the option's name
 */
hg_status hg_generate(const char *name, const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts);

/* The kinds. */

/**
 * Contextual stochastic block model: classes of equal chance; each edge joins two nodes of one class with chance
 * `homophily`, else of two. With `power` the r-th node of a class of size s is drawn with weight r^(-1/(power-1)),
 * so that degrees follow a power law. Source: Deshpande, Sen, Montanari, Mossel 2018, arXiv 1807.09596; Karrer and
 * Newman 2011 for the degrees.
 */
hg_status hg_generate_csbm(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts);

/**
 * Recursive matrix: an edge falls into one of four quadrants of the adjacency matrix with chances a, b, c, d, and
 * so on to a single entry; drawn over the next power of two and drawn again until both ends exist. Class = block of
 * consecutive ids, which are the communities of the model. Source: Chakrabarti, Zhan, Faloutsos 2004.
 */
hg_status hg_generate_rmat(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts);

/**
 * Random points in the unit cube, joined below a radius or to the nearest; class = nearest of random centres.
 * O(edges).
 */
hg_status hg_generate_geometric(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts);

/** Cells of a square or cube, row by row, the last row cut short; class = nearest of random centres. */
hg_status hg_generate_grid(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts);

/* For the kinds. */

/** Who draws: keeps the counters of different purposes apart. */
typedef enum {
  HG_DRAW_LABEL,
  HG_DRAW_EDGE,
  HG_DRAW_MEAN,
  HG_DRAW_NOISE,
  HG_DRAW_POSITION,
  HG_DRAW_CENTRE,
} hg_draw;

/** The generator's random numbers; the counter of draw number `k` (below 2^56) of a purpose. */
static inline hg_rng hg_generate_rng(uint64_t seed) { return (hg_rng){seed, HG_STREAM_GENERATE}; }
static inline uint64_t hg_draw_counter(hg_draw purpose, uint64_t k) { return (uint64_t)purpose << 56 | k; }

/**
 * Labels = number of the nearest of `classes` random centres in the box [0, size)^dims of the positions, which
 * must be there.
 */
hg_status hg_generate_regions(const hg_generate_options *options, double size, hg_nodes *nodes);
