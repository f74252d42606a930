# Connectionist temporal classification (Graves et al. 2006): minus the logarithm of the probability that labels are what
# is left of the classes at all steps, when repetitions are merged and blanks dropped; and its gradient.
#
# Paths go through L + 1 blanks, one before each label and one at the end, and L labels. With a(i), b(i) the probability of all
# paths to a step that end in blank i or label i, and y that of a class at the next step:
#
#   a'(i) = (a(i) + b(i - 1)) y(blank)
#   b'(i) = (b(i) + a(i) + b(i - 1)) y(label i), the last of the three where label i differs from label i - 1
#
# and the same backward. All are kept as logarithms, relative to the largest of the row before; the sum of those is a double. So
# what counts stays near 0, where floats are fine, and each step rounds by as little as the last.

cdef extern from *:
    """
    #define IMPOSSIBLE ((real)-1e30)   /* the logarithm of 0; finite, so that no difference of two is NaN */

    /* log(x), x from 1 to 3: 2 atanh(s) with s = (x - 1) / (x + 1), so that log(1) is 0. The polynomial is of atanh(s) / s in
       s squared, highest power first: an own fit by interpolation in Chebyshev nodes, relative error 1.4e-9 (float), 5e-19. */
    #if FASTRNN_WIDTH(REAL) == 4
    static const real ATANH[] = {0.177671427809f, 0.0505098096573f, 0.118521303782f, 0.142181722943f, 0.200028807424f,
                                 0.333332877903f, 1.00000000116f};
    #else
    static const real ATANH[] = {0.24025245542619516627, -0.19472176877855926972, 0.17396451594123641534,
                                 -0.0049453435058379723685, 0.059467607794514877953, 0.050595605417968343042,
                                 0.059072826167792990763, 0.066644926791287057436, 0.076924408489218898731,
                                 0.09090903524143242572, 0.11111111262450677628, 0.14285714283244081611,
                                 0.20000000000021059762, 0.33333333333333262634, 1.0000000000000000004};
    #endif
    SIMD vf log_1_to_3(vf x) {
      vf s = (x - 1) / (x + 1), square = s * s, p;
      POLYNOMIAL(1, ATANH, &square, &p);
      return 2 * s * p;
    }

    SIMD vf add_2(vf a, vf b) {   /* log(exp(a) + exp(b)) */
      vf top = vlarger(a, b);
      return top + log_1_to_3(1 + vexp(vsmaller(a, b) - top));
    }

    SIMD vf add_3(vf a, vf b, vf c) {
      vf high = vlarger(a, b), top = vlarger(high, c);
      return top + log_1_to_3(1 + vexp(vsmaller(a, b) - top) + vexp(vsmaller(high, c) - top));
    }
    """
    real IMPOSSIBLE, INFINITY, NAN
    vf add_2(vf, vf) nogil
    vf add_3(vf, vf, vf) nogil


cdef struct Ctc:
    const real* x               # (N, T, C): logits, or log-probabilities
    const int* labels           # (N, L)
    const int* label_lengths    # (N,)
    const int* lengths          # (N,)
    real* values                # (N,)
    real* gradient              # (N, T, C) or NULL
    real* work                  # `room` elements a thread
    long N, T, C, L, blank, room
    bint logits


cdef inline long vectors(long elements) noexcept nogil:
    """Elements of the least whole vectors that hold so many."""
    return (elements + VL - 1) // VL * VL


cdef long ctc_room_of(long T, long L, bint gradient) noexcept nogil:
    """Elements of a thread's memory, in the order of ctc_sample: what is the same at all steps, the numbers of each step, and
    the rows."""
    cdef long W = vectors(L + 1), rows = T + 1 if gradient else 2
    return 3 * (W + VL) + 3 * vectors(T + 1) + rows * (2 * W + VL) + (T if gradient else 1) * W + SLACK


cdef void fill(real* p, real value, long n) noexcept nogil:
    cdef long i
    for i in range(n):
        p[i] = value


cdef inline real exponentials_of(const real* x, real* out, real top, long C) noexcept nogil:
    """The sum of exp(x - top), which go to out where that is wanted."""
    cdef vf e, total = vzero()
    cdef long c = 0
    while c < C:
        e = vexp(vload_part(x + c, C - c) - vset1(top))
        if out != NULL:
            vstore_part(out + c, e, C - c)
        total = total + (e if C - c >= VL else lanes_from(e, 0, C - c))
        c += VL
    return lane_sum(total)


