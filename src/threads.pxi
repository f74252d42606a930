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
