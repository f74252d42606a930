# The cross-entropy of rows of class probabilities p and targets t, with its gradient.

cdef extern from *:
    """
    #include <math.h>
    #include <float.h>
    #define TINY (sizeof(real) == 4 ? (real)FLT_MIN : (real)DBL_MIN)
    #define LOG(x) (sizeof(real) == 4 ? (real)logf((float)(x)) : (real)log((double)(x)))

    /* The next element from i on that is not zero, n if there is none: four at a time, one-hot rows being zeros. */
    SIMD long next_nonzero(const real *t, long i, long n) {
      for (; i + 4 <= n; i += 4) {
        uint64_t bits[sizeof(real) / 2];
        memcpy(bits, t + i, sizeof(bits));
        uint64_t any = 0;
        for (size_t k = 0; k < sizeof(bits) / sizeof(*bits); k++) any |= bits[k];
        if (any) break;
      }
      while (i < n && t[i] == 0) i++;
      return i;
    }
    """
    real TINY
    real LOG(real) nogil
    long next_nonzero(const real*, long, long) nogil


cdef void crossentropy_share(const real* t, const real* p, real* values, real* gradient, long C, long m0,
                             long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    cdef long m, c
    cdef vf total
    cdef real value
    for m in range(m0, m1):
        total = vzero()
        value = 0
        c = next_nonzero(t + m * C, 0, C)
        while c < C:
            value -= t[m * C + c] * LOG(TINY if p[m * C + c] < TINY else p[m * C + c])
            c = next_nonzero(t + m * C, c + 1, C)
        values[m] = value
        if gradient == NULL:
            continue
        c = 0
        while c < C:
            total = total + vload_part(t + m * C + c, C - c)
            c += VL
        total = vset1(lane_sum(total))
        c = 0
        while c < C:
            vstore_part(gradient + m * C + c, vload_part(p + m * C + c, C - c) * total
                        - vload_part(t + m * C + c, C - c), C - c)
            c += VL
    denormals_restore(state)


def crossentropy_rows(ndarray t not None, ndarray p not None, ndarray values not None, ndarray gradient, long threads):
    """values (M,) = -sum of t log p, row by row, for probabilities p (M, C) that a softmax gave, at least the smallest
    normal number; gradient (M, C) = p sum(t) - t: that of the softmax's logits, or None."""
    cdef long M = extent(p, 0), C = extent(p, 1), i, team
    cdef long workers = 1 if M * C < SMALL_WORK // 4 else max(1, min(threads, M))
    cdef real* t_ = matrix(t, M, C, "t")
    cdef real* p_ = matrix(p, M, C, "p")
    cdef real* gradient_ = matrix(gradient, M, C, "gradient")
    cdef real* values_ = elements(values, M, "values")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        crossentropy_share(t_, p_, values_, gradient_, C, share(M, i, team), share(M, i + 1, team))
