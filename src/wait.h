/* Waiting for another thread: atomic operations, a clock, and what to do meanwhile. */
#ifndef FASTRNN_WAIT_H
#define FASTRNN_WAIT_H
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* RUSAGE_THREAD */
#endif

#ifdef _WIN32
#include <windows.h>
static inline void give_way(void) { SwitchToThread(); }
static inline long long clock_ns(void) {
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency);
  return (long long)((double)count.QuadPart * 1e9 / (double)frequency.QuadPart);
}
#else
#include <sched.h>
#include <time.h>
static inline void give_way(void) { sched_yield(); }
static inline long long clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}
#endif

#if defined(__SSE2__)
#include <immintrin.h>
#endif
static inline void cpu_relax(void) {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* How often the system has taken the core from this thread to run another; -1 where it does not say. */
#ifdef __linux__
#include <sys/resource.h>
static inline long times_interrupted(void) {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : -1;
}
#else
static inline long times_interrupted(void) { return -1; }
#endif

#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define add_fetch(p, v) __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)
static inline int exchange_if(long *p, long from, long to) { /* whether *p was `from`, and is `to` now */
  return __atomic_compare_exchange_n(p, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

#endif
