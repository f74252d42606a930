/* exp, sigmoid and tanh of the vector type. */
#pragma once
#include "simd.h"

#if FASTRNN_WIDTH(REAL) == 4
#define EXPONENT_BITS 23
#define EXPONENT_BIAS 127
#define ROUND_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
#define EXP_LOWEST (-104.0f)    /* exp underflows to zero below */
#define DENORMAL_ROOM 64        /* enough to keep 2^n normal down to there */
#define DENORMAL_SCALE 0x1p-64f
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.4286068203094172321e-6f
#else
#define EXPONENT_BITS 52
#define EXPONENT_BIAS 1023
#define ROUND_MAGIC 6755399441055744.0
#define EXP_LOWEST (-746.0)
#define DENORMAL_ROOM 128
#define DENORMAL_SCALE 0x1p-128
#define LN2_HIGH 0.6931471803691238
#define LN2_LOW 1.908214929270587816e-10
#endif

/* Where a permutation finds one of VL numbers for each lane, exp takes x = n ln 2 + r with n in steps of 1 / VL: r is small,
   and its polynomial short. 2^(j / VL) is a root times 1 + rest, as the root is rounded. */
#if VBYTES == 64 && defined(__AVX512F__)
#define STEPS VL
#if FASTRNN_WIDTH(REAL) == 4
static const real ROOTS[] = {1.0f,         1.04427373f, 1.09050775f, 1.13878858f, 1.18920708f, 1.24185777f,
                             1.29683959f,  1.35425556f, 1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f,
                             1.68179286f,  1.75625217f, 1.8340081f,  1.91520655f};
static const real RESTS[] = {0.0f,           4.62854708e-8f,  -1.19921571e-8f, 4.72978236e-8f,
                             3.19341809e-8f, 3.62105731e-8f,  -3.09907208e-8f, -7.47521317e-9f,
                             1.71142713e-8f, -3.04768342e-8f, 5.23333425e-9f,  6.10759162e-9f,
                             -1.47196054e-8f, -5.25879512e-9f, -6.12825982e-9f, 5.14060921e-9f};
SIMD vf one_of(const real *table, vf index) {
  return (vf)_mm512_permutexvar_ps((__m512i)as_bits(index), (__m512)vload(table));
}
SIMD vf times_power_of_two(vf x, vf n) { return (vf)_mm512_scalef_ps((__m512)x, (__m512)n); }
#else
static const real ROOTS[] = {1.0, 1.0905077326652577, 1.189207115002721, 1.2968395546510096,
                             1.4142135623730951, 1.5422108254079407, 1.681792830507429, 1.8340080864093424};
static const real RESTS[] = {0.0, -2.7939114859515731e-17, 3.3484623336251524e-17, 1.9572585293112037e-17,
                             -6.8358086576619225e-17, 5.1548301170786786e-17, 4.8751605262270616e-17,
                             1.7901269076045133e-17};
SIMD vf one_of(const real *table, vf index) {
  return (vf)_mm512_permutexvar_pd((__m512i)as_bits(index), (__m512d)vload(table));
}
SIMD vf times_power_of_two(vf x, vf n) { return (vf)_mm512_scalef_pd((__m512d)x, (__m512d)n); }
#endif
#else
#define STEPS 1
#endif

/* Near-minimax polynomials of (exp(r) - 1 - r) / r^2, highest power first (own fits by interpolation in Chebyshev nodes).
   EXP, for |r| <= ln(2) / (2 STEPS): relative error of exp(r) 8e-9 or less (float), 2e-17 (double). EXPM1, for
   |r| <= ln(2) / 2: that of exp(r) - 1 is 5e-10, 5e-19. */
#if FASTRNN_WIDTH(REAL) == 4
#if STEPS == 1
static const real EXP[] = {1.3926183587713494542e-3f, 8.3631790527225773704e-3f, 4.1666554617204574203e-2f,
                           1.6666576989698775683e-1f, 0.5f};
#else
static const real EXP[] = {1.6666862164590477180e-1f, 5.0000977491803010301e-1f};
#endif
static const real EXPM1[] = {1.9891030654370327738e-4f, 1.3933685862617173589e-3f, 8.3333108895820771937e-3f,
                             4.1666464602026541557e-2f, 1.6666666681659179129e-1f, 0.5f};
#else
#if STEPS == 1
static const real EXP[] = {2.5100385495510319078e-8, 2.7620088445409748161e-7, 2.7557268459997064772e-6,
                           2.4801521295954375131e-5, 1.9841269863053616878e-4, 1.3888888917213716901e-3,
                           8.3333333333300618325e-3, 4.1666666666624127873e-2, 1.6666666666666667453e-1,
                           0.50000000000000010221};
#else
static const real EXP[] = {1.9842045637239258731e-4, 1.3889587108239542361e-3, 8.3333333278733400252e-3,
                           4.1666666617526457776e-2, 1.6666666666666723595e-1, 0.50000000000000512361};
#endif
static const real EXPM1[] = {2.0910798015421921847e-9, 2.5105257931315764305e-8, 2.7557284946937055959e-7,
                             2.7557255302077310738e-6, 2.4801587314105858003e-5, 1.9841269874897790529e-4,
                             1.3888888888888444699e-3, 8.3333333333261131248e-3, 4.1666666666666663067e-2,
                             1.6666666666666671007e-1, 0.5};
