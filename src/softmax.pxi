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


def softmax_rows(ndarray z not None, ndarray out not None, long threads):
    """out (M, C) = exp(z - max z) / sum of exp(z - max z), row by row. out may be z."""
    cdef long M = extent(z, 0), C = extent(z, 1), i, team
    cdef long workers = softmax_team(M, C, threads)
    cdef const real* z_ = matrix(z, M, C, "z")
    cdef real* out_ = matrix_out(out, M, C, "out")
    if C == 0:
        return
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        softmax_share(z_, out_, C, share(M, i, team), share(M, i + 1, team))


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


def softmax_rows_backward(ndarray y not None, ndarray dy not None, ndarray dx not None, long threads):
    """dx (M, C) = y (dy - sum of y dy), row by row, for y = softmax(x). dx may be dy."""
    cdef long M = extent(y, 0), C = extent(y, 1), i, team
    cdef long workers = 1 if M * C < SMALL_WORK else max(1, min(threads, M))
    cdef const real* y_ = matrix(y, M, C, "y")
    cdef const real* dy_ = matrix(dy, M, C, "dy")
    cdef real* dx_ = matrix_out(dx, M, C, "dx")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        softmax_back_share(y_, dy_, dx_, C, share(M, i, team), share(M, i + 1, team))
