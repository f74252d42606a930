# SPDX-License-Identifier: Apache-2.0
"""The two files, of what the emitters have gathered."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

from fastrnn._version import __version__
from fastrnn.serving.c_export.helpers import HELPERS, with_needs
from fastrnn.serving.c_export.plan import Plan
from fastrnn.serving.c_export.source import Source, Value


class _Argument(NamedTuple):
    """An input or an output of the functions."""

    name: str
    type: str
    macro: str
    width: int
    sequence: bool
    rows: int | None = None


def _arguments(source: Source, plan: Plan, results: list[Value]) -> tuple[list[_Argument], list[_Argument]]:
    upper = source.prefix.upper()
    inputs, outputs = [], []
    for port, name in zip(plan.inputs, source.inputs):
        kind = "int32_t" if port.rows is not None else "float"
        inputs.append(_Argument(name, kind, f"{upper}_INPUT{name[1:].upper()}", port.width, port.sequence, port.rows))
    for value, name in zip(results, source.outputs):
        outputs.append(_Argument(name, "float", f"{upper}_OUTPUT{name[1:].upper()}", value.width, value.sequence))
    return inputs, outputs


def _prototypes(source: Source, inputs: list[_Argument], outputs: list[_Argument]) -> tuple[str, str, str]:
    prefix = source.prefix
    given = ", ".join(f"const {one.type} *{one.name}" for one in inputs)
    made = ", ".join(f"{one.type} *{one.name}" for one in outputs)
    state = f"{prefix}_state *state"
    return (f"void {prefix}_init({state})", f"int {prefix}_step({state}, {given}, {made})",
            f"int {prefix}_predict({state}, {given}, size_t steps, {made})")


def header_text(source: Source, named: str, plan: Plan, results: list[Value]) -> str:
    """The header."""
    inputs, outputs = _arguments(source, plan, results)
    init, step, predict = _prototypes(source, inputs, outputs)
    guard = f"{source.prefix.upper()}_H"
    macros = "\n".join(f"#define {one.macro} {one.width} /* {_said(one)} */" for one in [*inputs, *outputs])
    members = "\n".join(f"    {one.type} {one.name}{f'[{one.size}]' if one.size else ''}; /* {one.comment} */"
                        for one in source.states) or "    char none; /* no layer keeps anything */"
    shapes = "; ".join(f"{one.name} ({f'steps, {one.macro}' if one.sequence else one.macro})"
                       for one in [*inputs, *outputs])
    return f"""\
/* {_safe(named)}, written by fastrnn {__version__}. Needs the mathematical library alone; allocates nothing. */
#ifndef {guard}
#define {guard}

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{macros}

/* What is between two time steps. One for each stream; they know nothing of each other. */
typedef struct {source.prefix}_state {{
{members}
}} {source.prefix}_state;

/* A sequence begins. */
{init};

/* One time step, about {_kilobytes(source.floats + source.scratch)} on the stack. Inputs and outputs must not overlap.
   Returns 0, or -1 for an index that a table has not, with nothing changed. */
{_wrapped(step)};

/* {_wrapped(f"A whole sequence from its beginning: {shapes}.", "   ")}
   Without steps it writes nothing. Returns as {source.prefix}_step, and stops at such an index. */
{_wrapped(predict)};

#ifdef __cplusplus
}}
#endif

#endif
"""


def source_text(source: Source, named: str, header: str, plan: Plan, results: list[Value]) -> str:
    """The C file."""
    inputs, outputs = _arguments(source, plan, results)
    init, step, predict = _prototypes(source, inputs, outputs)
    step = re.sub(r"\*(?=\w)", "*restrict ", step)
    helpers = with_needs(source.helpers)
    headers = sorted(source.headers.union(*(HELPERS[name].headers for name in helpers)))
    includes = "".join(f"#include <{name}>\n" for name in headers)
    functions = "\n".join(HELPERS[name].text.replace("@", f"{source.prefix}_") for name in helpers)
    checks = "".join(f"    if (*{one.name} < 0 || *{one.name} >= {one.rows})\n        return -1;\n"
                     for one in inputs if one.rows is not None)
    unused = "" if source.states else "    (void)state;\n"
    given = ", ".join(one.name for one in [*inputs, *outputs])
    moves = [f"{one.name} += {one.macro}" for one in [*inputs, *outputs] if one.sequence]
    members = "\n".join(_zeroed(one.name, one.size) for one in source.states) or "    state->none = 0;"
    lines = "\n".join(source.lines)
    constants = "\n".join(source.constants)
    return f"""\
/* {_safe(named)}, written by fastrnn {__version__}.
   Weights have a row for each input, so that the innermost loops run over outputs: build it with -O3 and the processor
   named (-march=native, -mcpu=...). */
#include "{header}"
{includes}
{functions}
{constants}
{init}
{{
{members}
}}

{_wrapped(step)}
{{
{checks}{unused}{lines}
    return 0;
}}

{_wrapped(predict)}
{{
    {source.prefix}_init(state);
    for (size_t t = 0; t < steps; t++) {{
        {_wrapped(f"if ({source.prefix}_step(state, {given}) != 0)", " " * 12)}
            return -1;
{"".join(f"        {move};" + chr(10) for move in moves)}    }}
    return 0;
}}
"""


def _wrapped(text: str, indent: str = "    ") -> str:
    """In lines that can be read; those after the first are indented."""
    return textwrap.fill(text, 110, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _said(one: _Argument) -> str:
    every = "of each time step" if one.sequence else "of a sequence"
    return f"{every}; an index from 0 to {one.rows - 1}" if one.rows is not None else every


def _zeroed(name: str, size: int) -> str:
    if not size:
        return f"    state->{name} = 0;"
    return f"    for (int j = 0; j < {size}; j++)\n        state->{name}[j] = 0.0f;"


def _safe(text: str) -> str:
    """What can stand in a comment."""
    return re.sub(r"[^A-Za-z0-9_ .:'-]", "_", text)


def _kilobytes(floats: int) -> str:
    size = 4 * floats
    return f"{size} bytes" if size < 1024 else f"{size / 1024:.1f} KB"
