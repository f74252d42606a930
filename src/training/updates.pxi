# Optimizer updates: one pass over a variable, its gradient and its slots.
#
# g is the gradient times `scale` (clipping by norm), cut to -clip .. clip. First w -= decay w (weight decay), then:
#
#   SGD       w -= rate g,   or with momentum  m = mu m - rate g,  w += m  (nesterov: w += mu m - rate g)
#   RMSprop   v = rho v + (1 - rho) g^2,  s = rate g / sqrt(v + eps)       (centered: v - a^2, a as v but of g)
#             w -= s,        or with momentum  m = mu m + s,  w -= m
#   Adam      m += (1 - beta1) (g - m),  v += (1 - beta2) (g^2 - v),  w -= rate m / (sqrt(v) + eps)
#             where rate has both bias corrections in it               (amsgrad: the largest v so far)
#   Nadam     m and v as Adam,  w -= (rate m + rate2 g) / (sqrt(v) + eps)
#   Adamax    m as Adam,  v = max(beta2 v, |g|),  w -= rate m / (v + eps)
#   Adagrad   v += g^2,  w -= rate g / sqrt(v + eps)
#   Adadelta  v as RMSprop,  s = g sqrt(m + eps) / sqrt(v + eps),  m = rho m + (1 - rho) s^2,  w -= rate s
#   Lion      w -= rate sign(mu m + (1 - mu) g),  m = beta2 m + (1 - beta2) g
#
# Of an embedding only the touched rows of the gradient are read; it is zero in the others.

cdef extern from *:
    """
    SIMD vf vsqrt(vf x) {
      for (int k = 0; k < VL; k++) x[k] = sizeof(real) == 4 ? (real)sqrtf((float)x[k]) : (real)sqrt((double)x[k]);
      return x;
    }
    SIMD vf vsign(vf x) { return vselect(x > 0, vset1(1), vselect(x < 0, vset1(-1), x)); }
    """
    vf vsqrt(vf) nogil
    vf vsign(vf) nogil

cdef enum Rule:
    SGD_RULE = 0
    RMSPROP_RULE = 1
    ADAM_RULE = 2
    NADAM_RULE = 3
    ADAMAX_RULE = 4
    ADAGRAD_RULE = 5
    ADADELTA_RULE = 6
    LION_RULE = 7

cdef enum:
    SMALL_UPDATE = 65536        # elements below which a second thread costs more than it saves
    BLOCKS = 64                 # sums that a large sum of squares is made of
    GROUP = 32                  # variables that are updated in one parallel region

cdef struct Update:
    real* w                         # (size,)
    const real* g                   # (size,)
    real* m                         # momentum, or Adadelta's mean square of steps, (size,) or NULL
    real* v                         # mean square, sum of squares, or Adamax's largest gradient, (size,) or NULL
    real* extra                     # amsgrad's largest mean square, or centered RMSprop's mean; (size,) or NULL
    const unsigned char* touched    # (rows,) or NULL
    long size
    long rows
    real scale, clip, decay
    real rate
    real rate2                      # Nadam's, of the gradient
    real momentum                   # SGD, RMSprop, Lion: mu; Adam, Nadam, Adamax: 1 - beta1
    real discount                   # RMSprop, Adadelta: rho; Adam, Nadam: 1 - beta2; Adamax, Lion: beta2
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
    elif rule == ADAGRAD_RULE:
        v = vload_part(u.v + i, n) + g * g
        vstore_part(u.v + i, v, n)
        w = w - g * rate / vsqrt(v + vset1(u.epsilon))
    elif rule == ADADELTA_RULE:
        v = vload_part(u.v + i, n) * vset1(u.discount) + g * g * (one - vset1(u.discount))
        vstore_part(u.v + i, v, n)
        m = vload_part(u.m + i, n)
        g = g * vsqrt(m + vset1(u.epsilon)) / vsqrt(v + vset1(u.epsilon))
        vstore_part(u.m + i, m * vset1(u.discount) + g * g * (one - vset1(u.discount)), n)
        w = w - g * rate
    elif rule == LION_RULE:
        m = vload_part(u.m + i, n)
        w = w - vsign(m * vset1(u.momentum) + g * (one - vset1(u.momentum))) * rate
        vstore_part(u.m + i, m * vset1(u.discount) + g * (one - vset1(u.discount)), n)
    else:
        m = vload_part(u.m + i, n)
        m = m + (g - m) * vset1(u.momentum)
        vstore_part(u.m + i, m, n)
        v = vload_part(u.v + i, n)
        if rule == ADAMAX_RULE:
            v = vlarger(v * vset1(u.discount), vlarger(g, -g))
        else:
            v = v + (g * g - v) * vset1(u.discount)
        vstore_part(u.v + i, v, n)
        if u.extra != NULL:
            v = vlarger(vload_part(u.extra + i, n), v)
            vstore_part(u.extra + i, v, n)
        if rule == ADAMAX_RULE:
            w = w - m * rate / (v + vset1(u.epsilon))
        elif rule == NADAM_RULE:
            w = w - (m * rate + g * vset1(u.rate2)) / (vsqrt(v) + vset1(u.epsilon))
        else:
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


