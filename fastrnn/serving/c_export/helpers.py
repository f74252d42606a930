# SPDX-License-Identifier: Apache-2.0
"""Functions in C that the exported steps call; a file has those that it uses.

`@` stands for the prefix of the file's names.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Helper(NamedTuple):
    """A function in C.

    Attributes:
        text: its definition.
        headers: the standard headers that it needs, beside those of every file.
    """

    text: str
    headers: tuple[str, ...] = ()


def elementwise(name: str, expression: str, parameters: str = "", headers: tuple[str, ...] = ()) -> Helper:
    """A function that puts an expression of x in the place of each of n numbers.

    Args:
        name: of the function.
        expression: in C.
        parameters: further ones of the function: "float alpha", "float low, float high".
        headers: as in `Helper`.
    """
    return Helper(f"""\
static inline void @{name}(float *restrict z, int n{", " if parameters else ""}{parameters})
{{
    for (int j = 0; j < n; j++) {{
        const float x = z[j];
        z[j] = {expression};
    }}
}}
""", headers)


_MATH = ("math.h",)

HELPERS: dict[str, Helper] = {
    "copy": Helper("""\
/* y (n) = x (n) */
static inline void @copy(float *restrict y, int n, const float *restrict x)
{
    for (int j = 0; j < n; j++)
        y[j] = x[j];
}
"""),
    "fill": Helper("""\
/* y (n) = value */
static inline void @fill(float *restrict y, int n, float value)
{
    for (int j = 0; j < n; j++)
        y[j] = value;
}
"""),
    # Eight rows at a time: an element of z is loaded and stored once for eight products, summed in two chains. The
    # innermost loop has no sum across its turns, so it needs no -ffast-math.
    "product": Helper("""\
/* z (m) += x (n) w (n, m), row by row */
static inline void @product(float *restrict z, int m, const float *restrict x, int n, const float *restrict w)
{
    int i = 0;
    for (; i + 8 <= n; i += 8, w += 8 * m) {
        const float a = x[i], b = x[i + 1], c = x[i + 2], d = x[i + 3];
        const float e = x[i + 4], f = x[i + 5], g = x[i + 6], h = x[i + 7];
        for (int j = 0; j < m; j++)
            z[j] = (z[j] + a * w[j] + b * w[m + j] + c * w[2 * m + j] + d * w[3 * m + j])
                   + (e * w[4 * m + j] + f * w[5 * m + j] + g * w[6 * m + j] + h * w[7 * m + j]);
    }
    for (; i < n; i++, w += m)
        for (int j = 0; j < m; j++)
            z[j] += x[i] * w[j];
}
"""),
    # A sum over inputs is one chain of additions, each of which waits for the one before: eight chains side by side.
    "dots": Helper("""\
/* z (m) += w (m, n) x (n), for few m: each sum in eight parts */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
__attribute__((always_inline)) /* with its sizes known it is a few instructions */
#endif
static inline void @dots(float *restrict z, int m, const float *restrict x, int n, const float *restrict w)
{
    for (int j = 0; j < m; j++, w += n) {
        float sums[8] = {0.0f};
        int i = 0;
        for (; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++)
                sums[k] += x[i + k] * w[i + k];
        for (; i < n; i++)
            sums[0] += x[i] * w[i];
        for (int k = 0; k < 4; k++)
            sums[k] += sums[k + 4];
        z[j] += (sums[0] + sums[2]) + (sums[1] + sums[3]);
    }
}
"""),
    # Minimum as whole numbers, whose order that of magnitudes is: of floats GCC would make a branch, and no vectors.
    "bounded": Helper("""\
/* x from -bound to bound; NaN is the bound */
static inline float @bounded(float x, float bound)
{
    union { float value; uint32_t bits; } number = {x}, most = {bound};
    const uint32_t size = number.bits & 0x7FFFFFFFu;
    number.bits = (number.bits & 0x80000000u) | (size < most.bits ? size : most.bits);
    return number.value;
}
"""),
    # x = k ln 2 + r with |r| <= ln(2) / 2; the polynomial is a near-minimax one of (exp(r) - 1 - r) / r^2, in pairs, as
    # one term does not wait for the other. Adding 1.5 * 2^23 rounds to a whole number, k, in the low bits. There is no
    # branch and no conversion that NaN could not take, so loops over it become vector instructions.
    "exp_less": Helper("""\
