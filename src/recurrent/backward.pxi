# The backward pass over all time steps with all gradients, of one layer or of two at once.

cdef bint steps_back(const Rnn* p, bint dh0, long chunk, long t0, long t1, Share* s, Barrier* barrier) noexcept nogil:
    """A share's dz and dx of steps t0 to t1; dh0: whether that is asked for. False if the thread left before
    the end."""
    cdef const Cell* cell = p.cell
    cdef long t, end, K, between = steps_between_looks(3 * step_work(p), s.threads), look = t1 - between
    cdef int phase
    cdef const real* UT
    cdef Step step
    while t1 > t0:
        end = t1
        t1 = max(t0, end - chunk)
        t = end
        while t > t1:
            if t == look:
                look -= between
                if ends(p.watch) and s.team == 1:
                    return False
            t -= 1
            step = step_at(p, t)
            UT = p.UT
            for phase in range(cell.phases):
                cell.step_back[phase](p, &step, s.n0, s.n1, s.u0, s.u1)
                if not stays(barrier, s, p.P):
                    return False
                if not cell.has_recurrent_kernel or (t == 0 and not dh0 and phase == cell.phases - 1):
                    continue            # nothing flows through it, or nobody asks for what flows further
                K = cell.through_count[phase] * p.HP
                through_recurrent(p, &step, s.n0, s.n1, s.u0, s.u1, cell.through[phase] * p.HP, K, UT, phase > 0)
                UT += p.HP * K
        if s.team > 1:
            input_gradient(p, t1 + share(end - t1, s.i, s.team), t1 + share(end - t1, s.i + 1, s.team), s.n0, s.n1)
        elif s.u1 - s.u0 == p.P:        # else it waits for the others' units: see all_steps_back
            input_gradient(p, t1, end, s.n0, s.n1)
    return True


cdef Gradients gradients_of(const Rnn* p) noexcept nogil:
    """What the layer's outer products share."""
    cdef Gradients d
    d.dz = p.dz
    d.slots = p.dz_slots
    d.N = p.N
    d.T = p.T
    d.J = p.J
    d.H = p.H
    d.HP = p.HP
    d.P = p.P
    d.mask = p.mask
    d.mask_n = p.mask_n
    d.mask_t = p.mask_t
    d.from_zero = p.from_zero
    d.watch = NULL
    return d


cdef int weight_products(Rnn* p, long n0, long n1, real* dW, real* dU, real* db, Outer* outer) noexcept nogil:
    """The products over rows n0 to n1 that the weights' gradients are made of, up to four; returns their number."""
    cdef const Cell* cell = p.cell
    cdef bint apart = cell.state_gates < cell.gates
    cdef int k, count = 4 if apart else (2 if cell.has_recurrent_kernel else 1)
    for k in range(count):          # the input's and the state's; of gates for which U multiplies something else, apart
        outer[k].n0 = n0
        outer[k].n1 = n1
        outer[k].a = p.x if k % 2 == 0 else p.hu
        outer[k].a_n = p.x_n if k % 2 == 0 else p.HP
        outer[k].a_t = p.x_t if k % 2 == 0 else p.N * p.HP
        outer[k].M = p.D if k % 2 == 0 else p.H
        outer[k].of_state = k % 2 == 1
        outer[k].block = &cell.w_block[0]
        if k % 2 == 1:
            outer[k].block = &cell.u_block[0]
        outer[k].out = dW if k % 2 == 0 else dU
        outer[k].bias = db if k % 2 == 0 else NULL
        if k % 2 == 1 and cell.two_biases and db != NULL:
            outer[k].bias = db + p.G * p.H
        outer[k].ldo = p.G * p.H
        outer[k].g0 = 0 if k < 2 else cell.state_gates
        outer[k].g1 = cell.state_gates if k < 2 else cell.gates
        outer[k].blas = goes_to_blas(WEIGHTS, outer[k].M, p.G * p.H, p.N * p.T)
    if apart:
        outer[3].a = p.z + cell.factor * p.HP
        outer[3].a_n = p.J
        outer[3].a_t = p.N * p.J
    for k in range(count):
        outer[k].with_next = k % 2 == 0 and count > 1 and outer[k].M + p.H <= a_columns() \
            and not (outer[k].blas or outer[k + 1].blas)
    return count


cdef long scratch_size(const Rnn* p, long threads, bint peepholes) noexcept nogil:
    """Elements of dh, du and dc, of the peepholes' gradients, of dz, of the groups' sums, and of the threads' scratch."""
    return regions_size(p, CARRIED, threads) + peephole_sums(p, peepholes) + own_dz(p) + sums_size(p) \
        + threads * thread_scratch(p) + 2 * SLACK


cdef long thread_scratch(const Rnn* p) noexcept nogil:
    """Elements of scratch of each thread, for dW and dU together where they are small, else for the larger one."""
    return max(outer_scratch(p.D) + outer_scratch(p.H) if p.D + p.H <= a_columns() else 0,
               weights_scratch(p.N * p.T, p.D, p.H, p.G * p.H), weights_scratch(p.N * p.T, p.H, p.H, p.G * p.H))


