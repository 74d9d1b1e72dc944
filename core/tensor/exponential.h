#pragma once
#include <math.h>
#include <string.h>

#include "core/base/types.h"

/**
 * exp(x) for x <= 0, without a branch or a call so that a loop over it is vectorised; within 2 units in the last place
 * in float, 0 becomes 1, below -87 it stays at exp(-87), a NaN stays one. In the float64 build: the library's.
 * Source: Cephes expf (Moshier 1992): 2^n times a polynomial of the rest, |rest| <= ln(2) / 2.
 */
#ifdef HALOGNN_FLOAT64
static inline double hg_exp_negative(double x) { return exp(x); }
#else
static inline float hg_exp_negative(float x)
{
  const float magic = 0x1.8p23f; // added to a small number leaves it rounded in the lowest bits
  x = x < -87 ? -87 : x;
  float shifted = x * 1.44269504f + magic, n = shifted - magic;
  float r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + (127U << 23);
  float power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
}
#endif
