# Softmax of rows, and its gradient. Each row is one thread's, in one order.

cdef inline real row_max(const real* z, long C) noexcept nogil:
    cdef real largest = z[0]
    cdef vf top
    cdef long c = VL
    if C >= VL:
        top = vload(z)
        while c < C:            # the last vector begins early enough to be a whole one
            top = vlarger(vload(z + min(c, C - VL)), top)
            c += VL
        return lane_max(top)
    for c in range(1, C):
        largest = z[c] if z[c] > largest else largest
    return largest


cdef void softmax_share(const real* z, real* out, long C, long m0, long m1) noexcept nogil:
    """A row's end that is no whole vector stays in a register: a masked store makes the loads around it wait."""
    cdef uint64_t state = denormals_off()
    cdef long m, c, whole = C // VL * VL, begin = max(0, C - VL)
    cdef vf top, total, e, end = vzero()
    for m in range(m0, m1):
        top = vset1(row_max(z + m * C, C))
        total = vzero()
        if whole < C:
            end = vexp(vload_part(z + m * C + begin, C) - top)
            total = lanes_from(end, whole - begin, C - begin)
        c = 0
        while c < whole:
            e = vexp(vload(z + m * C + c) - top)
            vstore(out + m * C + c, e)
            total = total + e
            c += VL
        total = vset1(1 / lane_sum(total))
        c = 0
        while c < whole:
            vstore(out + m * C + c, vload(out + m * C + c) * total)
            c += VL
        if whole < C:
            vstore_part(out + m * C + begin, end * total, C)
    denormals_restore(state)


cdef long softmax_team(long M, long C, long threads) noexcept nogil:
    """An exp costs as much as some ten multiply-adds."""
    return 1 if M * C * 10 < SMALL_WORK else max(1, min(threads, M))


cdef struct Softmax:
    const real* z               # (M, C): what goes in, or for the gradient y = softmax of it
    const real* dy              # (M, C): of the gradient alone
    real* out                   # (M, C)
    long M, C


cdef void softmax_part(void* call, long i, long team) noexcept nogil:
    cdef Softmax* s = <Softmax*>call
    softmax_share(s.z, s.out, s.C, share(s.M, i, team), share(s.M, i + 1, team))


def softmax_rows(ndarray z not None, ndarray out not None, long threads):
    """out (..., C) = exp(z - max z) / sum of exp(z - max z), row by row. out may be z."""
    cdef long M = count_rows(z), C = width_of(z)
    run_softmax(rows(z, M, C, "z"), rows_out(out, M, C, "out"), M, C, threads)


cdef int run_softmax(const real* z, real* out, long M, long C, long threads) except -1:
    cdef Softmax s
    s.z = z
    s.out = out
    s.M = M
    s.C = C
    if C > 0:
        run(softmax_part, &s, softmax_team(M, C, threads), 10 * M * C)
    return 0


cdef void softmax_back_share(const real* y, const real* dy, real* dx, long C, long m0, long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    cdef long m, c
    cdef vf total
    for m in range(m0, m1):
        total = vzero()
        c = 0
        while c < C:
            total = total + vload_part(y + m * C + c, C - c) * vload_part(dy + m * C + c, C - c)
            c += VL
        total = vset1(lane_sum(total))
        c = 0
        while c < C:
            vstore_part(dx + m * C + c, vload_part(y + m * C + c, C - c)
                        * (vload_part(dy + m * C + c, C - c) - total), C - c)
            c += VL
    denormals_restore(state)


cdef void softmax_back_part(void* call, long i, long team) noexcept nogil:
    cdef Softmax* s = <Softmax*>call
    softmax_back_share(s.z, s.dy, s.out, s.C, share(s.M, i, team), share(s.M, i + 1, team))


def softmax_rows_backward(ndarray y not None, ndarray dy not None, ndarray dx not None, long threads):
    """dx (..., C) = y (dy - sum of y dy), row by row, for y = softmax(x). dx may be dy."""
    cdef Softmax s
    s.M = count_rows(y)
    s.C = width_of(y)
    s.z = rows(y, s.M, s.C, "y")
    s.dy = rows(dy, s.M, s.C, "dy")
    s.out = rows_out(dx, s.M, s.C, "dx")
    run(softmax_back_part, &s, 1 if s.M * s.C < SMALL_WORK else max(1, min(threads, s.M)), s.M * s.C)
