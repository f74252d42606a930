# Pooling: the largest or the mean of each window, in one or two dimensions. What padding would add counts for nothing.

cdef struct Pooling:
    const real* x               # (N, rows.inputs, columns.inputs, C)
    real* y                     # (N, rows.outputs, columns.outputs, C); the way back only reads it
    const real* dy              # like y, of the gradient alone
    real* dx                    # like x, of the gradient alone
    const Axis* rows
    const Axis* columns
    long N, C
    bint largest                # else the mean


cdef void pooling_part(void* call, long i, long team) noexcept nogil:
    cdef Pooling* p = <Pooling*>call
    cdef long k, w, c, u, v
    cdef long h, first, down, across, step = p.columns.inputs * p.C
    cdef const real* x
    cdef real* y
    cdef vf total
    cdef uint64_t state = denormals_off()
    for k in range(share(p.N * p.rows.outputs, i, team), share(p.N * p.rows.outputs, i + 1, team)):
        h = k % p.rows.outputs
        down = p.rows.count[h]
        for w in range(p.columns.outputs):
            across = p.columns.count[w]
            first = (k // p.rows.outputs * p.rows.inputs + p.rows.first[h]) * p.columns.inputs + p.columns.first[w]
            x = p.x + first * p.C
            y = p.y + (k * p.columns.outputs + w) * p.C
            c = 0
            while c < p.C:
                total = lowest() if p.largest else vzero()
                for u in range(down):
                    for v in range(across):
                        if p.largest:
                            total = vlarger_or_nan(total, vload_part(x + u * step + v * p.C + c, p.C - c))
                        else:
                            total = total + vload_part(x + u * step + v * p.C + c, p.C - c)
                if not p.largest:
                    total = total / vset1(<real>(down * across))
                vstore_part(y + c, total, p.C - c)
                c += VL
    denormals_restore(state)


cdef void pooling_back_part(void* call, long i, long team) noexcept nogil:
    """The gradient of a largest element goes to the first of its window that is as large."""
    cdef Pooling* p = <Pooling*>call
    cdef long n, h, w, c, u, v, at, size = p.rows.inputs * p.columns.inputs * p.C, step = p.columns.inputs * p.C
    cdef long first, down, across, n0 = share(p.N, i, team), n1 = share(p.N, i + 1, team)
    cdef vf left, top, added
    cdef const real* x
    cdef real* dx
    cdef uint64_t state = denormals_off()
    memset(p.dx + n0 * size, 0, (n1 - n0) * size * sizeof(real))
    for n in range(n0, n1):
        for h in range(p.rows.outputs):
            down = p.rows.count[h]
            for w in range(p.columns.outputs):
                across = p.columns.count[w]
                first = n * size + (p.rows.first[h] * p.columns.inputs + p.columns.first[w]) * p.C
                dx = p.dx + first
                x = p.x + first
                at = ((n * p.rows.outputs + h) * p.columns.outputs + w) * p.C
                c = 0
                while c < p.C:
                    left = vload_part(p.dy + at + c, p.C - c)
                    top = vload_part(p.y + at + c, p.C - c) if p.largest else vzero()
                    if not p.largest:
                        left = left / vset1(<real>(down * across))
                    for u in range(down):
                        for v in range(across):
                            added = left
                            if p.largest:
                                added = where_equal(vload_part(x + u * step + v * p.C + c, p.C - c), top, left, vzero())
                                left = where_equal(vload_part(x + u * step + v * p.C + c, p.C - c), top, vzero(), left)
                            vstore_part(dx + u * step + v * p.C + c,
                                        vload_part(dx + u * step + v * p.C + c, p.C - c) + added, p.C - c)
                    c += VL
    denormals_restore(state)


cdef int set_pooling(Pooling* p, ndarray x, ndarray y, Windows rows, Windows columns, bint largest) except -1:
    p.N = extent(x, 0)
    p.C = width_of(x)
    p.rows = &rows.forward
    p.columns = &columns.forward
    p.largest = largest
    p.x = elements(x, p.N * p.rows.inputs * p.columns.inputs * p.C, "x")
    p.y = <real*>elements(y, p.N * p.rows.outputs * p.columns.outputs * p.C, "y")
    p.dy = NULL
    p.dx = NULL
    return 0


def pool(ndarray x not None, ndarray y not None, Windows rows not None, Windows columns not None, bint largest, long threads):
    """y (N, rows, columns, C) = the largest element, or the mean, of each window of x (N, rows, columns, C)."""
    cdef Pooling p
    cdef long work
    set_pooling(&p, x, y, rows, columns, largest)
    p.y = elements_out(y, cnp.PyArray_SIZE(y), "y")
    work = cnp.PyArray_SIZE(y) * rows.taps * columns.taps
    run(pooling_part, &p, 1 if work < SMALL_WORK else max(1, min(threads, p.N * p.rows.outputs)), work)


def pool_backward(ndarray x not None, ndarray y not None, ndarray dy not None, ndarray dx not None, Windows rows not None,
                  Windows columns not None, bint largest, long threads):
    """dx, of x's shape, for dy, of y's: y is what `pool` gave."""
    cdef Pooling p
    cdef long work
    set_pooling(&p, x, y, rows, columns, largest)
    p.dy = elements(dy, cnp.PyArray_SIZE(y), "dy")
    p.dx = elements_out(dx, cnp.PyArray_SIZE(x), "dx")
    work = 2 * cnp.PyArray_SIZE(y) * rows.taps * columns.taps
    run(pooling_back_part, &p, 1 if work < SMALL_WORK else max(1, min(threads, p.N)), work)
