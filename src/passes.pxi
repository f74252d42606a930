# The passes over a whole batch and all time steps, and their entry points from Python.

cdef enum Cell:
    SIMPLE_RNN = 0
    LSTM_CELL = 1
    GRU_CELL = 2

ACTIVATIONS = {"linear": LINEAR, "relu": RELU, "sigmoid": SIGMOID, "tanh": TANH, "hard_sigmoid": HARD_SIGMOID}


cdef long carve(Rnn* p, real* tape, bint dropout) noexcept nogil:
    """Lay z, h, hu and c out on the tape; returns its size in elements (tape may be NULL to ask for that alone)."""
    cdef real* start = aligned(tape)
    cdef real* at = start
    p.z = at
    at += p.z_slots * p.N * p.J
    p.h = at
    at += p.h_slots * p.N * p.HP
    p.hu = p.h
    if dropout:
        p.hu = at
        at += p.h_slots * p.N * p.HP
    p.c = NULL
    if p.G == 4:
        p.c = at
        at += p.c_slots * p.N * p.HP
    return (at - start) + SLACK


cdef Rnn problem(int cell, long N, long T, long D, long H, int activation, int recurrent_activation,
                 bint reset_after, bint zero_output, bint training, long chunk) noexcept nogil:
    cdef Rnn p
    cdef int g
    p.N = N
    p.T = T
    p.D = D
    p.H = H
    p.G = 1 if cell == SIMPLE_RNN else (4 if cell == LSTM_CELL else 3)
    p.P = (H + VL - 1) // VL
    p.HP = p.P * VL
    p.J = p.HP * (4 if cell == GRU_CELL else p.G) + SLACK   # rows a power of two apart would share cache sets
    for g in range(4):
        p.w_block[g] = p.u_block[g] = g
    if cell == GRU_CELL:        # z, r, h -> blocks [hh, z, r, s]
        p.w_block[0] = p.u_block[0] = 1
        p.w_block[1] = p.u_block[1] = 2
        p.w_block[2] = 0
        p.u_block[2] = 3 if reset_after else 0
    if cell == LSTM_CELL:       # i, f, c, o -> blocks [i, f, o, g]
        p.w_block[2] = p.u_block[2] = 3
        p.w_block[3] = p.u_block[3] = 2
    p.activation = activation
    p.recurrent_activation = recurrent_activation
    p.reset_after = reset_after
    p.zero_output = zero_output
    p.training = training
    p.z_slots = max(1, T) if training else (max(1, chunk) if cell == GRU_CELL else chunk)
    p.h_slots = T + 1 if training else 2
    p.c_slots = T + 1 if training else 1
    p.x = p.W = p.U = p.b = p.b_recurrent = p.h_drop = p.dy = p.WT = p.UT = NULL
    p.y = p.dx = p.dh = p.du = p.dc = NULL
    p.mask = NULL
    p.x_n = p.x_t = p.y_n = p.y_t = p.dy_n = p.dy_t = p.dx_n = p.dx_t = p.mask_n = p.mask_t = 0
    return p


cdef void forward_share(const Rnn* p, int cell, const real* h0, const real* c0, real* hT, real* cT, long chunk,
                        const real* w, long n0, long n1, long u0, long u1, long i, Barrier* all, long threads,
                        Barrier* barrier, long team) noexcept nogil:
    """The forward pass of rows n0 to n1 and the units of vectors u0 to u1, for thread i of `threads`, of which `team`
    share each step; chunk: steps whose input is projected ahead, 0 for none; w: W (D, G H) if BLAS does that, or NULL."""
    cdef uint64_t state = denormals_off()
    cdef long t, ahead = 0      # steps up to here are projected
    cdef real memory[(BLOCK + 1) * 16]          # VL is 16 at most
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
    denormals_restore(state)


