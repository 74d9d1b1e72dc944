#pragma once
#include "comm/world.h"

/** Where a message goes. */
typedef enum { HG_INSIDE_HOST, HG_BETWEEN_HOSTS, HG_MESSAGE_PLACES } hg_message_place;

/** What messages take while every rank sends one and receives one: ranks of a host share its network so. */
typedef struct {
  double latency_s[HG_MESSAGE_PLACES]; ///< of a message of 8 bytes; 0 where no two ranks are so placed
  double bytes_s[HG_MESSAGE_PLACES];   ///< of a rank in each direction, a second; 0 like latency_s
  int ranks_per_host;                  ///< that shared it: of the host that has most
} hg_message_speed;

enum { HG_SPEED_BYTES = 1 << 20 }; // of a message that the bandwidth is taken from

/**
 * Measures both: medians of a few messages, of the slowest rank, by hg_world_host_of. Between hosts every rank sends to
 * another host and receives from one; where one host has more than half of the ranks, as many of these as can.
 * Collective. Memory: two messages and 4 bytes a rank.
 */
hg_status hg_message_speed_measure(hg_world *world, hg_message_speed *speed);