cdef inline bint moves_by_itself(int rule, const Update* u) noexcept nogil:
    """Whether a gradient of zero changes a variable or its slots."""
    if rule == SGD_RULE:
        return u.m != NULL
    return rule != ADAGRAD_RULE or u.epsilon <= 0


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
        elif moves_by_itself(rule, u) or u.decay != 0 or u.scale * 0 != 0:   # else it stays as it is
            update_run(rule, u, NULL, row * width, (row + 1) * width)


cdef void update_share(int rule, const Update* u, long i, long team) noexcept nogil:
    cdef uint64_t state = denormals_off()
    if rule == SGD_RULE:
        update_rows(SGD_RULE, u, i, team)
    elif rule == RMSPROP_RULE:
        update_rows(RMSPROP_RULE, u, i, team)
    elif rule == ADAM_RULE:
        update_rows(ADAM_RULE, u, i, team)
    elif rule == NADAM_RULE:
        update_rows(NADAM_RULE, u, i, team)
    elif rule == ADAMAX_RULE:
        update_rows(ADAMAX_RULE, u, i, team)
    elif rule == ADAGRAD_RULE:
        update_rows(ADAGRAD_RULE, u, i, team)
    elif rule == ADADELTA_RULE:
        update_rows(ADADELTA_RULE, u, i, team)
    else:
        update_rows(LION_RULE, u, i, team)
    denormals_restore(state)


cdef struct Updates:
    int rule
    int count
    Update of[GROUP]


cdef void update_part(void* call, long i, long team) noexcept nogil:
    cdef Updates* u = <Updates*>call
    cdef int k
    for k in range(u.count):
        update_share(u.rule, &u.of[k], i, team)


cdef int run_updates(int rule, list variables, str m, str v, str extra, const Update* common, long threads) except -1:
    """Update all variables, a group at a time; m, v, extra: the names of their slots, None for what the rule lacks.

    variables: a tuple (w, g, touched, scale, decay, slots) each. g: the gradient, of w's shape; touched: uint8 (rows of
    w,), 0 where the gradient is zero and not to be read, or None; scale: of the gradient; decay: the share of w that is
    taken off; slots: a dictionary of arrays of w's shape.
    """
    cdef Updates updates
    cdef Py_ssize_t start, total = len(variables)
    cdef long size
    cdef int k
    updates.rule = rule
    for start in range(0, total, GROUP):
        updates.count = <int>min(total - start, <Py_ssize_t>GROUP)
        size = 0
        for k in range(updates.count):
            updates.of[k] = common[0]
            take_variable(&updates.of[k], variables[start + k], m, v, extra)
            size += updates.of[k].size
        run(update_part, &updates, 1 if size < SMALL_UPDATE else threads, size)
    return 0


