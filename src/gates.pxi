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


cdef inline void activate_group(int kind, int m, real** p) noexcept nogil:
    """m vectors in place, m a literal: side by side, as one alone is a chain that waits for itself."""
    cdef vf x[MR]
    cdef int i
    for i in range(m):
        x[i] = vload(p[i])
    if kind == TANH:
        vtanh_each(m, x)
    elif kind == SIGMOID:
        vsigmoid_each(m, x)
    else:
        for i in range(m):
            x[i] = activate(kind, x[i])
    for i in range(m):
        vstore(p[i], x[i])


cdef void activate_vectors(int kind, real** p, int count) noexcept nogil:
    """The activation of `count` vectors, each at an address of its own, in place."""
    cdef int i = 0
    if kind == LINEAR:
        return
    while count - i >= 6:
        activate_group(kind, 6, p + i)
        i += 6
    if count - i >= 4:
        activate_group(kind, 4, p + i)
        i += 4
    while count - i >= 2:
        activate_group(kind, 2, p + i)
        i += 2
    if i < count:
        activate_group(kind, 1, p + i)


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
