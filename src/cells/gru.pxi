# GRU (Cho et al. 2014), Keras's gate order z, r, h:
#   z, r = sigma(x W + h U + b)
#   hh = tanh(x W_h + b_h + r (h U_h + b_rh))   with reset_after (as in cuDNN), else tanh(x W_h + (r h) U_h + b_h)
#   h' = z h + (1 - z) hh
#
# Blocks of z: [hh, z, r, s]. The first three are what W produces, the last three what U produces with reset_after,
# where s is the candidate's recurrent part h U_h + b_rh (then its gradient); so each product has its columns side by
# side. Without reset_after s holds r h, the rows that U_h multiplies.

cdef void gru_gates(const Rnn* p, const Step* s, const Block* b) noexcept nogil:
    """With reset_after: gates and new states of a block; for a backward pass the gates go to z."""
    cdef real* hh = b.gates
    cdef real* update = hh + b.size
    cdef real* reset = update + b.size
    cdef real* state = reset + b.size
    cdef real* z
    cdef int r
    cdef long v, k
    activate_run(p.recurrent_activation, update, 2 * b.R * b.vectors)
    for k in range(b.R * b.vectors):
        vstore(hh + k * VL, vload(hh + k * VL) + vload(reset + k * VL) * vload(state + k * VL))
    activate_run(p.activation, hh, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            k = (v * b.R + r) * VL
            if p.training:
                z = s.z + b.rows[r] * p.J + (b.u + v) * VL
                keep(p, z, vload(hh + k))
                keep(p, z + p.HP, vload(update + k))
                keep(p, z + 2 * p.HP, vload(reset + k))
                keep(p, z + 3 * p.HP, vload(state + k))
            gru_state(p, s, b.rows[r], b.u + v, vload(hh + k), vload(update + k))


cdef inline void gru_state(const Rnn* p, const Step* s, long n, long u, vf hh, vf update) noexcept nogil:
    store_state(p, s, n, u, hh + update * (vload(s.h + n * p.HP + u * VL) - hh))


cdef void gru_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step with reset_after; ahead: see block_gates."""
    carry_over(p, s, n0, n1, u0, u1)
    start_blocks(p, b, n0, n1, u0, u1)
    while next_block(p, s, b, s.hu, p.HP):
        expect(p, s, b, ahead)
        block_gates(p, b, 0, 2, True, s.state, ahead)
        block_gates(p, b, 2, 3, True, False, ahead)
        block_gates(p, b, 2, 3, False, s.state, ahead)
        gru_gates(p, s, b)


cdef void gru_reset_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0,
                         long u1) noexcept nogil:
    """Without reset_after, first half: update and reset gates, and s = r h; all of them in z."""
    cdef long v, k
    cdef int r
    cdef real* z
    carry_over(p, s, n0, n1, u0, u1)
    start_blocks(p, b, n0, n1, u0, u1)
    while next_block(p, s, b, s.hu, p.HP):
        expect(p, s, b, ahead)
        block_gates(p, b, 0, 2, True, s.state, ahead)
        activate_run(p.recurrent_activation, b.gates + b.size, 2 * b.R * b.vectors)
        for v in range(b.vectors):
            for r in range(b.R):
                k = b.size + (v * b.R + r) * VL
                z = s.z + b.rows[r] * p.J + (b.u + v) * VL
                vstore(z + p.HP, vload(b.gates + k))
                vstore(z + 2 * p.HP, vload(b.gates + k + b.size))
                vstore(z + 3 * p.HP, vload(b.gates + k + b.size) * vload(s.hu + b.rows[r] * p.HP + (b.u + v) * VL))


cdef void gru_candidate_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0,
                             long u1) noexcept nogil:
    """Second half: hh from (r h) U_h, and the new state."""
    cdef long v
    cdef int r
    cdef real* z
    cdef vf hh
    start_blocks(p, b, n0, n1, u0, u1)
    while next_block(p, s, b, s.z + 3 * p.HP, p.J):
        block_gates(p, b, 2, 3, True, s.state, ahead)
        activate_run(p.activation, b.gates, b.R * b.vectors)
        for v in range(b.vectors):
            for r in range(b.R):
                z = s.z + b.rows[r] * p.J + (b.u + v) * VL
                hh = vload(b.gates + (v * b.R + r) * VL)
                vstore(z, hh)
                gru_state(p, s, b.rows[r], b.u + v, hh, vload(z + p.HP))


cdef void gru_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step. Without reset_after the reset gate's gradient waits for d(r h): see gru_reset_back."""
    cdef long n, u
    cdef const real* z
    cdef real* dz
    cdef vf hh, update, reset, dh, dhh
    carry_back(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if not is_active(p, s, n):
            continue
        row_ahead(p, s, n + 1, n1, u0, u1)
        for u in range(u0, u1):
            z = s.z + n * p.J + u * VL
            dz = s.dz + n * p.J + u * VL
            hh = vload(z)
            update = vload(z + p.HP)
            dh = incoming(p, s, n, u)
            dhh = dh * (vset1(1) - update) * derivative(p.activation, hh)
            vstore(dz, dhh)
            vstore(dz + p.HP, dh * (vload(s.h + n * p.HP + u * VL) - hh)
                   * derivative(p.recurrent_activation, update))
            vstore(p.dh + n * p.HP + u * VL, dh * update)
            if p.cell.phases == 1:          # with reset_after
                reset = vload(z + 2 * p.HP)
                vstore(dz + 2 * p.HP, dhh * vload(z + 3 * p.HP) * derivative(p.recurrent_activation, reset))
                vstore(dz + 3 * p.HP, dhh * reset)


cdef void gru_reset_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """Without reset_after, second half: du is d(r h) now; gives the reset gate's gradient, and leaves d(r h) r in du."""
    cdef long n, u
    cdef long at
    cdef real* d
    cdef vf reset
    for n in range(n0, n1):
        if not is_active(p, s, n):
            continue
        for u in range(u0, u1):
            at = n * p.J + 2 * p.HP + u * VL
            d = p.du + n * p.HP + u * VL
            reset = vload(s.z + at)
            vstore(s.dz + at, vload(d) * vload(s.hu + n * p.HP + u * VL) * derivative(p.recurrent_activation, reset))
            vstore(d, vload(d) * reset)


cdef Cell GRU                   # with reset_after
GRU.name = b"GRU"
GRU.gates = GRU.state_gates = 3
GRU.blocks = 4
GRU.states = 1
GRU.w_block = [1, 2, 0, -1]     # z, r, h -> blocks [hh, z, r, s]
GRU.u_block = [1, 2, 3, -1]
GRU.has_recurrent_kernel = GRU.keeps_gates = GRU.two_biases = True
GRU.phases = 1
GRU.step[0] = gru_step
GRU.step_back[0] = gru_step_back
GRU.through[0] = 1              # z, r, s
GRU.through_count[0] = 3

cdef Cell GRU_RESET_BEFORE = GRU
GRU_RESET_BEFORE.name = b"GRU reset before"
GRU_RESET_BEFORE.u_block = [1, 2, 0, -1]
GRU_RESET_BEFORE.two_biases = False
GRU_RESET_BEFORE.state_gates = 2
GRU_RESET_BEFORE.factor = 3
GRU_RESET_BEFORE.phases = 2
GRU_RESET_BEFORE.step = [gru_reset_step, gru_candidate_step]
GRU_RESET_BEFORE.step_back = [gru_step_back, gru_reset_back]
GRU_RESET_BEFORE.through = [0, 1]           # hh; then z, r
GRU_RESET_BEFORE.through_count = [1, 2]
