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
#define DENORMAL_ROOM 64        /* enough to keep 2^n normal down to there */
#define DENORMAL_SCALE 0x1p-64f
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.4286068203094172321e-6f
#else
typedef int64_t ireal;
#define VL (VBYTES / 8)
#define EXPONENT_BITS 52
#define EXPONENT_BIAS 1023
#define ROUND_MAGIC 6755399441055744.0
#define EXP_LOWEST (-746.0)
#define DENORMAL_ROOM 128
#define DENORMAL_SCALE 0x1p-128
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

/* Any address will do. Of the element's alias class (not memcpy's): a store leaves the kernels' pointers and lengths
   in their registers. */
typedef real vf_anywhere __attribute__((vector_size(VBYTES), aligned(FASTRNN_WIDTH(REAL))));
SIMD vf vload(const real *p) { return *(const vf_anywhere *)p; }
SIMD void vstore(real *p, vf v) { *(vf_anywhere *)p = v; }
SIMD vf vset1(real x) { return x - (vf){0}; }
SIMD vf vzero(void) { return (vf){0}; }

/* Stores past the caches, of whole lines at aligned addresses; streams_end before another thread reads them. */
#if VBYTES == 64 && defined(__AVX512F__)
#define STREAMS 1
SIMD void vstream(real *p, vf v) { _mm512_stream_ps((float *)p, (__m512)v); }
SIMD void streams_end(void) { _mm_sfence(); }
#else
#define STREAMS 0
SIMD void vstream(real *p, vf v) { vstore(p, v); }
SIMD void streams_end(void) {}
#endif

/* Masked loads and stores touch no lane beyond the n first, and are far quicker than copying a few bytes. */
#if VBYTES == 64 && defined(__AVX512F__)
#if FASTRNN_WIDTH(REAL) == 4
SIMD __mmask16 first_lanes(long n) { return (__mmask16)((1u << n) - 1); }
SIMD vf load_lanes(const real *p, long n) { return (vf)_mm512_maskz_loadu_ps(first_lanes(n), p); }
SIMD void store_lanes(real *p, vf v, long n) { _mm512_mask_storeu_ps(p, first_lanes(n), (__m512)v); }
#else
SIMD __mmask8 first_lanes(long n) { return (__mmask8)((1u << n) - 1); }
SIMD vf load_lanes(const real *p, long n) { return (vf)_mm512_maskz_loadu_pd(first_lanes(n), p); }
SIMD void store_lanes(real *p, vf v, long n) { _mm512_mask_storeu_pd(p, first_lanes(n), (__m512d)v); }
#endif
#elif VBYTES == 32 && defined(__AVX__)
typedef ireal vi_anywhere __attribute__((vector_size(VBYTES), aligned(FASTRNN_WIDTH(REAL))));
static const ireal FIRST_LANES[2 * VL] = {[0 ... VL - 1] = -1};
#if FASTRNN_WIDTH(REAL) == 4
#define MASKED(what, p, mask, ...) _mm256_mask##what##_ps(p, (__m256i)(mask), ##__VA_ARGS__)
#else
#define MASKED(what, p, mask, ...) _mm256_mask##what##_pd(p, (__m256i)(mask), ##__VA_ARGS__)
#endif
SIMD vi first_lanes(long n) { return *(const vi_anywhere *)(FIRST_LANES + VL - n); }
SIMD vf load_lanes(const real *p, long n) { return (vf)MASKED(load, p, first_lanes(n)); }
SIMD void store_lanes(real *p, vf v, long n) { MASKED(store, p, first_lanes(n), v); }
#else
SIMD vf load_lanes(const real *p, long n) {
  vf r = {0};
  memcpy(&r, p, (size_t)n * sizeof(real));
  return r;
}
SIMD void store_lanes(real *p, vf v, long n) { memcpy(p, &v, (size_t)n * sizeof(real)); }
#endif
/* The last vector of a row whose length is no multiple of VL: its first n lanes, zeros beyond; all if n >= VL. */
SIMD vf vload_part(const real *p, long n) { return n >= VL ? vload(p) : load_lanes(p, n); }
SIMD void vstore_part(real *p, vf v, long n) {
  if (n >= VL) vstore(p, v);
  else store_lanes(p, v, n);
}

