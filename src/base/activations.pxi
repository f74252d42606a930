# Activations on vectors, and their derivatives in terms of the activation's output.
cdef enum Activation:
    LINEAR = 0
    RELU = 1
    SIGMOID = 2
    TANH = 3
    HARD_SIGMOID = 4


cdef inline vf activate(int kind, vf x) noexcept nogil:
    if kind == TANH:
        return vtanh(x)
    if kind == SIGMOID:
        return vsigmoid(x)
    if kind == RELU:
        return vmax(x, 0)
    if kind == HARD_SIGMOID:            # min(max(x / 6 + 1/2, 0), 1), Keras 3's
        return vmin(vmax(x * vset1(<real>(1.0 / 6.0)) + vset1(<real>0.5), 0), 1)
    return x


cdef inline void activate_group(int kind, int m, real* p) noexcept nogil:
    """m vectors in place, m a literal: side by side, as one alone is a chain that waits for itself."""
    cdef vf x[8]
    cdef int i
    for i in range(m):
        x[i] = vload(p + i * VL)
    if kind == TANH:
        vtanh_each(m, x)
    elif kind == SIGMOID:
        vsigmoid_each(m, x)
    else:
        for i in range(m):
            x[i] = activate(kind, x[i])
    for i in range(m):
        vstore(p + i * VL, x[i])


cdef void activate_run(int kind, real* p, long count) noexcept nogil:
    """The activation of `count` vectors that follow one another, in place."""
    if kind == LINEAR:
        return
    while count >= 6:
        activate_group(kind, 6, p)
        p += 6 * VL
        count -= 6
    if count >= 4:
        activate_group(kind, 4, p)
        p += 4 * VL
        count -= 4
    if count >= 2:
        activate_group(kind, 2, p)
        p += 2 * VL
        count -= 2
    if count == 1:
        activate_group(kind, 1, p)


cdef inline vf derivative(int kind, vf y) noexcept nogil:
    if kind == TANH:
        return vset1(1) - y * y
    if kind == SIGMOID:
        return y * (vset1(1) - y)
    if kind == RELU:
        return vstep(y)
    if kind == HARD_SIGMOID:
        return vinside(y, 0, 1) * vset1(<real>(1.0 / 6.0))
    return vset1(1)
