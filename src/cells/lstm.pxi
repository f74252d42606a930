# LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), Keras's gate order i, f, c, o:
#   i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)    c' = f c + i g    h' = o tanh(c')
#
# With peepholes (Gers & Schmidhuber 2000) the gates see the cell, unit by unit, and o waits for the new one:
#   i = sigma(x W + h U + p_i c + b)    f = sigma(x W + h U + p_f c + b)    o = sigma(x W + h U + p_o c' + b)
#
# Blocks of z: [i, f, o, g], so that the sigmas lie side by side. `peepholes` is a literal at each call.

cdef enum:
    PEEPHOLES = 3           # gates that have one: i, f, o

cdef inline void look_at_cell(const Rnn* p, const Step* s, const Block* b) noexcept nogil:
    """What the input and forget gates see of the cell."""
    cdef real* i = b.gates
    cdef real* f = i + b.size
    cdef const real* peephole
    cdef int r
    cdef long v, k
    cdef vf c
    for v in range(b.vectors):
        peephole = p.peephole + (b.u + v) * PEEPHOLES * VL
        for r in range(b.R):
            k = (v * b.R + r) * VL
            c = vload(s.c + b.rows[r] * p.HP + (b.u + v) * VL)
            vstore(i + k, vload(i + k) + vload(peephole) * c)
            vstore(f + k, vload(f + k) + vload(peephole + VL) * c)


