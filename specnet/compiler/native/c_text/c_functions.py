"""Elementary functions in C that compilers can vectorise.

The C library's functions work on one number at a time, and a loop that calls one of them is not vectorised without
`-ffast-math`. The functions here are inline and branch-free: a loop that calls them and is marked `#pragma omp simd`
becomes vector instructions with gcc at -O1 -ftree-vectorize and above, for AVX-512, AVX2 and SSE2.

All results are within 3 ulp of the exact ones over the whole range of finite arguments, or within 3 units of the
smallest denormal number, with and without contraction to fused multiply-adds. Zeros, infinities and NaN are as in
NumPy. Bits are shifted and added as unsigned numbers, which C defines for all values. In float32, exp, expm1, tanh and
sigmoid never fall between adjacent numbers, so that networks with monotone columns do not because of them.

`r_sin` and `r_cos` of arguments up to 65536 (8192 in float32) are vectorised like the other functions. Larger arguments
are reduced one by one, in a separate function, of which gcc makes a vector variant. Other compilers, such as clang, do
not vectorise loops over sine and cosine; the results are the same. The separate function needs the 128-bit integers
that gcc and clang have on 64-bit targets.

Polynomials without a source are minimax fits for the stated interval. Stated errors are relative errors of the function
before coefficients are rounded. One ulp is between 2^-24 and 2^-23 of a value in float32, and between
2^-53 and 2^-52 in float64.
"""

import numpy as np

__all__ = ["functions_text"]

# ------------------------------------------------------------------------------------------------ float32

CONSTANTS_FLOAT32 = r"""
typedef uint32_t word;
#define LIBRARY(name) name##f
#define MANTISSA 23                   /* explicit bits of the significand */
#define BIAS 127                      /* of the exponent */
#define EXPONENT 0x7f800000u
#define ROOT_HALF 0x3f3504f3u         /* sqrt(1/2), where significands of logarithms begin */
#define ROUND 0x1.8p23f               /* x + ROUND has x, rounded to an integer, in its low bits */
#define INTEGERS 0x1p23f              /* from here on all numbers are integers */

#define EXP_LOWEST -104.0f            /* below it exp is 0 */
#define EXP_HIGHEST 89.0f             /* above it exp is infinite */
#define EXPM1_LOWEST -20.0f           /* below it expm1 is -1 */
#define TANH_HIGHEST 10.0f            /* above it tanh is 1 */
#define TANH_NEAR 0.625f
#define SIGMOID_LOWEST 0x1p-30f       /* below it sigmoid is exp */
#define LOG2_E 0x1.715476p0f
#define EXP_LN2_HIGH 0x1.62e4p-1f     /* ln 2 in two parts, the first with so few bits that its multiples are exact */
#define EXP_LN2_LOW 0x1.7f7d1cp-20f

#define SMALLEST_NORMAL 0x1p-126f
#define SCALE 0x1p25f                 /* makes a denormal number normal */
#define SCALE_EXPONENT 25
#define LOG_LN2_HIGH 6.9313812256e-01f /* fdlibm, e_logf.c */
#define LOG_LN2_LOW 9.0580006145e-06f

#define ERF_HIGHEST 4.0f              /* above it erf is 1 */

#define ROTATIONS_LIMIT 8192.0f       /* reduced() is exact enough for |x| up to this */
#define TWO_OVER_PI 0x1.45f306p-1f
/* x - n pi/2, in parts of so few bits that all products but the last are exact */
INLINE real reduced(real x, real n) {
  return (((x - n * 0x1.92p0f) - n * 0x1.fb4p-12f) - n * 0x1.444p-24f) - n * 0x1.68c234p-39f;
}
"""

POLYNOMIALS_FLOAT32 = {
    # (exp(r) - 1 - r) / r², |r| ≤ ln(2)/2; of expm1: 2^-26.1.
    "exp_series": (0.5, 0.166665435, 0.0416662805, 0.0083666062, 0.00139464741),
    # (log(1 + f) - f + f²/2) / f³, sqrt(1/2) ≤ 1 + f ≤ sqrt(2); of log(1 + f): 2^-27.3.
    "log_series": (
        *(0.333333164, -0.250008106, 0.200022936, -0.166245371),
        *(0.141809806, -0.131287813, 0.128832728, -0.0786149949),
    ),
    # erf(x)/x - 1 of x², 0 ≤ x ≤ 1; 2^-29.7.
    "erf_near": (0.128379166, -0.37612626, 0.112836003, -0.0268544443, 0.00518953521, -0.000802084105, 7.88911784e-05),
    # (tanh(x)/x - 1)/x² of x², |x| ≤ 0.625: Cephes, tanhf.c.
    "tanh_near": (-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3),
    # log(1 - erf(x)), 1 ≤ x ≤ 4; of erf: 2^-29.8.
    "erf_far": (-0.000341522245, -1.12708914, -0.638144851, -0.103106737, 0.0218380522, -0.00294765411, 0.00018637866),
    # (sin(r)/r - 1)/r² and (cos(r) - 1 + r²/2)/r⁴ of r², |r| ≤ π/4: Cephes, sinf.c.
    "sin_series": (-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4),
    "cos_series": (4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5),
}

