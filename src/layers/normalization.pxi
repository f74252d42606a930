# Normalization of rows in inference: by their own mean and size, or by what training has found of each feature.
from libc.math cimport sqrt

cdef struct Normalization:
    # y = f(x), row by row
    const real* x               # (M, C)
    real* y                     # (M, C)
    const real* scale           # (C,) or NULL: of ones
    const real* shift           # (C,) or NULL: of zeros
    real epsilon
    long M, C
    bint centered               # the mean is taken off first


cdef void affine_share(const Normalization* r, long m0, long m1) noexcept nogil:
    """y = x scale + shift."""
    cdef uint64_t state = denormals_off()
    cdef long m, c, w
    for m in range(m0, m1):
        c = 0
        while c < r.C:
            w = min(<long>VL, r.C - c)
            vstore_part(r.y + m * r.C + c, affine(r, c, w, vload_part(r.x + m * r.C + c, w)), w)
            c += VL
    denormals_restore(state)


cdef inline vf affine(const Normalization* r, long c, long w, vf x) noexcept nogil:
    if r.scale != NULL:
        x = x * vload_part(r.scale + c, w)
    if r.shift != NULL:
        x = x + vload_part(r.shift + c, w)
    return x


cdef inline vf from_mean(const Normalization* r, const real* x, long c, vf mean) noexcept nogil:
    """A vector of x - mean, zero beyond the row's end."""
    cdef long w = min(<long>VL, r.C - c)
    cdef vf d = vload_part(x + c, w) - mean
    return d if w == VL else lanes_from(d, 0, w)


cdef void normalize_share(const Normalization* r, long m0, long m1) noexcept nogil:
    """y = (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) scale + shift; mean is 0 where rows are not centered."""
    cdef uint64_t state = denormals_off()
    cdef long m, c, w
    cdef const real* x
    cdef vf total, mean, d, factor
    for m in range(m0, m1):
        x = r.x + m * r.C
        mean = total = vzero()
        if r.centered:
            c = 0
            while c < r.C:
                total = total + vload_part(x + c, min(<long>VL, r.C - c))
                c += VL
            mean = vset1(lane_sum(total) / r.C)
            total = vzero()
        c = 0
        while c < r.C:
            d = from_mean(r, x, c, mean)
            total = total + d * d
            c += VL
        factor = vset1(<real>(1 / sqrt(lane_sum(total) / r.C + r.epsilon)))
        c = 0
        while c < r.C:
            w = min(<long>VL, r.C - c)
            vstore_part(r.y + m * r.C + c, affine(r, c, w, (vload_part(x + c, w) - mean) * factor), w)
            c += VL
    denormals_restore(state)


cdef void affine_part(void* call, long i, long team) noexcept nogil:
    cdef Normalization* r = <Normalization*>call
    affine_share(r, share(r.M, i, team), share(r.M, i + 1, team))


cdef void normalize_part(void* call, long i, long team) noexcept nogil:
    cdef Normalization* r = <Normalization*>call
    normalize_share(r, share(r.M, i, team), share(r.M, i + 1, team))


cdef int take_normalization(Normalization* r, ndarray x, ndarray out, ndarray scale, ndarray shift) except -1:
    r.M = count_rows(x)
    r.C = width_of(x)
    r.x = rows(x, r.M, r.C, "x")
    r.y = rows_out(out, r.M, r.C, "out")
    r.scale = vector(scale, r.C, "scale")
    r.shift = vector(shift, r.C, "shift")
    return 0


def scale_features(ndarray x not None, ndarray scale, ndarray shift, ndarray out not None, long threads):
    """out (..., C) = x scale (C,) + shift (C,), either of them None to be left out; out may be x."""
    cdef Normalization r
    take_normalization(&r, x, out, scale, shift)
    run(affine_part, &r, 1 if 2 * r.M * r.C < SMALL_WORK else threads, 2 * r.M * r.C)


def normalize_rows(ndarray x not None, ndarray scale, ndarray shift, double epsilon, bint centered, ndarray out not None,
                   long threads):
    """out (..., C) = (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) scale + shift, row by row; scale and shift (C,) or
    None; a mean of 0 where rows are not centered. out may be x."""
    cdef Normalization r
    take_normalization(&r, x, out, scale, shift)
    r.epsilon = <real>epsilon
    r.centered = centered
    run(normalize_part, &r, 1 if 4 * r.M * r.C < SMALL_WORK else threads, 4 * r.M * r.C)
