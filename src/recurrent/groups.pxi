# The weights' gradients as the sum of two, each over half of the batch's rows.
#
# Two threads that share a batch then need nothing of each other until the end: what one core has written is slow to read
# for the other, and slow to write again. And as no thread waits, each takes up its dz a few steps after writing it, from a
# buffer that stays in its caches. How many sums there are, and of what, the shapes alone decide.

cdef enum:
    GROUP_BYTES = 1 << 21   # of weights, up to which the second sum is worth its place in the caches
    GROUP_ROWS = 16         # of a batch, from which on
    DZ_BYTES = 1 << 20      # of dz that are written before the sums take them up


cdef inline bint blas_weights(const Rnn* p) noexcept nogil:
    """Whether BLAS computes a gradient of the weights."""
    return goes_to_blas(WEIGHTS, p.D, p.G * p.H, p.N * p.T) \
        or (p.cell.has_recurrent_kernel and goes_to_blas(WEIGHTS, p.H, p.G * p.H, p.N * p.T))


cdef long row_groups(const Rnn* p) noexcept nogil:
    """1, or 2: rows 0 to share(N, 1, 2), and the others."""
    cdef long bytes = (p.D + (p.H if p.cell.has_recurrent_kernel else 0)) * p.G * p.H * <long>sizeof(real)
    if p.N < GROUP_ROWS or p.N * p.T < 2 * K_BLOCK or bytes > GROUP_BYTES or blas_weights(p):
        return 1
    return 2


cdef long steps_at_once(const Rnn* p) noexcept nogil:
    """Steps after which the weights' gradients take up their dz."""
    if row_groups(p) == 1:
        return max(1, p.T)
    return max(1, min(p.T, max(2 * K_BLOCK // p.N, DZ_BYTES // (p.N * p.J * <long>sizeof(real)))))


cdef inline bint dz_on_tape(const Rnn* p) noexcept nogil:
    """Whether dz takes the place of z, as all of it is kept."""
    return p.dz_slots >= p.T and p.z_slots >= p.T


cdef inline long own_dz(const Rnn* p) noexcept nogil:
    """Elements of dz that are not on the tape."""
    return 0 if dz_on_tape(p) else p.dz_slots * p.N * p.J


cdef inline long group_size(const Rnn* p) noexcept nogil:
    """Elements of one group's dW, dU and db, whole vectors and a page away from the next group's."""
    return ((p.D + p.H + 2) * p.G * p.H + VL - 1) // VL * VL + APART


cdef inline long sums_size(const Rnn* p) noexcept nogil:
    """Elements of both groups' sums. They are apart from the arrays that the gradients go to, which may begin anywhere:
    where a vector is in two cache lines, each addition costs more."""
    return 2 * group_size(p) if row_groups(p) > 1 else 0


cdef void add_sums(const Rnn* p, real* dW, real* dU, real* db, long biases, const real* sums, long i,
                   long team) noexcept nogil:
    """Thread i's share of adding up both groups'."""
    cdef long D = p.D * p.G * p.H, H = p.H * p.G * p.H
    add_up(p, dW, sums, share(D, i, team), share(D, i + 1, team))
    if dU != NULL:
        add_up(p, dU, sums + D, share(H, i, team), share(H, i + 1, team))
    if db != NULL:
        add_up(p, db, sums + D + H, share(biases, i, team), share(biases, i + 1, team))


cdef void add_up(const Rnn* p, real* out, const real* sums, long n0, long n1) noexcept nogil:
    cdef const real* other = sums + group_size(p)
    while n0 < n1:
        vstore_part(out + n0, vload_part(sums + n0, n1 - n0) + vload_part(other + n0, n1 - n0), n1 - n0)
        n0 += VL
