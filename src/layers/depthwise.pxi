# Depthwise convolutions: each channel has a kernel of its own, so that vectors of channels are multiplied element by element.

cdef struct Depthwise:
    const real* x               # (N, rows.inputs, columns.inputs, C)
    const real* w               # (taps down, taps across, C)
    const real* dy              # like y, of the gradients alone
    const real* bias            # (C,) or NULL
    real* y                     # (N, rows.outputs, columns.outputs, C)
    real* dx                    # like x
    real* dw                    # like w
    const Axis* rows
    const Axis* columns
    long N, C, taps, taps_across
    int activation


cdef inline const real* depthwise_taps(const Depthwise* p, const real* w, long h, long v) noexcept nogil:
    """The first tap of the window of outputs in row h and column v."""
    return w + (p.rows.tap[h] * p.taps_across + p.columns.tap[v]) * p.C


cdef inline long depthwise_window(const Depthwise* p, long n, long h, long v) noexcept nogil:
    """The place of the first input of the window, in x."""
    return ((n * p.rows.inputs + p.rows.first[h]) * p.columns.inputs + p.columns.first[v]) * p.C


cdef void depthwise_part(void* call, long i, long team) noexcept nogil:
    cdef Depthwise* p = <Depthwise*>call
    cdef long k, h, v, c, a, b, down = p.rows.step * p.columns.inputs * p.C, across = p.columns.step * p.C
    cdef const real* x
    cdef const real* w
    cdef real* y
    cdef vf total
    cdef uint64_t state = denormals_off()
    for k in range(share(p.N * p.rows.outputs, i, team), share(p.N * p.rows.outputs, i + 1, team)):
        h = k % p.rows.outputs
        for v in range(p.columns.outputs):
            x = p.x + depthwise_window(p, k // p.rows.outputs, h, v)
            w = depthwise_taps(p, p.w, h, v)
            y = p.y + (k * p.columns.outputs + v) * p.C
            c = 0
            while c < p.C:
                total = vzero() if p.bias == NULL else vload_part(p.bias + c, p.C - c)
                for a in range(p.rows.count[h]):
                    for b in range(p.columns.count[v]):
                        total += vload_part(x + a * down + b * across + c, p.C - c) \
                            * vload_part(w + (a * p.taps_across + b) * p.C + c, p.C - c)
                vstore_part(y + c, activate(p.activation, total), p.C - c)
                c += VL
    denormals_restore(state)


cdef void depthwise_back_part(void* call, long i, long team) noexcept nogil:
    """dx of some samples: each window adds to what it was made of."""
    cdef Depthwise* p = <Depthwise*>call
    cdef long n, h, v, c, a, b, down = p.rows.step * p.columns.inputs * p.C, across = p.columns.step * p.C
    cdef long n0 = share(p.N, i, team), n1 = share(p.N, i + 1, team), size = p.rows.inputs * p.columns.inputs * p.C
    cdef const real* dy
    cdef const real* w
    cdef real* dx
    cdef real* to
    cdef vf value
    cdef uint64_t state = denormals_off()
    memset(p.dx + n0 * size, 0, (n1 - n0) * size * sizeof(real))
    for n in range(n0, n1):
        for h in range(p.rows.outputs):
            for v in range(p.columns.outputs):
                dx = p.dx + depthwise_window(p, n, h, v)
                w = depthwise_taps(p, p.w, h, v)
                dy = p.dy + ((n * p.rows.outputs + h) * p.columns.outputs + v) * p.C
                c = 0
                while c < p.C:
                    value = vload_part(dy + c, p.C - c)
                    for a in range(p.rows.count[h]):
                        for b in range(p.columns.count[v]):
                            to = dx + a * down + b * across + c
                            vstore_part(to, vload_part(to, p.C - c)
                                        + value * vload_part(w + (a * p.taps_across + b) * p.C + c, p.C - c), p.C - c)
                    c += VL
    denormals_restore(state)


cdef void depthwise_weights_part(void* call, long i, long team) noexcept nogil:
    """dw of some vectors of channels, summed in the order of the windows."""
    cdef Depthwise* p = <Depthwise*>call
    cdef long n, h, v, c, a, b, down = p.rows.step * p.columns.inputs * p.C, across = p.columns.step * p.C
    cdef long vectors = (p.C + VL - 1) // VL, end = min(p.C, share(vectors, i + 1, team) * VL)
    cdef long begin = share(vectors, i, team) * VL
    cdef const real* dy
    cdef const real* x
    cdef real* dw
    cdef real* to
    cdef vf value
    cdef uint64_t state = denormals_off()
    for a in range(p.taps):
        memset(p.dw + a * p.C + begin, 0, max(0, end - begin) * sizeof(real))
    for n in range(p.N):
        for h in range(p.rows.outputs):
            for v in range(p.columns.outputs):
                x = p.x + depthwise_window(p, n, h, v)
                dw = <real*>depthwise_taps(p, p.dw, h, v)
                dy = p.dy + ((n * p.rows.outputs + h) * p.columns.outputs + v) * p.C
                c = begin
                while c < end:
                    value = vload_part(dy + c, end - c)
                    for a in range(p.rows.count[h]):
                        for b in range(p.columns.count[v]):
                            to = dw + (a * p.taps_across + b) * p.C + c
                            vstore_part(to, vload_part(to, end - c)
                                        + value * vload_part(x + a * down + b * across + c, end - c), end - c)
                    c += VL
    denormals_restore(state)


cdef long long set_depthwise(Depthwise* p, ndarray x, ndarray w, ndarray y, Windows rows, Windows columns) except -1:
    """The shapes, by x (N, rows, columns, C); returns how many multiply-adds there are."""
    p.N = extent(x, 0)
    p.C = width_of(x)
    p.rows = &rows.forward
    p.columns = &columns.forward
    p.taps = rows.taps * columns.taps
    p.taps_across = columns.taps
    p.x = p.w = p.dy = p.bias = NULL
    p.y = p.dx = p.dw = NULL
    p.activation = LINEAR
    elements(x, p.N * p.rows.inputs * p.columns.inputs * p.C, "x")
    elements(w, p.taps * p.C, "w")
    elements(y, p.N * p.rows.outputs * p.columns.outputs * p.C, "y")
    return <long long>cnp.PyArray_SIZE(y) * p.taps


def depthwise(ndarray x not None, ndarray w not None, ndarray bias, ndarray y not None, Windows rows not None,
              Windows columns not None, int activation, long threads):
    """y (N, rows, columns, C) = activation(bias + the windows of x (N, rows, columns, C), each times w (taps down, taps
    across, C)); bias: (C,) or None."""
    cdef Depthwise p
    cdef long long work = set_depthwise(&p, x, w, y, rows, columns)
    p.x = <const real*>cnp.PyArray_DATA(x)
    p.w = <const real*>cnp.PyArray_DATA(w)
    p.bias = vector(bias, p.C, "bias")
    p.y = elements_out(y, cnp.PyArray_SIZE(y), "y")
    p.activation = activation
    run(depthwise_part, &p, 1 if work < SMALL_WORK else max(1, min(threads, p.N * p.rows.outputs)), work)


def depthwise_input_gradient(ndarray dz not None, ndarray w not None, ndarray dx not None, Windows rows not None,
                             Windows columns not None, long threads):
    """dx, of x's shape, for dz, of y's, the gradient of what enters the activation."""
    cdef Depthwise p
    cdef long long work = set_depthwise(&p, dx, w, dz, rows, columns)
    p.dy = <const real*>cnp.PyArray_DATA(dz)
    p.w = <const real*>cnp.PyArray_DATA(w)
    p.dx = elements_out(dx, cnp.PyArray_SIZE(dx), "dx")
    run(depthwise_back_part, &p, 1 if work < SMALL_WORK else max(1, min(threads, p.N)), work)


def depthwise_weight_gradient(ndarray x not None, ndarray dz not None, ndarray dw not None, Windows rows not None,
                              Windows columns not None, long threads):
    """dw, of w's shape."""
    cdef Depthwise p
    cdef long long work = set_depthwise(&p, x, dw, dz, rows, columns)
    p.x = <const real*>cnp.PyArray_DATA(x)
    p.dy = <const real*>cnp.PyArray_DATA(dz)
    p.dw = elements_out(dw, cnp.PyArray_SIZE(dw), "dw")
    run(depthwise_weights_part, &p, 1 if work < SMALL_WORK else max(1, min(threads, (p.C + VL - 1) // VL)), work)
