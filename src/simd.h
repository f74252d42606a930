/* The vector type of the kernels and its exp, sigmoid and tanh; the only C in the library.

   Built once per instruction set and scalar type: VBYTES is the vector's width in bytes, REAL the
   scalar type (float or double). Needs the vector extensions of GCC or Clang. */
#pragma once
#include <stdint.h>
#include <string.h>

#ifndef REAL
#define REAL float
#endif
#ifndef VBYTES
#define VBYTES 16
#endif

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

/* A kernel is one function: everything below it is inlined with literal tile sizes. */
#undef CYTHON_INLINE
#define CYTHON_INLINE inline __attribute__((always_inline))
#define SIMD static inline __attribute__((always_inline))

#define FASTRNN_FLOAT 1
#define FASTRNN_DOUBLE 2
#define FASTRNN_PASTE(a, b) a##b
#define FASTRNN_WIDTH(type) FASTRNN_PASTE(FASTRNN_WIDTH_, type)
#define FASTRNN_WIDTH_float 4
#define FASTRNN_WIDTH_double 8

typedef REAL real;
#if FASTRNN_WIDTH(REAL) == 4
typedef int32_t ireal;
#define VL (VBYTES / 4)
#define EXPONENT_BITS 23
#define EXPONENT_BIAS 127
#define ROUND_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
#define EXP_LOWEST (-104.0f)    /* exp underflows to zero below */
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.4286068203094172321e-6f
#else
typedef int64_t ireal;
#define VL (VBYTES / 8)
#define EXPONENT_BITS 52
#define EXPONENT_BIAS 1023
#define ROUND_MAGIC 6755399441055744.0
#define EXP_LOWEST (-746.0)
#define LN2_HIGH 0.6931471803691238
#define LN2_LOW 1.908214929270587816e-10
#endif

/* Registers that a tile may fill with accumulators, of 16 (SSE, AVX) or 32 (AVX-512, NEON). */
#if defined(__AVX512F__) || defined(__aarch64__)
#define ACCUMULATORS 24
#else
#define ACCUMULATORS 12
#endif

typedef real vf __attribute__((vector_size(VBYTES)));
typedef ireal vi __attribute__((vector_size(VBYTES)));

SIMD vf vload(const real *p) { vf r; memcpy(&r, p, sizeof r); return r; }
SIMD void vstore(real *p, vf v) { memcpy(p, &v, sizeof v); }
SIMD vf vset1(real x) { return x - (vf){0}; }
SIMD vf vzero(void) { return (vf){0}; }

/* The first n of VL lanes: the last vector of a row whose length is no multiple of VL. */
SIMD vf vload_part(const real *p, long n) {
  if (n >= VL) return vload(p);
  vf r = {0};
  memcpy(&r, p, (size_t)n * sizeof(real));
  return r;
}
SIMD void vstore_part(real *p, vf v, long n) {
  if (n >= VL) vstore(p, v);
  else memcpy(p, &v, (size_t)n * sizeof(real));
}

SIMD vi as_bits(vf x) { vi r; memcpy(&r, &x, sizeof r); return r; }
SIMD vf from_bits(vi x) { vf r; memcpy(&r, &x, sizeof r); return r; }
SIMD vf vselect(vi mask, vf yes, vf no) {
  return from_bits((mask & as_bits(yes)) | (~mask & as_bits(no)));
}
/* A NaN in x stays. */
SIMD vf vmax(vf x, real low) { return vselect(x < low, vset1(low), x); }
SIMD vf vmin(vf x, real high) { return vselect(x > high, vset1(high), x); }
SIMD vi sign_bit(vf x) { return as_bits(x) & ((vi){0} + (ireal)((uint64_t)1 << (8 * sizeof(real) - 1))); }
SIMD vf vabs(vf x) { return from_bits(as_bits(x) ^ sign_bit(x)); }

/* 1 where x > 0, and where low < x < high, else 0: the derivatives of relu and hard_sigmoid. */
SIMD vf vstep(vf x) { return from_bits((x > 0) & as_bits(vset1(1))); }
SIMD vf vinside(vf x, real low, real high) { return from_bits((x > low) & (x < high) & as_bits(vset1(1))); }

/* Near-minimax polynomials, highest power first (own fits by interpolation in Chebyshev nodes).
   EXPM1: (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2, relative error of exp 8e-9 (float), 2e-17 (double).
   TANH: (tanh(x)/x - 1) / x^2 in x^2 for |x| <= 0.5625, relative error of tanh 4e-9, 4e-18. */