cdef void backward_share(const Rnn* p, int cell, const real* dhT, const real* dcT, real* dh0, real* dc0, long chunk,
                         long n0, long n1, long u0, long u1, long i, Barrier* barrier, long team) noexcept nogil:
    """dz of all steps, dx, and the gradients of the initial states; rows, units and team as in forward_share."""
    cdef uint64_t state = denormals_off()
    cdef long t, t0, t1 = p.T
    cdef Step s
    start_back(p, dhT, dcT, n0, n1, u0, u1)
    while t1 > 0:
        t0 = max(0, t1 - chunk)
        t = t1
        while t > t0:
            t -= 1
            s = step_at(p, t)
            if cell == SIMPLE_RNN:
                simple_rnn_step_back(p, &s, n0, n1, u0, u1)
            elif cell == LSTM_CELL:
                lstm_step_back(p, &s, n0, n1, u0, u1)
            else:
                gru_step_back(p, &s, n0, n1, u0, u1)
            barrier_wait(barrier, team)
            if cell != GRU_CELL:
                through_recurrent(p, &s, n0, n1, u0, u1, 0, p.G * p.HP, p.UT, False)
            elif p.reset_after:
                through_recurrent(p, &s, n0, n1, u0, u1, p.HP, 3 * p.HP, p.UT, False)
            else:
                through_recurrent(p, &s, n0, n1, u0, u1, 0, p.HP, p.UT + p.P * 2 * p.HP * VL, False)
                gru_reset_back(p, &s, n0, n1, u0, u1, p.du)
                barrier_wait(barrier, team)
                through_recurrent(p, &s, n0, n1, u0, u1, p.HP, 2 * p.HP, p.UT, True)
        if team == 1:
            input_gradient(p, t0, t1, n0, n1)
        else:
            input_gradient(p, t0 + share(t1 - t0, i, team), t0 + share(t1 - t0, i + 1, team), n0, n1)
        t1 = t0
    finish_back(p, dh0, dc0, n0, n1, u0, u1)
    denormals_restore(state)


cdef int weight_products(Rnn* p, int cell, real* dW, real* dU, real* db, Outer* outer) noexcept nogil:
    """The products that the weights' gradients are made of, up to four; returns their number."""
    cdef int k, count = 4 if cell == GRU_CELL else 2
    for k in range(count):          # the input's and the state's, of all gates; of a GRU's candidate apart
        outer[k].a = p.x if k % 2 == 0 else p.hu
        outer[k].a_n = p.x_n if k % 2 == 0 else p.HP
        outer[k].a_t = p.x_t if k % 2 == 0 else p.N * p.HP
        outer[k].M = p.D if k % 2 == 0 else p.H
        outer[k].block = &p.w_block[0] if k % 2 == 0 else &p.u_block[0]
        outer[k].out = dW if k % 2 == 0 else dU
        outer[k].bias = db if k % 2 == 0 else NULL
        if k % 2 == 1 and cell == GRU_CELL and p.reset_after and db != NULL:
            outer[k].bias = db + 3 * p.H
        outer[k].ldo = p.G * p.H
        outer[k].g0 = 0 if k < 2 else 2
        outer[k].g1 = 2 if k < 2 and cell == GRU_CELL else <int>p.G
        outer[k].blas = goes_to_blas(WEIGHTS, outer[k].M, p.G * p.H, p.N * p.T)
    if cell == GRU_CELL and not p.reset_after:      # the candidate's rows are r h
        outer[3].a = p.z + 3 * p.HP
        outer[3].a_n = p.J
        outer[3].a_t = p.N * p.J
    for k in range(count):
        outer[k].with_next = k % 2 == 0 and p.w_block[outer[k].g0] == p.u_block[outer[k].g0] \
            and outer[k].M + p.H <= a_columns() and not (outer[k].blas or outer[k + 1].blas)
    return count


