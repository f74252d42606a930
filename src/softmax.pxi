# Softmax of rows, and its gradient. Each row is one thread's, in one order.

cdef extern from *:
    """
    SIMD vf vlarger(vf a, vf b) { return vselect(a > b, a, b); }
    """
    vf vlarger(vf, vf) nogil


cdef inline real row_max(const real* z, long C) noexcept nogil:
    cdef real lanes[64]
    cdef real largest = z[0]
    cdef vf top
    cdef long c = VL
    if C >= VL:
        top = vload(z)
        while c + VL <= C:
            top = vlarger(vload(z + c), top)
            c += VL
        vstore(lanes, top)
        for c in range(VL):
            largest = lanes[c] if lanes[c] > largest else largest
    for c in range(C // VL * VL, C):
        largest = z[c] if z[c] > largest else largest
    return largest


cdef inline real lane_sum(vf x) noexcept nogil:
    cdef real lanes[64]
    cdef real total = 0
    cdef int k
    vstore(lanes, x)
    for k in range(VL):
        total += lanes[k]
    return total


cdef void softmax_share(const real* z, real* out, long C, long m0, long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    cdef long m, c, k
    cdef vf top, total, e
    cdef real rest
    for m in range(m0, m1):
        top = vset1(row_max(z + m * C, C))
        total = vzero()
        rest = 0
        c = 0
        while c < C:
            e = vexp(vload_part(z + m * C + c, C - c) - top)
            vstore_part(out + m * C + c, e, C - c)
            if c + VL <= C:
                total = total + e
            c += VL
        for k in range(C // VL * VL, C):
            rest += out[m * C + k]
        total = vset1(lane_sum(total) + rest)
        c = 0
        while c < C:
            vstore_part(out + m * C + c, vload_part(out + m * C + c, C - c) / total, C - c)
            c += VL
    denormals_restore(state)


cdef long softmax_team(long M, long C, long threads) noexcept nogil:
    """An exp costs as much as some ten multiply-adds."""
    return 1 if M * C * 10 < SMALL_WORK else max(1, min(threads, M))


def softmax_rows(ndarray z not None, ndarray out not None, long threads):
    """out (M, C) = exp(z - max z) / sum of exp(z - max z), row by row. out may be z."""
    cdef long M = extent(z, 0), C = extent(z, 1), i, team
    cdef long workers = softmax_team(M, C, threads)
    cdef real* z_ = matrix(z, M, C, "z")
    cdef real* out_ = matrix(out, M, C, "out")
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
    cdef real* y_ = matrix(y, M, C, "y")
    cdef real* dy_ = matrix(dy, M, C, "dy")
    cdef real* dx_ = matrix(dx, M, C, "dx")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        softmax_back_share(y_, dy_, dx_, C, share(M, i, team), share(M, i + 1, team))
