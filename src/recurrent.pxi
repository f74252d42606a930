# What the three cells share: one call's problem, its buffers, the input projection before the steps, the products
# between the steps, and the weight gradients after them.
#
# Pre-activations, gates and their gradients live in one buffer z, row-major [time slot][N][J]: the projection
# writes x W + b there, a step adds h U and replaces the sum by the gates, the backward pass replaces the gates by
# the gradients of the pre-activations. Within a row each gate has a block of HP elements.

cdef enum:
    K_BLOCK = 256       # rows of z that one pass of the weight gradients sums over, at most
    A_BLOCK = 65536     # and elements of the other factor, which has to stay in the cache meanwhile
    PROJECT_ROWS = 96   # rows that the projection prepares at a time, if the steps need not more at once
    GATE_VECTORS = 24   # rows times vectors whose gate math runs side by side: alone each would wait for itself
    GATE_UNITS = 8      # vectors of units at most in that

cdef struct Rnn:
    long N, T, D, H
    long G, P, HP, J
    int w_block[4]              # gate g's block of z, for W's columns
    int u_block[4]              # and for U's
    int activation, recurrent_activation
    bint reset_after, zero_output, training
    const real* x               # (N, T, D): any strides for batch and time
    long x_n, x_t
    real* y                     # (N, T, H) or NULL
    long y_n, y_t
    const unsigned char* mask   # (N, T) or NULL: 0 is a masked step
    long mask_n, mask_t
    const real* h_drop          # (N, H) or NULL: recurrent dropout, scaled
    const real* W               # packed [P][G][D][VL]
    const real* U               # packed [P][G][H][VL]
    const real* b               # packed [P][G][VL]
    const real* b_recurrent     # packed [P][VL]: GRU's bias of h U_h with reset_after, or NULL
    long z_slots, h_slots, c_slots
    real* z                     # [z_slots][N][J]
    real* h                     # [h_slots][N][HP], slot t holds the state before step t
    real* hu                    # the same times h_drop: what U multiplies (h itself without dropout)
    real* c                     # [c_slots][N][HP]: LSTM only
    # backward only
    const real* dy              # (N, T, H) or NULL
    long dy_n, dy_t
    real* dx                    # (N, T, D) or NULL
    long dx_n, dx_t
    const real* WT              # packed [D / VL][G * HP][VL], rows in the order of z's blocks
    const real* UT              # packed [P][G * HP][VL]
    real* dh                    # [N][HP]: gradient of the state that does not pass through U
    real* du                    # [N][HP]: and that which does, before h_drop
    real* dc                    # [N][HP]: LSTM only


cdef struct Step:
    # one time step: where its rows begin; row n is n * J (z) or n * HP (states) further
    real* z
    real* h                     # state before the step, and after it
    real* h_next
    real* hu
    real* hu_next
    real* c
    real* c_next
    real* y                     # row n is n * y_n further; NULL without
    const real* dy
    const unsigned char* mask   # n * mask_n further


cdef inline Step step_at(const Rnn* p, long t) noexcept nogil:
    cdef Step s
    cdef long before = t % p.h_slots * p.N * p.HP, after = (t + 1) % p.h_slots * p.N * p.HP
    s.z = p.z + t % p.z_slots * p.N * p.J
    s.h = p.h + before
    s.h_next = p.h + after
    s.hu = p.hu + before
    s.hu_next = p.hu + after
    s.c = s.c_next = NULL
    if p.c != NULL:
        s.c = p.c + t % p.c_slots * p.N * p.HP
        s.c_next = p.c + (t + 1) % p.c_slots * p.N * p.HP
    s.y = p.y + t * p.y_t
    s.dy = p.dy + t * p.dy_t
    s.mask = p.mask + t * p.mask_t
    return s


cdef inline bint is_active(const Rnn* p, const Step* s, long n) noexcept nogil:
    return s.mask == NULL or s.mask[n * p.mask_n] != 0


cdef inline long unit_width(const Rnn* p, long u) noexcept nogil:
    """Units of vector u that exist: VL, fewer in the last."""
    return min(<long>VL, p.H - u * VL)


cdef inline int next_rows(const Rnn* p, const Step* s, long* n, long end, int most, long* rows) noexcept nogil:
    """The next `most` active rows."""
    cdef int count = 0
    while n[0] < end and count < most:
        if is_active(p, s, n[0]):
            rows[count] = n[0]
            count += 1
        n[0] += 1
    return count


