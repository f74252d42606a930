"""The threads that help the calling one: started when a call first wants them, asleep when there is nothing to do.

They are one OpenMP team that stays in its region, so that no call has to wait for a region's end, where OpenMP waits for every
thread, also for one that other processes keep from running. So OpenMP places the threads and sizes their stacks, as its
variables say, and nothing more. src/base/team.pxd says how a call shares its work with them.
"""
import threading

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
the_team.main_thread = threading.main_thread().ident
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
    # If the system refuses it, its helpers stay absent, and calls go on without them.
    PyThread_start_new_thread(serve, &groups[group_count])
    group_count += 1
    store_release(&the_team.started, helpers)
    return 0


cdef void serve(void* group) noexcept nogil:
    """A thread's life: it opens a region of helpers and is one of them."""
    cdef Group* g = <Group*>group
    with parallel(num_threads=g.end - g.first):
        help(&the_team.helpers[g.first + threadid()])


cdef void help(Helper* h) noexcept nogil:
    """Take what is posted, for ever. Where time has passed unseen, the system is asked whether another process had the core."""
    cdef long spins = 0, state
    cdef long long begin = clock_ns(), last = begin, time, allowed, looked = begin, without = without_core_ns()
    store_release(&h.state, WATCHING)
    while True:
        state = load_acquire(&h.state)
        if state >= POSTED and exchange_if(&h.state, state, WORKING):
            allowed = do_part(h)
            begin = time = clock_ns()
        else:
            allowed = LATE_NS
            spins += 1
            if spins % 16 != 0:
                cpu_relax()
                continue
            time = clock_ns()
            if state == ABSENT:
                exchange_if(&h.state, ABSENT, WATCHING)
        if time - last > allowed or time - looked > LOOK_NS:
            if lost_core(&without, time - last - allowed, time - looked):
                crowded(&the_team)
                begin = time - WATCH_NS - 1
            looked = time
        if time - begin > WATCH_NS and exchange_if(&h.state, WATCHING, ASLEEP):
            PyThread_acquire_lock(h.bed, 1)
            leave_cpu(<int>h.cpu)
            begin = looked = time = clock_ns()
            without = without_core_ns()
        last = time


cdef inline bint lost_core(long long* without, long long late, long long passed) noexcept nogil:
    """Whether others had the core for more than a moment since the last look, `passed` ns ago; late: ns by which this thread
    is late."""
    cdef long long before = without[0]
    without[0] = without_core_ns()
    if without[0] < 0:
        return late > BLIND_NS
    return without[0] - before > LOST_NS + passed // 16


cdef long long do_part(Helper* h) noexcept nogil:
    """The helper's part of a job; returns the ns that it may take. The helper is free again before it says that it has
    finished: the next call comes at once."""
    cdef Job* job = h.job
    cdef long long allowed = LATE_NS + job.patience
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
    """For tests: how long a thread waits for another of its team before it goes on alone. 0: not at all; more: calls also wait
    until all helpers have started; -1: as the work says. It changes no result."""
    store_relaxed(&the_team.patience, ns)


def after_fork():
    """A child has none of its parent's helpers, and gets none of its own: OpenMP's state is its parent's. Its main thread is
    the one that forked."""
    cdef long k
    the_team.main_thread = threading.get_ident()
    the_team.lost = the_team.lost or the_team.started > 0
    for k in range(the_team.started):
        the_team.helpers[k].state = ABSENT
    the_team.started = 0
