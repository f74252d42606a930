# The forward pass over all time steps, and its entry point from Python.

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
            if w == NULL:
                project(p, t, ahead, s.n0, s.n1, s.u0, s.u1)
            else:
                meet(everyone, s.threads, False)
                blas_project(p, w, t, ahead, s.i, s.threads)
                meet(everyone, s.threads, False)
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


cdef int take_layer(Forward* f, long number, long H, int activation, int recurrent_activation, bint zero_output,
                    bint training, ndarray x, ndarray index, ndarray W, ndarray U, ndarray b, ndarray b_recurrent,
                    ndarray w, bint dropout, bint from_zero, long threads, ndarray peephole) except -1:
    """Check a layer and its input, and plan the call: all but what take_forward adds. What it points to belongs to them."""
    cdef const Cell* cell = cell_of(number)
    cdef long N, T, D, x_n = 0, x_t = 0
    cdef const real* x_
    require(x, "x")
    require(W, "W")
    require(b, "b")
    if index is None:
        N = extent(x, 0)
        T = extent(x, 1)
        D = extent(x, 2)
        x_ = sequence(x, N, T, D, &x_n, &x_t, "x")
    else:
        N = extent(index, 0)
        T = extent(index, 1)
        D = extent(x, 1)
        x_ = matrix(x, extent(x, 0), D, "x")
    f.how = plan_now(cell, N, T, D, H, from_zero, threads)
    f.meets = f.how.split_units and cell.has_recurrent_kernel
    f.w = matrix(w, D, cell.gates * H, "w")
    f.blas = f.w != NULL and index is None and (x_n >= D or x_t >= D) and max(x_n, x_t) <= BLAS_LARGEST \
        and goes_to_blas(FORWARD, N * T, cell.gates * H, D)
    f.chunk = steps_ahead(&f.how, f.blas, N, T)
    f.p = problem(cell, N, T, D, H, activation, recurrent_activation, zero_output, training, f.chunk)
    f.p.from_zero = from_zero
    f.p.regions = threads
    f.p.x = x_
    f.p.x_n = x_n
    f.p.x_t = x_t
    f.p.index = table_rows(index, N, T, extent(x, 0), &f.p.index_n, &f.p.index_t, "index")
    f.p.W = aligned_const(vector(W, f.p.G * f.p.HP * D + SLACK, "W"))
    if cell.has_recurrent_kernel:
        require(U, "U")
        f.p.U = aligned_const(vector(U, f.p.G * f.p.HP * H + SLACK, "U"))
    elif dropout:
        raise ValueError("kernel argument 'h_drop': this cell has no recurrent kernel, whose input it would scale")
    f.p.b = aligned_const(vector(b, f.p.G * f.p.HP + SLACK, "b"))
    if cell.two_biases:
        require(b_recurrent, "b_recurrent")
        f.p.b_recurrent = aligned_const(vector(b_recurrent, f.p.HP + SLACK, "b_recurrent"))
    f.p.peephole = take_peephole(&f.p, peephole)
    f.h0 = f.c0 = NULL
    f.hT = f.cT = NULL
    f.tape = carve(&f.p, NULL, dropout)
    start_barrier(&f.barrier, <long long>f.p.N * (D + H) * f.p.G * H // f.how.team)
    start_barrier(&f.everyone, -1)
    f.may_leave = False
    return 0


cdef const real* take_peephole(const Rnn* p, ndarray peephole) except? NULL:
    """The packed peepholes, or NULL without."""
    if peephole is None:
        return NULL
    if p.cell.peepholes == 0:
        raise ValueError("kernel argument 'peephole': this cell has no peepholes")
    return aligned_const(vector(peephole, p.cell.peepholes * p.HP + SLACK, "peephole"))


cdef int take_forward(Forward* f, tuple arguments, long threads) except -1:
    """Check a call's arguments, see `forward`; what it points to belongs to them."""
    cdef ndarray x, index, W, U, b, b_recurrent, h0, c0, mask, h_drop, y, hT, cT, tape, w, peephole
    cdef long N, T, H
    (cell, H, activation, recurrent_activation, zero_output, training, x, index, W, U, b, b_recurrent, h0, c0,
     mask, h_drop, y, hT, cT, tape, w, peephole) = arguments
    take_layer(f, cell, H, activation, recurrent_activation, zero_output, training, x, index, W, U, b,
               b_recurrent, w, h_drop is not None, h0 is None, threads, peephole)
    N = f.p.N
    T = f.p.T
    if not (f.p.cell.states == 2 or (c0 is None and cT is None)):
        raise ValueError("kernel arguments 'c0', 'cT': this cell has one state")
    f.h0 = matrix(h0, N, H, "h0")
    f.c0 = matrix(c0, N, H, "c0")
    f.hT = matrix_out(hT, N, H, "hT")
    f.cT = matrix_out(cT, N, H, "cT")
    f.p.y = sequence_out(y, N, T, H, &f.p.y_n, &f.p.y_t, "y")
    f.p.mask = booleans(mask, N, T, &f.p.mask_n, &f.p.mask_t)
    f.p.h_drop = matrix(h_drop, N, H, "h_drop")
    require(tape, "tape")
    carve(&f.p, vector_out(tape, f.tape, "tape"), h_drop is not None)
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


cdef int run_forward(Forward* f, int calls, long threads, object arrays) except -1:
    """One call, or two at once, with `threads` for all; arrays: what keeps those that it reads."""
    cdef int k
    cdef long long work = 0
    cdef long team
    cdef bint blas = False
    cdef Pair pair
    for k in range(calls):
        blas = blas or f[k].blas
        work += call_work(f[k].p.cell, f[k].p.N, f[k].p.T, f[k].p.D, f[k].p.H, f[k].p.from_zero)
    blas = blas_enter(blas)
    for k in range(calls):
        if not (blas and f[k].blas):
            f[k].w = NULL
    if calls == 1 and f.how.team > 1 and f.meets and not f.p.training and f.w == NULL:
        run_split(f, work, arrays)
        blas_leave(blas)
        return 0
    team = pair_team(calls, threads, work)
    with nogil:
        if team > 1:
            pair.part = forward_part
            pair.first = &f[0]
            pair.second = &f[1]
            run_parts(pair_part, &pair, team, True, work)
        else:
            for k in range(calls):
                run_parts(forward_part, &f[k], f[k].how.team, f[k].meets or f[k].w != NULL, work)
    blas_leave(blas)
    return 0


def forward(long threads, tuple first not None, tuple second=None):
    """All time steps of one recurrent layer, or of two at once, by up to `threads` threads. Of a layer: cell, H, activation,
    recurrent_activation, zero_output, training; x (N, T, D) and None, or a table (V, D) and index (N, T), the
    rows of it that x is; W, U, b, b_recurrent, packed; h0, c0, mask (N, T), h_drop, y (N, T, H), hT, cT, each None or (N, H);
    tape: tape_size elements, of two layers for threads_each(threads); w: W (D, G H) itself, which BLAS reads, or None;
    peephole: an LSTM's, packed, or None."""
    cdef Forward f[2]
    cdef int calls = 1 if second is None else 2
    cdef long each = threads if second is None else threads_each(threads)
    take_forward(&f[0], first, each)
    if second is not None:
        take_forward(&f[1], second, each)
    run_forward(f, calls, threads, (first, second))
