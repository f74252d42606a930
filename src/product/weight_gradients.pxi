# The weights' gradients of any layer: sums over time and batch of outer products, in an order that the shapes alone fix.
# One factor of each is the layer's input, or a state; the other dz, the gradients of what enters the activations.

cdef enum:
    K_BLOCK = 256           # rows of z that one pass sums over, at most: two of their packed columns fit into L1
    A_BLOCK = 1 << 20       # and bytes of the other factor: each strip of it is read in a row, so L3 will do
    STRIP = 8 * MR          # columns of a strip: whole vectors, and whole tiles
    IN_PLACE = 1024         # bytes from row to row up to which it is read where it is: rows farther apart share few sets
    ROWS_NEAR = 3           # rows of a that come into the first cache before they are packed
    FIRST_ROWS = 32         # of a step, from which on it pays to leave the first one out where the state is zeros


cdef struct Gradients:
    # dz, the factor that the outer products of a call share: (t, n) is row t % slots * N + n of it
    const real* dz              # [slots][N][J]: of each gate a block of HP elements
    long slots, N, T
    long J                      # from row to row
    long H, HP, P               # a gate's columns, its elements in a row of dz, and its vectors
    const unsigned char* mask   # (N, T) or NULL: 0 is a masked step, which no sum has
    long mask_n, mask_t
    bint from_zero              # before the first step the state is zeros
    Watch* watch                # the call's, or NULL


cdef struct Outer:
    # dW[M, gate g] = sum over active rows of a^T dz[block of g], for gates g0 to g1, and the bias's sum
    const real* a               # row (t, n) at a + n * a_n + t * a_t, M elements
    long a_n, a_t, M
    long n0, n1                 # the rows of the batch that it sums over
    int g0, g1
    const int* block
    real* out                   # row m at out + m * ldo, gate g's H columns at g * H
    long ldo
    real* bias                  # (gates, H) likewise or NULL
    bint of_state               # a is the state, or r h: zeros in the first step if from_zero
    bint blas                   # through BLAS: goes_to_blas, and there is one
    bint with_next              # the product that follows, of the same gates, is computed along with this one


cdef struct Cells:
    # the rows that one pass sums over
    long K
    long times[K_BLOCK]
    long rows[K_BLOCK]


cdef struct Ahead:
    # rows of a that come near while the tiles of the pass before are computed, a few with each
    const Cells* cells
    const Outer* o              # whose a they are
    const Outer* other          # and that of another, or NULL
    long k                      # the next of them
    long tiles, tile            # how many tiles there are, and how many are done


cdef inline long strip_size() noexcept nogil:
    """A strip of a, packed, and a bit: strips a power of two apart would share cache sets."""
    return K_BLOCK * STRIP + VL


cdef inline long packed_size(long columns) noexcept nogil:
    """Elements of that many columns of a, packed in strips."""
    return (columns + STRIP - 1) // STRIP * strip_size()


cdef inline long a_columns() noexcept nogil:
    """Columns of a that are packed at a time: whole strips."""
    return A_BLOCK // (K_BLOCK * <long>sizeof(real)) // STRIP * STRIP


cdef inline long tile_count(long columns) noexcept nogil:
    return (columns + MR - 1) // MR


cdef long outer_scratch(long M) noexcept nogil:
    """Elements of scratch that one thread needs for an outer product of M rows."""
    return packed_size(min(M, a_columns())) + MC * VL * K_BLOCK


cdef inline const real* first_row(const Gradients* d, long t0) noexcept nogil:
    """Where dz of time 0 would be, for steps from t0 on: step t is at t * N * J."""
    return d.dz + (t0 % d.slots - t0) * d.N * d.J


cdef inline const Outer* sharing(const Outer* o, const Outer* other, long g) noexcept nogil:
    """`other`, if there is one and it has o's columns of z for the gate g, counted from their first; else NULL."""
    if other != NULL and o.block[o.g0 + g] == other.block[other.g0 + g]:
        return other
    return NULL


