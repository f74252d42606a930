# Optimizer updates: one pass over a variable, its gradient and its slots.
#
# g is the gradient times `scale` (clipping by norm), cut to -clip .. clip. First w -= decay w (weight decay), then:
#
#   SGD       w -= rate g,   or with momentum  m = mu m - rate g,  w += m  (nesterov: w += mu m - rate g)
#   RMSprop   v = rho v + (1 - rho) g^2,  s = rate g / sqrt(v + eps)       (centered: v - a^2, a as v but of g)
#             w -= s,        or with momentum  m = mu m + s,  w -= m
#   Adam      m += (1 - beta1) (g - m),  v += (1 - beta2) (g^2 - v),  w -= rate m / (sqrt(v) + eps)
#             where rate has both bias corrections in it               (amsgrad: the largest v so far)
#
# Of an embedding only the touched rows of the gradient are read; it is zero in the others.

cdef extern from *:
    """
    SIMD vf vsqrt(vf x) {
      for (int k = 0; k < VL; k++) x[k] = sizeof(real) == 4 ? (real)sqrtf((float)x[k]) : (real)sqrt((double)x[k]);
      return x;
    }
    """
    vf vsqrt(vf) nogil

cdef enum Rule:
    SGD_RULE = 0
    RMSPROP_RULE = 1
    ADAM_RULE = 2

cdef enum:
    SMALL_UPDATE = 16384        # elements below which a second thread costs more than it saves
    BLOCKS = 64                 # sums that a large sum of squares is made of

cdef struct Update:
    real* w                         # (size,)
    const real* g                   # (size,)
    real* m                         # momentum, (size,) or NULL
    real* v                         # mean square, (size,) or NULL
    real* extra                     # amsgrad's largest mean square, or centered RMSprop's mean; (size,) or NULL
    const unsigned char* touched    # (rows,) or NULL
    long size
    long rows
    real scale, clip, decay
    real rate
    real momentum                   # SGD, RMSprop: mu; Adam: 1 - beta1
    real discount                   # RMSprop: rho; Adam: 1 - beta2
    real epsilon
    bint nesterov


cdef inline void update_vector(int rule, const Update* u, vf g, long i, long n) noexcept nogil:
    """Elements i to i + n; rule: a literal at each call, n: VL but for the end of a row."""
    cdef vf w = vload_part(u.w + i, n)
    cdef vf m, v, a, one = vset1(1), rate = vset1(u.rate)
    g = vmin(vmax(g * vset1(u.scale), -u.clip), u.clip)
    if u.decay != 0:
        w = w - w * vset1(u.decay)
    if rule == SGD_RULE:
        g = g * rate
        if u.m != NULL:
            m = vload_part(u.m + i, n) * vset1(u.momentum) - g
            vstore_part(u.m + i, m, n)
            w = w + (m * vset1(u.momentum) - g if u.nesterov else m)
        else:
            w = w - g
    elif rule == RMSPROP_RULE:
        v = vload_part(u.v + i, n) * vset1(u.discount) + g * g * (one - vset1(u.discount))
        vstore_part(u.v + i, v, n)
        if u.extra != NULL:
            a = vload_part(u.extra + i, n) * vset1(u.discount) + g * (one - vset1(u.discount))
            vstore_part(u.extra + i, a, n)
            v = v - a * a
        g = g * rate / vsqrt(v + vset1(u.epsilon))
        if u.m != NULL:
            g = vload_part(u.m + i, n) * vset1(u.momentum) + g
            vstore_part(u.m + i, g, n)
        w = w - g
    else:
        m = vload_part(u.m + i, n)
        m = m + (g - m) * vset1(u.momentum)
        vstore_part(u.m + i, m, n)
        v = vload_part(u.v + i, n)
        v = v + (g * g - v) * vset1(u.discount)
        vstore_part(u.v + i, v, n)
        if u.extra != NULL:
            v = vlarger(vload_part(u.extra + i, n), v)
            vstore_part(u.extra + i, v, n)
        w = w - m * rate / (vsqrt(v) + vset1(u.epsilon))
    vstore_part(u.w + i, w, n)


cdef inline void update_run(int rule, const Update* update, const real* g, long i, long end) noexcept nogil:
    """Elements i to end; g: their gradient from its element 0 on, or NULL for zeros."""
    cdef Update u = update[0]
    while i + VL <= end:
        update_vector(rule, &u, vload(g + i) if g != NULL else vzero(), i, VL)
        i += VL
    if i < end:
        update_vector(rule, &u, vload_part(g + i, end - i) if g != NULL else vzero(), i, end - i)


cdef inline void update_rows(int rule, const Update* u, long i, long team) noexcept nogil:
    """The share of thread i. Where a vector begins depends on the shapes alone."""
    cdef long row, width, lines
    if u.touched == NULL:
        lines = (u.size + LINE - 1) // LINE
        update_run(rule, u, u.g, share(lines, i, team) * LINE, min(u.size, share(lines, i + 1, team) * LINE))
        return
    width = u.size // u.rows
    for row in range(share(u.rows, i, team), share(u.rows, i + 1, team)):
        if u.touched[row]:
            update_run(rule, u, u.g, row * width, (row + 1) * width)
        elif rule != SGD_RULE or u.m != NULL or u.decay != 0 or u.scale * 0 != 0:   # else it stays as it is
            update_run(rule, u, NULL, row * width, (row + 1) * width)


