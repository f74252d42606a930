/* Waiting for another thread: atomic operations, a clock, and what to do meanwhile. */
#ifndef FASTRNN_WAIT_H
#define FASTRNN_WAIT_H
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* RUSAGE_THREAD */
#endif

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#undef near /* names of ours that it takes for itself */
#undef far
#undef small
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

/* Nanoseconds that this thread has been ready to run and other threads had the core; -1 where the system does not say. Time
   that a virtual machine was stopped for does not count. The file stays open. */
#ifdef __linux__
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
static inline long long without_core_ns(void) {
  static __thread int file = -2;
  char text[64];
  long long on_core, waited;
  if (file == -2) file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  ssize_t n = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);
  if (n <= 0) return -1;
  text[n] = 0;
  return sscanf(text, "%lld %lld", &on_core, &waited) == 2 ? waited : -1;
}

/* How often the system has taken the core from this thread to run another; -1 where it does not say. */
static inline long times_interrupted(void) {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : -1;
}
static inline int this_cpu(void) { return sched_getcpu(); }

/* Have this thread run elsewhere than on that processor, if it may: systems like to wake a thread where its waker runs, though
   another core is free. The set of processors that it may use stays as it was. */
static inline void leave_cpu(int cpu) {
  cpu_set_t all, others;
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getcpu() != cpu || sched_getaffinity(0, sizeof all, &all) != 0) return;
  others = all;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof all, &all);
}
#else
static inline long long without_core_ns(void) { return -1; }
static inline long times_interrupted(void) { return -1; }
static inline int this_cpu(void) { return -1; }
static inline void leave_cpu(int cpu) { (void)cpu; }
#endif

#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
/* Of what threads tell each other with nothing else depending on it. */
#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define add_fetch(p, v) __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)
static inline int exchange_if(long *p, long from, long to) { /* whether *p was `from`, and is `to` now */
  return __atomic_compare_exchange_n(p, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

#endif
