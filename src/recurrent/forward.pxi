# The forward pass over all time steps, of one layer or of two at once.

cdef class RecurrentRunner(Runner)      # see runner.pxi
cdef class RecurrentTape


cdef void forward_share(const Rnn* p, const real* h0, const real* c0, real* hT, real* cT, long chunk,
                        const real* w, Share s, Barrier* everyone, Barrier* barrier) noexcept nogil:
    """The forward pass of a share; chunk: steps whose input is projected ahead, 0 for none; w: W (D, G H) if BLAS does that,
    or NULL."""
    cdef uint64_t state = denormals_off()
    if all_steps(p, h0, c0, chunk, w, &s, everyone, barrier):
        if s.team == 1:
            finish(p, hT, cT, s.n0, s.n1, s.u0, s.u1)
        elif s.i == 0:
            finish(p, hT, cT, s.n0, s.n1, 0, p.P)
    streams_end()
    denormals_restore(state)


cdef bint all_steps(const Rnn* p, const real* h0, const real* c0, long chunk, const real* w, Share* s,
                    Barrier* everyone, Barrier* barrier) noexcept nogil:
    """False if the thread left before the end."""
    cdef long t, ahead = 0      # steps up to here are projected
    cdef long between = steps_between_looks(step_work(p), s.threads), look = between
    cdef int phase
    cdef real memory[(BLOCK + 1) * LARGEST_VL]
    cdef Block block
    cdef Step step
    block.gates = aligned(memory)
    prepare(p, h0, c0, s.n0, s.n1, s.u0, s.u1)
    if not stays(barrier, s, p.P):
        return False
    for t in range(p.T):
        if t == ahead and chunk > 0:
            ahead = min(p.T, t + chunk)
            if p.folded != NULL:
                if not p.cell.has_recurrent_kernel:
                    take_folded(p, t, ahead, s.n0, s.n1, s.u0, s.u1)
            elif w == NULL:
                project(p, t, ahead, s.n0, s.n1, s.u0, s.u1)
            else:
                meet(everyone, s.threads, False)
                blas_project(p, w, t, ahead, s.i, s.threads)
                meet(everyone, s.threads, False)
                if everyone.ended:
                    return False
        if t == look:
            look += between
            if ends(p.watch) and s.team == 1 and (w == NULL or s.threads == 1):
                return False
        step = step_at(p, t)
        block.turned = t % 2 == 1
        for phase in range(p.cell.phases):
            if phase > 0 and not stays(barrier, s, p.P):
                return False
            p.cell.step[phase](p, &step, &block, chunk, s.n0, s.n1, s.u0, s.u1)
        if s.team == 1:
            emit(p, &step, s.n0, s.n1, s.u0, s.u1)
            continue
        if not stays(barrier, s, p.P):
            return False
        if s.i == 0:            # alone, so that others write to nothing that is not the call's own: see split.pxi
            emit(p, &step, s.n0, s.n1, 0, p.P)
    return True


cdef struct Forward:
    # one layer's call
    Rnn p
    Plan how
    bint meets                  # threads meet after each step
    bint blas                   # the input is projected through BLAS
    long chunk                  # steps whose input is projected ahead, 0 for none
    const real* h0              # (N, H) or NULL
    const real* c0
    real* hT
    real* cT
    const real* w               # (D, G H) if BLAS projects, or NULL
    long tape                   # elements of the tape
    Barrier barrier, everyone
    bint may_leave


