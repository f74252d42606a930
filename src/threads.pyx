"""The threads that help the calling one: started when a call first wants them, asleep when there is nothing to do.

They are one OpenMP team that stays in its region, so that no call has to wait for a region's end, where OpenMP waits for every
thread, also for one that other processes keep from running. src/team.pxd says how a call shares its work with them.
"""
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport parallel, threadid
from team cimport *

cdef extern from *:
    """
    #ifdef _OPENMP
    #define HAVE_OPENMP 1
    #else
    #define HAVE_OPENMP 0
    #endif
    """
    bint HAVE_OPENMP

cdef struct Group:
    # helpers that one region has
    long first, end

cdef Team the_team
cdef Group groups[MOST_HELPERS]
cdef long group_count = 0

the_team.patience = -1
the_team.grow = grow
team = PyCapsule_New(&the_team, "fastrnn._core.threads.team", NULL)
OPENMP = HAVE_OPENMP


cdef int grow(long helpers) except -1:
    """Start helpers up to that number, once."""
    global group_count
    cdef long k
    if not HAVE_OPENMP:
        return 0
    for k in range(the_team.started, helpers):
        the_team.helpers[k].bed = PyThread_allocate_lock()
        if the_team.helpers[k].bed == NULL:
            raise MemoryError("fastrnn: no lock for another thread")
        PyThread_acquire_lock(the_team.helpers[k].bed, 1)
    groups[group_count].first = the_team.started
    groups[group_count].end = helpers
    # One that the system refuses stays absent, and calls go on without it.
    PyThread_start_new_thread(serve, &groups[group_count])
    group_count += 1
    the_team.started = helpers
    return 0


cdef void serve(void* group) noexcept nogil:
    """A thread's life: it opens a region of helpers and is one of them."""
    cdef Group* g = <Group*>group
    with parallel(num_threads=g.end - g.first):
        help(&the_team.helpers[g.first + threadid()])


cdef void help(Helper* h) noexcept nogil:
    """Take what is posted, for ever. Whether the core was taken meanwhile is asked where time has passed unseen."""
    cdef long spins = 0, state, interrupted = times_interrupted()
    cdef long long begin = clock_ns(), last = begin, time, allowed
    store_release(&h.state, WATCHING)
    while True:
        state = load_acquire(&h.state)
        if state >= POSTED and exchange_if(&h.state, state, WORKING):
            allowed = work(h)
            begin = time = clock_ns()
        else:
            allowed = LOST_NS
            spins += 1
            if spins % 16 != 0:
                cpu_relax()
                continue
            time = clock_ns()
            if state == ABSENT:
                exchange_if(&h.state, ABSENT, WATCHING)
        if time - last > allowed and was_interrupted(&interrupted):
            crowded(&the_team)
            begin = time - WATCH_NS - 1
        if time - begin > WATCH_NS and exchange_if(&h.state, WATCHING, ASLEEP):
            PyThread_acquire_lock(h.bed, 1)
            begin = time = clock_ns()
            interrupted = times_interrupted()
        last = time


cdef inline bint was_interrupted(long* times) noexcept nogil:
    """Whether the system has taken the core from this thread since the last look, as far as it says."""
    cdef long before = times[0]
    times[0] = times_interrupted()
    return before < 0 or times[0] > before


cdef long long work(Helper* h) noexcept nogil:
    """The helper's part of a job; returns the ns that it may take. The helper is free again before it says that it has
    finished: the next call comes at once."""
    cdef Job* job = h.job
    cdef long long allowed = LOST_NS + job.patience
    cdef long team = load_acquire(&job.team), spins = 0
    while team == 0:
        spins += 1
        if spins < SPINS:
            cpu_relax()
        else:
            give_way()
        team = load_acquire(&job.team)
    job.part(job.call, h.i, team)
    store_release(&h.state, WATCHING)
    add_fetch(&job.unfinished, -1)
    return allowed


def started():
    """Helpers that were started."""
    return the_team.started


def at_hand():
    """Helpers that a call could have now."""
    cdef long k, count = 0
    for k in range(the_team.started):
        count += load_acquire(&the_team.helpers[k].state) in (ASLEEP, WATCHING)
    return count


def set_patience(long long ns=-1):
    """How long a thread waits for another of its team before it goes on alone, whatever the work: 0, or for ever, to test
    both; -1 for what the work says. It changes no result."""
    the_team.patience = ns


def after_fork():
    """A child has none of its parent's helpers. It gets none of its own either: OpenMP cannot start them anew."""
    cdef long k
    the_team.lost = the_team.lost or the_team.started > 0
    for k in range(the_team.started):
        the_team.helpers[k].state = ABSENT
    the_team.started = 0