cdef inline void lstm_gates(bint peepholes, const Rnn* p, const Step* s, const Block* b) noexcept nogil:
    """Gates and new states of a block; for a backward pass the gates go to z."""
    cdef real* i = b.gates
    cdef real* f = i + b.size
    cdef real* o = f + b.size
    cdef real* g = o + b.size
    cdef real* z
    cdef const real* peephole
    cdef int r
    cdef long v, k, at
    if peepholes:
        look_at_cell(p, s, b)
    activate_run(p.recurrent_activation, i, (2 if peepholes else 3) * b.R * b.vectors)
    activate_run(p.activation, g, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            k = (v * b.R + r) * VL
            at = b.rows[r] * p.HP + (b.u + v) * VL
            if p.training:
                z = s.z + b.rows[r] * p.J + (b.u + v) * VL
                keep(p, z, vload(i + k))
                keep(p, z + p.HP, vload(f + k))
                if not peepholes:
                    keep(p, z + 2 * p.HP, vload(o + k))
                keep(p, z + 3 * p.HP, vload(g + k))
            vstore(g + k, vload(f + k) * vload(s.c + at) + vload(i + k) * vload(g + k))
            store_cell(s, at, vload(g + k))
            if peepholes:
                peephole = p.peephole + ((b.u + v) * PEEPHOLES + 2) * VL
                vstore(o + k, vload(o + k) + vload(peephole) * vload(g + k))
    if peepholes:
        activate_run(p.recurrent_activation, o, b.R * b.vectors)
    activate_run(p.activation, g, b.R * b.vectors)
    for v in range(b.vectors):
        for r in range(b.R):
            k = (v * b.R + r) * VL
            if peepholes and p.training:
                keep(p, s.z + b.rows[r] * p.J + 2 * p.HP + (b.u + v) * VL, vload(o + k))
            store_state(p, s, b.rows[r], b.u + v, vload(o + k) * vload(g + k))


cdef void lstm_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1; ahead: see block_gates."""
    carry_over(p, s, n0, n1, u0, u1)
    start_blocks(p, b, n0, n1, u0, u1)
    while next_block(p, s, b, s.hu, p.HP):
        expect(p, s, b, ahead)
        block_gates(p, b, 0, 4, True, s.state, ahead)
        if p.peephole == NULL:
            lstm_gates(False, p, s, b)
        else:
            lstm_gates(True, p, s, b)


cdef inline void add_to(real* sum, vf value) noexcept nogil:
    vstore(sum, vload(sum) + value)


cdef inline void lstm_gates_back(bint peepholes, const Rnn* p, const Step* s, long n, long u, vf a, int activation,
                                 int recurrent_activation) noexcept nogil:
    """Gates -> gradients of their pre-activations; the gradient of c carried on; a = tanh(c')."""
    cdef const real* z = s.z + n * p.J + u * VL
    cdef real* dz = s.dz + n * p.J + u * VL
    cdef long at = n * p.HP + u * VL
    cdef vf i = vload(z), f = vload(z + p.HP), o = vload(z + 2 * p.HP), g = vload(z + 3 * p.HP)
    cdef vf dh = incoming(p, s, n, u)
    cdef vf dc = vload(p.dc + at) + dh * o * derivative(activation, a)
    cdef vf c = vload(s.c + at)
    cdef vf do = dh * a * derivative(recurrent_activation, o), di, df
    cdef const real* peephole
    if peepholes:
        peephole = p.peephole + u * PEEPHOLES * VL
        dc = dc + do * vload(peephole + 2 * VL)
    di = dc * g * derivative(recurrent_activation, i)
    df = dc * c * derivative(recurrent_activation, f)
    vstore(dz, di)
    vstore(dz + p.HP, df)
    vstore(dz + 2 * p.HP, do)
    vstore(dz + 3 * p.HP, dc * i * derivative(activation, g))
    dc = dc * f
    if peepholes:
        dc = dc + di * vload(peephole) + df * vload(peephole + VL)
        add_to(p.dpeephole + n * PEEPHOLES * p.HP + u * VL, di * c)
        add_to(p.dpeephole + (n * PEEPHOLES + 1) * p.HP + u * VL, df * c)
        add_to(p.dpeephole + (n * PEEPHOLES + 2) * p.HP + u * VL, do * vload(s.c_next + at))
    vstore(p.dc + at, dc)
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
                if p.peephole != NULL:
                    lstm_gates_back(True, p, s, n, u + v, vload(a + v * VL), p.activation, p.recurrent_activation)
                elif p.activation == TANH and p.recurrent_activation == SIGMOID:
                    lstm_gates_back(False, p, s, n, u + v, vload(a + v * VL), TANH, SIGMOID)
                else:
                    lstm_gates_back(False, p, s, n, u + v, vload(a + v * VL), p.activation, p.recurrent_activation)
        u += vectors


cdef long peephole_sums(const Rnn* p, bint peepholes) noexcept nogil:
    """Elements of the sums that the peepholes' gradients are made of: over the steps, of each row and unit by itself. Then
    these are summed over the rows, so that no order depends on the threads."""
    return p.N * PEEPHOLES * p.HP if peepholes else 0


cdef void start_peepholes(const Rnn* p, long n0, long n1, long u0, long u1) noexcept nogil:
    """The sums over the steps begin with zeros."""
    cdef long row, u
    if p.peephole == NULL:
        return
    for row in range(n0 * PEEPHOLES, n1 * PEEPHOLES):
        for u in range(u0, u1):
            vstore(p.dpeephole + row * p.HP + u * VL, vzero())


cdef void sum_peepholes(const Rnn* p, real* out, long u0, long u1) noexcept nogil:
    """The peepholes' gradients, (3, H): the sums over the rows, for the units of vectors u0 to u1."""
    cdef long g, u, n
    cdef vf total
    for g in range(PEEPHOLES):
        for u in range(u0, u1):
            total = vzero()
            for n in range(p.N):
                total = total + vload(p.dpeephole + (n * PEEPHOLES + g) * p.HP + u * VL)
            vstore_part(out + g * p.H + u * VL, total, unit_width(p, u))


cdef Cell LSTM
LSTM.name = b"LSTM"
LSTM.gates = LSTM.blocks = LSTM.state_gates = 4
LSTM.states = 2
LSTM.w_block = [0, 1, 3, 2]     # i, f, c, o -> blocks [i, f, o, g]
LSTM.u_block = [0, 1, 3, 2]
LSTM.has_recurrent_kernel = LSTM.keeps_gates = True
LSTM.peepholes = PEEPHOLES
LSTM.phases = 1
LSTM.step[0] = lstm_step
LSTM.step_back[0] = lstm_step_back
LSTM.through_count[0] = 4