cdef int take_variable(Update* u, tuple variable, str m, str v, str extra) except -1:
    cdef ndarray w = variable[0], g = variable[1], touched = variable[2]
    cdef dict slots = variable[5]
    if w is None or g is None:
        raise ValueError("kernel argument 'variables': expected arrays w and g for each")
    u.size = cnp.PyArray_SIZE(w)
    u.w = elements_out(w, u.size, "w")
    u.g = elements(g, u.size, "g")
    u.rows = 0 if touched is None else extent(w, 0)
    u.touched = flags(touched, u.rows, "touched")
    if u.rows == 0:
        u.touched = NULL
    u.scale = <real><double>variable[3]
    u.decay = <real><double>variable[4]
    u.m = slot(slots, m, u.size)
    u.v = slot(slots, v, u.size)
    u.extra = slot(slots, extra, u.size)
    return 0


cdef real* slot(dict slots, str name, long size) except? NULL:
    """A slot's pointer, NULL where there is none."""
    return elements_out(slots.get(name), size, name) if name is not None else NULL


cdef Update common_update(double clip, double rate) noexcept:
    cdef Update u
    u.w = u.m = u.v = u.extra = NULL
    u.g = NULL
    u.touched = NULL
    u.size = u.rows = 0
    u.scale = u.decay = u.rate2 = u.momentum = u.discount = u.epsilon = 0
    u.clip = <real>clip
    u.rate = <real>rate
    u.nesterov = False
    return u


cdef int check_variables(list variables, tuple names) except -1:
    """Raise where a variable is not a tuple of six, or lacks a slot that the rule cannot do without."""
    for variable in variables:
        if type(variable) is not tuple or len(variable) != 6 or type(variable[5]) is not dict:
            raise ValueError("kernel argument 'variables': expected (w, g, touched, scale, decay, slots) for each")
        for name in names:
            if (<dict>variable[5]).get(name) is None:
                raise ValueError(f"kernel argument 'variables': expected a slot {name!r} for each")
    return 0


def sgd_update(list variables not None, double clip, double rate, double momentum, bint nesterov, long threads):
    """One step for each of the variables, described at run_updates; clip: largest absolute value of a gradient's
    element, infinity for none. Slots: momentum, or none."""
    cdef Update u = common_update(clip, rate)
    u.momentum = <real>momentum
    u.nesterov = nesterov
    check_variables(variables, ())
    run_updates(SGD_RULE, variables, "momentum", None, None, &u, threads)


def rmsprop_update(list variables not None, double clip, double rate, double rho, double momentum, double epsilon,
                   long threads):
    """As sgd_update. Slots: velocity; momentum and average_gradient (centered) where they are in use."""
    cdef Update u = common_update(clip, rate)
    u.discount = <real>rho
    u.momentum = <real>momentum
    u.epsilon = <real>epsilon
    check_variables(variables, ("velocity",))
    run_updates(RMSPROP_RULE, variables, "momentum", "velocity", "average_gradient", &u, threads)


def adam_update(list variables not None, double clip, double rate, double beta_1, double beta_2, double epsilon,
                long threads):
    """As sgd_update; rate: with the bias corrections. Slots: momentum, velocity; velocity_hat (amsgrad) where it is in
    use."""
    cdef Update u = common_update(clip, rate)
    u.momentum = <real>(1 - beta_1)
    u.discount = <real>(1 - beta_2)
    u.epsilon = <real>epsilon
    check_variables(variables, ("momentum", "velocity"))
    run_updates(ADAM_RULE, variables, "momentum", "velocity", "velocity_hat", &u, threads)


def nadam_update(list variables not None, double clip, double rate, double rate2, double beta_1, double beta_2,
                 double epsilon, long threads):
    """As adam_update; rate2: of the gradient itself."""
    cdef Update u = common_update(clip, rate)
    u.rate2 = <real>rate2
    u.momentum = <real>(1 - beta_1)
    u.discount = <real>(1 - beta_2)
    u.epsilon = <real>epsilon
    check_variables(variables, ("momentum", "velocity"))
    run_updates(NADAM_RULE, variables, "momentum", "velocity", None, &u, threads)


def adamax_update(list variables not None, double clip, double rate, double beta_1, double beta_2, double epsilon,
                  long threads):
    """As sgd_update; rate: with the bias correction. Slots: momentum, norm."""
    cdef Update u = common_update(clip, rate)
    u.momentum = <real>(1 - beta_1)
    u.discount = <real>beta_2
    u.epsilon = <real>epsilon
    check_variables(variables, ("momentum", "norm"))
    run_updates(ADAMAX_RULE, variables, "momentum", "norm", None, &u, threads)


