# The process's helper threads, and how a call borrows them. All kernel modules share one team (threads.pyx has its threads).
#
# A call posts a job to helpers and works on it itself. What a helper has not begun is taken back by one atomic operation, and
# the call does it alone. Parts that need nothing of each other are dealt out as they are; parts that meet at barriers (see
# threads.pxi) begin with the helpers that came within HOT_NS, or WAKE_NS. Of helpers that have begun, the call waits for those
# whose work cannot be done over; in split.pxi it can, and a late one is left behind. Results do not depend on who came.
#
# Where a helper finds that others had its core, calls run alone for a while, each time longer. That a thread is late does not
# say so much: virtual machines stop all the time, and are slow to wake a thread.
cdef extern from "base/wait.h" nogil:
    void give_way()
    void cpu_relax()
    long long clock_ns()
    long times_interrupted()
    long long without_core_ns()
    int this_cpu()
    void leave_cpu(int)
    long load_acquire(long*)
    void store_release(long*, long)
    long add_fetch(long*, long)
    long long load_relaxed(const long long*)
    void store_relaxed(long long*, long long)
    bint exchange_if(long*, long, long)

cdef extern from "pythread.h" nogil:
    ctypedef void* PyThread_type_lock
    PyThread_type_lock PyThread_allocate_lock()
    int PyThread_acquire_lock(PyThread_type_lock, int)
    void PyThread_release_lock(PyThread_type_lock)
    unsigned long PyThread_get_thread_ident()
    unsigned long PyThread_start_new_thread(void (*)(void*) noexcept, void*)

ctypedef void (*Part)(void* call, long i, long team) noexcept nogil

cdef enum:
    MOST_HELPERS = 255
    SPINS = 256             # polls of some 40 ns before a waiting thread looks at the clock, and gives way to others
    WATCH_NS = 200000       # that a helper without work spins for, as the next call of a loop comes soon
    LATE_NS = 200000        # without a look at the clock, or more than a part of a job takes: the core may have been taken
    LOST_NS = 1000000       # without the core: other processes want it, and it is no mere moment of the system's own
    BLIND_NS = 1000000      # the same where the system does not say whether it was
    LOOK_NS = 1000000       # from one look at what the system says to the next, where nothing else gives cause
    HOT_NS = 20000          # that a call waits for a helper that spins,
    WAKE_NS = 100000        # and for one that has to wake,
    WAKE_WORK = 5000000     # which it does only with so many multiply-adds: some 200 us
    WORK_PER_NS = 4         # multiply-adds that any processor does in a nanosecond: only to tell what is late
    FIRST_PENALTY = 20000000        # ns that calls run alone; each further time
    PROBATION_NS = 300000000        # within so many after that, or as long as that was,
    GROWTH = 4                      # so many times as long, up to
    LONGEST_PENALTY = 8             # seconds
    LAST_POST = 1000000000          # fits into 32 bits

# A helper's state. Who makes it what:
#   call      WATCHING, ASLEEP -> CLAIMED -> posted (and wakes it, if it was ASLEEP)
#   call      posted -> ABSENT, taken back;  ASLEEP -> ABSENT, woken for what may follow
#   helper    ABSENT -> WATCHING;  posted -> WORKING -> WATCHING;  WATCHING -> ASLEEP
cdef enum State:
    ABSENT = 0              # not started, lost in a fork, or called: nobody claims it before it has shown up
    ASLEEP = 1
    WATCHING = 2            # spins, and takes what is posted at once
    CLAIMED = 3             # by a call that is about to post
    WORKING = 4
    POSTED = 5              # and above: the number of what is posted, so that nobody takes back what another call posted

cdef struct Job:
    Part part
    void* call
    long team               # threads that share it, 0 while that is not known
    long long patience      # ns after which one of them is late
    long apart[16]          # what helpers poll and what they write are on cache lines of their own
    long unfinished         # helpers that have not ended their part

