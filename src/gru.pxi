# GRU (Cho et al. 2014), Keras's gate order z, r, h:
#   z, r = sigma(x W + h U + b)
#   hh = tanh(x W_h + b_h + r (h U_h + b_rh))   with reset_after (as in cuDNN), else tanh(x W_h + (r h) U_h + b_h)
#   h' = z h + (1 - z) hh
#
# Blocks of z: [hh, z, r, s]. The first three are what W produces, the last three what U produces with reset_after,
# where s is the candidate's recurrent part h U_h + b_rh (then its gradient); so each product has its columns side by
# side. Without reset_after s holds r h, the rows that U_h multiplies.

cdef void gru_gates(const Rnn* p, const Step* s, int R, const long* rows, long u, long vectors) noexcept nogil:
    """With reset_after: gate math of the units of vectors u to u + vectors on R rows; z becomes the gates."""
    cdef real* sigmas[2 * GATE_VECTORS]
    cdef real* tanhs[GATE_VECTORS]
    cdef real* z
    cdef vf hh
    cdef int r, count = 0
    cdef long v
    for v in range(u, u + vectors):
        for r in range(R):
            z = s.z + rows[r] * p.J + v * VL
            tanhs[count] = z
            sigmas[2 * count] = z + p.HP
            sigmas[2 * count + 1] = z + 2 * p.HP
            count += 1
    activate_vectors(p.recurrent_activation, sigmas, 2 * count)
    for r in range(count):
        z = tanhs[r]
        vstore(z, vload(z) + vload(z + 2 * p.HP) * vload(z + 3 * p.HP))
    activate_vectors(p.activation, tanhs, count)
    for v in range(u, u + vectors):
        for r in range(R):
            z = s.z + rows[r] * p.J + v * VL
            hh = vload(z)
            store_state(p, s, rows[r], v, hh + vload(z + p.HP) * (vload(s.h + rows[r] * p.HP + v * VL) - hh))


cdef void gru_step(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """One time step with reset_after; z holds x W + b, and b_rh in s."""
    cdef long u = u0, n, vectors = gate_units(p, n1 - n0, 2)
    cdef long rows[GATE_VECTORS]
    cdef int R
    carry_over(p, s, n0, n1, u0, u1)
    while u < u1:
        vectors = min(vectors, u1 - u)
        add_recurrent(p, s, n0, n1, u, u + vectors, s.hu, p.HP, 0, 3)
        n = n0
        while n < n1:
            R = next_rows(p, s, &n, n1, <int>(GATE_VECTORS // vectors), rows)
            gru_gates(p, s, R, rows, u, vectors)
        u += vectors


cdef void gru_reset_step(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """Without reset_after, first half: update and reset gates, and s = r h."""
    cdef long u, n
    cdef real* sigmas[2]
    cdef real* z
    carry_over(p, s, n0, n1, u0, u1)
    for u in range(u0, u1):
        add_recurrent(p, s, n0, n1, u, u + 1, s.hu, p.HP, 0, 2)
        for n in range(n0, n1):
            if is_active(p, s, n):
                z = s.z + n * p.J + u * VL
                sigmas[0] = z + p.HP
                sigmas[1] = z + 2 * p.HP
                activate_vectors(p.recurrent_activation, sigmas, 2)
                vstore(z + 3 * p.HP, vload(z + 2 * p.HP) * vload(s.hu + n * p.HP + u * VL))


cdef void gru_candidate_step(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """Second half: hh from (r h) U_h, and the new state."""
    cdef long u, n
    cdef real* z
    cdef vf hh
    for u in range(u0, u1):
        add_recurrent(p, s, n0, n1, u, u + 1, s.z + 3 * p.HP, p.J, 2, 1)
        for n in range(n0, n1):
            if is_active(p, s, n):
                z = s.z + n * p.J + u * VL
                activate_vectors(p.activation, &z, 1)
                hh = vload(z)
                store_state(p, s, n, u, hh + vload(z + p.HP) * (vload(s.h + n * p.HP + u * VL) - hh))


cdef void gru_step_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """dz of the step. Without reset_after the reset gate's gradient waits for d(r h): see gru_reset_back."""
    cdef long n, u
    cdef real* z
    cdef vf hh, update, reset, dh, dhh
    carry_back(p, s, n0, n1, u0, u1)
    for n in range(n0, n1):
        if not is_active(p, s, n):
            continue
        for u in range(u0, u1):
            z = s.z + n * p.J + u * VL
            hh = vload(z)
            update = vload(z + p.HP)
            dh = incoming(p, s, n, u)
            dhh = dh * (vset1(1) - update) * derivative(p.activation, hh)
            vstore(z, dhh)
            vstore(z + p.HP, dh * (vload(s.h + n * p.HP + u * VL) - hh)
                   * derivative(p.recurrent_activation, update))
            vstore(p.dh + n * p.HP + u * VL, dh * update)
            if p.reset_after:
                reset = vload(z + 2 * p.HP)
                vstore(z + 2 * p.HP, dhh * vload(z + 3 * p.HP) * derivative(p.recurrent_activation, reset))
                vstore(z + 3 * p.HP, dhh * reset)


cdef void gru_reset_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1, real* dr) noexcept nogil:
    """Without reset_after: dr [N][HP] is d(r h); gives the reset gate's gradient, and leaves d(r h) r in dr."""
    cdef long n, u
    cdef real* z
    cdef real* d
    cdef vf reset
    for n in range(n0, n1):
        if not is_active(p, s, n):
            continue
        for u in range(u0, u1):
            z = s.z + n * p.J + 2 * p.HP + u * VL
            d = dr + n * p.HP + u * VL
            reset = vload(z)
            vstore(z, vload(d) * vload(s.hu + n * p.HP + u * VL) * derivative(p.recurrent_activation, reset))
            vstore(d, vload(d) * reset)
