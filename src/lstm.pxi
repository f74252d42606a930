# LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), Keras's gate order i, f, c, o:
#   i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)    c' = f c + i g    h' = o tanh(c')

cdef inline void lstm_gates(const Rnn* p, const Step* s, int R, const long* rows, long u, int activation,
                            int recurrent_activation) noexcept nogil:
    """Gate math of one vector of units on R rows; in two passes, so that the rows' long chains overlap."""
    cdef int r
    cdef vf i, f, g
    cdef vf o[MR]
    cdef real* z
    cdef long at
    for r in range(R):
        z = s.z + rows[r] * p.J + u * VL
        at = rows[r] * p.HP + u * VL
        i = activate(recurrent_activation, vload(z))
        f = activate(recurrent_activation, vload(z + p.HP))
        g = activate(activation, vload(z + 2 * p.HP))
        o[r] = activate(recurrent_activation, vload(z + 3 * p.HP))
        vstore(s.c_next + at, f * vload(s.c + at) + i * g)
        if p.training:
            vstore(z, i)
            vstore(z + p.HP, f)
            vstore(z + 2 * p.HP, g)
            vstore(z + 3 * p.HP, o[r])
    for r in range(R):
        store_state(p, s, rows[r], u, o[r] * activate(activation, vload(s.c_next + rows[r] * p.HP + u * VL)))


cdef void lstm_step(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; z holds x W + b."""
    cdef long u = u0, n, v, vectors = 2 if n1 - n0 < 3 else 1
    cdef long rows[MR]
    cdef int R
    carry_over(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        n = n0
        while n < n1:
            R = next_rows(p, s, &n, n1, rows)
            add_recurrent(p, s, R, rows, u, vectors, s.hu, p.HP, 0, 4)
            for v in range(u, u + vectors):
                if p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates(p, s, R, rows, v, TANH, SIGMOID)
                else:
                    lstm_gates(p, s, R, rows, v, p.activation, p.recurrent_activation)
        u += vectors


cdef inline void lstm_gates_back(const Rnn* p, const Step* s, long n, long u, int activation,
                                 int recurrent_activation) noexcept nogil:
    """Gates -> gradients of their pre-activations, in place; the gradient of c carried on."""
    cdef real* z = s.z + n * p.J + u * VL
    cdef long at = n * p.HP + u * VL
    cdef vf i = vload(z), f = vload(z + p.HP), g = vload(z + 2 * p.HP), o = vload(z + 3 * p.HP)
    cdef vf a = activate(activation, vload(s.c_next + at))
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
    cdef long n, u
    carry_back(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if is_active(p, s, n):
            for u in range(u0, u1):
                if p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates_back(p, s, n, u, TANH, SIGMOID)
                else:
                    lstm_gates_back(p, s, n, u, p.activation, p.recurrent_activation)
