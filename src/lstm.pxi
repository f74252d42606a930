# LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), Keras's gate order i, f, c, o:
#   i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)    c' = f c + i g    h' = o tanh(c')

cdef void lstm_gates(const Rnn* p, const Step* s, int R, const long* rows, long u, long vectors) noexcept nogil:
    """Gate math of the units of vectors u to u + vectors on R rows; z becomes the gates."""
    cdef real* sigmas[3 * GATE_VECTORS]
    cdef real* tanhs[GATE_VECTORS]
    cdef real* z
    cdef int r, k, count = 0
    cdef long v, at
    for v in range(u, u + vectors):
        for r in range(R):
            z = s.z + rows[r] * p.J + v * VL
            sigmas[3 * count] = z
            sigmas[3 * count + 1] = z + p.HP
            sigmas[3 * count + 2] = z + 3 * p.HP
            tanhs[count] = z + 2 * p.HP
            count += 1
    activate_vectors(p.recurrent_activation, sigmas, 3 * count)
    activate_vectors(p.activation, tanhs, count)
    count = 0
    for v in range(u, u + vectors):
        for r in range(R):
            z = s.z + rows[r] * p.J + v * VL
            at = rows[r] * p.HP + v * VL
            vstore(s.c_next + at, vload(z + p.HP) * vload(s.c + at) + vload(z) * vload(z + 2 * p.HP))
            vstore(s.h_next + at, vload(s.c_next + at))
            tanhs[count] = s.h_next + at
            count += 1
    activate_vectors(p.activation, tanhs, count)
    for v in range(u, u + vectors):
        for r in range(R):
            z = s.z + rows[r] * p.J + v * VL
            store_state(p, s, rows[r], v, vload(z + 3 * p.HP) * vload(s.h_next + rows[r] * p.HP + v * VL))


cdef void lstm_step(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; z holds x W + b."""
    cdef long u = u0, n, vectors = gate_units(p, n1 - n0, 1)
    cdef long rows[GATE_VECTORS]
    cdef int R
    carry_over(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        add_recurrent(p, s, n0, n1, u, u + vectors, s.hu, p.HP, 0, 4)
        n = n0
        while n < n1:
            R = next_rows(p, s, &n, n1, <int>(GATE_VECTORS // vectors), rows)
            lstm_gates(p, s, R, rows, u, vectors)
        u += vectors


cdef inline void lstm_gates_back(const Rnn* p, const Step* s, long n, long u, vf a, int activation,
                                 int recurrent_activation) noexcept nogil:
    """Gates -> gradients of their pre-activations, in place; the gradient of c carried on; a = tanh(c')."""
    cdef real* z = s.z + n * p.J + u * VL
    cdef long at = n * p.HP + u * VL
    cdef vf i = vload(z), f = vload(z + p.HP), g = vload(z + 2 * p.HP), o = vload(z + 3 * p.HP)
    cdef vf dh = incoming(p, s, n, u)
    cdef vf dc = vload(p.dc + at) + dh * o * derivative(activation, a)
    vstore(z, dc * g * derivative(recurrent_activation, i))
    vstore(z + p.HP, dc * vload(s.c + at) * derivative(recurrent_activation, f))
    vstore(z + 2 * p.HP, dc * i * derivative(activation, g))
    vstore(z + 3 * p.HP, dh * a * derivative(recurrent_activation, o))
    vstore(p.dc + at, dc * f)
    vstore(p.dh + at, vzero())


cdef void lstm_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step; what flows on to h through U is the caller's next product."""
    cdef long n, u = u0, v, vectors = MR
    cdef real* c[MR]
    carry_back(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        for n in range(n0, n1):
            if not is_active(p, s, n):
                continue
            for v in range(vectors):            # c' is not needed again: tanh in its place
                c[v] = s.c_next + n * p.HP + (u + v) * VL
            activate_vectors(p.activation, c, <int>vectors)
            for v in range(vectors):
                if p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates_back(p, s, n, u + v, vload(c[v]), TANH, SIGMOID)
                else:
                    lstm_gates_back(p, s, n, u + v, vload(c[v]), p.activation, p.recurrent_activation)
        u += vectors