SIMD vi as_bits(vf x) { vi r; memcpy(&r, &x, sizeof r); return r; }
SIMD vf from_bits(vi x) { vf r; memcpy(&r, &x, sizeof r); return r; }
SIMD vi vchoose(vi mask, vi yes, vi no) { return (mask & yes) | (~mask & no); }
SIMD vf vselect(vi mask, vf yes, vf no) { return from_bits(vchoose(mask, as_bits(yes), as_bits(no))); }
/* The instruction sets' own forms of what the compilers do not find by themselves. vlarger and vsmaller give b where one
   of the two is NaN; lane_bits has bit i for lane i of a comparison's result. */
#if defined(__AVX512F__) && VBYTES == 64 && FASTRNN_WIDTH(REAL) == 4
SIMD vf vlarger(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
SIMD vf vsmaller(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
SIMD unsigned lane_bits(vi mask) { return _mm512_movepi32_mask((__m512i)mask); }
SIMD vf vselect_negative(vf x, vf yes, vf no) {
  return (vf)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)x), (__m512)no, (__m512)yes);
}
#elif defined(__AVX512F__) && VBYTES == 64
SIMD vf vlarger(vf a, vf b) { return (vf)_mm512_max_pd((__m512d)a, (__m512d)b); }
SIMD vf vsmaller(vf a, vf b) { return (vf)_mm512_min_pd((__m512d)a, (__m512d)b); }
SIMD unsigned lane_bits(vi mask) { return _mm512_movepi64_mask((__m512i)mask); }
SIMD vf vselect_negative(vf x, vf yes, vf no) {
  return (vf)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)x), (__m512d)no, (__m512d)yes);
}
#elif defined(__AVX2__) && VBYTES == 32 && FASTRNN_WIDTH(REAL) == 4
SIMD vf vlarger(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
SIMD vf vsmaller(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
SIMD unsigned lane_bits(vi mask) { return (unsigned)_mm256_movemask_ps((__m256)mask); }
SIMD vf vselect_negative(vf x, vf yes, vf no) { return (vf)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)x); }
#elif defined(__AVX2__) && VBYTES == 32
SIMD vf vlarger(vf a, vf b) { return (vf)_mm256_max_pd((__m256d)a, (__m256d)b); }
SIMD vf vsmaller(vf a, vf b) { return (vf)_mm256_min_pd((__m256d)a, (__m256d)b); }
SIMD unsigned lane_bits(vi mask) { return (unsigned)_mm256_movemask_pd((__m256d)mask); }
SIMD vf vselect_negative(vf x, vf yes, vf no) { return (vf)_mm256_blendv_pd((__m256d)no, (__m256d)yes, (__m256d)x); }
#else
SIMD vf vlarger(vf a, vf b) { return vselect(a > b, a, b); }
SIMD vf vsmaller(vf a, vf b) { return vselect(a < b, a, b); }
SIMD unsigned lane_bits(vi mask) {
  unsigned bits = 0;
  for (int i = 0; i < VL; i++) bits |= (unsigned)(mask[i] & 1) << i;
  return bits;
}
SIMD vf vselect_negative(vf x, vf yes, vf no) { return vselect(as_bits(x) < 0, yes, no); }
#endif
/* A NaN in x stays. */
SIMD vf vmax(vf x, real low) { return vlarger(vset1(low), x); }
SIMD vf vmin(vf x, real high) { return vsmaller(vset1(high), x); }

