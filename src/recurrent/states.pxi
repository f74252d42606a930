# What the cells share on the way forward: one call's problem, its buffers, and what becomes of a new state. The products of a step are in block.pxi.
#
# z, row-major [time slot][N][J], holds what is projected ahead (x W + b), and for training each step's gates. Within a row
# each gate has a block of HP elements. So has dz, for the gradients of the pre-activations of some steps at a time.

cdef struct Cell                # see cells/table.pxi

cdef struct Rnn:
    long N, T, D, H
    long G, P, HP, J
    const Cell* cell
    int activation, recurrent_activation
    bint zero_output, training
    bint long_tape              # what only the backward pass reads is stored past the caches
    bint from_zero              # the initial h is zeros: the first step needs no product with U
    const real* x               # (N, T, D): any strides for batch and time; or a table (V, D),
    long x_n, x_t
    const int* index            # (N, T) or NULL: of which these are the rows
    long index_n, index_t
    const real* folded          # (V, J) or NULL: of the table's rows what z has of them, b + x W
    const int* slots            # (N,) or NULL: the row of the first and final states that is row n's
    real* y                     # (N, T, H) or NULL
    long y_n, y_t
    const unsigned char* mask   # (N, T) or NULL: 0 is a masked step
    long mask_n, mask_t
    const real* x_drop          # (N, D) or NULL: dropout that made x, scaled; for dx alone
    const real* h_drop          # (N, H) or NULL: recurrent dropout, scaled
    const real* W               # packed [P][G][D][VL]
    const real* U               # packed [P][G][H][VL]
    const real* b               # packed [P][G][VL]
    const real* b_recurrent     # packed [P][VL]: of two biases, that of the last gate's h U, or NULL
    const real* peephole        # packed [P][3][VL]: LSTM's peepholes of i, f and o, or NULL
    long z_slots                # none where each step projects its own input
    real* z                     # [z_slots][N][J]
    real* h                     # tape [T + 1][N][HP], slot t holds the state before step t; NULL without training
    real* hu                    # the same times h_drop: what U multiplies (h itself without dropout)
    real* c                     # [T + 1][N][HP]: where there are two states
    long regions                # of states at hand: one for each thread, however the call is planned; 0: not needed
    long near_slots, near_rows
    real* near                  # of a region: h [2][rows][HP] and hu [2][rows][HP], of this step and the next, c [rows][HP];
                                # NULL if these are on the tape
    Watch* watch                # the call's
    # backward only
    long dz_slots
    real* dz                    # [dz_slots][N][J]
    const real* dy              # (N, T, H) or NULL
    long dy_n, dy_t
    real* dx                    # (N, T, D) or NULL
    long dx_n, dx_t
    const real* WT              # packed [D / VL][G * HP][VL], rows in the order of z's blocks
    const real* UT              # packed [P][G * HP][VL]
    real* dh                    # of a region: [rows][HP], gradient of the state that does not pass through U
    real* du                    # [rows][HP]: and that which does, before h_drop
    real* dc                    # [rows][HP]: where there are two states
    real* dpeephole             # [N][3][HP]: the peepholes' gradients, of all rows; see peephole_sums


cdef struct Step:
    # one time step: where its rows begin; row n is n * J (z) or n * HP (states) further
    long t
    bint state                  # h may be other than zeros
    real* z
    real* dz
    real* h                     # state before the step, and after it
    real* h_next
    real* hu
    real* hu_next
    real* c
    real* c_next
    real* h_tape                # where the backward pass finds h_next, hu_next and c_next; NULL if they are there
    real* hu_tape
    real* c_tape
    real* y                     # row n is n * y_n further; NULL without
    const real* dy
    const unsigned char* mask   # n * mask_n further


