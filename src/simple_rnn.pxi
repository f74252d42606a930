# SimpleRNN (Elman 1990): h' = activation(x W + h U + b)

cdef void simple_rnn_gates(const Rnn* p, const Step* s, int R, const long* rows, long u, long vectors) noexcept nogil:
    """The new state of the units of vectors u to u + vectors on R rows, also in place of z."""
    cdef real* z[GATE_VECTORS]
    cdef int r, count = 0
    cdef long v
    for v in range(u, u + vectors):
        for r in range(R):
            z[count] = s.z + rows[r] * p.J + v * VL
            count += 1
    activate_vectors(p.activation, z, count)
    count = 0
    for v in range(u, u + vectors):
        for r in range(R):
            store_state(p, s, rows[r], v, vload(z[count]))
            count += 1


cdef void simple_rnn_step(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; z holds x W + b."""
    cdef long u = u0, n, vectors = gate_units(p, n1 - n0, 4)
    cdef long rows[GATE_VECTORS]
    cdef int R
    carry_over(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        add_recurrent(p, s, n0, n1, u, u + vectors, s.hu, p.HP, 0, 1)
        n = n0
        while n < n1:
            R = next_rows(p, s, &n, n1, <int>(GATE_VECTORS // vectors), rows)
            simple_rnn_gates(p, s, R, rows, u, vectors)
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
