# SimpleRNN (Elman 1990): h' = activation(x W + h U + b)

cdef void simple_rnn_gates(const Rnn* p, const Step* s, const Block* b) noexcept nogil:
    """New states of a block; for a backward pass also in z."""
    cdef int r
    cdef long v
    cdef vf h
    activate_run(p.activation, b.gates, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            h = vload(b.gates + (v * b.R + r) * VL)
            if p.training:
                vstore(s.z + b.rows[r] * p.J + (b.u + v) * VL, h)
            store_state(p, s, b.rows[r], b.u + v, h)


cdef void simple_rnn_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; ahead: see block_gates."""
    cdef long u = u0, n, vectors = block_units(p, n1 - n0, u0, u1)
    carry_over(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        n = n0
        while next_block(p, s, b, &n, n1, u, vectors, s.hu, p.HP):
            if u == u0:
                expect(p, s, b, ahead)
            block_gates(p, b, 0, 1, True, True, ahead)
            simple_rnn_gates(p, s, b)
        u += vectors


cdef void simple_rnn_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step; what flows on to h through U is the caller's next product."""
    cdef long n, u
    cdef real* z
    carry_back(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if is_active(p, s, n):
            for u in range(u0, u1):
                z = s.z + n * p.J + u * VL
                vstore(z, incoming(p, s, n, u) * derivative(p.activation, vload(z)))
                vstore(p.dh + n * p.HP + u * VL, vzero())