cdef void weights_share(const Rnn* p, const Outer* outer, int products, long i, long team, real* scratch) noexcept nogil:
    """Thread i's share of each outer product."""
    cdef uint64_t state = denormals_off()
    cdef long columns
    cdef int k = 0
    while k < products:
        columns = (outer[k].g1 - outer[k].g0) * p.P
        if outer[k].blas:
            blas_outer_product(p, &outer[k], i, team, scratch)
        else:
            outer_product(p, &outer[k], share(columns, i, team), share(columns, i + 1, team), scratch)
        k += 2 if outer[k].with_next else 1
    denormals_restore(state)


cdef long steps_ahead(const Plan* how, bint blas, long N, long T) noexcept nogil:
    """Steps whose input is projected before them, 0 if each step does it."""
    if blas:
        return blas_steps(N, T)
    return 0 if how.fused else how.chunk


def tape_size(int cell, long N, long T, long D, long H, bint training, bint dropout, long threads):
    """Elements of the tape: the buffer that a forward pass needs, and that a backward pass finds its gates in."""
    cdef Plan how = plan(N, T, D, H, GATE_COUNT[cell], threads)
    cdef bint blas = goes_to_blas(FORWARD, N * T, GATE_COUNT[cell] * H, D)
    # BLAS may yet refuse x's strides
    cdef long chunk = max(steps_ahead(&how, False, N, T), steps_ahead(&how, blas, N, T))
    cdef Rnn p = problem(cell, N, T, D, H, 0, 0, True, False, training, chunk)
    return carve(&p, NULL, dropout)


cdef int* GATE_COUNT = [1, 4, 3]


def forward(int cell, long H, int activation, int recurrent_activation, bint reset_after, bint zero_output,
            bint training, long threads, ndarray x not None, ndarray W not None, ndarray U not None,
            ndarray b not None, ndarray b_recurrent, ndarray h0, ndarray c0, ndarray mask, ndarray h_drop, ndarray y, ndarray hT,
            ndarray cT, ndarray tape not None, ndarray w=None):
    """All time steps of one recurrent layer. x (N, T, D); W, U, b packed; h0, c0, h_drop, hT, cT (N, H) or None;
    mask (N, T) or None; y (N, T, H) or None; tape: tape_size elements; w: W (D, G H) itself, which BLAS reads."""
    cdef long N = extent(x, 0), T = extent(x, 1), D = extent(x, 2)
    cdef Plan how = plan(N, T, D, H, GATE_COUNT[cell], threads)
    cdef long x_n = 0, x_t = 0
    cdef real* x_ = sequence(x, N, T, D, &x_n, &x_t, "x")
    cdef real* w_ = matrix(w, D, GATE_COUNT[cell] * H, "w")
    cdef bint blas = w_ != NULL and (x_n >= D or x_t >= D) and max(x_n, x_t) <= BLAS_LARGEST \
        and goes_to_blas(FORWARD, N * T, GATE_COUNT[cell] * H, D)
    cdef long i, team, chunk = steps_ahead(&how, blas, N, T)
    cdef Rnn p = problem(cell, N, T, D, H, activation, recurrent_activation, reset_after, zero_output, training, chunk)
    cdef real* h0_ = matrix(h0, N, H, "h0")
    cdef real* c0_ = matrix(c0, N, H, "c0")
    cdef real* hT_ = matrix(hT, N, H, "hT")
    cdef real* cT_ = matrix(cT, N, H, "cT")
    cdef Barrier barrier, everyone
    p.x = x_
    p.x_n = x_n
    p.x_t = x_t
    p.y = sequence(y, N, T, H, &p.y_n, &p.y_t, "y")
    p.mask = booleans(mask, N, T, &p.mask_n, &p.mask_t)
    p.h_drop = matrix(h_drop, N, H, "h_drop")
    p.W = aligned(vector(W, p.G * p.HP * D + SLACK, "W"))
    p.U = aligned(vector(U, p.G * p.HP * H + SLACK, "U"))
    p.b = aligned(vector(b, p.G * p.HP + SLACK, "b"))
    if cell == GRU_CELL and reset_after:
        p.b_recurrent = aligned(vector(b_recurrent, p.HP + SLACK, "b_recurrent"))
    vector(tape, carve(&p, NULL, h_drop is not None), "tape")
    carve(&p, <real*>cnp.PyArray_DATA(tape), h_drop is not None)
    barrier.arrived = barrier.generation = everyone.arrived = everyone.generation = i = team = 0
    blas = blas_enter(blas)
    if not blas:
        w_ = NULL
    with nogil:
        if how.team == 1:
            forward_share(&p, cell, h0_, c0_, hT_, cT_, chunk, w_, 0, N, 0, p.P, 0, &everyone, 1, &barrier, 1)
        else:
            with parallel(num_threads=how.team):
                i = threadid()
                team = TEAM_SIZE()
                if how.split_units:
                    forward_share(&p, cell, h0_, c0_, hT_, cT_, chunk, w_, 0, N, share(p.P, i, team),
                                  share(p.P, i + 1, team), i, &everyone, team, &barrier, team)
                else:
                    forward_share(&p, cell, h0_, c0_, hT_, cT_, chunk, w_, share(N, i, team), share(N, i + 1, team),
                                  0, p.P, i, &everyone, team, &barrier, 1)
    blas_leave(blas)


