#pragma once

/** Seconds of a clock that only goes forward (CLOCK_MONOTONIC). */
double hg_now_s(void);
