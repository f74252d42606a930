# A recurrent layer in a stream: its steps from the states of each slot on, by a team that shares rows or units.

cdef inline long recurrent_width(const Operation* o) noexcept nogil:
    """Of what the kernel multiplies."""
    return 0 if o.folded != NULL else o.D[0]


cdef inline long recurrent_team(const Operation* o, const Frames* k) noexcept nogil:
    """Threads that are at hand for a call."""
    cdef Plan how = plan(o.cell, k.N, k.T, recurrent_width(o), o.O, False, k.threads)
    if how.team == 1:
        return 1
    return threads_at_hand(TEAM, how.team, call_work(o.cell, k.N, k.T, recurrent_width(o), o.O, False))


cdef void ready_recurrent(const Operation* o, long N, long T, long threads, Forward* f) noexcept nogil:
    """A call of a recurrent layer with states, but for its arrays."""
    cdef const Cell* cell = o.cell
    f.how = plan(cell, N, T, recurrent_width(o), o.O, False, threads)
    f.meets = f.how.split_units and cell.has_recurrent_kernel
    f.blas = f.may_leave = False
    f.w = NULL
    f.chunk = steps_ahead(&f.how, False, N, T)
    if o.folded != NULL:
        f.chunk = 1
        f.how.fused = False
    f.p = problem(cell, N, T, o.D[0], o.O, o.activation, o.recurrent_activation, False, False, f.chunk)
    f.p.regions = max(1, f.how.team)
    f.p.folded = o.folded
    f.p.W = o.W
    f.p.U = o.U
    f.p.b = o.b
    f.p.b_recurrent = o.b + f.p.G * f.p.HP if cell.two_biases else NULL
    f.p.peephole = o.peephole
    f.hT = f.cT = NULL
    start_barrier(&f.barrier, <long long>N * (recurrent_width(o) + o.O) * cell.gates * o.O // max(1, f.how.team))
    start_barrier(&f.everyone, -1)


cdef long split_room(const Operation* o, long N, long T, long threads) noexcept nogil:
    """Elements of the tape that threads share which share the units of a call; 0 where they never do."""
    cdef Forward f
    cdef long most = 0, n
    if o.cell != NULL:
        for n in range(2, threads + 1):
            ready_recurrent(o, N, T, n, &f)
            if f.meets:
                most = max(most, carve(&f.p, NULL, False))
    return most


cdef bint run_frames_split(const Frames* k, Forward* f, long long work) noexcept nogil:
    """As `run_split`, in memory of the stream's; False if late threads have all of that in their hands."""
    cdef int i
    cdef Split* s
    if k.splits == NULL:
        return False
    for i in range(SPLITS):
        s = &k.splits[i]
        if load_acquire(&s.job.unfinished) == 0 and carve(&f.p, NULL, False) <= s.room:
            s.f = f[0]
            s.f.may_leave = True
            if k.watch != NULL:
                s.watch = k.watch[0]
                s.f.p.watch = &s.watch
                s.f.barrier.ends = &s.watch.ended
            carve(&s.f.p, s.tape, False)
            share_out(TEAM, &s.job, forward_part, &s.f, f.how.team, True, work, True)
            if k.watch != NULL and s.watch.ended:
                k.watch.ended = 1
            elif s.f.barrier.left:
                carve(&f.p, k.work, False)
                forward_part(f, 0, 1)
            return True
    return False


cdef long recurrent_work(const Operation* o, long N, long T, long threads) noexcept nogil:
    """For whatever number of threads is at hand."""
    cdef Forward f
    cdef long most = 0, n
    for n in range(1, threads + 1):
        ready_recurrent(o, N, T, n, &f)
        most = max(most, carve(&f.p, NULL, False))
    return most


cdef void give_arrays(const Operation* o, const Frames* k, Forward* f) noexcept nogil:
    f.p.x = k.values[o.x[0]]
    f.p.x_n = k.T * o.D[0]
    f.p.x_t = o.D[0]
    f.p.index = k.index if o.folded != NULL else NULL
    f.p.index_n = k.T
    f.p.index_t = 1
    f.p.slots = k.slots
    f.p.watch = k.watch
    f.p.mask = k.zeros if o.masked else k.mask
    if f.p.mask != NULL:
        f.p.mask_n = k.T
        f.p.mask_t = 1
    f.p.y = k.values[o.y]
    f.p.y_n = k.T * o.O
    f.p.y_t = o.O
    f.h0 = f.hT = k.states[o.state]
    f.c0 = f.cT = k.states[o.state + 1] if o.cell.states == 2 else NULL


cdef inline int interrupted(const Frames* k) noexcept nogil:
    return INTERRUPTED if k.watch != NULL and k.watch.ended else NO_FAILURE


cdef int recurrent_frames(const Operation* o, const Frames* k) noexcept nogil:
    cdef Forward f
    cdef long long work = call_work(o.cell, k.N, k.T, recurrent_width(o), o.O, False)
    ready_recurrent(o, k.N, k.T, recurrent_team(o, k), &f)
    give_arrays(o, k, &f)
    if f.meets:
        if run_frames_split(k, &f, work):
            return interrupted(k)
        ready_recurrent(o, k.N, k.T, 1, &f)
        give_arrays(o, k, &f)
    if carve(&f.p, k.work, False) > k.room:
        return NO_ROOM
    run_parts(forward_part, &f, f.how.team, False, work)
    return interrupted(k)
