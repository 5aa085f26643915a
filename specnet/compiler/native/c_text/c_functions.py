"""Elementary functions in C that vectorise.

The C library's functions work on one number at a time, and a loop that calls one of them is not vectorised without
`-ffast-math`. These are inline and branch-free: a loop over them that is marked `#pragma omp simd` becomes vector
instructions with gcc at -O1 -ftree-vectorize and above, for AVX-512, AVX2 and SSE2.

All results are within 3 ulp of the exact ones over the whole range of finite arguments, or within 3 units of the
smallest denormal number, with and without contraction to fused multiply-adds. Zeros, infinities and NaN are NumPy's.
Bits are shifted and added as unsigned numbers, which C defines for all values.

`r_sin` and `r_cos` of arguments up to 65536 (8192 in float32) are vectorised like the others. Larger ones are reduced
one by one, in a function of its own, of which gcc makes a vector variant. Other compilers, such as clang, do not
vectorise loops over sine and cosine; the results are the same. That function needs the 128-bit integers that gcc and
clang have on 64-bit targets.
"""

import numpy as np

from specnet.compiler.native.c_text import functions_float32, functions_float64

__all__ = ["functions_text"]

BITS = r"""
INLINE word bits(real x) { word n; memcpy(&n, &x, sizeof n); return n; }
INLINE real real_of(word n) { real x; memcpy(&x, &n, sizeof x); return x; }
"""

EXPONENTIAL = r"""
/* x = n ln 2 + r: gives r, |r| <= ln(2)/2, and a number whose low bits are n + 2 BIAS. */
INLINE real exp_reduced(real x, real *shifted) {
  const real shift = ROUND + 2 * BIAS;
  *shifted = x * LOG2_E + shift;
  const real n = *shifted - shift;
  return (x - n * EXP_LN2_HIGH) - n * EXP_LN2_LOW;
}
/* 2^n as two factors: that of a denormal result, or one next to overflow, is no normal number itself. */
INLINE real first_factor(real shifted) { return real_of((bits(shifted) << (MANTISSA - 1)) & EXPONENT); }
INLINE real second_factor(real shifted, real first) { return real_of((bits(shifted) << MANTISSA) - bits(first)); }

INLINE real at_most(real limit, real x) { return x > limit ? limit : x; }
INLINE real at_least(real limit, real x) { return x < limit ? limit : x; }

/* exp(x) for EXP_LOWEST <= x <= EXP_HIGHEST, and NaN. */
INLINE real exp_within(real x) {
  real shifted;
  const real r = exp_reduced(x, &shifted), first = first_factor(shifted);
  return (1 + (r + r * r * exp_series(r))) * first * second_factor(shifted, first);
}
INLINE real r_exp(real x) { return exp_within(at_least(EXP_LOWEST, at_most(EXP_HIGHEST, x))); }

/* exp(-|x|) */
INLINE real exp_decaying(real x) { return exp_within(at_least(EXP_LOWEST, -LIBRARY(fabs)(x))); }

/* 2^n expm1(r) + 2^n - 1; all is divided by the second factor until the end, lest 2^n overflow. */
INLINE real r_expm1(real x) {
  real shifted;
  const real r = exp_reduced(at_least(EXPM1_LOWEST, at_most(EXP_HIGHEST, x)), &shifted);
  const real first = first_factor(shifted), second = second_factor(shifted, first);
  const real one = real_of(((word)(2 * BIAS) << MANTISSA) - bits(second));
  const real y = (((first - one) + first * r) + first * (r * r * exp_series(r))) * second;
  return x == 0 ? x : y;
}

/* t / (t + 2) of t = expm1(2|x|) */
INLINE real r_tanh(real x) {
  real shifted;
  const real r = exp_reduced(2 * at_most(TANH_HIGHEST, LIBRARY(fabs)(x)), &shifted);
  const real power = real_of((bits(shifted) - BIAS) << MANTISSA);
  const real t = ((power - 1) + power * r) + power * (r * r * exp_series(r));
  return LIBRARY(copysign)(t / (t + 2), x);
}

/* exp(x) is a number of its own for negative x, where exp(-x) may overflow. */
INLINE real r_sigmoid(real x) {
  const real e = exp_decaying(x);
  return (x < 0 ? e : 1) / (1 + e);
}
"""