cdef void update_share(int rule, const Update* u, long i, long team) noexcept nogil:
    cdef uint64_t state = denormals_off()
    if rule == SGD_RULE:
        update_rows(SGD_RULE, u, i, team)
    elif rule == RMSPROP_RULE:
        update_rows(RMSPROP_RULE, u, i, team)
    else:
        update_rows(ADAM_RULE, u, i, team)
    denormals_restore(state)


cdef void update_all(int rule, const Update* u, long threads) noexcept nogil:
    cdef long workers = 1 if u.size < SMALL_UPDATE else threads, i = 0, team = 0
    with parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        update_share(rule, u, i, team)


cdef int begin_update(Update* u, ndarray w, ndarray g, ndarray touched, double scale, double clip,
                      double decay, double rate) except -1:
    """What all rules have in common."""
    u.size = cnp.PyArray_SIZE(w)
    u.w = elements(w, u.size, "w")
    u.g = elements(g, u.size, "g")
    u.rows = 0 if touched is None else extent(w, 0)
    u.touched = flags(touched, u.rows, "touched")
    if u.rows == 0:
        u.touched = NULL
    u.m = u.v = u.extra = NULL
    u.scale = <real>scale
    u.clip = <real>clip
    u.decay = <real>decay
    u.rate = <real>rate
    u.momentum = u.discount = u.epsilon = 0
    u.nesterov = False
    return 0


def sgd_update(ndarray w not None, ndarray g not None, ndarray m, ndarray touched, double scale, double clip,
               double decay, double rate, double momentum, bint nesterov, long threads):
    """w, and m if there is one, one step on; g: the gradient. m None: no momentum. All of one shape; touched: uint8
    (rows of w,) or None. scale, clip: of the gradient (1 and infinity for none); decay: share of w that is taken off."""
    cdef Update u
    begin_update(&u, w, g, touched, scale, clip, decay, rate)
    u.m = elements(m, u.size, "m")
    u.momentum = <real>momentum
    u.nesterov = nesterov
    with nogil:
        update_all(SGD_RULE, &u, threads)


def rmsprop_update(ndarray w not None, ndarray g not None, ndarray v not None, ndarray m, ndarray a, ndarray touched,
                   double scale, double clip, double decay, double rate, double rho, double momentum, double epsilon,
                   long threads):
    """w and v, and where they are not None m (momentum) and a (centered), one step on; the rest as in sgd_update."""
    cdef Update u
    begin_update(&u, w, g, touched, scale, clip, decay, rate)
    u.v = elements(v, u.size, "v")
    u.m = elements(m, u.size, "m")
    u.extra = elements(a, u.size, "a")
    u.discount = <real>rho
    u.momentum = <real>momentum
    u.epsilon = <real>epsilon
    with nogil:
        update_all(RMSPROP_RULE, &u, threads)


def adam_update(ndarray w not None, ndarray g not None, ndarray m not None, ndarray v not None, ndarray v_max,
                ndarray touched, double scale, double clip, double decay, double rate, double beta_1, double beta_2,
                double epsilon, long threads):
    """w, m and v, and v_max (amsgrad) where it is not None, one step on; rate: with the bias corrections; the rest as
    in sgd_update."""
    cdef Update u
    begin_update(&u, w, g, touched, scale, clip, decay, rate)
    u.m = elements(m, u.size, "m")
    u.v = elements(v, u.size, "v")
    u.extra = elements(v_max, u.size, "v_max")
    u.momentum = <real>(1 - beta_1)
    u.discount = <real>(1 - beta_2)
    u.epsilon = <real>epsilon
    with nogil:
        update_all(ADAM_RULE, &u, threads)


cdef double squares(const real* g, long i, long end) noexcept nogil:
    cdef double lanes[8]
    cdef long k
    for k in range(8):
        lanes[k] = 0
    while i + 8 <= end:
        for k in range(8):
            lanes[k] += <double>g[i + k] * <double>g[i + k]
        i += 8
    for k in range(end - i):
        lanes[k] += <double>g[i + k] * <double>g[i + k]
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))


cdef void squares_share(const real* g, long size, long blocks, double* sums, long i, long team) noexcept nogil:
    cdef long block
    for block in range(share(blocks, i, team), share(blocks, i + 1, team)):
        sums[block] = squares(g, share(size, block, blocks), share(size, block + 1, blocks))


def sum_of_squares(ndarray g not None, long threads):
    """The sum of the squares of all elements, in double precision; the same bits for any number of threads."""
    cdef long size = cnp.PyArray_SIZE(g), blocks = 1 if size < SMALL_UPDATE else BLOCKS, i, team, block
    cdef long workers = 1 if blocks == 1 else min(threads, BLOCKS)
    cdef real* g_ = elements(g, size, "g")
    cdef double sums[BLOCKS]
    cdef double total = 0
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        squares_share(g_, size, blocks, sums, i, team)
    for block in range(blocks):
        total += sums[block]
    return total