cdef struct Helper:
    long state
    long posts              # so far, counted from POSTED on
    long i                  # the part of the job that is posted to it
    Job* job
    PyThread_type_lock bed  # held while it sleeps
    long cpu                # of who wakes it
    long apart[10]

cdef struct Posted:
    Helper* helper
    long number

cdef struct Team:
    long started            # helpers, from the first on
    long lost               # they are in the parent process, and there will be none here
    unsigned long main_thread   # that Python runs handlers of signals on
    int (*grow)(long helpers) except -1
    long long patience      # -1; or, for tests, ns that a thread waits for another in any case
    long long penalty       # ns of the last one
    long long alone_until
    long long last_wanted   # when a call last would have had a helper
    Helper helpers[MOST_HELPERS]


cdef inline long long patience_of(const Team* t, long long work) noexcept nogil:
    """ns after which a thread that has `work` multiply-adds to do, in a team on free cores, is late."""
    cdef long long patience = load_relaxed(&t.patience)
    if patience >= 0:
        return patience
    return HOT_NS + work // WORK_PER_NS


cdef inline void crowded(Team* t) noexcept nogil:
    """Other processes want the cores: have calls run alone for a while."""
    cdef long long time = clock_ns(), penalty = load_relaxed(&t.penalty), until = load_relaxed(&t.alone_until)
    if time > until + max(<long long>PROBATION_NS, penalty):
        penalty = FIRST_PENALTY
    elif time > until:
        penalty = min(<long long>LONGEST_PENALTY * 1000000000, GROWTH * penalty)
    store_relaxed(&t.penalty, penalty)
    store_relaxed(&t.alone_until, time + penalty)


cdef inline long available(Team* t, long wanted, long long work) except -1:
    """Threads, of those wanted, that a call of so many multiply-adds may count on: 1 is the caller's own. Starts helpers
    where there are too few."""
    if wanted > 1 and not t.lost and t.started < min(wanted, <long>MOST_HELPERS + 1) - 1:
        t.grow(min(wanted, <long>MOST_HELPERS + 1) - 1)
    return threads_at_hand(t, wanted, work)


cdef inline long threads_at_hand(Team* t, long wanted, long long work) noexcept nogil:
    """The same of the helpers that have been started."""
    cdef long count = 1, k
    cdef bint follows
    if wanted <= 1 or t.lost:
        return 1
    wanted = min(wanted, <long>MOST_HELPERS + 1)
    if load_relaxed(&t.patience) < 0 and load_relaxed(&t.penalty) > 0 and clock_ns() < load_relaxed(&t.alone_until):
        return 1
    follows = calls_follow(t)
    for k in range(load_acquire(&t.started)):
        if count == wanted:
            break
        count += is_at_hand(t, &t.helpers[k], work, follows)
    return count


cdef inline bint is_at_hand(Team* t, Helper* h, long long work, bint follows) noexcept nogil:
    """Whether a helper is there for so much work. One that sleeps through less is woken for what comes next."""
    cdef long state = load_acquire(&h.state)
    while load_relaxed(&t.patience) > 0 and state == ABSENT:
        give_way()
        state = load_acquire(&h.state)
    if state == ASLEEP and work < WAKE_WORK and load_relaxed(&t.patience) < 0:
        if follows and exchange_if(&h.state, ASLEEP, ABSENT):
            wake(t, h)
        return False
    return state == WATCHING or state == ASLEEP


cdef inline bint calls_follow(Team* t) noexcept nogil:
    """Whether calls come so soon after each other that a helper who was awake would not fall asleep between them."""
    cdef long long time = clock_ns(), before = load_relaxed(&t.last_wanted)
    store_relaxed(&t.last_wanted, time)
    return time - before < WATCH_NS


cdef inline void wake(Team* t, Helper* h) noexcept nogil:
    """Have a helper leave its bed. Where no core is free it takes the caller's."""
    cdef long before = times_interrupted()
    cdef long long start = clock_ns()
    h.cpu = this_cpu()
    PyThread_release_lock(h.bed)
    if clock_ns() - start > LATE_NS and (before < 0 or times_interrupted() > before) \
            and load_relaxed(&t.patience) < 0:
        crowded(t)


