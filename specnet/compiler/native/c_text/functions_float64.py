"""Constants and polynomials of the float64 functions.

Polynomials without a source are minimax fits made for the stated interval; an error is that of the function before
coefficients are rounded, relative to its value. One ulp is between 2^-53 and 2^-52 of a value.
"""

CONSTANTS = r"""
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

POLYNOMIALS = {
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

LOGARITHM_REST = r"""
INLINE real log_rest(real f, real half_square) {
  const real s = f / (2 + f), z = s * s;
  return s * (half_square + z * log_series(z));
}
"""
