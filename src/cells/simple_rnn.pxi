# SimpleRNN (Elman 1990): h' = activation(x W + h U + b)

cdef void simple_rnn_gates(const Rnn* p, const Step* s, const Block* b) noexcept nogil:
    """New states of a block, which are all that a backward pass needs."""
    cdef int r
    cdef long v
    activate_run(p.activation, b.gates, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            store_state(p, s, b.rows[r], b.u + v, vload(b.gates + (v * b.R + r) * VL))


cdef void simple_rnn_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; ahead: see block_gates."""
    carry_over(p, s, n0, n1, u0, u1)
    start_blocks(p, b, n0, n1, u0, u1)
    while next_block(p, s, b, s.hu, p.HP):
        expect(p, s, b, ahead)
        block_gates(p, b, 0, 1, True, s.state, ahead)
        simple_rnn_gates(p, s, b)


cdef void simple_rnn_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step; what flows on to h through U is the caller's next product."""
    cdef long n, u, at
    carry_back(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if is_active(p, s, n):
            row_ahead(p, s, n + 1, n1, u0, u1)
            for u in range(u0, u1):
                at = n * p.HP + u * VL
                vstore(s.dz + n * p.J + u * VL, incoming(p, s, n, u) * derivative(p.activation, vload(s.h_next + at)))
                vstore(p.dh + at, vzero())


cdef Cell SIMPLE_RNN
SIMPLE_RNN.name = b"SimpleRNN"
SIMPLE_RNN.gates = SIMPLE_RNN.blocks = SIMPLE_RNN.state_gates = 1
SIMPLE_RNN.states = 1
SIMPLE_RNN.has_recurrent_kernel = True
SIMPLE_RNN.phases = 1
SIMPLE_RNN.step[0] = simple_rnn_step
SIMPLE_RNN.step_back[0] = simple_rnn_step_back
SIMPLE_RNN.through_count[0] = 1