cdef inline bint claim(Helper* h, Job* job, long i, bint* asleep) noexcept nogil:
    """Have a helper that is free for part i of a job; whether it was."""
    asleep[0] = exchange_if(&h.state, ASLEEP, CLAIMED)
    if not (asleep[0] or exchange_if(&h.state, WATCHING, CLAIMED)):
        return False
    h.job = job
    h.i = i
    h.posts = h.posts + 1 if POSTED <= h.posts < LAST_POST else POSTED
    return True


cdef inline Posted post(Team* t, Helper* h, Job* job, bint asleep) noexcept nogil:
    cdef Posted posted
    posted.helper = h
    posted.number = h.posts
    add_fetch(&job.unfinished, 1)
    store_release(&h.state, posted.number)
    if asleep:
        wake(t, h)
    return posted


cdef inline bint take_back(Job* job, const Posted* p) noexcept nogil:
    """Whether a helper had not begun, and will not. It is there again when it says so."""
    if not exchange_if(&p.helper.state, p.number, ABSENT):
        return False
    add_fetch(&job.unfinished, -1)
    return True


cdef inline bint begins(const Posted* p, long long patience) noexcept nogil:
    """Whether a helper begins with what was posted to it before patience ends."""
    cdef long spins = 0
    cdef long long start = 0
    while load_acquire(&p.helper.state) == p.number:
        spins += 1
        if spins < SPINS:
            cpu_relax()
            continue
        if start == 0:
            start = clock_ns()
        elif clock_ns() - start > patience:
            return False
        give_way()
    return True


cdef inline bint wait_for_helpers(Job* job, bint may_leave) noexcept nogil:
    """Whether all have ended their parts: always, but for a call that may leave. Its helpers end when it does, or are late."""
    cdef long spins = 0
    cdef long long start = 0
    while load_acquire(&job.unfinished) != 0:
        spins += 1
        if spins < SPINS:
            cpu_relax()
            continue
        if start == 0:
            start = clock_ns()
        elif may_leave and clock_ns() - start > HOT_NS:
            return False
        give_way()
    return True


cdef inline bint share_out(Team* t, Job* job, Part part, void* call, long team, bint at_once, long long work,
                           bint may_leave) noexcept nogil:
    """Run part(call, i, team) for each i below `team`, by helpers where they come.

    job: of the caller, as is what `call` points to.
    at_once: the parts wait for each other, so that they are as many as threads came; else there are always `team` of them.
    work: multiply-adds of all parts together.
    may_leave: return False before helpers that are late; both belong to them then until job.unfinished is 0.
    """
    cdef Posted posted[MOST_HELPERS]
    cdef long long patience = load_relaxed(&t.patience)
    cdef long count = 0, k, came = 0
    cdef bint asleep, woken = False
    job.part = part
    job.patience = patience_of(t, work // team)
    job.call = call
    job.unfinished = 0
    job.team = team
    if at_once and team > 2:
        job.team = 0            # of two threads, the helper knows by being there that both are
    for k in range(load_acquire(&t.started)):
        if count == team - 1:
            break
        if claim(&t.helpers[k], job, count + 1, &asleep):
            posted[count] = post(t, &t.helpers[k], job, asleep)
            count += 1
            woken = woken or asleep
    if at_once:
        for k in range(count):
            if begins(&posted[k], patience if patience >= 0 else (WAKE_NS if woken else HOT_NS)) \
                    or not take_back(job, &posted[k]):
                came += 1
                if job.team == 0:
                    posted[k].helper.i = came
        team = came + 1
        if came > 0:
            store_release(&job.team, team)
    part(call, 0, team)
    if not at_once:
        for k in range(count):
            if take_back(job, &posted[k]):
                part(call, k + 1, team)
        for k in range(count + 1, team):
            part(call, k, team)
    return wait_for_helpers(job, may_leave)
