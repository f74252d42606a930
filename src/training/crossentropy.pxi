# The cross-entropy of rows of class probabilities p and targets t, with its gradient.

cdef extern from *:
    """
    #include <math.h>
    #include <float.h>
    #define TINY (sizeof(real) == 4 ? (real)FLT_MIN : (real)DBL_MIN)
    #define LOG(x) (sizeof(real) == 4 ? (real)logf((float)(x)) : (real)log((double)(x)))
    """
    real TINY
    real LOG(real) nogil


cdef inline real soft_crossentropy(const real* t, const real* p, long C) noexcept nogil:
    cdef real value = 0
    cdef long c
    for c in range(C):
        if t[c] != 0:
            value -= t[c] * LOG(TINY if p[c] < TINY else p[c])
    return value


cdef void crossentropy_share(const real* t, const real* p, real* values, real* gradient, real scale, long C, long m0,
                             long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    cdef long m, c, count
    cdef vf total, hit
    cdef real probability
    for m in range(m0, m1):
        total = hit = vzero()
        count = c = 0
        while c < C:
            total = total + vload_part(t + m * C + c, C - c)
            hit = hit + where_nonzero(vload_part(t + m * C + c, C - c), vload_part(p + m * C + c, C - c))
            count += nonzeros(vload_part(t + m * C + c, C - c))
            c += VL
        total = vset1(lane_sum(total))
        if count == 1:          # a one-hot row, whose element is found without a branch on where it is
            probability = lane_sum(hit)
            values[m] = -first_lane(total) * LOG(TINY if probability < TINY else probability)
        else:
            values[m] = soft_crossentropy(t + m * C, p + m * C, C)
        if gradient == NULL:
            continue
        c = 0
        while c < C:
            vstore_part(gradient + m * C + c, (vload_part(p + m * C + c, C - c) * total
                        - vload_part(t + m * C + c, C - c)) * vset1(scale), C - c)
            c += VL
    denormals_restore(state)


cdef struct Crossentropy:
    const real* t               # (M, C)
    const real* p               # (M, C)
    real* values                # (M,)
    real* gradient              # (M, C) or NULL
    real scale
    long M, C


cdef void crossentropy_part(void* call, long i, long team) noexcept nogil:
    cdef Crossentropy* s = <Crossentropy*>call
    crossentropy_share(s.t, s.p, s.values, s.gradient, s.scale, s.C, share(s.M, i, team), share(s.M, i + 1, team))


def crossentropy_rows(ndarray t not None, ndarray p not None, ndarray values not None, ndarray gradient, long threads,
                      double scale=1):
    """values (M,) = -sum of t log p, row by row, for probabilities p (M, C) that a softmax gave, at least the smallest
    normal number; gradient (M, C) = (p sum(t) - t) scale: that of the softmax's logits, or None. Returns the sum of the
    values times scale."""
    cdef Crossentropy s
    cdef double total = 0
    cdef long m
    s.M = extent(p, 0)
    s.C = extent(p, 1)
    s.t = matrix(t, s.M, s.C, "t")
    s.p = matrix(p, s.M, s.C, "p")
    s.gradient = matrix_out(gradient, s.M, s.C, "gradient")
    s.values = elements_out(values, s.M, "values")
    s.scale = <real>scale
    run(crossentropy_part, &s, 1 if s.M * s.C < SMALL_WORK // 4 else max(1, min(threads, s.M)), 4 * s.M * s.C)
    for m in range(s.M):
        total += s.values[m]
    return total * scale
