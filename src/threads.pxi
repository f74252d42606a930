# Threads: the team that a parallel region got, and the barrier between the steps of a split layer.
from cython.parallel cimport parallel, threadid

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define TEAM_SIZE() omp_get_num_threads()
    #define HAVE_OPENMP 1
    #else
    #define TEAM_SIZE() 1
    #define HAVE_OPENMP 0
    #endif
    #ifdef _WIN32
    #include <windows.h>
    #define GIVE_WAY() SwitchToThread()
    #else
    #include <sched.h>
    #define GIVE_WAY() sched_yield()
    #endif
    #define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
    #define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
    #define add_fetch(p, v) __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)
    """
    int TEAM_SIZE() nogil
    int HAVE_OPENMP
    void GIVE_WAY() nogil
    long load_acquire(long*) nogil
    void store_release(long*, long) nogil
    long add_fetch(long*, long) nogil

cdef enum:
    LINE = 64 // sizeof(real)       # elements of a cache line, the least that two threads may write side by side

cdef struct Barrier:
    long arrived
    long padding[15]        # the two counters on cache lines of their own
    long generation


cdef inline void barrier_wait(Barrier* barrier, long team) noexcept nogil:
    """Wait for the whole team. Spins for some microseconds, as a step takes, then gives way to whoever else runs."""
    cdef long generation, spins = 0
    if team == 1:
        return
    generation = load_acquire(&barrier.generation)
    if add_fetch(&barrier.arrived, 1) == team:
        barrier.arrived = 0
        store_release(&barrier.generation, generation + 1)
        return
    while load_acquire(&barrier.generation) == generation:
        spins += 1
        if spins > 256:
            GIVE_WAY()
        else:
            cpu_relax()


cdef inline long share(long work, long i, long team) noexcept nogil:
    """Where thread i's contiguous share of the work begins (it ends where that of i + 1 begins)."""
    return work * i // team


ctypedef void (*Part)(void* call, long i, long team) noexcept nogil


cdef void run_call(Part part, void* call, long team) noexcept nogil:
    """All parts of one call: by a team, or by the calling thread alone."""
    cdef long i = 0, got = 0
    if team == 1:
        part(call, 0, 1)
        return
    with parallel(num_threads=team):
        i = threadid()
        got = TEAM_SIZE()
        part(call, i, got)


cdef void run_pair(Part part, void* first, void* second, long each) noexcept nogil:
    """Two calls at once, each by a team of its own; one after the other if there is but one thread."""
    cdef long i = 0, half = 0
    with parallel(num_threads=2 * each):
        i = threadid()
        half = TEAM_SIZE() // 2
        if half == 0:
            part(first, 0, 1)
            part(second, 0, 1)
        elif i < half:
            part(first, i, half)
        else:
            part(second, i - half, TEAM_SIZE() - half)