cdef void ctc_sample(const Ctc* s, long n, real* work) noexcept nogil:
    cdef long T = s.lengths[n], L = s.label_lengths[n], C = s.C, W = vectors(L + 1), J = 2 * W + VL
    cdef long t, i, c, kept = 1 if s.gradient != NULL else 0
    cdef const int* labels = s.labels + n * s.L
    cdef const real* x = s.x + n * s.T * C
    cdef real* gradient = s.gradient + n * s.T * C if kept else NULL
    cdef real* skip = work                      # 0 where label i may follow label i - 1 at once, or IMPOSSIBLE
    cdef real* blank = skip + W + VL            # on the way back: paths from a step on, with the step
    cdef real* label = blank + W + VL
    cdef real* tops = label + W + VL            # of each row the largest
    cdef real* shares = tops + vectors(s.T + 1) # one over the sum of a step's exponentials
    cdef real* y_blank = shares + vectors(s.T + 1)
    cdef real* rows = y_blank + vectors(s.T + 1)                    # a, VL that are IMPOSSIBLE, b
    cdef real* ys = rows + (s.T + 1 if kept else 2) * J             # of the labels
    cdef real* a
    cdef real* b
    cdef real* y
    cdef real* g
    cdef vf before, here, previous, top, factor, total, in_labels, occupied
    cdef double offset = 0, back = 0, whole
    cdef real largest, log_total = 0, ahead, share_of_blank, one
    cdef bint spoilt = False, possible = True

    fill(skip, IMPOSSIBLE, 3 * (W + VL))
    for i in range(1, L):
        if labels[i] != labels[i - 1]:
            skip[i] = 0
    fill(rows, IMPOSSIBLE, J)
    rows[0] = 0                                 # before the first step: all paths begin before the first blank
    tops[0] = 0
    for t in range(T):
        y = ys + t * kept * W
        if s.logits:
            largest = row_max(x + t * C, C)
            log_total = exponentials_of(x + t * C, gradient + t * C if kept else NULL, largest, C)
            shares[t] = 1 / log_total
            log_total = largest + LOG(log_total)
        y_blank[t] = x[t * C + s.blank] - log_total
        for i in range(L):
            y[i] = x[t * C + labels[i]] - log_total
        fill(y + L, IMPOSSIBLE, W - L)
        if not (log_total == log_total and y_blank[t] == y_blank[t]):
            spoilt = True
        if y_blank[t] < IMPOSSIBLE:
            y_blank[t] = IMPOSSIBLE
        b = rows + (t if kept else t & 1) * J
        a = rows + (t + 1 if kept else (t + 1) & 1) * J
        factor = vset1(tops[t])
        offset += tops[t]
        top = vset1(IMPOSSIBLE)
        vstore(a + W, top)
        i = 0
        while i < W:
            before = vload(b + i)
            here = vload(b + W + VL + i)
            previous = vload(b + W + VL + i - 1)
            total = vmax(add_2(before, previous) + (vset1(y_blank[t]) - factor), IMPOSSIBLE)
            vstore(a + i, total)
            top = vlarger(top, total)
            total = vmax(add_3(here, before, previous + vload(skip + i)) + (vload(y + i) - factor), IMPOSSIBLE)
            vstore(a + W + VL + i, total)
            top = vlarger(top, total)
            i += VL
        tops[t + 1] = lane_max(top)
        if not tops[t + 1] > IMPOSSIBLE / 10:
            possible = False
            if not spoilt:
                break
        if not s.logits:
            for c in range(C):
                spoilt = spoilt or x[t * C + c] != x[t * C + c]

    a = rows + (T if kept else T & 1) * J
    ahead = first_lane(add_2(vset1(a[L]), vset1(a[W + VL + L - 1])))
    whole = ahead + offset
    if spoilt:
        s.values[n] = NAN
    elif not possible or ahead < IMPOSSIBLE / 10:
        possible = False
        s.values[n] = INFINITY
    else:
        s.values[n] = <real>-whole
    if not kept:
        return
    if spoilt or not possible:
        fill(gradient, s.values[n] if spoilt else 0, T * C)
        fill(gradient + T * C, 0, (s.T - T) * C)
        return

    blank[L] = 0                                # after the last step: paths may end in the last blank or label
    ahead = 0
    for t in range(T - 1, -1, -1):
        a = rows + (t + 1) * J
        y = ys + t * W
        g = gradient + t * C
        back += ahead
        factor = vset1(<real>(offset + back - whole))
        top = vset1(IMPOSSIBLE)
        total = in_labels = vzero()
        i = 0
        while i < W:
            before = vload(blank + i)
            here = vload(label + i)
            previous = add_2(before, here) - vset1(ahead)
            here = add_3(here, vload(blank + i + 1), vload(label + i + 1) + vload(skip + i + 1)) - vset1(ahead)
            total = total + vexp(vload(a + i) + previous + factor)
            occupied = vexp(vload(a + W + VL + i) + here + factor)
            vstore(a + W + VL + i, occupied)
            in_labels = in_labels + occupied
            previous = vmax(previous + vset1(y_blank[t]), IMPOSSIBLE)
            here = vmax(here + vload(y + i), IMPOSSIBLE)
            vstore(blank + i, previous)
            vstore(label + i, here)
            top = vlarger(top, vlarger(previous, here))
            i += VL
        ahead = lane_max(top)
        offset -= tops[t]
        if s.logits:
            factor = vset1(shares[t])
            c = 0
            while c < C:
                vstore_part(g + c, vload_part(g + c, C - c) * factor, C - c)
                c += VL
        else:
            fill(g, 0, C)
        # The shares of all states sum to one: dividing by their sum takes out the rounding that they have in common.
        share_of_blank = lane_sum(total)
        one = 1 / (share_of_blank + lane_sum(in_labels))
        g[s.blank] -= share_of_blank * one
        for i in range(L):
            g[labels[i]] -= a[W + VL + i] * one
    fill(gradient + T * C, 0, (s.T - T) * C)


