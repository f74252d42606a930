# minGRU (Feng et al. 2024, "Were RNNs All We Needed?"), gates in the order z, h:
#   z = sigma(x W_z + b_z)    hh = g(x W_h + b_h)    h' = (1 - z) h + z hh
#
# Nothing of it waits for h but the last line: the gates of all steps are one product, and a scan follows, unit by unit. So the
# gates stay where the input is projected ahead. Blocks of z: [z, hh].

cdef void min_gru_step(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step of rows n0 to n1 and the units of vectors u0 to u1, whose input is projected."""
    cdef long n, u
    cdef real* z
    cdef vf h
    carry_over(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if not is_active(p, s, n):
            continue
        z = s.z + n * p.J
        activate_run(p.recurrent_activation, z + u0 * VL, u1 - u0)
        activate_run(p.activation, z + p.HP + u0 * VL, u1 - u0)
        for u in range(u0, u1):
            h = vload(s.h + n * p.HP + u * VL)
            store_state(p, s, n, u, h + vload(z + u * VL) * (vload(z + p.HP + u * VL) - h))


cdef inline void min_gru_gates_back(const Rnn* p, const Step* s, long n, long u0, long u1, int activation,
                                    int recurrent_activation) noexcept nogil:
    """Gates -> gradients of their pre-activations; the gradient of h carried on. The activations: literals, if known."""
    cdef const real* z = s.z + n * p.J
    cdef real* dz = s.dz + n * p.J
    cdef long u, at
    cdef vf gate, hh, dh
    for u in range(u0, u1):
        at = n * p.HP + u * VL
        gate = vload(z + u * VL)
        hh = vload(z + p.HP + u * VL)
        dh = incoming(p, s, n, u)
        vstore(dz + u * VL, dh * (hh - vload(s.h + at)) * derivative(recurrent_activation, gate))
        vstore(dz + p.HP + u * VL, dh * gate * derivative(activation, hh))
        vstore(p.dh + at, dh * (vset1(1) - gate))


cdef void min_gru_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step."""
    cdef long n
    carry_back(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if not is_active(p, s, n):
            continue
        row_ahead(p, s, n + 1, n1, u0, u1)
        if p.activation == LINEAR and p.recurrent_activation == SIGMOID:
            min_gru_gates_back(p, s, n, u0, u1, LINEAR, SIGMOID)
        else:
            min_gru_gates_back(p, s, n, u0, u1, p.activation, p.recurrent_activation)


cdef Cell MIN_GRU
MIN_GRU.name = b"MinGRU"
MIN_GRU.gates = MIN_GRU.blocks = MIN_GRU.state_gates = 2
MIN_GRU.states = 1
MIN_GRU.w_block = [0, 1, -1, -1]
MIN_GRU.keeps_gates = True
MIN_GRU.phases = 1
MIN_GRU.step[0] = min_gru_step
MIN_GRU.step_back[0] = min_gru_step_back