cdef struct Backward:
    # one layer's call
    Rnn p
    Plan how
    const real* dhT             # (N, H) or NULL
    const real* dcT
    real* dh0
    real* dc0
    long groups                 # of rows, see row_groups
    real* dW
    real* dU
    real* db
    long biases                 # elements of it
    real* dpeephole             # (3, H) or NULL
    Gradients dz                # the factor that the outer products share
    real* sums                  # each group's dW, dU and db, where there are two
    Outer outer[8]              # four of each group
    int products                # that it has
    real* work                  # scratch of the threads
    long per_thread             # elements of it
    Barrier barrier


cdef int take_backward(RecurrentRunner r, Backward* f, RecurrentTape tape, ndarray dy, ndarray dhT, ndarray dcT,
                       ndarray dx, ndarray dW, ndarray dU, ndarray db, ndarray dpeephole, ndarray dh0, ndarray dc0,
                       long threads) except -1:
    """Check a call's arguments, see `RecurrentRunner.backward_call`; what it points to belongs to them, the runner, and the
    tape."""
    cdef const Cell* cell = r.cell
    cdef ndarray x = tape.x
    cdef long N = extent(x, 0), T = extent(x, 1), D = r.D, H = r.H, k
    cdef bint peepholes = r.peephole is not None
    cdef real* sums
    if cell.states == 1 and not (dcT is None and dc0 is None):
        raise ValueError("kernel arguments 'dcT', 'dc0': this cell has one state")
    pack_changed(r)
    f.how = plan_now(cell, N, T, D, H, tape.from_zero, threads)
    f.p = problem(cell, N, T, D, H, r.activation, r.recurrent_activation, tape.zero_output, True, 0)
    f.p.dz_slots = steps_at_once(&f.p)
    take_weights(r, &f.p)
    f.dhT = matrix(dhT, N, H, "dhT")
    f.dcT = matrix(dcT, N, H, "dcT")
    f.dh0 = matrix_out(dh0, N, H, "dh0")
    f.dc0 = matrix_out(dc0, N, H, "dc0")
    f.dpeephole = matrix_out(dpeephole, PEEPHOLES, H, "dpeephole") if peepholes else NULL
    f.biases = f.p.G * H * (2 if cell.two_biases else 1)
    f.db = elements_out(db, f.biases, "db")
    f.p.x = sequence(x, N, T, D, &f.p.x_n, &f.p.x_t, "x")
    f.p.dy = sequence(dy, N, T, H, &f.p.dy_n, &f.p.dy_t, "dy")
    f.p.dx = sequence_out(dx, N, T, D, &f.p.dx_n, &f.p.dx_t, "dx")
    f.p.mask = booleans(tape.mask, N, T, &f.p.mask_n, &f.p.mask_t)
    f.p.x_drop = matrix(tape.x_drop, N, D, "x_drop")
    f.p.h_drop = matrix(tape.h_drop, N, H, "h_drop")
    f.p.from_zero = tape.from_zero
    if dx is not None:
        pack_input_gradient(r)
        f.p.WT = r.WT.at
    if cell.has_recurrent_kernel:
        pack_state_gradient(r)
        f.p.UT = r.UT.at
    carve(&f.p, <real*>cnp.PyArray_DATA(tape.memory), tape.h_drop is not None)
    f.p.near = NULL
    f.per_thread = thread_scratch(&f.p)
    f.groups = row_groups(&f.p)
    f.p.dh = tape.work(scratch_size(&f.p, threads, peepholes))
    f.p.dpeephole = f.p.dh + regions_size(&f.p, CARRIED, threads)
    f.sums = f.p.dpeephole + peephole_sums(&f.p, peepholes)
    f.p.dz = f.p.z
    if not dz_on_tape(&f.p):
        f.p.dz = f.sums
        f.sums += own_dz(&f.p)
    f.work = aligned(f.sums + sums_size(&f.p))
    f.dz = gradients_of(&f.p)
    f.products = 0
    if dW is not None and (dU is not None or not cell.has_recurrent_kernel):
        f.dW = matrix_out(dW, D, f.p.G * H, "dW")
        f.dU = matrix_out(dU, H, f.p.G * H, "dU")
        if f.groups == 1:
            f.products = weight_products(&f.p, 0, N, f.dW, f.dU, f.db, f.outer)
        else:
            for k in range(2):
                sums = f.sums + k * group_size(&f.p)
                f.products = weight_products(&f.p, share(N, k, 2), share(N, k + 1, 2), sums, sums + D * f.p.G * H,
                                             NULL if f.db == NULL else sums + (D + H) * f.p.G * H, f.outer + 4 * k)
    start_barrier(&f.barrier, <long long>3 * N * (1 if f.how.split_units and cell.has_recurrent_kernel else T)
                  * (D + H) * f.p.G * H // f.how.team)
    return 0


cdef void backward_part(void* call, long i, long team) noexcept nogil:
    cdef Backward* f = <Backward*>call
    cdef uint64_t state = denormals_off()
    cdef Share s = share_of(&f.p, &f.how, i, team)
    all_steps_back(f, &s, team)
    denormals_restore(state)


cdef void all_steps_back(Backward* f, Share* s, long team) noexcept nogil:
    """Thread s.i's part of the backward pass. Threads that share rows meet where the weights' gradients are sums over the rows
    of all; from where one was late, thread 0 does every thread's rows by turns. Where the call ends before its end, each
    goes to where the others meet it."""
    cdef bint split = f.how.split_units and f.p.cell.has_recurrent_kernel
    cdef bint apart = f.how.split_units and not split       # they share units, and need nothing of each other at each step
    cdef Share rows
    cdef long t0, t1 = f.p.T, k
    while True:
        t0 = max(0, t1 - 1) // f.p.dz_slots * f.p.dz_slots
        if split and not share_back(f, s, t0, t1):
            return
        for k in range(0 if s.threads == 1 else s.i, 0 if split else team if s.threads == 1 else s.i + 1):
            rows = share_of(&f.p, &f.how, k, team)
            share_back(f, &rows, t0, t1)
        if f.products > 0 or (apart and f.p.dx != NULL):
            if not meets(&f.barrier, s, together(f, s), f.p.P):
                return
        if apart:
            input_gradient(&f.p, t0 + share(t1 - t0, s.i, s.threads), t0 + share(t1 - t0, s.i + 1, s.threads), 0, f.p.N)
        if f.products > 0:
            weights_share(&f.dz, f.outer, f.products, f.groups, t0, t1, s.i, s.threads, f.work + s.i * f.per_thread)
        if t0 == 0 or (together(f, s) == 1 and load_acquire(&f.p.watch.ended)):
            break
        if not meets(&f.barrier, s, together(f, s), f.p.P):     # their dz makes room for that of the steps before
            return
        t1 = t0
    if (f.products > 0 and f.groups > 1) or f.dpeephole != NULL:
        if not meets(&f.barrier, s, s.threads, f.p.P):
            return
    if load_acquire(&f.p.watch.ended):
        return
    if f.products > 0 and f.groups > 1:
        add_sums(&f.p, f.dW, f.dU, f.db, f.biases, f.sums, s.i, s.threads)
    if f.dpeephole != NULL:
        sum_peepholes(&f.p, f.dpeephole, share(f.p.P, s.i, s.threads), share(f.p.P, s.i + 1, s.threads))


cdef inline long together(const Backward* f, const Share* s) noexcept nogil:
    """Threads that meet before and after the sums over their steps: 1 where each thread sums over its own rows."""
    return 1 if f.groups == s.threads and not f.how.split_units else s.threads


cdef bint share_back(Backward* f, Share* s, long t0, long t1) noexcept nogil:
    """A share's steps t0 to t1, with the gradients of the final states before them and of the initial ones after them."""
    cdef Rnn p = f.p
    settle_back(&p, 0 if f.how.split_units else s.i, s.n0, s.n1)
    if t1 == p.T:
        start_back(&p, f.dhT, f.dcT, s.n0, s.n1, s.u0, s.u1)
        start_peepholes(&p, s.n0, s.n1, s.u0, s.u1)
    if not steps_back(&p, f.dh0 != NULL, f.how.chunk, t0, t1, s, &f.barrier):
        return False
    if t0 == 0:
        finish_back(&p, f.dh0, f.dc0, s.n0, s.n1, s.u0, s.u1)
    return True


cdef int run_backward(Backward* f, Backward* other, long threads) except -1:
    """One call, or, unless `other` is NULL, two at once, with `threads` for all."""
    cdef Backward* both[2]
    cdef int k, j, calls = 1 if other == NULL else 2
    cdef long long work = 0
    cdef long team
    cdef bint blas = False
    cdef Pair pair
    cdef Watch watch
    start_watch(&watch)
    both[0] = f
    both[1] = other
    for k in range(calls):
        both[k].p.watch = both[k].dz.watch = &watch
        both[k].barrier.ends = &watch.ended
        blas = blas or (both[k].products > 0 and (both[k].outer[0].blas or both[k].outer[1].blas))
        work += 3 * call_work(both[k].p.cell, both[k].p.N, both[k].p.T, both[k].p.D, both[k].p.H, both[k].p.from_zero)
    blas = blas_enter(blas)
    for k in range(calls):
        for j in range(both[k].products):
            both[k].outer[j].blas = blas and both[k].outer[j].blas
    team = pair_team(calls, threads, work)
    try:
        with nogil:
            if team > 1:
                pair.part = backward_part
                pair.first = f
                pair.second = other
                run_parts(pair_part, &pair, team, True, work)
            else:
                for k in range(calls):
                    run_parts(backward_part, both[k], both[k].how.team, True, work)
        return finish_watch(&watch)
    finally:
        blas_leave(blas)