LOGARITHM = r"""
/* log(1 + f) + n ln 2 for sqrt(1/2) <= 1 + f <= sqrt(2) */
INLINE real log_sum(real f, real n) {
  const real half_square = f * f / 2;
  return (((log_rest(f, half_square) + n * LOG_LN2_LOW) - half_square) + f) + n * LOG_LN2_HIGH;
}
/* The bits of a positive normal x, with its exponent n in the field of the exponent, plus BIAS: x = 2^n m with
   sqrt(1/2) <= m < sqrt(2). */
INLINE word log_split(real x) { return bits(x) + (((word)BIAS << MANTISSA) - ROOT_HALF); }
INLINE real log_significand(word split) { return real_of((split & (((word)1 << MANTISSA) - 1)) + ROOT_HALF); }
/* The exponent as a number: as the last bits of 2^MANTISSA + n + BIAS, since AVX2 cannot convert 64-bit integers. */
INLINE real log_exponent(word split, int more) {
  const real offset = INTEGERS + BIAS;
  return real_of((split >> MANTISSA) | bits(INTEGERS)) - (more ? offset + SCALE_EXPONENT : offset);
}
/* y, a logarithm that is right for finite positive x, made right for all */
INLINE real log_special(real x, real y) {
  const real positive = x < (real)INFINITY ? y : x, others = x == 0 ? -(real)INFINITY : (real)NAN;
  return x > 0 ? positive : others;
}

INLINE real r_log(real x) {
  const int small = x < SMALLEST_NORMAL;
  const word split = log_split(small ? x * SCALE : x);
  return log_special(x, log_sum(log_significand(split) - 1, log_exponent(split, small)));
}

/* log(u + c) with u = 1 + x rounded and c the rounding error (Knuth's sum of two numbers): f takes the error in, so it
   is x itself for small x. The scale of c is 2^(1-n), since 2^-n may be denormal. */
INLINE real r_log1p(real x) {
  const real u = 1 + x, v = u - 1, c = (1 - (u - v)) + (x - v);
  const word split = log_split(u), exponent = split >> MANTISSA << MANTISSA;
  const real scale = real_of(((word)(2 * BIAS + 1) << MANTISSA) - exponent);
  const real f = (log_significand(split) - 1) + c / 2 * scale;
  return x == 0 ? x : log_special(u, log_sum(f, log_exponent(split, 0)));
}

/* max(x, 0) + log1p(e) with e = exp(-|x|), log1p(e) by halves where e > sqrt(2) - 1 */
INLINE real r_softplus(real x) {
  const real e = exp_decaying(x);
  const int large = e > (real)0.41421356;
  return log_sum(large ? e / 2 - (real)0.5 : e, large ? 1 : 0) + (x > 0 ? x : 0);
}
"""

ERROR_FUNCTION = r"""
/* a + a near(a^2) below 1, 1 - exp(far(a)) above, of a = |x| */
INLINE real r_erf(real x) {
  const real a = at_most(ERF_HIGHEST, LIBRARY(fabs)(x));
  const real near = a + a * erf_near(a * a), far = 1 - exp_within(erf_far(a));
  return LIBRARY(copysign)(a < 1 ? near : far, x);
}
"""

