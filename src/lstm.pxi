# LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), Keras's gate order i, f, c, o:
#   i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)    c' = f c + i g    h' = o tanh(c')
#
# Blocks of z: [i, f, o, g], so that the sigmas lie side by side.

cdef void lstm_gates(const Rnn* p, const Step* s, const Block* b) noexcept nogil:
    """Gates and new states of a block; for a backward pass the gates go to z."""
    cdef real* i = b.gates
    cdef real* f = i + b.size
    cdef real* o = f + b.size
    cdef real* g = o + b.size
    cdef real* z
    cdef int r
    cdef long v, k, at
    activate_run(p.recurrent_activation, i, 3 * b.R * b.vectors)
    activate_run(p.activation, g, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            k = (v * b.R + r) * VL
            at = b.rows[r] * p.HP + (b.u + v) * VL
            if p.training:
                z = s.z + b.rows[r] * p.J + (b.u + v) * VL
                keep(p, z, vload(i + k))
                keep(p, z + p.HP, vload(f + k))
                keep(p, z + 2 * p.HP, vload(o + k))
                keep(p, z + 3 * p.HP, vload(g + k))
            vstore(g + k, vload(f + k) * vload(s.c + at) + vload(i + k) * vload(g + k))
            store_cell(s, at, vload(g + k))
    activate_run(p.activation, g, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            k = (v * b.R + r) * VL
            store_state(p, s, b.rows[r], b.u + v, vload(o + k) * vload(g + k))


cdef void lstm_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; ahead: see block_gates."""
    carry_over(p, s, n0, n1, u0, u1)
    start_blocks(p, b, n0, n1, u0, u1)
    while next_block(p, s, b, s.hu, p.HP):
        expect(p, s, b, ahead)
        block_gates(p, b, 0, 4, True, s.state, ahead)
        lstm_gates(p, s, b)


cdef inline void lstm_gates_back(const Rnn* p, const Step* s, long n, long u, vf a, int activation,
                                 int recurrent_activation) noexcept nogil:
    """Gates -> gradients of their pre-activations; the gradient of c carried on; a = tanh(c')."""
    cdef const real* z = s.z + n * p.J + u * VL
    cdef real* dz = s.dz + n * p.J + u * VL
    cdef long at = n * p.HP + u * VL
    cdef vf i = vload(z), f = vload(z + p.HP), o = vload(z + 2 * p.HP), g = vload(z + 3 * p.HP)
    cdef vf dh = incoming(p, s, n, u)
    cdef vf dc = vload(p.dc + at) + dh * o * derivative(activation, a)
    vstore(dz, dc * g * derivative(recurrent_activation, i))
    vstore(dz + p.HP, dc * vload(s.c + at) * derivative(recurrent_activation, f))
    vstore(dz + 2 * p.HP, dh * a * derivative(recurrent_activation, o))
    vstore(dz + 3 * p.HP, dc * i * derivative(activation, g))
    vstore(p.dc + at, dc * f)
    vstore(p.dh + at, vzero())


cdef void lstm_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step; what flows on to h through U is the caller's next product."""
    cdef long n, u = u0, v, vectors = MR
    cdef real c[(MR + 1) * LARGEST_VL]
    cdef real* a = aligned(c)
    carry_back(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        for n in range(n0, n1):
            if not is_active(p, s, n):
                continue
            row_ahead(p, s, n + 1, n1, u, u + vectors)
            for v in range(vectors):
                vstore(a + v * VL, vload(s.c_next + n * p.HP + (u + v) * VL))
            activate_run(p.activation, a, vectors)
            for v in range(vectors):
                if p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates_back(p, s, n, u + v, vload(a + v * VL), TANH, SIGMOID)
                else:
                    lstm_gates_back(p, s, n, u + v, vload(a + v * VL), p.activation, p.recurrent_activation)
        u += vectors