def adagrad_update(list variables not None, double clip, double rate, double epsilon, long threads):
    """As sgd_update. Slot: accumulator."""
    cdef Update u = common_update(clip, rate)
    u.epsilon = <real>epsilon
    check_variables(variables, ("accumulator",))
    run_updates(ADAGRAD_RULE, variables, None, "accumulator", None, &u, threads)


def adadelta_update(list variables not None, double clip, double rate, double rho, double epsilon, long threads):
    """As sgd_update. Slots: accumulated_grad, accumulated_delta_var."""
    cdef Update u = common_update(clip, rate)
    u.discount = <real>rho
    u.epsilon = <real>epsilon
    check_variables(variables, ("accumulated_grad", "accumulated_delta_var"))
    run_updates(ADADELTA_RULE, variables, "accumulated_delta_var", "accumulated_grad", None, &u, threads)


def lion_update(list variables not None, double clip, double rate, double beta_1, double beta_2, long threads):
    """As sgd_update. Slot: momentum."""
    cdef Update u = common_update(clip, rate)
    u.momentum = <real>beta_1
    u.discount = <real>beta_2
    check_variables(variables, ("momentum",))
    run_updates(LION_RULE, variables, "momentum", None, None, &u, threads)


cdef void add_squares(double* sums, const real* g, long start, long i, long end) noexcept nogil:
    """Add the squares of elements i to end to eight sums, element start + k to the sum k modulo 8."""
    cdef double lanes[8]
    cdef long k
    for k in range(8):
        lanes[k] = sums[k]
    while i < end and (i - start) % 8 != 0:
        lanes[(i - start) % 8] += <double>g[i] * <double>g[i]
        i += 1
    while i + 8 <= end:
        for k in range(8):
            lanes[k] += <double>g[i + k] * <double>g[i + k]
        i += 8
    for k in range(end - i):
        lanes[k] += <double>g[i + k] * <double>g[i + k]
    for k in range(8):
        sums[k] = lanes[k]


cdef double block_squares(const real* g, const unsigned char* touched, long width, long start, long end) noexcept nogil:
    """The sum over elements start to end; the same bits whether rows of zeros are read or, not touched, passed over."""
    cdef double sums[8]
    cdef long row
    memset(sums, 0, sizeof(sums))
    if touched == NULL:
        add_squares(sums, g, start, start, end)
    elif start < end:
        for row in range(start // width, (end - 1) // width + 1):
            if touched[row]:
                add_squares(sums, g, start, max(start, row * width), min(end, (row + 1) * width))
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))


cdef void squares_share(const real* g, const unsigned char* touched, long width, long size, long blocks, double* sums,
                        long i, long team) noexcept nogil:
    cdef long block
    for block in range(share(blocks, i, team), share(blocks, i + 1, team)):
        sums[block] = block_squares(g, touched, width, share(size, block, blocks), share(size, block + 1, blocks))


cdef struct Squares:
    const real* g               # (size,)
    const unsigned char* touched    # (rows,) or NULL
    long width, size, blocks
    double sums[BLOCKS]


cdef void squares_part(void* call, long i, long team) noexcept nogil:
    cdef Squares* s = <Squares*>call
    squares_share(s.g, s.touched, s.width, s.size, s.blocks, s.sums, i, team)


def sum_of_squares(ndarray g not None, ndarray touched, long threads):
    """The sum of the squares of all elements, in double precision; the same bits for any number of threads.
    touched: uint8 (rows of g,), 0 for each row that is zero and not to be read, or None."""
    cdef Squares s
    cdef long rows = extent(g, 0), block
    cdef double total = 0
    s.size = cnp.PyArray_SIZE(g)
    s.width = s.size // max(1, rows)
    s.blocks = 1 if s.size < SMALL_UPDATE else BLOCKS
    s.g = elements(g, s.size, "g")
    s.touched = flags(touched, rows, "touched")
    run(squares_part, &s, 1 if s.blocks == 1 else min(threads, BLOCKS), s.size)
    for block in range(s.blocks):
        total += s.sums[block]
    return total