cdef inline long next_cells(const Rnn* p, long* t, long* n, long t1, long n0, long n1, long most,
                            long* times, long* rows) noexcept nogil:
    """The next `most` active (time, row) pairs of steps up to t1 and rows n0 to n1, in the order of time."""
    cdef long count = 0
    if n0 == n1:
        t[0] = t1
        return 0
    while t[0] < t1 and count < most:
        if p.mask == NULL or p.mask[n[0] * p.mask_n + t[0] * p.mask_t]:
            times[count] = t[0]
            rows[count] = n[0]
            count += 1
        n[0] += 1
        if n[0] == n1:
            n[0] = n0
            t[0] += 1
    return count


cdef void prepare(const Rnn* p, const real* h0, const real* c0, long n0, long n1, long u0, long u1) noexcept nogil:
    """The initial states, (N, H) or NULL for zeros. Padded units start, and therefore stay, at zero."""
    cdef Step s = step_at(p, 0)
    cdef long n, u, w
    cdef vf h, c
    for n in range(n0, n1):
        for u in range(u0, u1):
            w = unit_width(p, u)
            h = vzero() if h0 == NULL else vload_part(h0 + n * p.H + u * VL, w)
            vstore(s.h + n * p.HP + u * VL, h)
            if p.h_drop != NULL:
                vstore(s.hu + n * p.HP + u * VL, h * vload_part(p.h_drop + n * p.H + u * VL, w))
            if p.c != NULL:
                c = vzero() if c0 == NULL else vload_part(c0 + n * p.H + u * VL, w)
                vstore(s.c + n * p.HP + u * VL, c)


cdef void finish(const Rnn* p, real* hT, real* cT, long n0, long n1, long u0, long u1) noexcept nogil:
    """The final states, (N, H)."""
    cdef Step s = step_at(p, p.T)
    cdef long n, u
    for n in range(n0, n1):
        for u in range(u0, u1):
            if hT != NULL:
                vstore_part(hT + n * p.H + u * VL, vload(s.h + n * p.HP + u * VL), unit_width(p, u))
            if cT != NULL:
                vstore_part(cT + n * p.H + u * VL, vload(s.c + n * p.HP + u * VL), unit_width(p, u))


cdef inline real* z_rows(const Rnn* p, long t0) noexcept nogil:
    """Where z of time 0 would be, for a chunk of steps from t0 on: step t is at t * N * J."""
    return p.z + (t0 % p.z_slots - t0) * p.N * p.J


cdef inline void expect(const Rnn* p, long t, long n, long chunk) noexcept nogil:
    """Prefetch what row n meets next: its output of this step, and what the projection of the next chunk touches."""
    if p.y != NULL:
        prefetch_to_write(p.y + n * p.y_n + t * p.y_t, p.H)
    if t + chunk < p.T:
        prefetch(p.x + n * p.x_n + (t + chunk) * p.x_t, p.D)
        if p.training:
            prefetch_to_write(p.z + ((t + chunk) * p.N + n) * p.J, p.J)


cdef void project(const Rnn* p, long t0, long t1, long n0, long n1, long u0, long u1) noexcept nogil:
    """z = x W + b for the active rows of steps t0 to t1 and the units of vectors u0 to u1."""
    cdef long q = u0 * p.G, t, n, u, c, columns, wide = MC if (t1 - t0) * (n1 - n0) < 3 else 4
    cdef real* z = z_rows(p, t0)
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long times[MR]
    cdef long rows[MR]
    cdef long offset[MC]
    cdef int r, R
    while q < u1 * p.G:
        columns = min(wide, u1 * p.G - q)
        for c in range(columns):
            offset[c] = p.w_block[(q + c) % p.G] * p.HP + (q + c) // p.G * VL
        t = t0
        n = n0
        while True:
            R = <int>next_cells(p, &t, &n, t1, n0, n1, MR, times, rows)
            if R == 0:
                break
            for r in range(R):
                a[r] = p.x + rows[r] * p.x_n + times[r] * p.x_t
                out[r] = z + (times[r] * p.N + rows[r]) * p.J
                if q == u0 * p.G:
                    expect(p, times[r], rows[r], t1 - t0)
            panel(R, <int>columns, a, 1, p.D, p.W + q * p.D * VL, False, p.b + q * VL, out, offset, VL)
        q += columns
    if p.b_recurrent != NULL:
        for t in range(t0, t1):
            for n in range(n0, n1):
                for u in range(u0, u1):
                    vstore(z + (t * p.N + n) * p.J + p.u_block[2] * p.HP + u * VL, vload(p.b_recurrent + u * VL))


