# How one call is spread over threads: the batch, the units with a barrier each step, or the calling thread alone.
# And which products go to BLAS.
cdef struct Plan:
    long team           # threads
    bint split_units    # over the units, else over the batch
    long chunk          # steps whose input, or its gradient, is projected at a time
    bint fused          # the forward pass projects each step's input with the step

cdef enum:
    SMALL_WORK = 100000     # multiply-adds below which a second thread costs more than it saves
    SMALL_STEP = 20000      # the same for one step between two barriers
    LARGE_WEIGHTS = 1 << 20 # bytes from which on the cache of one core does not hold them: better half of them for more rows
    FUSE_ROWS = 4           # rows of a thread from which the weights of input and state may pass by together each step
    GATE_WORK = 8           # multiply-adds that a gate's own arithmetic counts for, where there is no product with the state
    FUSE_WIDTH = 4          # units for each element of the input from which they may in any case: the input's are few


cdef Plan forced        # what every call is to do instead, if it has a team: see force_plan


cdef inline long long call_work(const Cell* cell, long N, long T, long D, long H, bint from_zero) noexcept nogil:
    """Multiply-adds of a forward pass."""
    if not cell.has_recurrent_kernel:
        return <long long>N * T * (D + GATE_WORK) * cell.gates * H
    return <long long>N * (T * (D + H) - (H if from_zero else 0)) * cell.gates * H


cdef inline long long step_work(const Rnn* p) noexcept nogil:
    """Multiply-adds of a step."""
    return call_work(p.cell, p.N, 1, p.D, p.H, False)


cdef Plan plan(const Cell* cell, long N, long T, long D, long H, bint from_zero, long threads) noexcept nogil:
    cdef Plan p
    cdef long G = cell.gates
    cdef long P = (H + VL - 1) // VL, rows, few = 4, width = D + H if cell.has_recurrent_kernel else D
    # threads that share units meet after each step: for less than that, it is not worth it
    cdef bint shares = N * H * G * H >= SMALL_STEP or not cell.has_recurrent_kernel
    p.team = 1
    p.split_units = False
    if forced.team > 0:
        p.team = max(1, min(forced.team, threads, P if forced.split_units else N))
        p.split_units = forced.split_units and p.team > 1
    elif threads > 1 and call_work(cell, N, T, D, H, from_zero) >= SMALL_WORK:
        if width * G * H * <long>sizeof(real) > LARGE_WEIGHTS:
            few = 8
        shares = shares and P > 1
        if N >= few * threads or (N > 1 and not shares):
            p.team = min(threads, N)
        elif shares:
            p.team = min(threads, P)
            p.split_units = True
    rows = N if p.split_units else N // p.team
    p.chunk = PROJECT_ROWS // max(1, rows)
    p.chunk = max(1, min(p.chunk, T))
    p.fused = rows >= FUSE_ROWS or FUSE_WIDTH * D <= H
    if forced.team > 0:
        p.fused = forced.fused
    p.fused = p.fused and cell.has_recurrent_kernel     # else all steps are one product
    return p


cdef Plan plan_now(const Cell* cell, long N, long T, long D, long H, bint from_zero, long threads) except *:
    """The same for the threads that are at hand at the moment: a buffer for `threads` is large enough for fewer."""
    cdef Plan p = plan(cell, N, T, D, H, from_zero, threads)
    cdef long team = team_for(p.team, call_work(cell, N, T, D, H, from_zero))
    return p if team == p.team else plan(cell, N, T, D, H, from_zero, team)


def threads_each(long threads):
    """Threads for each of two layers that run at once; all of them where they run one after the other."""
    return threads // 2 if threads % 2 == 0 else threads


cdef long pair_team(int calls, long threads, long long work) except -1:
    """Threads that share two calls, half of them each; 1 if the calls are to run one after the other, as each is planned."""
    if calls < 2 or threads % 2 != 0 or work < SMALL_WORK:
        return 1
    return threads if team_for(threads, work) == threads else 1


def force_plan(long team=0, bint split_units=False, bint fused=False):
    """Have every call of this module run with that team (no larger than its threads and what it shares out), without an
    argument as `plan` chooses again. It changes no result: it is for measuring whether the choice is the fastest one."""
    forced.team = team
    forced.split_units = split_units
    forced.fused = fused


def planned(int cell, long N, long T, long D, long H, long threads):
    """What `plan` chooses without initial states: team, split_units and fused."""
    cdef Plan p = plan(cell_of(cell), N, T, D, H, True, threads)
    return p.team, bool(p.split_units), bool(p.fused)


cdef enum Product:
    FORWARD = 0         # x W, of a dense layer or of the input's projection ahead
    BACKWARD = 1        # dz W^T
    WEIGHTS = 2         # x^T dz

cdef enum:
    BLAS_SIDE = 256     # rows, columns and terms of a product from which on BLAS is the faster one for the baseline kernels


cdef bint goes_to_blas(int product, long M, long O, long K) noexcept nogil:
    """Whether a product of M rows, O columns and sums of K terms goes to BLAS rather than to the tile.

    Measured with AVX2, the tile is as fast as BLAS or faster in products of every kind and size. The baseline kernels
    have no fused multiply-add and short vectors; BLAS, which chooses its own by the processor, has them where they are.
    """
    if blas_mode == BLAS_NEVER or min(M, O, K) < 1 or max(M, O, K) > BLAS_LARGEST:
        return False
    return blas_mode == BLAS_ALWAYS or (not FUSED and min(M, O, K) >= BLAS_SIDE)