#if FASTRNN_WIDTH(REAL) == 4
static const real EXPM1[] = {1.3926183587713494542e-3f, 8.3631790527225773704e-3f, 4.1666554617204574203e-2f,
                             1.6666576989698775683e-1f, 0.5f};
static const real TANH[] = {-6.5255721689981483556e-3f, 2.1263353447151622097e-2f, -5.3901753164581233464e-2f,
                            1.3333073813501169266e-1f, -3.333333169526054732e-1f};
#else
static const real EXPM1[] = {2.5100385495510319078e-8, 2.7620088445409748161e-7, 2.7557268459997064772e-6,
                             2.4801521295954375131e-5, 1.9841269863053616878e-4, 1.3888888917213716901e-3,
                             8.3333333333300618325e-3, 4.1666666666624127873e-2, 1.6666666666666667453e-1,
                             0.50000000000000010221};
static const real TANH[] = {-2.0026740085317684745e-5, 8.426522203958066102e-5, -2.3410556936672797301e-4,
                            5.8875371118348039075e-4, -1.4556239774192677815e-3, 3.5921055321327687723e-3,
                            -8.8632340215295135964e-3, 2.1869488476962561362e-2, -5.3968253967059396515e-2,
                            1.3333333333332390931e-1, -3.3333333333333332102e-1};
#endif
SIMD vf polynomial(const real *coefficients, int n, vf x) {
  vf p = vset1(coefficients[0]);
#pragma GCC unroll 16
  for (int k = 1; k < n; k++) p = p * x + coefficients[k];
  return p;
}
#define POLYNOMIAL(table, x) polynomial(table, (int)(sizeof(table) / sizeof(table[0])), x)

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2)/2: returns exp(r) - 1, and n in *exponent. */
SIMD vf expm1_reduced(vf x, vi *exponent) {
  vf shifted = x * (real)1.44269504088896340736 + ROUND_MAGIC;
  vf n = shifted - ROUND_MAGIC;
  vf r = x - n * LN2_HIGH;
  r = r - n * LN2_LOW;
  *exponent = as_bits(shifted) - as_bits(vset1(ROUND_MAGIC));
  return r + r * r * POLYNOMIAL(EXPM1, r);
}
SIMD vf power_of_two(vi n) { return from_bits((n + EXPONENT_BIAS) << EXPONENT_BITS); }

/* exp of any x: NaN kept, 0 far below, infinity far above. Scaled in two steps, so that a denormal
   result is rounded once. */
SIMD vf vexp(vf x) {
  vi n;
  x = vmin(vmax(x, EXP_LOWEST), -EXP_LOWEST);
  vf p = expm1_reduced(x, &n) + (real)1;
  vi half = n >> 1;
  return p * power_of_two(half) * power_of_two(n - half);
}

/* 1 / (1 + exp(-x)) from e = exp(-|x|), so that nothing overflows: with t = e / (1 + e) it is e - e t
   below zero and 1 - t above, which keeps the rounding of 1 + e out of small results. */
SIMD vf vsigmoid(vf x) {
  vi n;
  vf p = expm1_reduced(vmax(-vabs(x), EXP_LOWEST), &n) + (real)1;
  vi half = n >> 1;
  vf e = p * power_of_two(half) * power_of_two(n - half);
  vf base = vselect(x < 0, e, vset1(1));
  return base - base * (e / (1 + e));
}

/* A polynomial in x^2 where |tanh x| < 1/2, else 1 - 2 e / (1 + e) with e = exp(-2|x|). */
SIMD vf vtanh(vf x) {
  vi n;
  vf a = vabs(x), y = x * x;
  vf s = vmax(-2 * a, (real)-80);
  s = expm1_reduced(s, &n) * power_of_two(n) + power_of_two(n);
  vf large = 1 - 2 * (s / (1 + s));
  vf small = a + a * (y * POLYNOMIAL(TANH, y));
  return from_bits(as_bits(vselect(a < (real)0.55, small, large)) | sign_bit(x));
}

/* Flush denormals to zero in this thread; returns what restores the state. */
SIMD uint64_t denormals_off(void) {
#if defined(__SSE2__)
  uint64_t old = _mm_getcsr();
  _mm_setcsr((unsigned)old | 0x8040);
  return old;
#elif defined(__aarch64__)
  uint64_t old;
  __asm__ volatile("mrs %0, fpcr" : "=r"(old));
  __asm__ volatile("msr fpcr, %0" : : "r"(old | (1u << 24)));
  return old;
#else
  return 0;
#endif
}
SIMD void denormals_restore(uint64_t old) {
#if defined(__SSE2__)
  _mm_setcsr((unsigned)old);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(old));
#else
  (void)old;
#endif
}

SIMD void cpu_relax(void) {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