/* exp(x) - less, for x from -87 to 88 and less = 0, 1 or NaN */
static inline float @exp_less(float x, float less)
{
    const union { float value; uint32_t bits; } shifted = {x * 1.44269504f + 12582912.0f};
    const union { uint32_t bits; float value; } power = {(shifted.bits + 127u) << 23}; /* 2^k */
    const float k = (float)(int32_t)(shifted.bits - 0x4B400000u);
    const float r = x - k * 0.693145752f - k * 1.42860677e-6f, r2 = r * r;
    const float high = (1.98910306e-4f * r + 1.39336859e-3f) * r2 + (8.33331089e-3f * r + 4.16664646e-2f);
    const float p = (high * r2 + (1.66666667e-1f * r + 0.5f)) * r2 + r;
    return power.value * p + (power.value - less);
}
"""),
    "softplus_of": Helper("""\
/* log(1 + exp(x)) */
static inline float @softplus_of(float x)
{
    return (x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x)));
}
""", _MATH),
    # activations, in place ------------------------------------------------------------------------------------------
    "clip": elementwise("clip", "x < low ? low : x > high ? high : x", "float low, float high"),
    "sigmoid_of": Helper("""\
static inline float @sigmoid_of(float x)
{
    const float nan_or_0 = x == x ? 0.0f : x;
    return 1.0f / (1.0f + @exp_less(-@bounded(x, 87.0f), nan_or_0));
}
"""),
    "tanh_of": Helper("""\
/* from 10 on 1 to the last bit */
static inline float @tanh_of(float x)
{
    const float nan_or_1 = x == x ? 1.0f : x;
    const float e = @exp_less(2.0f * @bounded(x, 10.0f), nan_or_1);
    return e / (e + 2.0f);
}
"""),
    "sigmoid": elementwise("sigmoid", "@sigmoid_of(x)"),
    "tanh": elementwise("tanh", "@tanh_of(x)"),
    "relu": elementwise("relu", "x < 0.0f ? 0.0f : x"),
    "bent_relu": Helper("""\
/* x above the threshold, from low to high; below it has a slope */
static void @bent_relu(float *restrict z, int n, float slope, float low, float high, float threshold)
{
    for (int j = 0; j < n; j++) {
        const float x = z[j], under = x - threshold;
        const float above = x <= threshold ? 0.0f : x;
        z[j] = (above < low ? low : above > high ? high : above) + slope * (under > 0.0f ? 0.0f : under);
    }
}
"""),
    "leaky_relu": elementwise("leaky_relu", "x > 0.0f ? x : slope * x", "float slope"),
    "elu": elementwise("elu", "x > 0.0f ? x : alpha * expm1f(x)", "float alpha", _MATH),
    "celu": elementwise("celu", "x > 0.0f ? x : alpha * expm1f(x / alpha)", "float alpha", _MATH),
    "selu": elementwise("selu", "x > 0.0f ? 1.05070099f * x : 1.75809934f * expm1f(x)", "", _MATH),
    "hard_sigmoid": Helper("""\