cdef void ctc_part(void* call, long i, long team) noexcept nogil:
    """Every `team`th sample: neighbours are often of like length."""
    cdef Ctc* s = <Ctc*>call
    cdef uint64_t state = denormals_off()
    cdef long n = i
    while n < s.N:
        ctc_sample(s, n, aligned(s.work + i * s.room))
        n += team
    denormals_restore(state)


cdef int check_ctc(const Ctc* s) except -1:
    """Raise where a length or a label within it is out of bounds."""
    cdef long n, i
    if not 0 <= s.blank < s.C:
        raise ValueError(f"kernel argument 'blank': expected 0 to {s.C - 1}, got {s.blank}")
    for n in range(s.N):
        if not (0 <= s.lengths[n] <= s.T and 0 <= s.label_lengths[n] <= s.L):
            raise ValueError(f"kernel arguments 'lengths', 'label_lengths': expected 0 to {s.T} and 0 to {s.L}, got "
                             f"{s.lengths[n]} and {s.label_lengths[n]} in row {n}")
        for i in range(s.label_lengths[n]):
            if not 0 <= s.labels[n * s.L + i] < s.C:
                raise ValueError(f"kernel argument 'labels': expected 0 to {s.C - 1}, got {s.labels[n * s.L + i]} in row "
                                 f"{n}")
    return 0


def ctc_room(long T, long L, bint gradient):
    """Elements of `work` that a thread of ctc takes."""
    return ctc_room_of(T, L, gradient)


def ctc(ndarray x not None, ndarray labels not None, ndarray label_lengths not None, ndarray lengths not None, long blank,
        ndarray values not None, ndarray gradient, ndarray work not None, bint logits, long threads):
    """values (N,) = minus the log-probability of the labels (N, L), of which the first label_lengths (N,) count, at the first
    lengths (N,) steps of x (N, T, C): infinity where the steps are too few, NaN where x has one. gradient (N, T, C), or None:
    that of each value with respect to its logits x, or log-probabilities; zeros where the value is infinite."""
    cdef Ctc s
    cdef long stride, step, cost
    s.N = extent(x, 0)
    s.T = extent(x, 1)
    s.C = extent(x, 2)
    s.L = extent(labels, 1)
    if not cnp.PyArray_IS_C_CONTIGUOUS(x) or (gradient is not None and not cnp.PyArray_IS_C_CONTIGUOUS(gradient)):
        refuse(x, "x", "a contiguous array, and one for the gradient")
    s.x = sequence(x, s.N, s.T, s.C, &stride, &step, "x")
    s.gradient = sequence_out(gradient, s.N, s.T, s.C, &stride, &step, "gradient")
    if cnp.PyArray_NDIM(labels) != 2 or extent(labels, 0) != s.N or not cnp.PyArray_IS_C_CONTIGUOUS(labels):
        refuse(labels, "labels", f"contiguous ({s.N}, labels)")
    s.labels = integers(labels.reshape(-1), s.N * s.L, "labels")
    s.label_lengths = integers(label_lengths, s.N, "label_lengths")
    s.lengths = integers(lengths, s.N, "lengths")
    s.values = elements_out(values, s.N, "values")
    s.blank = blank
    s.logits = logits
    s.room = ctc_room_of(s.T, s.L, gradient is not None)
    threads = max(1, min(threads, s.N))
    s.work = vector_out(work, threads * s.room, "work")
    check_ctc(&s)
    cost = s.N * s.T * (20 * s.C + (200 if gradient is not None else 100) * vectors(s.L + 1) // VL * 2)
    run(ctc_part, &s, 1 if cost < SMALL_WORK else threads, cost)
