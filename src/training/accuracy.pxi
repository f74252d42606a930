# Whether the largest of a row of predictions is where the largest of its targets is.

cdef extern from *:
    """
    SIMD long first_nan(const real *row) {
      long i = 0;
      while (row[i] == row[i]) i++;
      return i;
    }

    /* Index of the first largest of a row's n elements; of its first NaN, if there is one. No branch depends on where
       the largest stands, which no processor guesses. */
    SIMD long first_largest(const real *row, long n) {
      vf top = n >= VL ? vload(row) : vselect(lane_numbers() < (ireal)n, load_lanes(row, n), vset1(row[0]));
      vi at = lane_numbers(), spoilt = top != top;
      for (long c = VL; c < n; c += VL) {   /* the last vector begins early enough to be a whole one */
        long start = c + VL <= n ? c : n - VL;
        vf x = vload(row + start);
        vi larger = x > top;
        top = vselect(larger, x, top);
        at = vchoose(larger, lane_numbers() + (ireal)start, at);
        spoilt |= x != x;
      }
      if (lane_bits(spoilt)) return first_nan(row);
      at = vchoose(top == lane_max(top), at, (vi){0} + (ireal)n);
      _Pragma("GCC unroll 4") for (int w = VL / 2; w > 0; w /= 2) {
        vi other = as_bits(rotated(from_bits(at), w));
        at = vchoose(other < at, other, at);
      }
      return (long)at[0];
    }
    """
    long first_largest(const real*, long) nogil


cdef void same_largest_share(const real* t, const real* p, cnp.npy_bool* same, long C, long m0, long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    cdef long m
    for m in range(m0, m1):
        same[m] = first_largest(t + m * C, C) == first_largest(p + m * C, C)
    denormals_restore(state)


cdef struct Largest:
    const real* t               # (M, C)
    const real* p               # (M, C)
    cnp.npy_bool* same          # (M,)
    long M, C


cdef void same_largest_part(void* call, long i, long team) noexcept nogil:
    cdef Largest* s = <Largest*>call
    same_largest_share(s.t, s.p, s.same, s.C, share(s.M, i, team), share(s.M, i + 1, team))


def same_largest(ndarray t not None, ndarray p not None, ndarray same not None, long threads):
    """same (M,) = whether the first largest of t (M, C) and of p (M, C) stand at one index; a NaN is the largest."""
    cdef Largest s
    s.M = extent(p, 0)
    s.C = extent(p, 1)
    s.t = matrix(t, s.M, s.C, "t")
    s.p = matrix(p, s.M, s.C, "p")
    s.same = <cnp.npy_bool*>bools_out(same, s.M, "same")
    if s.C == 0:
        refuse(p, "p", "rows of at least one element")
    run(same_largest_part, &s, 1 if s.M * s.C < SMALL_WORK // 4 else max(1, min(threads, s.M)), 4 * s.M * s.C)
