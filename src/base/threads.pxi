# How a call's work is shared with the team of helper threads, and the barrier between the steps of a split layer.
from cpython.pycapsule cimport PyCapsule_GetPointer
from fastrnn._core import threads as _threads

cdef Team* TEAM = <Team*>PyCapsule_GetPointer(_threads.team, "fastrnn._core.threads.team")

cdef long long FOREVER = 1 << 62

cdef enum:
    LINE = 64 // sizeof(real)       # elements of a cache line, the least that two threads may write side by side
    LEFT = 1 << 30                  # more than ever come to one barrier

cdef struct Barrier:
    long arrived            # so often a thread has come here; LEFT more from where thread 0 has left
    long apart[15]          # the two counters on cache lines of their own
    long generation         # meetings that are over
    bint alone              # from the last meeting on, thread 0 goes on alone
    long long late          # someone has waited longer than a thread on a free core needs
    bint left               # thread 0 did not wait any longer
    bint ended              # the call is over before its end: see signals.pxi
    long* ends              # what says so, or NULL
    long long patience      # ns


cdef inline void start_barrier(Barrier* b, long long work) noexcept nogil:
    """work: multiply-adds of a thread between two meetings; -1: none can go on alone."""
    b.arrived = b.generation = 0
    b.alone = b.left = b.ended = False
    b.late = 0
    b.ends = NULL
    b.patience = patience_of(TEAM, work) if work >= 0 else FOREVER


cdef inline bint leaves(Barrier* b, long all_there) noexcept nogil:
    """Whether thread 0 leaves. It marks the count of those that have come, while one is missing, and so the last one knows. The
    count never goes back: a mark that comes too late for one meeting cannot be taken for one of the next."""
    cdef long arrived = load_acquire(&b.arrived)
    b.left = arrived < all_there and exchange_if(&b.arrived, arrived, arrived + LEFT)
    return b.left


cdef inline long meet(Barrier* b, long team, bint may_leave) noexcept nogil:
    """Wait for the whole team. Returns its size from here on; 1 if a thread was late: then thread 0 goes on alone and the
    others leave; 0 if this is thread 0, which may leave and does not wait for a late one. Spins for some microseconds, as a
    step takes, then gives way to whoever else runs."""
    cdef long generation, arrived, all_there, spins = 0
    cdef long long start = 0
    if team == 1:
        return 1
    generation = load_acquire(&b.generation)
    all_there = (generation + 1) * team
    arrived = add_fetch(&b.arrived, 1)
    if arrived == all_there or arrived == all_there + LEFT:
        b.alone = load_relaxed(&b.late) != 0 or arrived > all_there
        b.ended = b.ends != NULL and load_acquire(b.ends)       # one says it for all: none goes on to wait for others
        store_release(&b.generation, generation + 1)
        return 1 if b.alone else team
    if b.patience == 0:
        store_relaxed(&b.late, 1)
        if may_leave and leaves(b, all_there):
            return 0
    while load_acquire(&b.generation) == generation:
        spins += 1
        if spins < SPINS:
            cpu_relax()
            continue
        if start == 0:
            start = clock_ns()
        elif clock_ns() - start > b.patience:
            store_relaxed(&b.late, 1)
            if may_leave and leaves(b, all_there):
                return 0
        give_way()
    return 1 if b.alone else team


cdef inline long share(long work, long i, long team) noexcept nogil:
    """Where thread i's contiguous share of the work begins (it ends where that of i + 1 begins)."""
    return work * i // team


cdef struct Share:
    # what thread i of a recurrent layer's call does: rows n0 to n1, the units of vectors u0 to u1
    long i, threads
    long team               # threads that meet after each step: all of them if they share units, 1 if they share rows
    long n0, n1, u0, u1
    bint may_leave          # the others' work can be done over


cdef inline bint meets(Barrier* b, Share* s, long team, long P) noexcept nogil:
    """Meet the others of a team; False if this thread is to leave. If a thread was late, thread 0 goes on alone from here on,
    and where units were shared it has all P vectors of them; if the call has ended, all leave."""
    cdef long came = meet(b, team, s.may_leave)
    if team == 1:
        return True
    if came == 0 or b.ended:
        return False
    if came > 1:
        return True
    if s.i > 0:
        return False
    s.threads = 1
    if s.team > 1:
        s.team = 1
        s.u0 = 0
        s.u1 = P
    return True


cdef inline bint stays(Barrier* b, Share* s, long P) noexcept nogil:
    """The same after a step."""
    return meets(b, s, s.team, P)


cdef inline long team_for(long wanted, long long work) except -1:
    """Threads that a call of so many multiply-adds may count on at the moment, of those wanted."""
    return wanted if wanted <= 1 else available(TEAM, wanted, work)


cdef int run(Part part, void* call, long wanted, long long work) except -1:
    """part(call, i, team) for each i: parts that need nothing of each other, as many as there are threads at hand."""
    cdef long team = team_for(wanted, work)
    with nogil:
        run_parts(part, call, team, False, work)
    return 0


cdef inline void run_parts(Part part, void* call, long team, bint at_once, long long work) noexcept nogil:
    """The same for a team that was asked for before; at_once: see share_out."""
    cdef Job job
    if team <= 1:
        part(call, 0, 1)
    else:
        share_out(TEAM, &job, part, call, team, at_once, work, False)


cdef struct Pair:
    # two calls at once, each by a half of the team; one after the other if there is but one thread
    Part part
    void* first
    void* second


cdef void pair_part(void* call, long i, long team) noexcept nogil:
    cdef Pair* pair = <Pair*>call
    cdef long half = team // 2
    if half == 0:
        pair.part(pair.first, 0, 1)
        pair.part(pair.second, 0, 1)
    elif i < half:
        pair.part(pair.first, i, half)
    else:
        pair.part(pair.second, i - half, team - half)
