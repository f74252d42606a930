# The table of cells: what the kernels know of each, and where its step is. A cell is one file, which fills one `Cell`:
# the formula, a step and its gradients, and at the end what stands here.

ctypedef void (*StepForward)(const Rnn* p, const Step* s, Block* b, long ahead, long n0, long n1, long u0,
                             long u1) noexcept nogil
ctypedef void (*StepBack)(const Rnn* p, const Step* s, long n0, long n1, long u0, long u1) noexcept nogil

cdef struct Cell:
    const char* name
    int gates                   # columns of W, and of U, in H
    int blocks                  # of a row of z, and of dz
    int states                  # 1: h; 2: h and c
    int w_block[4]              # gate g's block of z, for W's columns
    int u_block[4]              # and for U's
    bint has_recurrent_kernel   # there is a U; without, the units of a row need nothing of each other
    bint keeps_gates            # for the backward pass; without, the states are all that it needs
    bint two_biases             # x W and h U have one each, and the last gate keeps that of h U apart
    int peepholes               # gates that see the cell state
    int state_gates             # the first gates, for which U multiplies h; for the others, block `factor` of z
    int factor
    int phases                  # parts of a step: a further one waits until the one before has all units of its rows
    StepForward step[2]         # of each phase: rows n0 to n1 and the units of vectors u0 to u1; ahead: see block_gates
    StepBack step_back[2]       # from the last step to the first, but the phases in this order; gives dz
    int through[2]              # the first block of dz that flows to h through U after the phase,
    int through_count[2]        # and how many do
    int block_room              # vectors of each gate that a block has room for


include "cells/simple_rnn.pxi"
include "cells/lstm.pxi"
include "cells/gru.pxi"
include "cells/min_gru.pxi"

cdef enum:
    CELL_COUNT = 5

cdef Cell* TABLE[CELL_COUNT]


cdef int enter(int number, Cell* cell) except -1:
    cell.block_room = BLOCK // cell.blocks
    TABLE[number] = cell
    return 0


enter(0, &SIMPLE_RNN)
enter(1, &LSTM)
enter(2, &GRU)
enter(3, &GRU_RESET_BEFORE)
enter(4, &MIN_GRU)


cdef const Cell* cell_of(long number) except NULL:
    if not 0 <= number < CELL_COUNT:
        raise ValueError(f"kernel argument 'cell': expected a number from 0 to {CELL_COUNT - 1}, got {number}")
    return TABLE[number]


cdef dict description(int number):
    """What Python must know of a cell, and the number that it has here."""
    cdef const Cell* c = TABLE[number]
    return {"number": number, "gates": c.gates, "states": c.states, "has_recurrent_kernel": bool(c.has_recurrent_kernel)}


#: The cells by name.
CELLS = {TABLE[number].name.decode(): description(number) for number in range(CELL_COUNT)}
