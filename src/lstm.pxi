# LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), Keras's gate order i, f, c, o:
#   i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)    c' = f c + i g    h' = o tanh(c')

cdef inline void lstm_gates(const Rnn* p, long t, int R, const long* rows, long u, int activation,
                            int recurrent_activation) noexcept nogil:
    """Gate math of one vector of units on R rows."""
    cdef int r
    cdef vf i, f, g, o, c
    cdef real* z
    for r in range(R):
        z = z_row(p, t, rows[r]) + u * VL
        i = activate(recurrent_activation, vload(z))
        f = activate(recurrent_activation, vload(z + p.HP))
        g = activate(activation, vload(z + 2 * p.HP))
        o = activate(recurrent_activation, vload(z + 3 * p.HP))
        c = f * vload(c_row(p, t, rows[r]) + u * VL) + i * g
        vstore(c_row(p, t + 1, rows[r]) + u * VL, c)
        if p.training:
            vstore(z, i)
            vstore(z + p.HP, f)
            vstore(z + 2 * p.HP, g)
            vstore(z + 3 * p.HP, o)
        store_state(p, t, rows[r], u, o * activate(activation, c))


cdef void lstm_step(const Rnn* p, long t, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; z holds x W + b."""
    cdef long u = u0, n, v, vectors = 2 if n1 - n0 < 3 else 1
    cdef long rows[MR]
    cdef int R
    carry_over(p, t, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        n = n0
        while n < n1:
            R = next_rows(p, t, &n, n1, rows)
            if R == 0:
                break
            add_recurrent(p, t, R, rows, u, vectors, h_row(p, p.hu, t, 0), p.HP, 0, 4)
            for v in range(u, u + vectors):
                if p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates(p, t, R, rows, v, TANH, SIGMOID)
                else:
                    lstm_gates(p, t, R, rows, v, p.activation, p.recurrent_activation)
        u += vectors


cdef inline void lstm_gates_back(const Rnn* p, long t, long n, long u, int activation,
                                 int recurrent_activation) noexcept nogil:
    """Gates -> gradients of their pre-activations, in place; the gradient of c carried on."""
    cdef real* z = z_row(p, t, n) + u * VL
    cdef real* dc_row = p.dc + n * p.HP + u * VL
    cdef vf i = vload(z), f = vload(z + p.HP), g = vload(z + 2 * p.HP), o = vload(z + 3 * p.HP)
    cdef vf a = activate(activation, vload(c_row(p, t + 1, n) + u * VL))
    cdef vf dh = incoming(p, t, n, u)
    cdef vf dc = vload(dc_row) + dh * o * derivative(activation, a)
    vstore(z, dc * g * derivative(recurrent_activation, i))
    vstore(z + p.HP, dc * vload(c_row(p, t, n) + u * VL) * derivative(recurrent_activation, f))
    vstore(z + 2 * p.HP, dc * i * derivative(activation, g))
    vstore(z + 3 * p.HP, dh * a * derivative(recurrent_activation, o))
    vstore(dc_row, dc * f)
    vstore(p.dh + n * p.HP + u * VL, vzero())


cdef void lstm_step_back(const Rnn* p, long t, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of step t; what flows on to h through U is the caller's next product."""
    cdef long n, u
    carry_back(p, t, n0, n1, u0, u1)
    for n in range(n0, n1):
        if is_active(p, t, n):
            for u in range(u0, u1):
                if p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates_back(p, t, n, u, TANH, SIGMOID)
                else:
                    lstm_gates_back(p, t, n, u, p.activation, p.recurrent_activation)