cdef inline Step step_at(const Rnn* p, long t) noexcept nogil:
    cdef Step s
    cdef long before = t * p.N * p.HP, after = (t + 1) * p.N * p.HP
    s.t = t
    s.state = t > 0 or not p.from_zero
    s.z = p.z if p.z_slots == 0 else p.z + t % p.z_slots * p.N * p.J
    s.dz = p.dz + t % p.dz_slots * p.N * p.J
    s.h = s.h_next = s.hu = s.hu_next = s.c = s.c_next = s.h_tape = s.hu_tape = s.c_tape = NULL
    if p.h != NULL:
        s.h = p.h + before
        s.h_next = p.h + after
        s.hu = p.hu + before
        s.hu_next = p.hu + after
        if p.c != NULL:
            s.c = p.c + before
            s.c_next = p.c + after
    if p.near != NULL:
        take_near(p, &s)
    s.y = p.y + t * p.y_t
    s.dy = p.dy + t * p.dy_t
    s.mask = p.mask + t * p.mask_t
    return s


cdef inline long regions_size(const Rnn* p, long slots, long regions) noexcept nogil:
    """Elements of `slots` states of each row, in regions a page apart: a core that reads its rows in order fetches what follows
    them, and if another core writes there, both wait for each other in each step."""
    return slots * p.N * p.HP + regions * APART


cdef inline long region_start(const Rnn* p, long slots, long region, long n0) noexcept nogil:
    """Where row 0 would begin in the region that row n0 is the first of."""
    return (slots - 1) * n0 * p.HP + region * APART


cdef inline void settle(Rnn* p, long region, long n0, long n1) noexcept nogil:
    """Have the states at hand of rows n0 to n1 in a region of their own."""
    if p.near != NULL:
        p.near_rows = n1 - n0
        p.near += region_start(p, p.near_slots, region, n0)


cdef inline void take_near(const Rnn* p, Step* s) noexcept nogil:
    """Have the states at hand in a place that stays in the caches, and the tape's, if there is one, as a copy."""
    cdef long slot = p.near_rows * p.HP, before = s.t % 2 * slot, after = (s.t + 1) % 2 * slot
    s.h_tape = s.h_next
    s.hu_tape = s.hu_next
    s.c_tape = s.c_next
    s.h = p.near + before
    s.h_next = p.near + after
    s.hu = s.h
    s.hu_next = s.h_next
    if p.h_drop != NULL:
        s.hu += 2 * slot
        s.hu_next += 2 * slot
    if p.cell.states == 2:
        s.c = s.c_next = p.near + (p.near_slots - 1) * slot


cdef inline const real* input_row(const Rnn* p, long t, long n) noexcept nogil:
    """x of step t and row n: D elements."""
    if p.index == NULL:
        return p.x + n * p.x_n + t * p.x_t
    return p.x + p.index[n * p.index_n + t * p.index_t] * p.D


cdef inline const real* row_ahead_of(const Rnn* p, const Step* s, long n) noexcept nogil:
    """b + x W of row n, J elements, where that is known before the step."""
    if p.folded == NULL:
        return s.z + n * p.J
    return p.folded + p.index[n * p.index_n + s.t * p.index_t] * p.J


cdef inline long state_row(const Rnn* p, long n) noexcept nogil:
    """The row of the first and the final states that is row n's."""
    return n if p.slots == NULL else p.slots[n]


cdef inline bint is_active(const Rnn* p, const Step* s, long n) noexcept nogil:
    return s.mask == NULL or s.mask[n * p.mask_n] != 0


cdef inline long unit_width(const Rnn* p, long u) noexcept nogil:
    """Units of vector u that exist."""
    return vector_width(p.H, u)


cdef inline int next_rows(const Rnn* p, const Step* s, long* n, long end, int most, long* rows) noexcept nogil:
    """The next `most` active rows."""
    cdef int count = 0
    while n[0] < end and count < most:
        if is_active(p, s, n[0]):
            rows[count] = n[0]
            count += 1
        n[0] += 1
    return count


cdef void prepare(const Rnn* p, const real* h0, const real* c0, long n0, long n1, long u0, long u1) noexcept nogil:
    """The initial states, of H elements a row, or NULL for zeros. Padded units start, and therefore stay, at zero."""
    cdef Step s = step_at(p, 0)
    cdef long n, u
    for n in range(n0, n1):
        for u in range(u0, u1):
            begin(p, s.h, p.h, h0, NULL, n, u)
            if p.h_drop != NULL:
                begin(p, s.hu, p.hu, h0, p.h_drop, n, u)
            if p.cell.states == 2:
                begin(p, s.c, p.c, c0, NULL, n, u)