LOGARITHM_REST_FLOAT32 = r"""
INLINE real log_rest(real f, real half_square) { (void)half_square; return f * f * f * log_series(f); }
"""

# ------------------------------------------------------------------------------------------------ float64

CONSTANTS_FLOAT64 = r"""
typedef uint64_t word;
#define LIBRARY(name) name
#define MANTISSA 52                   /* explicit bits of the significand */
#define BIAS 1023                     /* of the exponent */
#define EXPONENT 0x7ff0000000000000u
#define ROOT_HALF 0x3fe6a09e00000000u /* sqrt(1/2), where significands of logarithms begin */
#define ROUND 0x1.8p52                /* x + ROUND has x, rounded to an integer, in its low bits */
#define INTEGERS 0x1p52               /* from here on all numbers are integers */

#define EXP_LOWEST -746.0             /* below it exp is 0 */
#define EXP_HIGHEST 710.0             /* above it exp is infinite */
#define EXPM1_LOWEST -40.0            /* below it expm1 is -1 */
#define TANH_HIGHEST 20.0             /* above it tanh is 1 */
#define TANH_NEAR 0.625
#define SIGMOID_LOWEST 0x1p-60        /* below it sigmoid is exp */
#define LOG2_E 0x1.71547652b82fep0
#define EXP_LN2_HIGH 0x1.62e42feep-1  /* ln 2 in two parts, the first with so few bits that its multiples are exact */
#define EXP_LN2_LOW 0x1.a39ef35793c76p-33

#define SMALLEST_NORMAL 0x1p-1022
#define SCALE 0x1p54                  /* makes a denormal number normal */
#define SCALE_EXPONENT 54
#define LOG_LN2_HIGH EXP_LN2_HIGH
#define LOG_LN2_LOW EXP_LN2_LOW

#define ERF_HIGHEST 6.0               /* above it erf is 1 */

#define ROTATIONS_LIMIT 65536.0       /* reduced() is exact enough for |x| up to this */
#define TWO_OVER_PI 0x1.45f306dc9c883p-1
/* x - n pi/2, in parts of so few bits that all products but the last are exact */
INLINE real reduced(real x, real n) {
  return ((x - n * 0x1.921fb544p0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
}
"""

POLYNOMIALS_FLOAT64 = {
    # (exp(r) - 1 - r) / r², |r| ≤ ln(2)/2; of expm1: 2^-55.6.
    "exp_series": (
        *(0.50000000000000056, 0.16666666666666685, 0.041666666666574405, 0.0083333333333149608),
        *(0.0013888888932238963, 0.00019841269902223541, 2.4801504525611859e-05, 2.7557228658931128e-06),
        *(2.7626320101413315e-07, 2.5114258350495853e-08),
    ),
    # log(1 + f) = f - f²/2 + s·(f²/2 + s²·series(s²)), s = f/(2 + f), sqrt(1/2) ≤ 1 + f ≤ sqrt(2): fdlibm, e_log.c.
    "log_series": (
        *(6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01),
        *(1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01),
    ),
    # erf(x)/x - 1 of x², 0 ≤ x ≤ 1; 2^-57.0.
    "erf_near": (
        *(0.12837916709551256, -0.37612638903183548, 0.11283791670945253, -0.026866170643276233),
        *(0.0052239776074236213, -0.00085483259897058529, 0.00012055295320815185, -1.4924744670342449e-05),
        *(1.6447517773201075e-06, -1.6209176697240427e-07, 1.3722979850269634e-08, -7.8011958222979995e-10),
    ),
    # (tanh(x)/x - 1)/x² of x², |x| ≤ 0.625; of tanh: 2^-56.9.
    "tanh_near": (
        *(-0.3333333333333333, 0.13333333333333042, -0.053968253967896666, 0.021869488518994312),
        *(-0.008863235102935029, 0.0035921217472709827, -0.0014557753814086393, 0.0005896605030472117),
        *(-0.00023759014908800234, 9.257015852602979e-05, -3.119996874178646e-05, 6.484612156316395e-06),
    ),
    # log(1 - erf(x)), 1 ≤ x ≤ 6; of erf: 2^-54.8.
    "erf_far": (
        *(-1.0633377917302752e-06, -1.1283687144806325, -0.63666756933130342, -0.10263767371692924),
        *(0.018865425529478473, 0.0005840135904240395, -0.0020987307252650967, 0.00091991549827863601),
        *(-0.00023063590629554306, 2.7994606606441015e-05, 3.6116082520965848e-06, -2.6730777512470471e-06),
        *(6.8776217054017313e-07, -1.0822176856510529e-07, 1.0903390650419187e-08, -6.5181615181924173e-10),
        1.7704246755205979e-11,
    ),
    # (sin(r)/r - 1)/r² and (cos(r) - 1 + r²/2)/r⁴ of r², |r| ≤ π/4: fdlibm, k_sin.c and k_cos.c.
    "sin_series": (
        *(-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04),
        *(2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10),
    ),
    "cos_series": (
        *(4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05),
        *(-2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11),
    ),
}