/* Across the lanes of a vector, by halves. */
#define FIRST_2 0, 1
#define FIRST_4 FIRST_2, 2, 3
#define FIRST_8 FIRST_4, 4, 5, 6, 7
#define FIRST_16 FIRST_8, 8, 9, 10, 11, 12, 13, 14, 15
#if VBYTES == 16 * FASTRNN_WIDTH(REAL)
SIMD vi lane_numbers(void) { return (vi){FIRST_16}; }
#elif VBYTES == 8 * FASTRNN_WIDTH(REAL)
SIMD vi lane_numbers(void) { return (vi){FIRST_8}; }
#elif VBYTES == 4 * FASTRNN_WIDTH(REAL)
SIMD vi lane_numbers(void) { return (vi){FIRST_4}; }
#else
SIMD vi lane_numbers(void) { return (vi){FIRST_2}; }
#endif
SIMD vf rotated(vf x, int by) {
#if defined(__clang__)
  vf r;
  _Pragma("GCC unroll 16") for (int i = 0; i < VL; i++) r[i] = x[(i + by) % VL];
  return r;
#else
  return __builtin_shuffle(x, (lane_numbers() + by) & (VL - 1));
#endif
}
/* VL vectors as the rows of a square, to its columns: blocks of 1, 2, 4, ... change places across the diagonal. */
SIMD void transpose(vf *rows) {
  _Pragma("GCC unroll 4") for (int w = 1; w < VL; w *= 2) {
    _Pragma("GCC unroll 16") for (int i = 0; i < VL; i++) {
      if (i & w) continue;
      vf a = rows[i], b = rows[i + w];
      vi odd = (lane_numbers() & w) != 0;
      rows[i] = vselect(odd, rotated(b, VL - w), a);
      rows[i + w] = vselect(odd, b, rotated(a, w));
    }
  }
}
SIMD real lane_sum(vf x) {
  _Pragma("GCC unroll 4") for (int w = VL / 2; w > 0; w /= 2) x = x + rotated(x, w);
  return x[0];
}
SIMD real lane_max(vf x) {
  _Pragma("GCC unroll 4") for (int w = VL / 2; w > 0; w /= 2) x = vlarger(x, rotated(x, w));
  return x[0];
}
SIMD vf lanes_from(vf x, long first, long end) {    /* zeros outside */
  return from_bits(as_bits(x) & (lane_numbers() >= (ireal)first) & (lane_numbers() < (ireal)end));
}
SIMD real first_lane(vf x) { return x[0]; }
SIMD vf where_nonzero(vf x, vf yes) { return from_bits((x != 0) & as_bits(yes)); }
SIMD int nonzeros(vf x) { return __builtin_popcount(lane_bits(x != 0)); }

SIMD vi sign_mask(void) { return (vi){0} + (ireal)((uint64_t)1 << (8 * sizeof(real) - 1)); }
SIMD vf vnegabs(vf x) { return from_bits(as_bits(x) | sign_mask()); }
SIMD vf vcopysign(vf x, vf sign) { return from_bits(as_bits(x) | (as_bits(sign) & sign_mask())); } /* x >= 0 */

/* 1 where x > 0, and where low < x < high, else 0: the derivatives of relu and hard_sigmoid. */
SIMD vf vstep(vf x) { return from_bits((x > 0) & as_bits(vset1(1))); }
SIMD vf vinside(vf x, real low, real high) { return from_bits((x > low) & (x < high) & as_bits(vset1(1))); }

/* Near-minimax polynomials of (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2, highest power first (own fits by interpolation
   in Chebyshev nodes). EXP: relative error of exp(r) 8e-9 (float), 2e-17 (double). EXPM1: that of exp(r) - 1 is 5e-10,
   5e-19. */
#if FASTRNN_WIDTH(REAL) == 4
static const real EXP[] = {1.3926183587713494542e-3f, 8.3631790527225773704e-3f, 4.1666554617204574203e-2f,
                           1.6666576989698775683e-1f, 0.5f};
static const real EXPM1[] = {1.9891030654370327738e-4f, 1.3933685862617173589e-3f, 8.3333108895820771937e-3f,
                             4.1666464602026541557e-2f, 1.6666666681659179129e-1f, 0.5f};
#else
static const real EXP[] = {2.5100385495510319078e-8, 2.7620088445409748161e-7, 2.7557268459997064772e-6,
                           2.4801521295954375131e-5, 1.9841269863053616878e-4, 1.3888888917213716901e-3,
                           8.3333333333300618325e-3, 4.1666666666624127873e-2, 1.6666666666666667453e-1,
                           0.50000000000000010221};
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

