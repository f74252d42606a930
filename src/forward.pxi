# The forward pass over all time steps, and its entry point from Python.

cdef void forward_share(const Rnn* p, int cell, const real* h0, const real* c0, real* hT, real* cT, long chunk,
                        const real* w, long n0, long n1, long u0, long u1, long i, Barrier* all, long threads,
                        Barrier* barrier, long team) noexcept nogil:
    """The forward pass of rows n0 to n1 and the units of vectors u0 to u1, for thread i of `threads`, of which `team`
    share each step; chunk: steps whose input is projected ahead, 0 for none; w: W (D, G H) if BLAS does that, or NULL."""
    cdef uint64_t state = denormals_off()
    cdef long t, ahead = 0      # steps up to here are projected
    cdef real memory[(BLOCK + 1) * LARGEST_VL]
    cdef Block block
    cdef Step s
    block.gates = aligned(memory)
    prepare(p, h0, c0, n0, n1, u0, u1)
    barrier_wait(barrier, team)
    for t in range(p.T):
        if t == ahead and chunk > 0:
            ahead = min(p.T, t + chunk)
            if w == NULL:
                project(p, t, ahead, n0, n1, u0, u1)
            else:
                barrier_wait(all, threads)
                blas_project(p, w, t, ahead, i, threads)
                barrier_wait(all, threads)
        s = step_at(p, t)
        block.turned = t % 2 == 1
        if cell == SIMPLE_RNN:
            simple_rnn_step(p, &s, &block, chunk, n0, n1, u0, u1)
        elif cell == LSTM_CELL:
            lstm_step(p, &s, &block, chunk, n0, n1, u0, u1)
        elif p.reset_after:
            gru_step(p, &s, &block, chunk, n0, n1, u0, u1)
        else:
            gru_reset_step(p, &s, &block, chunk, n0, n1, u0, u1)
            barrier_wait(barrier, team)
            gru_candidate_step(p, &s, &block, chunk, n0, n1, u0, u1)
        emit(p, &s, n0, n1, u0, u1)
        barrier_wait(barrier, team)
    finish(p, hT, cT, n0, n1, u0, u1)
    streams_end()
    denormals_restore(state)


cdef struct Forward:
    # one layer's call
    Rnn p
    int cell
    Plan how
    bint blas                   # the input is projected through BLAS
    long chunk                  # steps whose input is projected ahead, 0 for none
    const real* h0              # (N, H) or NULL
    const real* c0
    real* hT
    real* cT
    const real* w               # (D, G H) if BLAS projects, or NULL
    long tape                   # elements of the tape
    Barrier barrier, everyone


cdef int take_layer(Forward* f, int cell, long H, int activation, int recurrent_activation, bint reset_after,
                    bint zero_output, bint training, ndarray x, ndarray index, ndarray W, ndarray U, ndarray b,
                    ndarray b_recurrent, ndarray w, bint dropout, bint from_zero, long threads) except -1:
    """Check a layer and its input, and plan the call: all but what take_forward adds. What it points to belongs to them."""
    cdef long N, T, D, x_n = 0, x_t = 0
    cdef const real* x_
    require(x, "x")
    require(W, "W")
    require(U, "U")
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
    f.cell = cell
    f.how = plan(N, T, D, H, GATE_COUNT[cell], from_zero, threads)
    f.w = matrix(w, D, GATE_COUNT[cell] * H, "w")
    f.blas = f.w != NULL and index is None and (x_n >= D or x_t >= D) and max(x_n, x_t) <= BLAS_LARGEST \
        and goes_to_blas(FORWARD, N * T, GATE_COUNT[cell] * H, D)
    f.chunk = steps_ahead(&f.how, f.blas, N, T)
    f.p = problem(cell, N, T, D, H, activation, recurrent_activation, reset_after, zero_output, training, f.chunk)
    f.p.from_zero = from_zero
    f.p.regions = threads
    f.p.x = x_
    f.p.x_n = x_n
    f.p.x_t = x_t
    f.p.index = table_rows(index, N, T, extent(x, 0), &f.p.index_n, &f.p.index_t, "index")
    f.p.W = aligned_const(vector(W, f.p.G * f.p.HP * D + SLACK, "W"))
    f.p.U = aligned_const(vector(U, f.p.G * f.p.HP * H + SLACK, "U"))
    f.p.b = aligned_const(vector(b, f.p.G * f.p.HP + SLACK, "b"))
    if cell == GRU_CELL and reset_after:
        require(b_recurrent, "b_recurrent")
        f.p.b_recurrent = aligned_const(vector(b_recurrent, f.p.HP + SLACK, "b_recurrent"))
    f.h0 = f.c0 = NULL
    f.hT = f.cT = NULL
    f.tape = carve(&f.p, NULL, dropout)
    f.barrier.arrived = f.barrier.generation = f.everyone.arrived = f.everyone.generation = 0
    return 0


