# What the cells share on the way back: the gradient of the state between the steps, and of the input after them.

cdef inline vf incoming(const Rnn* p, const Step* s, long n, long u) noexcept nogil:
    """dL/dh after step t: from the output, from the next step directly and through U."""
    cdef long w = unit_width(p, u)
    cdef vf d = vload(p.dh + n * p.HP + u * VL), through = vload(p.du + n * p.HP + u * VL)
    if p.h_drop != NULL:
        through = through * vload_part(p.h_drop + n * p.H + u * VL, w)
    d = d + through
    if p.dy != NULL and not (p.zero_output and not is_active(p, s, n)):
        d = d + vload_part(s.dy + n * p.dy_n + u * VL, w)
    return d


cdef inline void row_ahead(const Rnn* p, const Step* s, long n, long n1, long u0, long u1) noexcept nogil:
    """Prefetch what row n's gradients are made of while those of the row before are at work: its lines lie too far apart, and
    are too many, for the hardware to come first."""
    cdef long g, at = n * p.HP + u0 * VL, count = (u1 - u0) * VL
    if n >= n1:
        return
    if p.cell.keeps_gates:
        for g in range(p.cell.blocks):
            prefetch_first(s.z + n * p.J + g * p.HP + u0 * VL, count)
    prefetch_first((s.c if p.cell.states == 2 else s.h) + at, count)
    prefetch_first((s.c_next if p.cell.states == 2 else s.h_next) + at, count)
    if p.dy != NULL:
        prefetch_first(s.dy + n * p.dy_n + u0 * VL, count)


cdef void carry_back(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """A masked step hands the gradient on, that of the output it repeated included."""
    cdef long n, u
    if p.mask == NULL:
        return
    for n in range(n0, n1):
        if is_active(p, s, n):
            continue
        for u in range(u0, u1):
            vstore(p.dh + n * p.HP + u * VL, incoming(p, s, n, u))
            vstore(p.du + n * p.HP + u * VL, vzero())


cdef void through_recurrent(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1, long k0, long K, const real* UT,
                            bint add) noexcept nogil:
    """du (+)= dz[t, :, k0:k0 + K] UT for the active rows and the units of vectors u0 to u1; UT: packed [P][K][VL]."""
    cdef long u = u0, n, row, c, columns, wide = MC if n1 - n0 < 3 else (4 if n1 - n0 < 4 else full_width())
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long rows[MR]
    cdef long offset[MC]
    cdef int r, R
    while u < u1:
        columns = min(wide, u1 - u)
        for c in range(columns):
            offset[c] = (u + c) * VL
        n = n0
        while n < n1:
            R = next_rows(p, s, &n, n1, tile_rows(n1 - n), rows)
            for r in range(R):
                row = singly(rows[r])
                a[r] = s.dz + row * p.J + k0
                out[r] = p.du + row * p.HP
                if u == u0 and s.t > 0:         # the step before, which comes next
                    if p.cell.keeps_gates:
                        prefetch(s.z + (row - p.N) * p.J, p.J)
                    if p.dy != NULL:
                        prefetch(s.dy + row * p.dy_n - p.dy_t, p.H)
                    if p.cell.states == 2:
                        prefetch(s.c + (row - p.N) * p.HP, p.HP)
            panel(R, <int>columns, a, 1, K, UT + u * K * VL, add, NULL, out, offset, VL)
        u += columns


cdef void input_gradient(const Rnn* p, long t0, long t1, long n0, long n1) noexcept nogil:
    """dx = dz W^T for steps t0 to t1, through the input's dropout; zero where masked."""
    cdef long vectors = (p.D + VL - 1) // VL, v = 0, t, n, time, row, c, columns, i
    cdef long wide = MC if (t1 - t0) * (n1 - n0) < 3 else full_width()
    cdef const real* dz = dz_rows(p, t0)
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long times[MR]
    cdef long rows[MR]
    cdef long offset[MC]
    cdef int r, R
    if p.dx == NULL:
        return
    if p.mask != NULL:
        for n in range(n0, n1):
            for t in range(t0, t1):
                if not p.mask[n * p.mask_n + t * p.mask_t]:
                    for i in range(p.D):
                        p.dx[n * p.dx_n + t * p.dx_t + i] = 0
    while v < vectors:
        columns = min(wide, vectors - v)
        for c in range(columns):
            offset[c] = (v + c) * VL
        t = t0
        n = n0
        while True:
            R = <int>next_cells(p.mask, p.mask_n, p.mask_t, &t, &n, t1, n0, n1, MR, times, rows)
            if R == 0:
                break
            for r in range(R):
                time = singly(times[r])
                row = singly(rows[r])
                a[r] = dz + (time * p.N + row) * p.J
                out[r] = p.dx + row * p.dx_n + time * p.dx_t
            panel(R, <int>columns, a, 1, p.G * p.HP, p.WT + v * p.G * p.HP * VL, False, NULL, out, offset,
                  min(<long>VL, p.D - (v + columns - 1) * VL))
            if p.x_drop != NULL:
                for r in range(R):
                    for i in range(v * VL, min(p.D, (v + columns) * VL)):
                        out[r][i] = out[r][i] * p.x_drop[rows[r] * p.D + i]
        v += columns


cdef enum:
    CARRIED = 3             # dh, du and dc


cdef inline void settle_back(Rnn* p, long region, long n0, long n1) noexcept nogil:
    """Have dh, du and dc of rows n0 to n1 in a region of their own."""
    cdef long slot = (n1 - n0) * p.HP
    p.dh += region_start(p, CARRIED, region, n0)
    p.du = p.dh + slot
    p.dc = p.du + slot if p.cell.states == 2 else NULL


cdef void start_back(const Rnn* p, const real* dhT, const real* dcT, long n0, long n1, long u0, long u1) noexcept nogil:
    """The gradients of the final states, (N, H) or NULL for zeros."""
    cdef long n, u, w
    for n in range(n0, n1):
        for u in range(u0, u1):
            w = unit_width(p, u)
            vstore(p.dh + n * p.HP + u * VL, vzero() if dhT == NULL else vload_part(dhT + n * p.H + u * VL, w))
            vstore(p.du + n * p.HP + u * VL, vzero())
            if p.dc != NULL:
                vstore(p.dc + n * p.HP + u * VL, vzero() if dcT == NULL else vload_part(dcT + n * p.H + u * VL, w))


cdef void finish_back(const Rnn* p, real* dh0, real* dc0, long n0, long n1, long u0, long u1) noexcept nogil:
    """The gradients of the initial states, (N, H)."""
    cdef long n, u, w
    cdef vf total
    for n in range(n0, n1):
        for u in range(u0, u1):
            w = unit_width(p, u)
            if dh0 != NULL:
                total = vload(p.dh + n * p.HP + u * VL)
                if p.h_drop == NULL:
                    total = total + vload(p.du + n * p.HP + u * VL)
                else:
                    total = total + vload(p.du + n * p.HP + u * VL) * vload_part(p.h_drop + n * p.H + u * VL, w)
                vstore_part(dh0 + n * p.H + u * VL, total, w)
            if dc0 != NULL:
                vstore_part(dc0 + n * p.H + u * VL, vload(p.dc + n * p.HP + u * VL), w)