#endif
/* The functions work on m vectors at once, m a literal: each is one long chain of dependent operations, and only
   several chains side by side keep a processor's units busy. */
#define EACH(i) _Pragma("GCC unroll 8") for (int i = 0; i < m; i++)

SIMD void polynomial(int m, const real *coefficients, int n, const vf *x, vf *p) {
  EACH(i) p[i] = vset1(coefficients[0]);
  _Pragma("GCC unroll 16") for (int k = 1; k < n; k++)
    EACH(i) p[i] = p[i] * x[i] + coefficients[k];
}
#define POLYNOMIAL(m, table, x, p) polynomial(m, table, (int)(sizeof(table) / sizeof(table[0])), x, p)

/* x = n ln 2 + r with |r| <= ln(2) / (2 steps): n, in steps of 1 / steps, which shifted counts in its low bits. */
SIMD void halvings(int m, int steps, const vf *x, vf *n, vf *shifted) {
  EACH(i) shifted[i] = x[i] * (real)1.44269504088896340736 + ROUND_MAGIC / (real)steps;
  EACH(i) n[i] = shifted[i] - ROUND_MAGIC / (real)steps;
}
/* 2^(n + extra); the shift drops the rest of the magic number. */
SIMD vf power_of_two(vf shifted, int extra) {
  return from_bits((as_bits(shifted) << EXPONENT_BITS) + ((ireal)(EXPONENT_BIAS + extra) << EXPONENT_BITS));
}
/* exp(x) = 2^n (1 + q). */
SIMD void exp_reduced(int m, const vf *x, vf *q, vf *n, vf *shifted) {
  vf r[8];
  halvings(m, STEPS, x, n, shifted);
  EACH(i) r[i] = x[i] - n[i] * LN2_HIGH;
  EACH(i) r[i] = r[i] - n[i] * LN2_LOW;
  POLYNOMIAL(m, EXP, r, q);
  EACH(i) q[i] = r[i] * r[i] * q[i] + r[i];
#if STEPS > 1
  EACH(i) q[i] = q[i] + one_of(RESTS, shifted[i]);
#endif
}
/* e = exp(x), x from EXP_LOWEST to 0. A denormal result is rounded once; where n goes in steps, so is its power of two. */
SIMD void exp_each(int m, const vf *x, vf *e) {
  vf n[8], shifted[8];
  exp_reduced(m, x, e, n, shifted);
#if STEPS > 1
  EACH(i) n[i] = times_power_of_two(one_of(ROOTS, shifted[i]), n[i]);
  EACH(i) e[i] = n[i] + n[i] * e[i];
#else
  EACH(i) e[i] = e[i] + (real)1;
  EACH(i) e[i] = e[i] * power_of_two(shifted[i], DENORMAL_ROOM) * DENORMAL_SCALE;
#endif
}

/* exp of any x: NaN kept, 0 far below, infinity far above. */
SIMD vf vexp(vf x) {
  vf q, n, shifted;
  x = vmin(vmax(x, EXP_LOWEST), -EXP_LOWEST);
  exp_reduced(1, &x, &q, &n, &shifted);
#if STEPS > 1
  vf root = one_of(ROOTS, shifted);
  return times_power_of_two(root + root * q, n);
#else
  vi whole = as_bits(shifted) - as_bits(vset1(ROUND_MAGIC)), half = whole >> 1;
  q = (q + (real)1) * from_bits((half + EXPONENT_BIAS) << EXPONENT_BITS);
  return q * from_bits((whole - half + EXPONENT_BIAS) << EXPONENT_BITS);
#endif
}

/* x = 1 / (1 + exp(-x)) from e = exp(-|x|), so that nothing overflows: with t = e / (1 + e) it is e - e t
   below zero and 1 - t above, which keeps the rounding of 1 + e out of small results. */
SIMD void vsigmoid_each(int m, vf *x) {
  vf a[8], e[8];
  EACH(i) a[i] = vmax(vnegabs(x[i]), EXP_LOWEST);
  exp_each(m, a, e);
  EACH(i) a[i] = vselect_negative(x[i], e[i], vset1(1));
  EACH(i) e[i] = e[i] / (1 + e[i]);
  EACH(i) x[i] = a[i] - a[i] * e[i];
}

/* x = tanh(x) = (1 - E) / (1 + E) with E = exp(-2|x|) = 2^n (1 + q). Half of it above the line is (1/2 - T) - T q with
   T = 2^n / 2: rounded once, and as exact where x is small, n = 0, as q is. */
SIMD void vtanh_each(int m, vf *x) {
  vf y[8], n[8], shifted[8], q[8];
  EACH(i) y[i] = vmax(vnegabs(x[i]) * 2, (real)-80);
  halvings(m, 1, y, n, shifted);
  EACH(i) y[i] = y[i] - n[i] * (real)0.69314718055994530942;
  POLYNOMIAL(m, EXPM1, y, q);
  EACH(i) q[i] = y[i] * y[i] * q[i] + y[i];
  EACH(i) n[i] = power_of_two(shifted[i], -1);
  EACH(i) y[i] = ((real)0.5 - n[i]) - n[i] * q[i];
  EACH(i) q[i] = ((real)0.5 + n[i]) + n[i] * q[i];
  EACH(i) x[i] = vcopysign(y[i] / q[i], x[i]);
}
SIMD vf vsigmoid(vf x) { vsigmoid_each(1, &x); return x; }
SIMD vf vtanh(vf x) { vtanh_each(1, &x); return x; }