cdef int take_forward(Forward* f, tuple arguments, long threads) except -1:
    """Check a call's arguments, see `forward`; what it points to belongs to them."""
    cdef ndarray x, index, W, U, b, b_recurrent, h0, c0, mask, h_drop, y, hT, cT, tape, w
    cdef long N, T, H
    (cell, H, activation, recurrent_activation, reset_after, zero_output, training, x, index, W, U, b, b_recurrent, h0, c0,
     mask, h_drop, y, hT, cT, tape, w) = arguments
    take_layer(f, cell, H, activation, recurrent_activation, reset_after, zero_output, training, x, index, W, U, b,
               b_recurrent, w, h_drop is not None, h0 is None, threads)
    N = f.p.N
    T = f.p.T
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


cdef void forward_part(void* call, long i, long team) noexcept nogil:
    cdef Forward* f = <Forward*>call
    cdef Rnn p = f.p
    cdef long n0 = share(p.N, i, team), n1 = share(p.N, i + 1, team)
    if f.how.split_units:
        settle(&p, 0, 0, p.N)
        forward_share(&p, f.cell, f.h0, f.c0, f.hT, f.cT, f.chunk, f.w, 0, p.N, share(p.P, i, team),
                      share(p.P, i + 1, team), i, &f.everyone, team, &f.barrier, team)
    else:
        settle(&p, i, n0, n1)
        forward_share(&p, f.cell, f.h0, f.c0, f.hT, f.cT, f.chunk, f.w, n0, n1, 0, p.P, i, &f.everyone, team,
                      &f.barrier, 1)


cdef int run_forward(Forward* f, int calls, long threads) except -1:
    """One call, or two at once with `threads` for each."""
    cdef int k
    cdef long work = 0
    cdef bint blas = False
    for k in range(calls):
        blas = blas or f[k].blas
        work += call_work(f[k].p.N, f[k].p.T, f[k].p.D, f[k].p.H, f[k].p.G, f[k].p.from_zero)
    blas = blas_enter(blas)
    for k in range(calls):
        if not (blas and f[k].blas):
            f[k].w = NULL
    with nogil:
        if calls == 2 and work >= SMALL_WORK:
            run_pair(forward_part, &f[0], &f[1], threads)
        else:
            for k in range(calls):
                run_call(forward_part, &f[k], f[k].how.team)
    blas_leave(blas)
    return 0


def forward(long threads, tuple first not None, tuple second=None):
    """All time steps of one recurrent layer, or of two at once, with `threads` for each. Of a layer: cell, H, activation,
    recurrent_activation, reset_after, zero_output, training; x (N, T, D) and None, or a table (V, D) and index (N, T), the
    rows of it that x is; W, U, b, b_recurrent, packed; h0, c0, mask (N, T), h_drop, y (N, T, H), hT, cT, each None or (N, H);
    tape: tape_size elements; w: W (D, G H) itself, which BLAS reads, or None."""
    cdef Forward f[2]
    take_forward(&f[0], first, threads)
    if second is not None:
        take_forward(&f[1], second, threads)
    run_forward(f, 1 if second is None else 2, threads)