/* x = n ln 2 + r with |r| <= ln(2)/2: n, which is also in the low bits of shifted. */
SIMD void halvings(int m, const vf *x, vf *n, vf *shifted) {
  EACH(i) shifted[i] = x[i] * (real)1.44269504088896340736 + ROUND_MAGIC;
  EACH(i) n[i] = shifted[i] - ROUND_MAGIC;
}
/* exp(x) = 2^n (1 + q). */
SIMD void exp_reduced(int m, const vf *x, vf *q, vf *shifted) {
  vf r[8];
  halvings(m, x, q, shifted);
  EACH(i) r[i] = x[i] - q[i] * LN2_HIGH;
  EACH(i) r[i] = r[i] - q[i] * LN2_LOW;
  POLYNOMIAL(m, EXP, r, q);
  EACH(i) q[i] = r[i] * r[i] * q[i] + r[i];
}
/* 2^(n + extra); the shift drops the rest of the magic number. */
SIMD vf power_of_two(vf shifted, int extra) {
  return from_bits((as_bits(shifted) << EXPONENT_BITS) + ((ireal)(EXPONENT_BIAS + extra) << EXPONENT_BITS));
}

/* exp of any x: NaN kept, 0 far below, infinity far above. */
SIMD vf vexp(vf x) {
  vf p, shifted;
  x = vmin(vmax(x, EXP_LOWEST), -EXP_LOWEST);
  exp_reduced(1, &x, &p, &shifted);
  vi n = as_bits(shifted) - as_bits(vset1(ROUND_MAGIC));
  vi half = n >> 1;
  p = (p + (real)1) * from_bits((half + EXPONENT_BIAS) << EXPONENT_BITS);
  return p * from_bits((n - half + EXPONENT_BIAS) << EXPONENT_BITS);
}

/* x = 1 / (1 + exp(-x)) from e = exp(-|x|), so that nothing overflows: with t = e / (1 + e) it is e - e t
   below zero and 1 - t above, which keeps the rounding of 1 + e out of small results. e is scaled in two
   steps, so that a denormal result is rounded once. */
SIMD void vsigmoid_each(int m, vf *x) {
  vf a[8], e[8], shifted[8];
  EACH(i) a[i] = vmax(vnegabs(x[i]), EXP_LOWEST);
  exp_reduced(m, a, e, shifted);
  EACH(i) e[i] = e[i] + (real)1;
  EACH(i) e[i] = e[i] * power_of_two(shifted[i], DENORMAL_ROOM) * DENORMAL_SCALE;
  EACH(i) a[i] = vselect_negative(x[i], e[i], vset1(1));
  EACH(i) e[i] = e[i] / (1 + e[i]);
  EACH(i) x[i] = a[i] - a[i] * e[i];
}

/* x = tanh(x) = (1 - E) / (1 + E) with E = exp(-2|x|) = 2^n (1 + q). Half of it above the line is (1/2 - T) - T q with
   T = 2^n / 2: rounded once, and as exact where x is small, n = 0, as q is. */
SIMD void vtanh_each(int m, vf *x) {
  vf y[8], n[8], shifted[8], q[8];
  EACH(i) y[i] = vmax(vnegabs(x[i]) * 2, (real)-80);
  halvings(m, y, n, shifted);
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

/* x, such that no loop over it is made one of vectors: a vector loaded from where several numbers were just stored waits
   until they are in the cache, behind all that was stored before. */
SIMD long singly(long x) {
  __asm__("" : "+r"(x));
  return x;
}

/* Ask for the n elements at p ahead of their use: rows of a batch lie too far apart for the hardware to guess. */
SIMD void prefetch(const real *p, long n) {
  for (long i = 0; i < n; i += 64 / (long)sizeof(real)) __builtin_prefetch(p + i, 0, 2);
}
SIMD void prefetch_first(const real *p, long n) {      /* into the first cache */
  for (long i = 0; i < n; i += 64 / (long)sizeof(real)) __builtin_prefetch(p + i, 0, 3);
}
SIMD void prefetch_to_write(const real *p, long n) {
  for (long i = 0; i < n; i += 64 / (long)sizeof(real)) __builtin_prefetch(p + i, 1, 2);
}

SIMD void cpu_relax(void) {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