cdef int take_forward(RecurrentRunner r, Forward* f, ndarray x, ndarray index, bint zero_output, bint training,
                      bint dropout, bint from_zero, long threads) except -1:
    """Have the weights packed, check the input, and plan the call: what is left is who gives it states, a mask, outputs and
    a tape. What it points to belongs to the runner and the arrays."""
    cdef const Cell* cell = r.cell
    cdef long N, T, D = r.D, H = r.H, x_n = 0, x_t = 0
    cdef bint folded = index is not None and x is r.table and not training
    cdef const real* x_
    if index is None:
        N = extent(x, 0)
        T = extent(x, 1)
        x_ = sequence(x, N, T, D, &x_n, &x_t, "x")
    else:
        N = extent(index, 0)
        T = extent(index, 1)
        x_ = matrix(x, extent(x, 0), D, "x")
    if dropout and not cell.has_recurrent_kernel:
        raise ValueError("kernel argument 'h_drop': this cell has no recurrent kernel, whose input it would scale")
    pack_changed(r)
    if folded:
        D = 0                   # for the plan: there is nothing to multiply
    f.how = plan_now(cell, N, T, D, H, from_zero, threads)
    if folded:
        f.how.fused = False
    f.meets = f.how.split_units and cell.has_recurrent_kernel
    f.w = <const real*>cnp.PyArray_DATA(r.W.source)
    f.blas = index is None and (x_n >= D or x_t >= D) and max(x_n, x_t) <= BLAS_LARGEST \
        and goes_to_blas(FORWARD, N * T, cell.gates * H, D)
    f.chunk = steps_ahead(&f.how, f.blas, N, T)
    if folded and cell.has_recurrent_kernel:
        f.chunk = 1
    f.p = problem(cell, N, T, r.D, H, r.activation, r.recurrent_activation, zero_output, training, f.chunk)
    if folded:
        f.p.folded = r.folded_at
    f.p.from_zero = from_zero
    f.p.regions = threads
    f.p.x = x_
    f.p.x_n = x_n
    f.p.x_t = x_t
    f.p.index = table_rows(index, N, T, extent(x, 0), &f.p.index_n, &f.p.index_t, "index")
    take_weights(r, &f.p)
    f.h0 = f.c0 = NULL
    f.hT = f.cT = NULL
    f.tape = carve(&f.p, NULL, dropout)
    start_barrier(&f.barrier, <long long>f.p.N * (D + H) * f.p.G * H // f.how.team)
    start_barrier(&f.everyone, -1)
    f.may_leave = False
    return 0


cdef int take_weights(RecurrentRunner r, Rnn* p) except -1:
    """Where the packed weights of a forward pass are."""
    p.W = r.W.at
    p.U = NULL if r.U is None else r.U.at
    p.b = r.b.at
    p.b_recurrent = p.b + p.G * p.HP if p.cell.two_biases else NULL
    p.peephole = NULL if r.peephole is None else r.peephole.at
    return 0


cdef Share share_of(const Rnn* p, const Plan* how, long i, long threads) noexcept nogil:
    """What thread i of `threads` does of a call that is planned like that."""
    cdef Share s
    s.i = i
    s.threads = threads
    s.team = threads if how.split_units and p.cell.has_recurrent_kernel else 1
    s.n0 = 0 if how.split_units else share(p.N, i, threads)
    s.n1 = p.N if how.split_units else share(p.N, i + 1, threads)
    s.u0 = share(p.P, i, threads) if how.split_units else 0
    s.u1 = share(p.P, i + 1, threads) if how.split_units else p.P
    s.may_leave = False
    return s


cdef void forward_part(void* call, long i, long team) noexcept nogil:
    cdef Forward* f = <Forward*>call
    cdef Rnn p = f.p
    cdef Share s = share_of(&p, &f.how, i, team)
    s.may_leave = f.may_leave and i == 0
    settle(&p, 0 if f.how.split_units else i, s.n0, s.n1)
    forward_share(&p, f.h0, f.c0, f.hT, f.cT, f.chunk, f.w, s, &f.everyone, &f.barrier)


cdef int run_forward(Forward* f, Forward* other, long threads, object arrays) except -1:
    """One call, or, unless `other` is NULL, two at once, with `threads` for all; arrays: what keeps those that they read."""
    cdef Forward* both[2]
    cdef int k, calls = 1 if other == NULL else 2
    cdef long long work = 0
    cdef long team
    cdef bint blas = False
    cdef Pair pair
    cdef Watch watch
    start_watch(&watch)
    both[0] = f
    both[1] = other
    for k in range(calls):
        both[k].p.watch = &watch
        both[k].barrier.ends = both[k].everyone.ends = &watch.ended
        blas = blas or both[k].blas
        work += call_work(both[k].p.cell, both[k].p.N, both[k].p.T, both[k].p.D, both[k].p.H, both[k].p.from_zero)
    blas = blas_enter(blas)
    for k in range(calls):
        if not (blas and both[k].blas):
            both[k].w = NULL
    try:
        if calls == 1 and f.how.team > 1 and f.meets and not f.p.training and f.w == NULL:
            return run_split(f, work, arrays)
        team = pair_team(calls, threads, work)
        with nogil:
            if team > 1:
                pair.part = forward_part
                pair.first = f
                pair.second = other
                run_parts(pair_part, &pair, team, True, work)
            else:
                for k in range(calls):
                    run_parts(forward_part, both[k], both[k].how.team, both[k].meets or both[k].w != NULL, work)
        return finish_watch(&watch)
    finally:
        blas_leave(blas)