LOGARITHM_REST_FLOAT64 = r"""
INLINE real log_rest(real f, real half_square) {
  const real s = f / (2 + f), z = s * s;
  return s * (half_square + z * log_series(z));
}
"""

# ------------------------------------------------------------------------------------------- both precisions

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

/* 2^n expm1(r) + 2^n - 1; all is divided by the second factor until the end, lest 2^n overflow. The smaller terms are
   added first, so that no rounded result is below that of a smaller x. */
INLINE real r_expm1(real x) {
  real shifted;
  const real r = exp_reduced(at_least(EXPM1_LOWEST, at_most(EXP_HIGHEST, x)), &shifted);
  const real first = first_factor(shifted), second = second_factor(shifted, first);
  const real one = real_of(((word)(2 * BIAS) << MANTISSA) - bits(second));
  const real y = ((first - one) + first * (r + r * r * exp_series(r))) * second;
  return x == 0 ? x : y;
}

/* a + a^3 near(a^2) below TANH_NEAR, 1 - 2/(exp(2a) + 1) above, of a = |x| */
INLINE real r_tanh(real x) {
  const real a = at_most(TANH_HIGHEST, LIBRARY(fabs)(x)), square = a * a;
  const real near = a + a * (square * tanh_near(square)), far = 1 - 2 / (exp_within(2 * a) + 1);
  return LIBRARY(copysign)(a < TANH_NEAR ? near : far, x);
}

/* exp(x) is a number of its own for negative x, where exp(-x) may overflow. As e/(1 + e) it might fall by rounding. */
INLINE real r_sigmoid(real x) {
  const real e = exp_decaying(x), below = e < SIGMOID_LOWEST ? e : 1 / (1 + 1 / e);
  return x < 0 ? below : 1 / (1 + e);
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
/* By addition of a number that leaves no bits for a fraction: SSE2 has no instruction for it. */
INLINE real r_floor(real x) {
  const real magnitude = LIBRARY(fabs)(x), rounded = LIBRARY(copysign)((magnitude + INTEGERS) - INTEGERS, x);
  const real below = rounded > x ? rounded - 1 : rounded;
  return magnitude < INTEGERS ? below : x;
}
INLINE real r_max(real a, real b) { return a >= b ? a : a != a ? a : b; }
INLINE real r_min(real a, real b) { return a <= b ? a : a != a ? a : b; }
"""


def functions_text(dtype: np.dtype) -> str:
    """Return the C code of the elementary functions in one precision.

    It needs `real`, `INLINE` (`static inline` and always inlined) and the headers stdint.h, string.h and math.h above
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
    constants, polynomials, logarithm_rest = {
        "float32": (CONSTANTS_FLOAT32, POLYNOMIALS_FLOAT32, LOGARITHM_REST_FLOAT32),
        "float64": (CONSTANTS_FLOAT64, POLYNOMIALS_FLOAT64, LOGARITHM_REST_FLOAT64),
    }[np.dtype(dtype).name]
    evaluations = "".join(_polynomial(name, coefficients, dtype) for name, coefficients in polynomials.items())
    own = [constants, BITS, evaluations, EXPONENTIAL, logarithm_rest]
    return "".join([*own, LOGARITHM, ERROR_FUNCTION, ROTATIONS, SIMPLE])


def _polynomial(name: str, coefficients: tuple[float, ...], dtype: np.dtype) -> str:
    """Return a C function that evaluates a polynomial by Horner's rule; its constant coefficient comes first."""
    suffix = "f" if dtype == np.float32 else ""
    *others, last = (f"{coefficient.hex()}{suffix}" for coefficient in coefficients)
    steps = "".join(f" p = p * x + {literal};" for literal in reversed(others))
    return f"INLINE real {name}(real x) {{ real p = {last};{steps} return p; }}\n"