ROTATIONS = r"""
/* sin(r + quadrant pi/2) for |r| <= pi/4 */
INLINE real sin_turned(real r, word quadrant) {
  const real z = r * r, odd = r + r * (z * sin_series(z)), even = (1 - z / 2) + z * z * cos_series(z);
  const word chosen = 0 - (quadrant & 1);
  return real_of(((bits(odd) & ~chosen) | (bits(even) & chosen)) ^ ((quadrant & 2) << (8 * sizeof(real) - 2)));
}
/* sin(x + quarters pi/2) for |x| <= ROTATIONS_LIMIT: multiples of pi/2 are subtracted in parts (Cody and Waite). */
INLINE real sin_near(real x, word quarters) {
  const real shifted = x * TWO_OVER_PI + ROUND, n = shifted - ROUND;
  return sin_turned(reduced(x, n), bits(shifted) + quarters);
}

/* 64 zeros and the first 1216 bits of 2/pi */
static const uint64_t two_over_pi[20] __attribute__((unused)) = {
  0, 0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u, 0xdb6295993c439041u, 0xfe5163abdebbc561u,
  0xb7246e3a424dd2e0u, 0x06492eea09d1921cu, 0xfe1deb1cb129a73eu, 0xe88235f52ebb4484u, 0xe99c7026b45f7e41u,
  0x3991d639835339f4u, 0x9c845f8bbdf9283bu, 0x1ff897ffde05980fu, 0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u,
  0x4f463f669e5fea2du, 0x7527bac7ebe5f17bu, 0x3d0739f78a5292eau, 0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu};
/* The same for finite |x| > ROTATIONS_LIMIT: x = m 2^e is multiplied by those bits of 2/pi that make neither multiples
   of 4 nor too little to matter (Payne and Hanek). The product's first two bits count quarters, the others are r. */
INLINE real sin_far(real x, word quarters) {
  typedef unsigned __int128 wide;
  const word significand = ((word)1 << MANTISSA) - 1;
  const uint64_t m = (bits(x) & significand) | (significand + 1);
  const unsigned start = (unsigned)((bits(x) & EXPONENT) >> MANTISSA) - (BIAS + MANTISSA) + 62, shift = start % 64;
  const uint64_t *const from = two_over_pi + start / 64;
  uint64_t window[3];
  for (int i = 0; i < 3; i++) window[i] = (from[i] << shift) | (from[i + 1] >> 1 >> (63 - shift));
  const wide low = (wide)m * window[2], middle = (wide)m * window[1] + (low >> 64);
  const uint64_t high = m * window[0] + (uint64_t)(middle >> 64);
  const wide fraction = ((wide)high << 66) | ((wide)(uint64_t)middle << 2) | ((uint64_t)low >> 62);
  const real r = (real)((double)(__int128)fraction * 0x1.921fb54442d18p-128);
  const word quadrant = (word)((high >> 62) + (high >> 61 & 1));
  return x < 0 ? sin_turned(-r, quarters - quadrant) : sin_turned(r, quarters + quadrant);
}
#pragma omp declare simd uniform(quarters)
static __attribute__((noinline, unused)) real sin_chosen(real x, real near, word quarters) {
  const real magnitude = LIBRARY(fabs)(x);
  return magnitude <= ROTATIONS_LIMIT ? near : magnitude < (real)INFINITY ? sin_far(x, quarters) : x - x;
}
INLINE real r_sin(real x) { return sin_chosen(x, x == 0 ? x : sin_near(x, 0), 0); }
INLINE real r_cos(real x) { return sin_chosen(x, sin_near(x, 1), 1); }
"""

SIMPLE = r"""
INLINE real r_sqrt(real x) { return LIBRARY(sqrt)(x); }
INLINE real r_abs(real x) { return LIBRARY(fabs)(x); }
INLINE real r_sign(real x) { return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x; }
/* By addition of a number that leaves no room for a fraction: SSE2 has no instruction for it. */
INLINE real r_floor(real x) {
  const real magnitude = LIBRARY(fabs)(x), rounded = LIBRARY(copysign)((magnitude + INTEGERS) - INTEGERS, x);
  const real below = rounded > x ? rounded - 1 : rounded;
  return magnitude < INTEGERS ? below : x;
}
INLINE real r_max(real a, real b) { return a >= b ? a : a != a ? a : b; }
INLINE real r_min(real a, real b) { return a <= b ? a : a != a ? a : b; }
"""


def functions_text(dtype: np.dtype) -> str:
    """C text of the elementary functions in one precision.

    It expects `real`, `INLINE` (`static inline` and always inlined) and the headers stdint.h, string.h and math.h above
    it, and defines `r_exp`, `r_expm1`, `r_log`, `r_log1p`, `r_tanh`, `r_sigmoid`, `r_softplus`, `r_erf`, `r_sin`,
    `r_cos`, `r_sqrt`, `r_abs`, `r_sign`, `r_floor` of one number, `r_max` and `r_min` of two.

    Parameters
    ----------
    dtype : numpy.dtype
        float32 or float64; `real` must be the same.

    Returns
    -------
    str
        GNU C99, for gcc and clang; right only without `-ffast-math`.
    """
    part = {"float32": functions_float32, "float64": functions_float64}[np.dtype(dtype).name]
    polynomials = "".join(_polynomial(name, coefficients, dtype) for name, coefficients in part.POLYNOMIALS.items())
    own = [part.CONSTANTS, BITS, polynomials, EXPONENTIAL, part.LOGARITHM_REST]
    return "".join([*own, LOGARITHM, ERROR_FUNCTION, ROTATIONS, SIMPLE])


def _polynomial(name: str, coefficients: tuple[float, ...], dtype: np.dtype) -> str:
    """A C function that evaluates a polynomial by Horner's rule, the constant coefficient first."""
    suffix = "f" if dtype == np.float32 else ""
    *others, last = (f"{coefficient.hex()}{suffix}" for coefficient in coefficients)
    steps = "".join(f" p = p * x + {literal};" for literal in reversed(others))
    return f"INLINE real {name}(real x) {{ real p = {last};{steps} return p; }}\n"