cdef void carry_over(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """A masked step hands state and output on; with zero_output its output is zero."""
    cdef long n, u, i
    cdef vf h
    if p.mask == NULL:
        return
    for n in range(n0, n1):
        if is_active(p, s, n):
            continue
        for u in range(u0, u1):
            i = n * p.HP + u * VL
            h = vload(s.h + i)
            vstore(s.h_next + i, h)
            if p.h_drop != NULL:
                vstore(s.hu_next + i, vload(s.hu + i))
            if p.c != NULL:
                vstore(s.c_next + i, vload(s.c + i))
            if p.y != NULL:
                vstore_part(s.y + n * p.y_n + u * VL, vzero() if p.zero_output else h, unit_width(p, u))


cdef inline void store_state(const Rnn* p, const Step* s, long n, long u, vf h) noexcept nogil:
    """The new state, wherever it is needed: the next step, what U multiplies, the output."""
    cdef long w = unit_width(p, u)
    vstore(s.h_next + n * p.HP + u * VL, h)
    if p.h_drop != NULL:
        vstore(s.hu_next + n * p.HP + u * VL, h * vload_part(p.h_drop + n * p.H + u * VL, w))
    if p.y != NULL:
        vstore_part(s.y + n * p.y_n + u * VL, h, w)


cdef inline long gate_units(const Rnn* p, long rows, long least) noexcept nogil:
    """Vectors of units to take at a time: more where the rows are few."""
    return max(least, min(<long>GATE_UNITS, GATE_VECTORS // max(1, rows)))


cdef void add_recurrent(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1, const real* h, long ldh,
                        int first, int gates) noexcept nogil:
    """z += h U for `gates` gates from `first` on, active rows n0 to n1, the units of vectors u0 to u1."""
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long offset[MC]
    cdef long rows[MR]
    cdef long u = u0, n, v
    cdef int r, R, g, columns
    # a panel takes the columns of several vectors if they lie side by side, and if that is no loss
    cdef long wide = 1
    if gates == p.G:
        wide = MC // p.G if n1 - n0 < 3 else (2 if p.G == 3 else max(1, 4 // p.G))
    while u < u1:
        wide = min(wide, u1 - u)
        columns = 0
        for v in range(u, u + wide):
            for g in range(first, first + gates):
                offset[columns] = p.u_block[g] * p.HP + v * VL
                columns += 1
        n = n0
        while n < n1:
            R = next_rows(p, s, &n, n1, 4 if n1 - n == 7 else MR, rows)     # 7 go as 4 + 3
            for r in range(R):
                a[r] = h + rows[r] * ldh
                out[r] = s.z + rows[r] * p.J
            panel(R, columns, a, 1, p.H, p.U + (u * p.G + first) * p.H * VL, True, NULL, out, offset, VL)
        u += wide


# ---------------------------------------------------------------------------------------------------------------
# backward

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
    """du (+)= z[t, :, k0:k0 + K] UT for the active rows and the units of vectors u0 to u1; UT: packed [P][K][VL]."""
    cdef long u = u0, n, c, columns, wide = MC if n1 - n0 < 3 else (4 if n1 - n0 < 4 else 2)
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
            R = next_rows(p, s, &n, n1, 4 if n1 - n == 7 else MR, rows)
            for r in range(R):
                a[r] = s.z + rows[r] * p.J + k0
                out[r] = p.du + rows[r] * p.HP
                if u == u0 and s.z != p.z:      # the step before, which comes next
                    prefetch(s.z + (rows[r] - p.N) * p.J, p.J)
                    if p.dy != NULL:
                        prefetch(s.dy + rows[r] * p.dy_n - p.dy_t, p.H)
                    if p.c != NULL and s.c != p.c:
                        prefetch(s.c + (rows[r] - p.N) * p.HP, p.HP)
            panel(R, <int>columns, a, 1, K, UT + u * K * VL, add, NULL, out, offset, VL)
        u += columns


cdef void input_gradient(const Rnn* p, long t0, long t1, long n0, long n1) noexcept nogil:
    """dx = dz W^T for steps t0 to t1; zero where masked."""
    cdef long vectors = (p.D + VL - 1) // VL, v = 0, t, n, c, columns, i
    cdef long wide = MC if (t1 - t0) * (n1 - n0) < 3 else 2
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
            R = <int>next_cells(p, &t, &n, t1, n0, n1, MR, times, rows)
            if R == 0:
                break
            for r in range(R):
                a[r] = p.z + (times[r] * p.N + rows[r]) * p.J
                out[r] = p.dx + rows[r] * p.dx_n + times[r] * p.dx_t
            panel(R, <int>columns, a, 1, p.G * p.HP, p.WT + v * p.G * p.HP * VL, False, NULL, out, offset,
                  min(<long>VL, p.D - (v + columns - 1) * VL))
        v += columns


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
    cdef vf through
    for n in range(n0, n1):
        for u in range(u0, u1):
            w = unit_width(p, u)
            if dh0 != NULL:
                through = vload(p.du + n * p.HP + u * VL)
                if p.h_drop != NULL:
                    through = through * vload_part(p.h_drop + n * p.H + u * VL, w)
                vstore_part(dh0 + n * p.H + u * VL, vload(p.dh + n * p.HP + u * VL) + through, w)
            if dc0 != NULL:
                vstore_part(dc0 + n * p.H + u * VL, vload(p.dc + n * p.HP + u * VL), w)


cdef struct Outer:
    # dW[M, gate g] = sum over active rows of a^T z[block of g], for gates g0 to g1, and the bias's sum
    const real* a               # row (t, n) at a + n * a_n + t * a_t, M elements
    long a_n, a_t, M
    int g0, g1
    const int* block
    real* out                   # row m at out + m * ldo, gate g's H columns at g * H
    long ldo
    real* bias                  # (gates, H) likewise or NULL


cdef inline long strip_size() noexcept nogil:
    """A strip of MR columns of a, packed; a vector store of its last row may run over by less than VL."""
    return K_BLOCK * MR + VL


cdef long outer_scratch(long M) noexcept nogil:
    """Elements of scratch that one thread needs for an outer product of M rows."""
    return (M + MR - 1) // MR * strip_size() + MC * VL * K_BLOCK


cdef void outer_product(const Rnn* p, const Outer* o, long v0, long v1, real* scratch) noexcept nogil:
    """Column vectors v0 to v1 of (g1 - g0) * P. Rows are summed in the order of (t, n), in blocks of K_BLOCK."""
    cdef long strips = (o.M + MR - 1) // MR, S = strip_size()
    cdef real* b_packed = scratch                           # [columns][K][VL]
    cdef real* a_packed = scratch + MC * VL * K_BLOCK       # [strips][K_BLOCK][MR]
    cdef long times[K_BLOCK]
    cdef long rows[K_BLOCK]
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long offset[MC]
    cdef long t = 0, n = 0, K, k, s, v, c, u, m, w, columns, wide = 4 if ACCUMULATORS > 12 else 2
    cdef long block = min(<long>K_BLOCK, max(<long>64, A_BLOCK // o.M))
    cdef int g, r, R
    cdef bint first = True
    cdef const real* source
    cdef vf total, value
    while t < p.T or first:
        K = next_cells(p, &t, &n, p.T, 0, p.N, block, times, rows)
        for k in range(K):
            source = o.a + rows[k] * o.a_n + times[k] * o.a_t
            m = 0
            while m + VL <= o.M and VL >= MR:       # one vector store a strip: what it has too much is overwritten
                vstore(a_packed + m // MR * S + k * MR, vload(source + m))
                m += MR
            while m < o.M:
                a_packed[m // MR * S + k * MR + m % MR] = source[m]
                m += 1
        v = v0
        while v < v1:
            g = o.g0 + <int>(v // p.P)
            u = v % p.P
            columns = min(wide, v1 - v, p.P - u)
            for c in range(columns):
                offset[c] = g * p.H + (u + c) * VL
                w = unit_width(p, u + c)
                total = vzero()
                for k in range(K):
                    if c == 0:                  # the next columns
                        prefetch(p.z + (times[k] * p.N + rows[k]) * p.J + o.block[g] * p.HP + (u + columns) * VL, wide * VL)
                    value = vload_part(p.z + (times[k] * p.N + rows[k]) * p.J + o.block[g] * p.HP + (u + c) * VL, w)
                    total = total + value
                    vstore(b_packed + (c * K + k) * VL, value)
                if o.bias != NULL:
                    if not first:
                        total = total + vload_part(o.bias + offset[c], w)
                    vstore_part(o.bias + offset[c], total, w)
            for s in range(strips):
                R = <int>min(<long>MR, o.M - s * MR)
                for r in range(R):
                    a[r] = a_packed + s * S + r
                    out[r] = o.out + (s * MR + r) * o.ldo
                panel(R, <int>columns, a, MR, K, b_packed, not first, NULL, out, offset, unit_width(p, u + columns - 1))
            v += columns
        first = False