cdef inline void begin(const Rnn* p, real* state, real* tape, const real* initial, const real* drop, long n,
                       long u) noexcept nogil:
    """One vector of an initial state, at hand and on the tape."""
    cdef long w = unit_width(p, u), at = n * p.HP + u * VL
    cdef vf value = vzero()
    if initial != NULL:
        value = vload_part(initial + state_row(p, n) * p.H + u * VL, w)
        if drop != NULL:
            value = value * vload_part(drop + n * p.H + u * VL, w)
    vstore(state + at, value)
    if tape != NULL:
        vstore(tape + at, value)


cdef void finish(const Rnn* p, real* hT, real* cT, long n0, long n1, long u0, long u1) noexcept nogil:
    """The final states, of H elements a row."""
    cdef Step s = step_at(p, p.T)
    cdef long n, u
    for n in range(n0, n1):
        for u in range(u0, u1):
            if hT != NULL:
                vstore_part(hT + state_row(p, n) * p.H + u * VL, vload(s.h + n * p.HP + u * VL), unit_width(p, u))
            if cT != NULL:
                vstore_part(cT + state_row(p, n) * p.H + u * VL, vload(s.c + n * p.HP + u * VL), unit_width(p, u))


cdef inline real* z_rows(const Rnn* p, long t0) noexcept nogil:
    """Where z of time 0 would be, for a chunk of steps from t0 on: step t is at t * N * J."""
    return p.z + (t0 % p.z_slots - t0) * p.N * p.J


cdef inline real* dz_rows(const Rnn* p, long t0) noexcept nogil:
    """The same for dz."""
    return p.dz + (t0 % p.dz_slots - t0) * p.N * p.J


cdef void carry_over(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """A masked step hands its state on."""
    cdef long n, u, i
    if p.mask == NULL:
        return
    for n in range(n0, n1):
        if is_active(p, s, n):
            continue
        for u in range(u0, u1):
            i = n * p.HP + u * VL
            store_state(p, s, n, u, vload(s.h + i))
            if p.cell.states == 2:
                store_cell(s, i, vload(s.c + i))


cdef inline void keep(const Rnn* p, real* z, vf gate) noexcept nogil:
    """Store a gate for the backward pass."""
    if p.long_tape:
        vstream(z, gate)
    else:
        vstore(z, gate)


cdef inline void store_state(const Rnn* p, const Step* s, long n, long u, vf h) noexcept nogil:
    """The new state, and what U multiplies in the next step."""
    cdef long at = n * p.HP + u * VL
    vstore(s.h_next + at, h)
    if s.h_tape != NULL:
        vstream(s.h_tape + at, h)
    if p.h_drop != NULL:
        h = h * vload_part(p.h_drop + n * p.H + u * VL, unit_width(p, u))
        vstore(s.hu_next + at, h)
        if s.h_tape != NULL:
            vstream(s.hu_tape + at, h)


cdef inline void store_cell(const Step* s, long at, vf c) noexcept nogil:
    """The new cell state."""
    vstore(s.c_next + at, c)
    if s.h_tape != NULL:
        vstream(s.c_tape + at, c)


cdef void emit(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil:
    """The step's output: row by row, as its rows lie far apart. A masked step repeats the last, or gives zeros."""
    cdef long n, u
    cdef real* y
    cdef const real* h
    if p.y == NULL:
        return
    for n in range(n0, n1):
        y = s.y + n * p.y_n
        h = s.h_next + n * p.HP
        if p.zero_output and not is_active(p, s, n):
            for u in range(u0, u1):
                vstore_part(y + u * VL, vzero(), unit_width(p, u))
        else:
            for u in range(u0, u1 - 1):
                vstore(y + u * VL, vload(h + u * VL))
            if u0 < u1:
                vstore_part(y + (u1 - 1) * VL, vload(h + (u1 - 1) * VL), unit_width(p, u1 - 1))