def backward_scratch(int cell, long N, long T, long D, long H, long threads):
    """Elements of scratch that a backward pass needs."""
    cdef Rnn p = problem(cell, N, T, D, H, 0, 0, True, False, True, 1)
    return 3 * N * p.HP + threads * thread_scratch(&p) + 2 * SLACK


cdef long thread_scratch(const Rnn* p) noexcept nogil:
    """Elements of scratch of each thread, for dW and dU together where they are small, else for the larger one."""
    return max(outer_scratch(p.D) + outer_scratch(p.H) if p.D + p.H <= a_columns() else 0,
               weights_scratch(p.N * p.T, p.D, p.H, p.G * p.H), weights_scratch(p.N * p.T, p.H, p.H, p.G * p.H))


def backward(int cell, long H, int activation, int recurrent_activation, bint reset_after, bint zero_output,
             long threads, ndarray x not None, ndarray WT, ndarray UT not None, ndarray mask, ndarray h_drop,
             ndarray dy, ndarray dhT, ndarray dcT, ndarray tape not None, ndarray scratch not None, ndarray dx,
             ndarray dW, ndarray dU, ndarray db, ndarray dh0, ndarray dc0):
    """Gradients of one layer after `forward` with training on the same tape (whose gates are overwritten).
    dy (N, T, H), dhT, dcT (N, H) or None come in; dx (N, T, D), dW (D, G H), dU (H, G H), db (G H, or 2 G H with
    reset_after), dh0, dc0 (N, H) go out, each None where it is not wanted (dW, dU together)."""
    cdef long N = extent(x, 0), T = extent(x, 1), D = extent(x, 2)
    cdef Plan how = plan(N, T, D, H, GATE_COUNT[cell], threads)
    cdef Rnn p = problem(cell, N, T, D, H, activation, recurrent_activation, reset_after, zero_output, True, how.chunk)
    cdef real* dhT_ = matrix(dhT, N, H, "dhT")
    cdef real* dcT_ = matrix(dcT, N, H, "dcT")
    cdef real* dh0_ = matrix(dh0, N, H, "dh0")
    cdef real* dc0_ = matrix(dc0, N, H, "dc0")
    cdef real* db_ = vector(db, p.G * H * (2 if cell == GRU_CELL and reset_after else 1), "db")
    cdef long i, team, per_thread = thread_scratch(&p)
    cdef Outer outer[4]
    cdef int products = 0, k
    cdef Barrier barrier
    cdef real* work
    cdef bint blas
    p.x = sequence(x, N, T, D, &p.x_n, &p.x_t, "x")
    p.dy = sequence(dy, N, T, H, &p.dy_n, &p.dy_t, "dy")
    p.dx = sequence(dx, N, T, D, &p.dx_n, &p.dx_t, "dx")
    p.mask = booleans(mask, N, T, &p.mask_n, &p.mask_t)
    p.h_drop = matrix(h_drop, N, H, "h_drop")
    if dx is not None:
        p.WT = aligned(vector(WT, p.G * p.HP * ((D + VL - 1) // VL * VL) + SLACK, "WT"))
    p.UT = aligned(vector(UT, p.G * p.HP * p.HP + SLACK, "UT"))
    vector(tape, carve(&p, NULL, h_drop is not None), "tape")
    carve(&p, <real*>cnp.PyArray_DATA(tape), h_drop is not None)
    vector(scratch, 3 * N * p.HP + threads * per_thread + 2 * SLACK, "scratch")
    p.dh = aligned(<real*>cnp.PyArray_DATA(scratch))
    p.du = p.dh + N * p.HP
    p.dc = p.du + N * p.HP if cell == LSTM_CELL else NULL
    work = aligned(p.dh + 3 * N * p.HP)
    if dW is not None and dU is not None:
        products = weight_products(&p, cell, matrix(dW, D, p.G * H, "dW"), matrix(dU, H, p.G * H, "dU"), db_, outer)
    blas = blas_enter(products > 0 and (outer[0].blas or outer[1].blas))
    for k in range(products):
        outer[k].blas = blas and outer[k].blas
    barrier.arrived = barrier.generation = i = team = 0
    with nogil:
        if how.team == 1:
            backward_share(&p, cell, dhT_, dcT_, dh0_, dc0_, how.chunk, 0, N, 0, p.P, 0, &barrier, 1)
            weights_share(&p, outer, products, 0, 1, work)
        else:
            with parallel(num_threads=how.team):
                i = threadid()
                team = TEAM_SIZE()
                if how.split_units:
                    backward_share(&p, cell, dhT_, dcT_, dh0_, dc0_, how.chunk, 0, N, share(p.P, i, team),
                                   share(p.P, i + 1, team), i, &barrier, team)
                else:
                    backward_share(&p, cell, dhT_, dcT_, dh0_, dc0_, how.chunk, share(N, i, team),
                                   share(N, i + 1, team), 0, p.P, i, &barrier, 1)
                barrier_wait(&barrier, team)
                weights_share(&p, outer, products, i, team, work + i * per_thread)
    blas_leave(blas)


def pack(ndarray w not None, long H, tuple gates, ndarray out not None):
    """(K, G H) -> the columns that tiles read, [P][len(gates)][K][VL]."""
    cdef long K = extent(w, 0), ld = extent(w, 1), P = (H + VL - 1) // VL
    cdef int order[4]
    gate_order(gates, ld, H, order)
    cdef real* source = matrix(w, K, ld, "w")
    cdef real* target = aligned(vector(out, len(gates) * P * VL * K + SLACK, "out"))
    pack_columns(source, ld, K, H, order, len(gates), target)


def pack_t(ndarray w not None, long H, tuple gates, ndarray out not None):
    """(K, G H) -> its transpose for gradients, [K / VL][len(gates) HP][VL]."""
    cdef long K = extent(w, 0), ld = extent(w, 1), HP = (H + VL - 1) // VL * VL
    cdef int order[4]
    gate_order(gates, ld, H, order)
    cdef real* source = matrix(w, K, ld, "w")
    cdef real* target = aligned(vector(out, len(gates) * HP * ((K + VL - 1) // VL * VL) + SLACK, "out"))
    pack_transposed(source, ld, K, H, order, len(gates), HP, target)


cdef int gate_order(tuple gates, long columns, long H, int* order) except -1:
    cdef int i
    if not 0 < len(gates) <= 4:
        raise ValueError("kernel argument 'gates': expected 1 to 4 gates")
    for i in range(len(gates)):
        order[i] = gates[i]
        if order[i] < 0 or (order[i] + 1) * H > columns:
            raise ValueError(f"kernel argument 'gates': gate {order[i]} is not in {columns} columns")
    return 0
