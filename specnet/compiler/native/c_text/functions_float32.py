"""Constants and polynomials of the float32 functions.

Polynomials without a source are minimax fits made for the stated interval; an error is that of the function before
coefficients are rounded, relative to its value. One ulp is between 2^-24 and 2^-23 of a value.
"""

CONSTANTS = r"""
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

POLYNOMIALS = {
    # (exp(r) - 1 - r) / r², |r| ≤ ln(2)/2; of expm1: 2^-26.1.
    "exp_series": (0.5, 0.166665435, 0.0416662805, 0.0083666062, 0.00139464741),
    # (log(1 + f) - f + f²/2) / f³, sqrt(1/2) ≤ 1 + f ≤ sqrt(2); of log(1 + f): 2^-27.3.
    "log_series": (
        *(0.333333164, -0.250008106, 0.200022936, -0.166245371),
        *(0.141809806, -0.131287813, 0.128832728, -0.0786149949),
    ),
    # erf(x)/x - 1 of x², 0 ≤ x ≤ 1; 2^-29.7.
    "erf_near": (0.128379166, -0.37612626, 0.112836003, -0.0268544443, 0.00518953521, -0.000802084105, 7.88911784e-05),
    # log(1 - erf(x)), 1 ≤ x ≤ 4; of erf: 2^-29.8.
    "erf_far": (-0.000341522245, -1.12708914, -0.638144851, -0.103106737, 0.0218380522, -0.00294765411, 0.00018637866),
    # (sin(r)/r - 1)/r² and (cos(r) - 1 + r²/2)/r⁴ of r², |r| ≤ π/4: Cephes, sinf.c.
    "sin_series": (-1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4),
    "cos_series": (4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5),
}

LOGARITHM_REST = r"""
INLINE real log_rest(real f, real half_square) { (void)half_square; return f * f * f * log_series(f); }
"""
