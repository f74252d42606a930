/* The vector type of the kernels, and what they ask of the processor.

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
#else
typedef int64_t ireal;
#define VL (VBYTES / 8)
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
SIMD vf where_equal(vf a, vf b, vf yes, vf no) { return vselect(a == b, yes, no); }
SIMD vf vlarger_or_nan(vf a, vf b) { return vselect((b <= a) | (a != a), a, b); }   /* a NaN in either stays */
SIMD vf lowest(void) { return vset1(-(real)__builtin_inf()); }
SIMD int nonzeros(vf x) { return __builtin_popcount(lane_bits(x != 0)); }

SIMD vi sign_mask(void) { return (vi){0} + (ireal)((uint64_t)1 << (8 * sizeof(real) - 1)); }
SIMD vf vnegabs(vf x) { return from_bits(as_bits(x) | sign_mask()); }
SIMD vf vcopysign(vf x, vf sign) { return from_bits(as_bits(x) | (as_bits(sign) & sign_mask())); } /* x >= 0 */

/* 1 where x > 0, and where low < x < high, else 0: the derivatives of relu and hard_sigmoid. */
SIMD vf vstep(vf x) { return from_bits((x > 0) & as_bits(vset1(1))); }
SIMD vf vinside(vf x, real low, real high) { return from_bits((x > low) & (x < high) & as_bits(vset1(1))); }

/* This thread's floating-point mode. */
SIMD uint64_t denormals_state(void) {
#if defined(__SSE2__)
  return _mm_getcsr();
#elif defined(__aarch64__)
  uint64_t state;
  __asm__ volatile("mrs %0, fpcr" : "=r"(state));
  return state;
#else
  return 0;
#endif
}
/* Flush denormals to zero in this thread; returns what restores the state. */
SIMD uint64_t denormals_off(void) {
  uint64_t old = denormals_state();
#if defined(__SSE2__)
  _mm_setcsr((unsigned)old | 0x8040);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(old | (1u << 24)));
#endif
  return old;
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