static void @hard_sigmoid(float *restrict z, int n)
{
    @clip(z, n, -3.0f, 3.0f);
    for (int j = 0; j < n; j++)
        z[j] = (z[j] + 3.0f) / 6.0f;
}
"""),
    "hard_silu": elementwise("hard_silu", "x * ((x < -3.0f ? 0.0f : x > 3.0f ? 6.0f : x + 3.0f) / 6.0f)"),
    "log_sigmoid": elementwise("log_sigmoid", "-@softplus_of(-x)"),
    "softplus": elementwise("softplus", "@softplus_of(x)"),
    "softsign": elementwise("softsign", "x / (1.0f + fabsf(x))", "", _MATH),
    "exponential": elementwise("exponential", "expf(x)", "", _MATH),
    "silu": elementwise("silu", "x / (1.0f + expf(-x))", "", _MATH),
    "gelu": elementwise("gelu", "0.5f * x * erfcf(-0.707106781f * x)", "", _MATH),
    "gelu_by_tanh": elementwise(
        "gelu_by_tanh", "0.5f * x * (1.0f + tanhf(0.797884561f * (x + 0.044715f * x * x * x)))", "", _MATH),
    "mish": elementwise("mish", "x * tanhf(@softplus_of(x))", "", _MATH),
    "squareplus": elementwise("squareplus", "0.5f * (x + sqrtf(x * x + b))", "float b", _MATH),
    "hard_shrink": elementwise("hard_shrink", "fabsf(x) > threshold ? x : 0.0f", "float threshold", _MATH),
    "soft_shrink": elementwise(
        "soft_shrink", "x > threshold ? x - threshold : x < -threshold ? x + threshold : 0.0f", "float threshold"),
    "tanh_shrink": elementwise("tanh_shrink", "x - tanhf(x)", "", _MATH),
    "threshold": elementwise("threshold", "x > threshold ? x : otherwise", "float threshold, float otherwise"),
    "sparse_plus": elementwise(
        "sparse_plus", "x >= 1.0f ? x : x < -1.0f ? 0.0f : (x + 1.0f) * (x + 1.0f) / 4.0f"),
    "sparse_sigmoid": elementwise("sparse_sigmoid", "(x < -1.0f ? 0.0f : x > 1.0f ? 2.0f : x + 1.0f) / 2.0f"),
    "softmax": Helper("""\
static void @softmax(float *restrict z, int n)
{
    float largest = z[0], sum = 0.0f;
    for (int j = 1; j < n; j++)
        largest = z[j] > largest ? z[j] : largest;
    for (int j = 0; j < n; j++)
        z[j] -= largest;
    @clip(z, n, -87.0f, 0.0f);
    for (int j = 0; j < n; j++)
        z[j] = @exp_less(z[j], 0.0f);
    for (int j = 0; j < n; j++)
        sum += z[j];
    for (int j = 0; j < n; j++)
        z[j] /= sum;
}
"""),
    "log_softmax": Helper("""\
static void @log_softmax(float *restrict z, int n)
{
    float largest = z[0], sum = 0.0f;
    for (int j = 1; j < n; j++)
        largest = z[j] > largest ? z[j] : largest;
    for (int j = 0; j < n; j++)
        sum += expf(z[j] - largest);
    const float less = largest + logf(sum);
    for (int j = 0; j < n; j++)
        z[j] -= less;
}
""", _MATH),
    # normalizations, in place ---------------------------------------------------------------------------------------
    "normalize": Helper("""\
/* mean 0 and variance 1 */
static void @normalize(float *restrict z, int n, float epsilon)
{
    float mean = 0.0f, variance = 0.0f;
    for (int j = 0; j < n; j++)
        mean += z[j];
    mean /= (float)n;
    for (int j = 0; j < n; j++) {
        z[j] -= mean;
        variance += z[j] * z[j];
    }
    const float scale = 1.0f / sqrtf(variance / (float)n + epsilon);
    for (int j = 0; j < n; j++)
        z[j] *= scale;
}
""", _MATH),
    "rms_normalize": Helper("""\
/* mean square 1 */
static void @rms_normalize(float *restrict z, int n, float epsilon)
{
    float squares = 0.0f;
    for (int j = 0; j < n; j++)
        squares += z[j] * z[j];
    const float scale = 1.0f / sqrtf(squares / (float)n + epsilon);
    for (int j = 0; j < n; j++)
        z[j] *= scale;
}
""", _MATH),
    "unit_normalize": Helper("""\
/* length 1, of what is longer than the smallest */
static void @unit_normalize(float *restrict z, int n, float smallest)
{
    float squares = 0.0f;
    for (int j = 0; j < n; j++)
        squares += z[j] * z[j];
    const float norm = sqrtf(squares);
    const float scale = 1.0f / (norm < smallest ? smallest : norm);
    for (int j = 0; j < n; j++)
        z[j] *= scale;
}
""", _MATH),
}


def with_needs(used: set[str]) -> list[str]:
    """The names of these helpers and of those that they call, in the order of definition."""
    found, left = set[str](), list(used)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [need for need in re.findall(r"@(\w+)", HELPERS[name].text) if need != name]
    return [name for name in HELPERS if name in found]