cdef void weights_share(const Gradients* d, const Outer* outer, int products, long groups, long t0, long t1, long i,
                        long team, real* scratch) noexcept nogil:
    """Thread i's share of what steps t0 to t1 add to each outer product, of each group four; the last steps, which come
    first, store it."""
    cdef uint64_t state = denormals_off()
    cdef int k = 0
    while k < products:
        if outer[k].blas:
            blas_outer_product(d, &outer[k], t0, t1, i, team, scratch)
        else:
            outer_shares(d, &outer[k], groups, t0, t1, i, team, scratch)
        k += 2 if outer[k].with_next else 1
    denormals_restore(state)


cdef void outer_shares(const Gradients* d, const Outer* o, long groups, long t0, long t1, long i, long team,
                       real* scratch) noexcept nogil:
    """Thread i's share of the groups' products, four further each: of columns, or of rows where these are clearly more, as
    every thread packs all of the others."""
    cdef long columns = (o.g1 - o.g0) * d.P, tiles = tile_count(o.M), each, k, first, last
    if o.with_next:
        tiles += tile_count((o + 1).M)
    each = tiles if 4 * tiles * MR > 5 * columns * VL else columns
    for k in range(groups):
        first = max(0, share(groups * each, i, team) - k * each)
        last = min(each, share(groups * each, i + 1, team) - k * each)
        if first < last and each == tiles:
            outer_product(d, o + 4 * k, t0, t1, first, last, 0, columns, scratch)
        elif first < last:
            outer_product(d, o + 4 * k, t0, t1, 0, tiles, first, last, scratch)


