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