cdef void outer_product(const Gradients* d, const Outer* o, long t0, long t1, long s0, long s1, long v0, long v1,
                        real* scratch) noexcept nogil:
    """What steps t0 to t1 add to the rows of tiles s0 to s1 and to column vectors v0 to v1 of (g1 - g0) * P; with_next: of two
    products at once, whose tiles are counted on, and whose columns of a a_columns() holds. Sums go in the order of (t, n),
    in blocks of K_BLOCK."""
    cdef const Outer* other = o + 1 if o.with_next else NULL        # of the state
    cdef const Outer* along
    cdef long tiles = tile_count(o.M), m0, m1, end = min(o.M, s1 * MR)
    cdef long other0 = max(0, s0 - tiles) * MR, other1 = max(0, s1 - tiles) * MR
    cdef real* b_packed = scratch                           # [columns][K][VL]
    cdef real* a_packed = scratch + MC * VL * K_BLOCK       # [strips][K_BLOCK][STRIP]
    cdef real* a_other = a_packed + packed_size(o.M)
    cdef const real* there = NULL                           # a, if it is not packed
    cdef const real* other_there = NULL
    cdef Cells blocks[2]
    cdef Cells* now = &blocks[0]
    cdef Cells* next = &blocks[1]
    cdef Ahead ahead
    cdef long t = t0, n = o.n0, v, columns, wide = full_width(), done = 0
    cdef bint first = t1 == d.T, zeros, this_one, other_one, stored = not first, other_stored = stored or other == NULL
    cdef const real* dz = first_row(d, t0)
    if other != NULL:
        other1 = min(other1, other.M)
    ahead.o = o
    ahead.other = other
    ahead.tiles = (v1 - v0 + wide - 1) // wide * (s1 - s0)
    zeros = t == 0 and t1 > 0 and d.from_zero and o.n1 - o.n0 >= FIRST_ROWS
    take_cells(d, o, &t, &n, 1 if zeros else t1, next)
    while next.K > 0 or t < t1 or not (stored and other_stored):     # all rows of a step may be masked
        now, next = next, now
        this_one = not (zeros and o.of_state)
        other_one = other != NULL and not zeros
        zeros = False
        take_cells(d, o, &t, &n, t1, next)
        ahead.cells = next
        ahead.k = ahead.tile = 0
        done += now.K * (s1 - s0) * MR * (v1 - v0) * VL
        if done >= LOOK_WORK:
            done = 0
            if ends(d.watch):
                return
        m0 = min(o.M, s0 * MR)
        while True:
            m1 = min(end, m0 + a_columns())
            if this_one:
                there = rows_of(d, o, m0, m1, now, a_packed)
            if other_one:
                other_there = rows_of(d, other, other0, other1, now, a_other)
            v = v0
            while v < v1:
                columns = min(wide, v1 - v, d.P - v % d.P)
                along = sharing(o, other, v // d.P)
                pack_gate_columns(d, o, along, dz, v, columns, now, first, m0 == 0, b_packed)
                if this_one:
                    outer_block(d, o, m0, m1, v, <int>columns, now.K, stored, there, a_packed, b_packed, &ahead)
                if along != other:
                    pack_gate_columns(d, other, NULL, dz, v, columns, now, first, m0 == 0, b_packed)
                if other_one:
                    outer_block(d, other, other0, other1, v, <int>columns, now.K, other_stored, other_there, a_other,
                                b_packed, &ahead)
                v += columns
            m0 = m1
            if m0 == end:
                break
        first = False
        stored = stored or this_one
        other_stored = other_stored or other_one


cdef inline void take_cells(const Gradients* d, const Outer* o, long* t, long* n, long t1, Cells* next) noexcept nogil:
    """The rows of the next pass, of steps up to t1."""
    next.K = next_cells(d.mask, d.mask_n, d.mask_t, t, n, t1, o.n0, o.n1, K_BLOCK, next.times, next.rows)


cdef inline void come_near(Ahead* ahead) noexcept nogil:
    """The rows that belong to one tile."""
    cdef long time, row
    ahead.tile += 1
    while ahead.k * ahead.tiles < ahead.cells.K * ahead.tile and ahead.k < ahead.cells.K:
        time = ahead.cells.times[ahead.k]
        row = ahead.cells.rows[ahead.k]
        prefetch(ahead.o.a + row * ahead.o.a_n + time * ahead.o.a_t, ahead.o.M)
        if ahead.other != NULL:
            prefetch(ahead.other.a + row * ahead.other.a_n + time * ahead.other.a_t, ahead.other.M)
        ahead.k += 1


cdef inline const real* rows_of(const Gradients* d, const Outer* o, long m0, long m1, const Cells* of,
                                real* packed) noexcept nogil:
    """The first of K rows of a if they follow one another at one distance that suits the cache; else NULL, and their
    columns m0 to m1 are packed."""
    if d.mask == NULL and of.K > 0 and (d.T == 1 or o.a_t == (o.n1 - o.n0) * o.a_n) \
            and o.a_n * <long>sizeof(real) <= IN_PLACE:
        return o.a + of.rows[0] * o.a_n + of.times[0] * o.a_t
    pack_strips(o, m0, m1, of, packed)
    return NULL


cdef void pack_strips(const Outer* o, long m0, long m1, const Cells* of, real* out) noexcept nogil:
    """Columns m0 to m1 of K rows of a, as [strips][K_BLOCK][STRIP]."""
    cdef long M = m1 - m0, k, m, next
    cdef const real* source
    cdef real* to
    for k in range(of.K):
        next = min(k + ROWS_NEAR, of.K - 1)
        prefetch_first(o.a + of.rows[next] * o.a_n + of.times[next] * o.a_t + m0, M)
        source = o.a + of.rows[k] * o.a_n + of.times[k] * o.a_t + m0
        to = out + k * STRIP
        m = 0
        while m + STRIP <= M:
            memcpy(to, source + m, STRIP * sizeof(real))
            to += strip_size()
            m += STRIP
        while m < M:
            vstore(to, vload_part(source + m, M - m))
            to += VL
            m += VL


cdef void pack_gate_columns(const Gradients* d, const Outer* o, const Outer* other, const real* dz, long v, long columns,
                            const Cells* of, bint first, bint sum_up, real* out) noexcept nogil:
    """Column vectors of one gate of K rows of dz, where time 0's would begin at `dz`, as [columns][K][VL]; their sums go to
    the biases, if sum_up."""
    cdef long u = v % d.P, c = 0, w = vector_width(d.H, u + columns - 1)
    cdef const real* z = dz + o.block[o.g0 + v // d.P] * d.HP + u * VL
    cdef vf total[MC]
    while c < columns:
        if c + 4 <= columns:
            pack_vectors(4, d, z + c * VL, w if c + 4 == columns else VL, of, total + c, out + c * of.K * VL)
            c += 4
        elif c + 2 <= columns:
            pack_vectors(2, d, z + c * VL, w if c + 2 == columns else VL, of, total + c, out + c * of.K * VL)
            c += 2
        else:
            pack_vectors(1, d, z + c * VL, w, of, total + c, out + c * of.K * VL)
            c += 1
    if sum_up:
        add_bias(d, o, v, columns, total, first)
    if sum_up and other != NULL:
        add_bias(d, other, v, columns, total, first)


cdef inline void pack_vectors(int C, const Gradients* d, const real* z, long width, const Cells* of, vf* total,
                              real* out) noexcept nogil:
    """C column vectors, a literal at each call: their sums stay in registers. Of the last one `width` elements exist."""
    cdef vf sums[MC]
    cdef vf value
    cdef const real* row
    cdef long k
    cdef int c
    for c in range(C):
        sums[c] = vzero()
    for k in range(of.K):
        row = z + (of.times[k] * d.N + of.rows[k]) * d.J
        for c in range(C):
            value = vload_part(row + c * VL, width if c == C - 1 else VL)
            sums[c] += value
            vstore(out + (c * of.K + k) * VL, value)
    for c in range(C):
        total[c] = sums[c]


cdef inline void add_bias(const Gradients* d, const Outer* o, long v, long columns, const vf* total,
                          bint first) noexcept nogil:
    """The sums of column vectors v on, added to the bias or the first that it is made of."""
    cdef long u = v % d.P, c, w
    cdef real* bias
    if o.bias == NULL:
        return
    for c in range(columns):
        bias = o.bias + (o.g0 + v // d.P) * d.H + (u + c) * VL
        w = vector_width(d.H, u + c)
        vstore_part(bias, total[c] if first else total[c] + vload_part(bias, w), w)


cdef void outer_block(const Gradients* d, const Outer* o, long m0, long m1, long v, int columns, long K, bint add,
                      const real* there, const real* a_packed, const real* b_packed, Ahead* ahead) noexcept nogil:
    """out[m0:m1, column vectors v on] (+)= the product of a, which is there or packed, and of b, packed."""
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long offset[MC]
    cdef const real* packed
    cdef long m = m0, i, u = v % d.P, first = (o.g0 + v // d.P) * d.H + u * VL
    cdef int r, R
    for i in range(columns):
        offset[i] = first + i * VL
    while m < m1:
        R = <int>min(<long>MR, m1 - m)
        packed = a_packed + (m - m0) // STRIP * strip_size() + (m - m0) % STRIP
        for r in range(R):
            a[r] = (there + m if there != NULL else packed) + r
            out[r] = o.out + (m + r) * o.ldo
        if add:
            for r in range(<int>min(<long>MR, m1 - m - R)):     # what the next tile adds to
                prefetch_to_write(out[R - 1] + (r + 1) * o.ldo + first, columns * VL)
        panel(R, columns, a, o.a_n if there != NULL else STRIP, K, b_packed, add, NULL, out, offset,
              vector_width(d.H, u + columns - 1))
        come_near(ahead)
        m += R
