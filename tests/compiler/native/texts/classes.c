#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float real;
typedef int32_t integer __attribute__((may_alias));
typedef int64_t index64;
#define VECTOR 8
typedef real vector __attribute__((vector_size(32), aligned(sizeof(real)), may_alias));
#define LOAD(place) (*(const vector *)(place))
#define STORE(place, numbers) (*(vector *)(place) = (numbers))
#define PADDED(count) (((count) + VECTOR - 1) / VECTOR * VECTOR)
#define PIECE 1024  /* numbers that are added up apart */
#define WITHIN(place, count) ((place) < 0 ? 0 : (place) >= (count) ? (count) - 1 : (place))
static const real one __attribute__((unused)) = 1;
#define INLINE static inline __attribute__((always_inline, unused))
#define OUTLINE static __attribute__((noinline, unused))
/* Padding holds anything, and not every number has an integer. */
INLINE integer index_of(real x)
{
  const real limit = (uint64_t)1 << (8 * sizeof(integer) - 1);
  return x > -limit && x < limit ? (integer)x : -1;
}
#define PRAGMA(text) _Pragma(#text)
#define SIMD(clauses) PRAGMA(omp simd clauses)
#if defined __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef SHUFFLE
typedef integer lanes __attribute__((vector_size(32)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (lanes){__VA_ARGS__})
#endif


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

INLINE word bits(real x) { word n; memcpy(&n, &x, sizeof n); return n; }
INLINE real real_of(word n) { real x; memcpy(&x, &n, sizeof x); return x; }
INLINE real exp_series(real x) { real p = 0x1.6d99340fc54e9p-10f; p = p * x + 0x1.12282e00f61d7p-7f; p = p * x + 0x1.55548602fda52p-5f; p = p * x + 0x1.5554b00596c2dp-3f; p = p * x + 0x1.0000000000000p-1f; return p; }
INLINE real log_series(real x) { real p = -0x1.4201cc01219d7p-4f; p = p * x + 0x1.07d9740b50d24p-3f; p = p * x + -0x1.0ce09ff9963fbp-3f; p = p * x + 0x1.226d2df82d453p-3f; p = p * x + -0x1.547873fc737afp-3f; p = p * x + 0x1.99a5a0048f285p-3f; p = p * x + -0x1.00021ffc0504ep-2f; p = p * x + 0x1.555549f835752p-2f; return p; }
INLINE real erf_near(real x) { real p = 0x1.4ae4c1feb43ccp-14f; p = p * x + -0x1.a485e7ff36e62p-11f; p = p * x + 0x1.5419f40225e12p-8f; p = p * x + -0x1.b7fbb4015406fp-6f; p = p * x + 0x1.ce2d1feb24483p-4f; p = p * x + -0x1.81273e0777989p-2f; p = p * x + 0x1.06eba7fba97b8p-3f; return p; }
INLINE real erf_far(real x) { real p = 0x1.86dd47fadb9ffp-13f; p = p * x + -0x1.825adc0136a39p-9f; p = p * x + 0x1.65cb6e007845cp-6f; p = p * x + -0x1.a6533ff698abcp-4f; p = p * x + -0x1.46baec024fc41p-1f; p = p * x + -0x1.2088e9f3fa0d5p+0f; p = p * x + -0x1.661cadf858bc4p-12f; return p; }
INLINE real sin_series(real x) { real p = -0x1.9943f27086a6cp-13f; p = p * x + 0x1.11073b3a82ffep-7f; p = p * x + -0x1.5555452709addp-3f; return p; }
INLINE real cos_series(real x) { real p = 0x1.99eb9c5ac8ebfp-16f; p = p * x + -0x1.6c0c33a85cd5fp-10f; p = p * x + 0x1.55554a115bc8fp-5f; return p; }

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

INLINE real log_rest(real f, real half_square) { (void)half_square; return f * f * f * log_series(f); }

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

/* a + a near(a^2) below 1, 1 - exp(far(a)) above, of a = |x| */
INLINE real r_erf(real x) {
  const real a = at_most(ERF_HIGHEST, LIBRARY(fabs)(x));
  const real near = a + a * erf_near(a * a), far = 1 - exp_within(erf_far(a));
  return LIBRARY(copysign)(a < 1 ? near : far, x);
}

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

/* A square of numbers, turned. */
INLINE void turn_square(vector *v)
{
  vector a, b;
  a = v[0]; b = v[1];
  v[0] = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  v[1] = SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  a = v[2]; b = v[3];
  v[2] = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  v[3] = SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  a = v[4]; b = v[5];
  v[4] = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  v[5] = SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  a = v[6]; b = v[7];
  v[6] = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
  v[7] = SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  a = v[0]; b = v[2];
  v[0] = SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  v[2] = SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  a = v[1]; b = v[3];
  v[1] = SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  v[3] = SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  a = v[4]; b = v[6];
  v[4] = SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  v[6] = SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  a = v[5]; b = v[7];
  v[5] = SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  v[7] = SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  a = v[0]; b = v[4];
  v[0] = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
  v[4] = SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  a = v[1]; b = v[5];
  v[1] = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
  v[5] = SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  a = v[2]; b = v[6];
  v[2] = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
  v[6] = SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  a = v[3]; b = v[7];
  v[3] = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
  v[7] = SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
}

/* to[c, r] = from[r, c] for rows of `from`, some of them by their places; a square of vectors at a time. */
OUTLINE void turn(const real *from, long from_row, const index64 *places, long rows, long columns, real *to, long to_row)
{
  if (columns < VECTOR || rows < VECTOR) {
    for (long r = 0; r < rows; r++) {
      const real *row = from + (places ? places[r] : r) * from_row;
      for (long c = 0; c < columns; c++) to[c * to_row + r] = row[c];
    }
    return;
  }
  for (long r = 0; r < rows; r += VECTOR) {
    const long first = r + VECTOR <= rows ? r : rows - VECTOR;  /* the last square lies over the one before */
    const real *row[VECTOR];
    for (long k = 0; k < VECTOR; k++) row[k] = from + (places ? places[first + k] : first + k) * from_row;
    if (places)
      for (long k = r + VECTOR; k < r + 2 * VECTOR && k < rows; k++)
        for (long c = 0; c < columns; c += 64 / (long)sizeof(real)) __builtin_prefetch(from + places[k] * from_row + c);
    for (long c = 0; c < columns; c += VECTOR) {
      const long second = c + VECTOR <= columns ? c : columns - VECTOR;
      vector square[VECTOR];
      for (long k = 0; k < VECTOR; k++) square[k] = LOAD(row[k] + second);
      turn_square(square);
      for (long k = 0; k < VECTOR; k++) STORE(to + (second + k) * to_row + first, square[k]);
    }
  }
}

OUTLINE void tile_2_4(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c0_1 = {0}, c0_2 = {0}, c0_3 = {0}, c1_0 = {0}, c1_1 = {0}, c1_2 = {0}, c1_3 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c0_1 += bias[0];
    c0_2 += bias[0];
    c0_3 += bias[0];
    c1_0 += bias[1];
    c1_1 += bias[1];
    c1_2 += bias[1];
    c1_3 += bias[1];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR), b1 = LOAD(b + 1 * VECTOR), b2 = LOAD(b + 2 * VECTOR), b3 = LOAD(b + 3 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0; c0_1 += a0 * b1; c0_2 += a0 * b2; c0_3 += a0 * b3;
    const real a1 = a[1 * a_row];
    c1_0 += a1 * b0; c1_1 += a1 * b1; c1_2 += a1 * b2; c1_3 += a1 * b3;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c0_1 += LOAD(c + 0 * c_row + 1 * VECTOR);
    c0_2 += LOAD(c + 0 * c_row + 2 * VECTOR);
    c0_3 += LOAD(c + 0 * c_row + 3 * VECTOR);
    c1_0 += LOAD(c + 1 * c_row + 0 * VECTOR);
    c1_1 += LOAD(c + 1 * c_row + 1 * VECTOR);
    c1_2 += LOAD(c + 1 * c_row + 2 * VECTOR);
    c1_3 += LOAD(c + 1 * c_row + 3 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 0 * c_row + 1 * VECTOR, c0_1);
  STORE(c + 0 * c_row + 2 * VECTOR, c0_2);
  STORE(c + 0 * c_row + 3 * VECTOR, c0_3);
  STORE(c + 1 * c_row + 0 * VECTOR, c1_0);
  STORE(c + 1 * c_row + 1 * VECTOR, c1_1);
  STORE(c + 1 * c_row + 2 * VECTOR, c1_2);
  STORE(c + 1 * c_row + 3 * VECTOR, c1_3);
}
OUTLINE void tile_2_1(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c1_0 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c1_0 += bias[1];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0;
    const real a1 = a[1 * a_row];
    c1_0 += a1 * b0;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c1_0 += LOAD(c + 1 * c_row + 0 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 1 * c_row + 0 * VECTOR, c1_0);
}
OUTLINE void product_1(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias) {
  long v = 0;
  for (; v + 4 <= vectors; v += 4) {
    for (long m = 0; m < 32; m += 2) tile_2_4(20, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, bias + m, 0);
  }
  for (; v + 1 <= vectors; v += 1) {
    for (long m = 0; m < 32; m += 2) tile_2_1(20, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, bias + m, 0);
  }
}
OUTLINE void tile_3_3(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c0_1 = {0}, c0_2 = {0}, c1_0 = {0}, c1_1 = {0}, c1_2 = {0}, c2_0 = {0}, c2_1 = {0}, c2_2 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c0_1 += bias[0];
    c0_2 += bias[0];
    c1_0 += bias[1];
    c1_1 += bias[1];
    c1_2 += bias[1];
    c2_0 += bias[2];
    c2_1 += bias[2];
    c2_2 += bias[2];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR), b1 = LOAD(b + 1 * VECTOR), b2 = LOAD(b + 2 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0; c0_1 += a0 * b1; c0_2 += a0 * b2;
    const real a1 = a[1 * a_row];
    c1_0 += a1 * b0; c1_1 += a1 * b1; c1_2 += a1 * b2;
    const real a2 = a[2 * a_row];
    c2_0 += a2 * b0; c2_1 += a2 * b1; c2_2 += a2 * b2;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c0_1 += LOAD(c + 0 * c_row + 1 * VECTOR);
    c0_2 += LOAD(c + 0 * c_row + 2 * VECTOR);
    c1_0 += LOAD(c + 1 * c_row + 0 * VECTOR);
    c1_1 += LOAD(c + 1 * c_row + 1 * VECTOR);
    c1_2 += LOAD(c + 1 * c_row + 2 * VECTOR);
    c2_0 += LOAD(c + 2 * c_row + 0 * VECTOR);
    c2_1 += LOAD(c + 2 * c_row + 1 * VECTOR);
    c2_2 += LOAD(c + 2 * c_row + 2 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 0 * c_row + 1 * VECTOR, c0_1);
  STORE(c + 0 * c_row + 2 * VECTOR, c0_2);
  STORE(c + 1 * c_row + 0 * VECTOR, c1_0);
  STORE(c + 1 * c_row + 1 * VECTOR, c1_1);
  STORE(c + 1 * c_row + 2 * VECTOR, c1_2);
  STORE(c + 2 * c_row + 0 * VECTOR, c2_0);
  STORE(c + 2 * c_row + 1 * VECTOR, c2_1);
  STORE(c + 2 * c_row + 2 * VECTOR, c2_2);
}
OUTLINE void tile_3_2(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c0_1 = {0}, c1_0 = {0}, c1_1 = {0}, c2_0 = {0}, c2_1 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c0_1 += bias[0];
    c1_0 += bias[1];
    c1_1 += bias[1];
    c2_0 += bias[2];
    c2_1 += bias[2];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR), b1 = LOAD(b + 1 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0; c0_1 += a0 * b1;
    const real a1 = a[1 * a_row];
    c1_0 += a1 * b0; c1_1 += a1 * b1;
    const real a2 = a[2 * a_row];
    c2_0 += a2 * b0; c2_1 += a2 * b1;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c0_1 += LOAD(c + 0 * c_row + 1 * VECTOR);
    c1_0 += LOAD(c + 1 * c_row + 0 * VECTOR);
    c1_1 += LOAD(c + 1 * c_row + 1 * VECTOR);
    c2_0 += LOAD(c + 2 * c_row + 0 * VECTOR);
    c2_1 += LOAD(c + 2 * c_row + 1 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 0 * c_row + 1 * VECTOR, c0_1);
  STORE(c + 1 * c_row + 0 * VECTOR, c1_0);
  STORE(c + 1 * c_row + 1 * VECTOR, c1_1);
  STORE(c + 2 * c_row + 0 * VECTOR, c2_0);
  STORE(c + 2 * c_row + 1 * VECTOR, c2_1);
}
OUTLINE void tile_3_1(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c1_0 = {0}, c2_0 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c1_0 += bias[1];
    c2_0 += bias[2];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0;
    const real a1 = a[1 * a_row];
    c1_0 += a1 * b0;
    const real a2 = a[2 * a_row];
    c2_0 += a2 * b0;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c1_0 += LOAD(c + 1 * c_row + 0 * VECTOR);
    c2_0 += LOAD(c + 2 * c_row + 0 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 1 * c_row + 0 * VECTOR, c1_0);
  STORE(c + 2 * c_row + 0 * VECTOR, c2_0);
}
OUTLINE void product_2(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias) {
  long v = 0;
  for (; v + 3 <= vectors; v += 3) {
    for (long m = 0; m < 3; m += 3) tile_3_3(32, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, bias + m, 0);
  }
  for (; v + 2 <= vectors; v += 2) {
    for (long m = 0; m < 3; m += 3) tile_3_2(32, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, bias + m, 0);
  }
  for (; v + 1 <= vectors; v += 1) {
    for (long m = 0; m < 3; m += 3) tile_3_1(32, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, bias + m, 0);
  }
}
OUTLINE void dots_3(long depth, const real *a, long a_row, const real *b, long b_row, real *c, long c_row, real *sums_of_b) {
  for (long n = 0; n < 3; n += 3) {
    for (long m = 0; m < 30; m += 3) {
      const real *a0 = a + (m + 0) * a_row;
      const real *a1 = a + (m + 1) * a_row;
      const real *a2 = a + (m + 2) * a_row;
      const real *b0 = b + (n + 0) * b_row;
      const real *b1 = b + (n + 1) * b_row;
      const real *b2 = b + (n + 2) * b_row;
      real s0_0 = 0, s0_1 = 0, s0_2 = 0, s1_0 = 0, s1_1 = 0, s1_2 = 0, s2_0 = 0, s2_1 = 0, s2_2 = 0, t0 = 0, t1 = 0, t2 = 0;
      for (long begin = 0; begin < depth; begin += PIECE) {
        const long end = depth - begin < PIECE ? depth : begin + PIECE;
        real part_s0_0 = 0, part_s0_1 = 0, part_s0_2 = 0, part_s1_0 = 0, part_s1_1 = 0, part_s1_2 = 0, part_s2_0 = 0, part_s2_1 = 0, part_s2_2 = 0, part_t0 = 0, part_t1 = 0, part_t2 = 0;
        SIMD(reduction(+:part_s0_0, part_s0_1, part_s0_2, part_s1_0, part_s1_1, part_s1_2, part_s2_0, part_s2_1, part_s2_2, part_t0, part_t1, part_t2))
        for (long j = begin; j < end; j++) {
          part_s0_0 += a0[j] * b0[j];
          part_s0_1 += a0[j] * b1[j];
          part_s0_2 += a0[j] * b2[j];
          part_s1_0 += a1[j] * b0[j];
          part_s1_1 += a1[j] * b1[j];
          part_s1_2 += a1[j] * b2[j];
          part_s2_0 += a2[j] * b0[j];
          part_s2_1 += a2[j] * b1[j];
          part_s2_2 += a2[j] * b2[j];
          part_t0 += b0[j];
          part_t1 += b1[j];
          part_t2 += b2[j];
        }
        s0_0 += part_s0_0;
        s0_1 += part_s0_1;
        s0_2 += part_s0_2;
        s1_0 += part_s1_0;
        s1_1 += part_s1_1;
        s1_2 += part_s1_2;
        s2_0 += part_s2_0;
        s2_1 += part_s2_1;
        s2_2 += part_s2_2;
        t0 += part_t0;
        t1 += part_t1;
        t2 += part_t2;
      }
      c[(m + 0) * c_row + n + 0] = s0_0;
      c[(m + 0) * c_row + n + 1] = s0_1;
      c[(m + 0) * c_row + n + 2] = s0_2;
      c[(m + 1) * c_row + n + 0] = s1_0;
      c[(m + 1) * c_row + n + 1] = s1_1;
      c[(m + 1) * c_row + n + 2] = s1_2;
      c[(m + 2) * c_row + n + 0] = s2_0;
      c[(m + 2) * c_row + n + 1] = s2_1;
      c[(m + 2) * c_row + n + 2] = s2_2;
      sums_of_b[n + 0] = t0;
      sums_of_b[n + 1] = t1;
      sums_of_b[n + 2] = t2;
    }
  }
  for (long n = 0; n < 3; n += 3) {
    for (long m = 30; m < 32; m += 2) {
      const real *a0 = a + (m + 0) * a_row;
      const real *a1 = a + (m + 1) * a_row;
      const real *b0 = b + (n + 0) * b_row;
      const real *b1 = b + (n + 1) * b_row;
      const real *b2 = b + (n + 2) * b_row;
      real s0_0 = 0, s0_1 = 0, s0_2 = 0, s1_0 = 0, s1_1 = 0, s1_2 = 0;
      for (long begin = 0; begin < depth; begin += PIECE) {
        const long end = depth - begin < PIECE ? depth : begin + PIECE;
        real part_s0_0 = 0, part_s0_1 = 0, part_s0_2 = 0, part_s1_0 = 0, part_s1_1 = 0, part_s1_2 = 0;
        SIMD(reduction(+:part_s0_0, part_s0_1, part_s0_2, part_s1_0, part_s1_1, part_s1_2))
        for (long j = begin; j < end; j++) {
          part_s0_0 += a0[j] * b0[j];
          part_s0_1 += a0[j] * b1[j];
          part_s0_2 += a0[j] * b2[j];
          part_s1_0 += a1[j] * b0[j];
          part_s1_1 += a1[j] * b1[j];
          part_s1_2 += a1[j] * b2[j];
        }
        s0_0 += part_s0_0;
        s0_1 += part_s0_1;
        s0_2 += part_s0_2;
        s1_0 += part_s1_0;
        s1_1 += part_s1_1;
        s1_2 += part_s1_2;
      }
      c[(m + 0) * c_row + n + 0] = s0_0;
      c[(m + 0) * c_row + n + 1] = s0_1;
      c[(m + 0) * c_row + n + 2] = s0_2;
      c[(m + 1) * c_row + n + 0] = s1_0;
      c[(m + 1) * c_row + n + 1] = s1_1;
      c[(m + 1) * c_row + n + 2] = s1_2;
    }
  }
}
OUTLINE void product_4(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias) {
  long v = 0;
  for (; v + 4 <= vectors; v += 4) {
    for (long m = 0; m < 32; m += 2) tile_2_4(3, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, 0, 0);
  }
  for (; v + 1 <= vectors; v += 1) {
    for (long m = 0; m < 32; m += 2) tile_2_1(3, a + m * a_row, a_row, a_column, b + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, 0, 0);
  }
}
OUTLINE void tile_5_2(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c0_1 = {0}, c1_0 = {0}, c1_1 = {0}, c2_0 = {0}, c2_1 = {0}, c3_0 = {0}, c3_1 = {0}, c4_0 = {0}, c4_1 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c0_1 += bias[0];
    c1_0 += bias[1];
    c1_1 += bias[1];
    c2_0 += bias[2];
    c2_1 += bias[2];
    c3_0 += bias[3];
    c3_1 += bias[3];
    c4_0 += bias[4];
    c4_1 += bias[4];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR), b1 = LOAD(b + 1 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0; c0_1 += a0 * b1;
    const real a1 = a[1 * a_row];
    c1_0 += a1 * b0; c1_1 += a1 * b1;
    const real a2 = a[2 * a_row];
    c2_0 += a2 * b0; c2_1 += a2 * b1;
    const real a3 = a[3 * a_row];
    c3_0 += a3 * b0; c3_1 += a3 * b1;
    const real a4 = a[4 * a_row];
    c4_0 += a4 * b0; c4_1 += a4 * b1;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c0_1 += LOAD(c + 0 * c_row + 1 * VECTOR);
    c1_0 += LOAD(c + 1 * c_row + 0 * VECTOR);
    c1_1 += LOAD(c + 1 * c_row + 1 * VECTOR);
    c2_0 += LOAD(c + 2 * c_row + 0 * VECTOR);
    c2_1 += LOAD(c + 2 * c_row + 1 * VECTOR);
    c3_0 += LOAD(c + 3 * c_row + 0 * VECTOR);
    c3_1 += LOAD(c + 3 * c_row + 1 * VECTOR);
    c4_0 += LOAD(c + 4 * c_row + 0 * VECTOR);
    c4_1 += LOAD(c + 4 * c_row + 1 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 0 * c_row + 1 * VECTOR, c0_1);
  STORE(c + 1 * c_row + 0 * VECTOR, c1_0);
  STORE(c + 1 * c_row + 1 * VECTOR, c1_1);
  STORE(c + 2 * c_row + 0 * VECTOR, c2_0);
  STORE(c + 2 * c_row + 1 * VECTOR, c2_1);
  STORE(c + 3 * c_row + 0 * VECTOR, c3_0);
  STORE(c + 3 * c_row + 1 * VECTOR, c3_1);
  STORE(c + 4 * c_row + 0 * VECTOR, c4_0);
  STORE(c + 4 * c_row + 1 * VECTOR, c4_1);
}
OUTLINE void product_5(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias) {
  for (long k = 0; k < depth; k += 384) {
    const long deep = depth - k < 384 ? depth - k : 384;
    long v = 0;
    for (; v + 2 <= 4; v += 2) {
      for (long m = 0; m < 20; m += 5) tile_5_2(deep, a + m * a_row + k * a_column, a_row, a_column, b + k * b_row + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, 0, k > 0);
    }
  }
}
OUTLINE void tile_1_4(long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, int adds) {
  vector c0_0 = {0}, c0_1 = {0}, c0_2 = {0}, c0_3 = {0};
  if (bias && !adds) {
    c0_0 += bias[0];
    c0_1 += bias[0];
    c0_2 += bias[0];
    c0_3 += bias[0];
  }
  for (long k = 0; k < depth; k++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b + 0 * VECTOR), b1 = LOAD(b + 1 * VECTOR), b2 = LOAD(b + 2 * VECTOR), b3 = LOAD(b + 3 * VECTOR);
    const real a0 = a[0 * a_row];
    c0_0 += a0 * b0; c0_1 += a0 * b1; c0_2 += a0 * b2; c0_3 += a0 * b3;
  }
  if (adds) {
    c0_0 += LOAD(c + 0 * c_row + 0 * VECTOR);
    c0_1 += LOAD(c + 0 * c_row + 1 * VECTOR);
    c0_2 += LOAD(c + 0 * c_row + 2 * VECTOR);
    c0_3 += LOAD(c + 0 * c_row + 3 * VECTOR);
  }
  STORE(c + 0 * c_row + 0 * VECTOR, c0_0);
  STORE(c + 0 * c_row + 1 * VECTOR, c0_1);
  STORE(c + 0 * c_row + 2 * VECTOR, c0_2);
  STORE(c + 0 * c_row + 3 * VECTOR, c0_3);
}
OUTLINE void product_6(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias) {
  for (long k = 0; k < depth; k += 192) {
    const long deep = depth - k < 192 ? depth - k : 192;
    long v = 0;
    for (; v + 4 <= 4; v += 4) {
      for (long m = 0; m < 1; m += 1) tile_1_4(deep, a + m * a_row + k * a_column, a_row, a_column, b + k * b_row + v * VECTOR, b_row, c + m * c_row + v * VECTOR, c_row, 0, k > 0);
    }
  }
}

/* gradient */
static void gradient(void *const *p, const index64 *sizes, int with_outputs) {
  const long batch = sizes[0], batch_row = PADDED(batch); (void)batch; (void)batch_row;
  const long flat = sizes[1], flat_row = PADDED(flat); (void)flat; (void)flat_row;
  real *const workspace = p[0];
  real *const p1 = p[1];
  real *const p2 = p[2];
  real *const p3 = p[3];
  real *const p4 = p[4]; const real v6 = *p4;
  (void)v6;
  real *const p5 = p[5];
  real *const p6 = p[6];
  real *const p7 = p[7];
  for (long i = 0; i < 1; i++) for (long j = 0; j < batch; j++) ((integer *)(workspace + 0))[i * batch_row + j] = (integer)((const index64 *)p[8])[i * batch + j];
  real *const p9 = p[9]; const real v45 = *p9;
  (void)v45;
  real *const p10 = p[10];
  real *const p11 = p[11];
  real *const p12 = p[12];
  real *const p13 = p[13];
  real *const p14 = p[14];
  real *const p15 = p[15];
  real v44 = 0;
  real v46 = 0;
  real v48 = 0;
  real v84 = 0;
  real v85 = 0;
  int v88 = 0;
  real v89 = 0;
  real v90 = 0;
  real *const temporary = workspace + 208 + 140 * batch_row; (void)temporary;
  (void)with_outputs;
  
  /* layers.0: v3 = affine(theta.layers.0.weight, x) */
  product_1(batch_row / VECTOR, 20, p2, 1, 32, p3, batch, (workspace + 1 * batch_row), batch_row, (p2 + 20 * 32));
  
  /* layers.0: v4 = tanh(v3) */
  /* layers.0: v5 = sum(v4, batch) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r3 = (workspace + 1 * batch_row) + i * batch_row;
      real *w4 = (workspace + 1 * batch_row) + i * batch_row;
      real s5 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s5 = 0;
        SIMD(reduction(+:part_s5))
        for (long j = begin; j < end; j++) {
          const real v3 = r3[j];
          const real v4 = r_tanh(v3);
          part_s5 += v4;
          w4[j] = v4;
        }
        s5 += part_s5;
      }
      (workspace + 33 * batch_row)[i * 1] = s5;
    }
  }
  
  /* layers.0: v7 = multiply(v5, inverse_rows) */
  {
    const real *r5 = (workspace + 33 * batch_row);
    real *w7 = (workspace + 33 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v5 = r5[j];
      const real v7 = v5 * v6;
      w7[j] = v7;
    }
  }
  
  /* layers.0: v8 = subtract(v4, v7) */
  /* layers.0: v9 = sum(v8, batch) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r4 = (workspace + 1 * batch_row) + i * batch_row;
      real *w8 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      const real v7 = (workspace + 33 * batch_row)[i * 1];
      real s9 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s9 = 0;
        SIMD(reduction(+:part_s9))
        for (long j = begin; j < end; j++) {
          const real v4 = r4[j];
          const real v8 = v4 - v7;
          part_s9 += v8;
          w8[j] = v8;
        }
        s9 += part_s9;
      }
      (workspace + 32 + 65 * batch_row)[i * 1] = s9;
    }
  }
  
  /* layers.0: v10 = multiply(v9, inverse_rows) */
  {
    const real *r9 = (workspace + 32 + 65 * batch_row);
    real *w10 = (workspace + 32 + 65 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v9 = r9[j];
      const real v10 = v9 * v6;
      w10[j] = v10;
    }
  }
  
  /* layers.0: v11 = subtract(v8, v10) */
  /* layers.0: v13 = multiply(v11, v11) */
  /* layers.0: v14 = sum(v13, batch) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r8 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      real *w11 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      const real v10 = (workspace + 32 + 65 * batch_row)[i * 1];
      real s14 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s14 = 0;
        SIMD(reduction(+:part_s14))
        for (long j = begin; j < end; j++) {
          const real v8 = r8[j];
          const real v11 = v8 - v10;
          const real v13 = v11 * v11;
          part_s14 += v13;
          w11[j] = v11;
        }
        s14 += part_s14;
      }
      (workspace + 64 + 65 * batch_row)[i * 1] = s14;
    }
  }
  
  /* layers.0: v15 = multiply(v14, inverse_rows) */
  /* layers.0: v17 = add(v15, 1e-05) */
  /* layers.0: v18 = sqrt(v17) */
  /* layers.0: v19 = divide(1.0, v18) */
  /* layers.1: v21 = multiply(v19, theta.layers.1.scale) */
  {
    const real *r14 = (workspace + 64 + 65 * batch_row);
    const real *r20 = p5;
    real *w15 = (workspace + 64 + 65 * batch_row);
    real *w19 = (workspace + 96 + 65 * batch_row);
    real *w21 = (workspace + 128 + 65 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v14 = r14[j];
      const real v15 = v14 * v6;
      const real v17 = v15 + 1e-05f;
      const real v18 = r_sqrt(v17);
      const real v19 = 1.0f / v18;
      const real v20 = r20[j];
      const real v21 = v19 * v20;
      w15[j] = v15;
      w19[j] = v19;
      w21[j] = v21;
    }
  }
  
  /* layers.1: v22 = multiply(v11, v21) */
  /* layers.1: v24 = add(v22, theta.layers.1.shift) */
  /* v27 = greater(0.8, uniform.1) */
  /* v28 = cast(v27) */
  /* v30 = multiply(v28, 1.25) */
  /* layers.1: v31 = multiply(v24, v30) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r11 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      const real *r26 = p7 + i * batch;
      real *w30 = (workspace + 160 + 65 * batch_row) + i * batch_row;
      real *w31 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      const real v21 = (workspace + 128 + 65 * batch_row)[i * 1];
      const real v23 = p6[i * 1];
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v11 = r11[j];
        const real v22 = v11 * v21;
        const real v24 = v22 + v23;
        const real v26 = r26[j];
        const int v27 = 0.8f > v26;
        const real v28 = (real)v27;
        const real v30 = v28 * 1.25f;
        const real v31 = v24 * v30;
        w30[j] = v30;
        w31[j] = v31;
      }
    }
  }
  
  /* layers.3: v32 = affine(theta.layers.3.weight, v31) */
  product_2(batch_row / VECTOR, 32, p1, 1, 3, (workspace + 160 + 97 * batch_row), batch_row, (workspace + 160 + 129 * batch_row), batch_row, (p1 + 32 * 3));
  
  /* layers.3: v33 = max(v32, features) */
  {
    for (long j = 0; j < batch_row; j++) (workspace + 160 + 132 * batch_row)[j] = -(real)INFINITY;
    for (long i = 0; i < 3; i++) {
      const real *r32 = (workspace + 160 + 129 * batch_row) + i * batch_row;
      real *w33 = (workspace + 160 + 132 * batch_row);
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v32 = r32[j];
        w33[j] = r_max(w33[j], v32);
      }
    }
  }
  
  /* layers.3: v34 = subtract(v32, v33) */
  /* layers.3: v35 = exp(v34) */
  /* layers.3: v36 = sum(v35, features) */
  {
    for (long j = 0; j < batch_row; j++) (workspace + 160 + 136 * batch_row)[j] = 0;
    for (long i = 0; i < 3; i++) {
      const real *r32 = (workspace + 160 + 129 * batch_row) + i * batch_row;
      const real *r33 = (workspace + 160 + 132 * batch_row);
      real *w36 = (workspace + 160 + 136 * batch_row);
      real *w34 = (workspace + 160 + 129 * batch_row) + i * batch_row;
      real *w35 = (workspace + 160 + 133 * batch_row) + i * batch_row;
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v32 = r32[j];
        const real v33 = r33[j];
        const real v34 = v32 - v33;
        const real v35 = r_exp(v34);
        w36[j] += v35;
        w34[j] = v34;
        w35[j] = v35;
      }
    }
  }
  
  /* v39 = one_hot(target, 3) */
  /* v40 = cast(v39) */
  {
    for (long i = 0; i < 3; i++) {
      const integer *r38 = ((const integer *)(workspace + 0));
      real *w40 = (workspace + 160 + 137 * batch_row) + i * batch_row;
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const integer v38 = r38[j];
        const int v39 = i == v38;
        const real v40 = (real)v39;
        w40[j] = v40;
      }
    }
  }
  
  /* layers.3: v41 = multiply(v40, v34) */
  /* layers.3: v42 = sum(v41, features) */
  if (with_outputs) {
    {
      for (long j = 0; j < batch_row; j++) (workspace + 160 + 132 * batch_row)[j] = 0;
      for (long i = 0; i < 3; i++) {
        const real *r40 = (workspace + 160 + 137 * batch_row) + i * batch_row;
        const real *r34 = (workspace + 160 + 129 * batch_row) + i * batch_row;
        real *w42 = (workspace + 160 + 132 * batch_row);
        SIMD()
        for (long j = 0; j < batch_row; j++) {
          const real v40 = r40[j];
          const real v34 = r34[j];
          const real v41 = v40 * v34;
          w42[j] += v41;
        }
      }
    }
  }
  
  /* layers.3: v37 = log(v36) */
  /* layers.3: v43 = subtract(v37, v42) */
  /* layers.3: v44 = sum(v43, all) */
  if (with_outputs) {
    {
      const real *r36 = (workspace + 160 + 136 * batch_row);
      const real *r42 = (workspace + 160 + 132 * batch_row);
      real s44 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s44 = 0;
        SIMD(reduction(+:part_s44))
        for (long j = begin; j < end; j++) {
          const real v36 = r36[j];
          const real v37 = r_log(v36);
          const real v42 = r42[j];
          const real v43 = v37 - v42;
          part_s44 += v43;
        }
        s44 += part_s44;
      }
      v44 = s44;
    }
  }
  
  /* layers.3: v46 = multiply(v44, inverse_weight) */
  if (with_outputs) {
    {
      v46 = v44 * v45;
      *(workspace + 160 + 140 * batch_row) = v46;
    }
  }
  
  /* v48 = negative(inverse_weight) */
  {
    v48 = -v45;
  }
  
  /* layers.3: v50 = divide(1.0, v36) */
  /* layers.3: v51 = multiply(v50, inverse_weight) */
  {
    const real *r36 = (workspace + 160 + 136 * batch_row);
    real *w51 = (workspace + 160 + 136 * batch_row);
    SIMD()
    for (long j = 0; j < batch_row; j++) {
      const real v36 = r36[j];
      const real v50 = 1.0f / v36;
      const real v51 = v50 * v45;
      w51[j] = v51;
    }
  }
  
  /* v49 = multiply(v40, v48) */
  /* layers.3: v52 = multiply(v35, v51) */
  /* layers.3: v53 = add(v49, v52) */
  {
    for (long i = 0; i < 3; i++) {
      const real *r40 = (workspace + 160 + 137 * batch_row) + i * batch_row;
      const real *r35 = (workspace + 160 + 133 * batch_row) + i * batch_row;
      const real *r51 = (workspace + 160 + 136 * batch_row);
      real *w53 = (workspace + 160 + 133 * batch_row) + i * batch_row;
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v40 = r40[j];
        const real v49 = v40 * v48;
        const real v35 = r35[j];
        const real v51 = r51[j];
        const real v52 = v35 * v51;
        const real v53 = v49 + v52;
        w53[j] = v53;
      }
    }
  }
  
  /* layers.3: v54 = affine_gradient(v31, v53) */
  dots_3(batch, (workspace + 160 + 97 * batch_row), batch_row, (workspace + 160 + 133 * batch_row), batch_row, p10, 3, (p10 + 32 * 3));
  
  /* layers.3: v57 = matmul(v56, v53) */
  product_4(batch_row / VECTOR, 3, p1, 3, 1, (workspace + 160 + 133 * batch_row), batch_row, (workspace + 160 + 97 * batch_row), batch_row, 0);
  
  /* layers.3: v58 = multiply(v30, v57) */
  /* layers.1: v59 = sum(v58, batch) */
  /* layers.3: v61 = multiply(v58, v11) */
  /* layers.3: v62 = sum(v61, batch) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r30 = (workspace + 160 + 65 * batch_row) + i * batch_row;
      const real *r57 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      const real *r11 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      real *w58 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      real s59 = 0;
      real s62 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s59 = 0, part_s62 = 0;
        SIMD(reduction(+:part_s59, part_s62))
        for (long j = begin; j < end; j++) {
          const real v30 = r30[j];
          const real v57 = r57[j];
          const real v58 = v30 * v57;
          const real v11 = r11[j];
          const real v61 = v58 * v11;
          part_s59 += v58;
          part_s62 += v61;
          w58[j] = v58;
        }
        s59 += part_s59;
        s62 += part_s62;
      }
      p11[i * 1] = s59;
      (workspace + 176 + 140 * batch_row)[i * 1] = s62;
    }
  }
  
  /* layers.1: v63 = multiply(v62, v19) */
  {
    const real *r62 = (workspace + 176 + 140 * batch_row);
    const real *r19 = (workspace + 96 + 65 * batch_row);
    real *w63 = p12;
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v62 = r62[j];
      const real v19 = r19[j];
      const real v63 = v62 * v19;
      w63[j] = v63;
    }
  }
  
  /* layers.3: v67 = multiply(v62, inverse_rows) */
  /* layers.0: v68 = multiply(v19, v19) */
  /* layers.3: v69 = multiply(v67, v68) */
  {
    const real *r62 = (workspace + 176 + 140 * batch_row);
    const real *r19 = (workspace + 96 + 65 * batch_row);
    real *w69 = (workspace + 96 + 65 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v62 = r62[j];
      const real v67 = v62 * v6;
      const real v19 = r19[j];
      const real v68 = v19 * v19;
      const real v69 = v67 * v68;
      w69[j] = v69;
    }
  }
  
  /* layers.1: v72 = multiply(v59, inverse_rows) */
  {
    const real *r59 = p11;
    real *w72 = (workspace + 176 + 140 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v59 = r59[j];
      const real v72 = v59 * v6;
      w72[j] = v72;
    }
  }
  
  /* layers.0: v65 = multiply(v4, v4) */
  /* layers.0: v66 = subtract(1.0, v65) */
  /* layers.3: v70 = multiply(v11, v69) */
  /* layers.3: v71 = subtract(v58, v70) */
  /* layers.3: v73 = subtract(v71, v72) */
  /* layers.3: v74 = multiply(v73, v21) */
  /* layers.3: v75 = multiply(v66, v74) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r4 = (workspace + 1 * batch_row) + i * batch_row;
      const real *r11 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      const real *r58 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      real *w75 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      const real v69 = (workspace + 96 + 65 * batch_row)[i * 1];
      const real v72 = (workspace + 176 + 140 * batch_row)[i * 1];
      const real v21 = (workspace + 128 + 65 * batch_row)[i * 1];
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v4 = r4[j];
        const real v65 = v4 * v4;
        const real v66 = 1.0f - v65;
        const real v11 = r11[j];
        const real v70 = v11 * v69;
        const real v58 = r58[j];
        const real v71 = v58 - v70;
        const real v73 = v71 - v72;
        const real v74 = v73 * v21;
        const real v75 = v66 * v74;
        w75[j] = v75;
      }
    }
  }
  
  /* layers.0: v76 = affine_gradient(x, v75) */
  turn((workspace + 160 + 97 * batch_row), batch_row, 0, 32, batch, temporary, 32);
  product_5(4, batch, p3, batch, 1, temporary, 32, p13, 32, 0);
  product_6(4, batch, (&one), 0, 0, temporary, 32, (temporary + 32 * batch_row), 32, 0);
  memcpy((p13 + 20 * 32), (temporary + 32 * batch_row), 32 * sizeof(real));
  
  /* layers.0: v78 = add(v7, v10) */
  /* layers.1: v79 = subtract(v78, state.layers.1.running_mean) */
  /* layers.1: v81 = multiply(v79, 0.010000000000000009) */
  /* layers.1: v82 = add(state.layers.1.running_mean, v81) */
  {
    const real *r7 = (workspace + 33 * batch_row);
    const real *r10 = (workspace + 32 + 65 * batch_row);
    const real *r77 = p14;
    real *w82 = p14;
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v7 = r7[j];
      const real v10 = r10[j];
      const real v78 = v7 + v10;
      const real v77 = r77[j];
      const real v79 = v78 - v77;
      const real v81 = v79 * 0.01f;
      const real v82 = v77 + v81;
      w82[j] = v82;
    }
  }
  
  /* v84 = subtract(1.0, inverse_rows) */
  /* v85 = maximum(v84, inverse_rows) */
  {
    v84 = 1.0f - v6;
    v85 = r_max(v84, v6);
  }
  
  /* layers.0: v86 = divide(v15, v85) */
  /* layers.1: v87 = subtract(v86, state.layers.1.running_variance) */
  {
    const real *r15 = (workspace + 64 + 65 * batch_row);
    const real *r83 = p15;
    real *w87 = (workspace + 64 + 65 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v15 = r15[j];
      const real v86 = v15 / v85;
      const real v83 = r83[j];
      const real v87 = v86 - v83;
      w87[j] = v87;
    }
  }
  
  /* v88 = greater(1.0, inverse_rows) */
  /* v89 = cast(v88) */
  /* v90 = multiply(v89, 0.010000000000000009) */
  {
    v88 = 1.0f > v6;
    v89 = (real)v88;
    v90 = v89 * 0.01f;
  }
  
  /* layers.1: v91 = multiply(v87, v90) */
  /* layers.1: v92 = add(state.layers.1.running_variance, v91) */
  {
    const real *r87 = (workspace + 64 + 65 * batch_row);
    const real *r83 = p15;
    real *w92 = p15;
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v87 = r87[j];
      const real v91 = v87 * v90;
      const real v83 = r83[j];
      const real v92 = v83 + v91;
      w92[j] = v92;
    }
  }
}

/* update_0 */
static void update_0(void *const *p, const index64 *sizes, int with_outputs) {
  const long batch = sizes[0], batch_row = PADDED(batch); (void)batch; (void)batch_row;
  const long flat = sizes[1], flat_row = PADDED(flat); (void)flat; (void)flat_row;
  real *const workspace = p[0];
  real *const p16 = p[16];
  real *const p17 = p[17];
  real *const p18 = p[18]; const real v4 = *p18;
  (void)v4;
  real *const p19 = p[19];
  real *const p20 = p[20];
  real *const p21 = p[21]; const real v14 = *p21;
  (void)v14;
  real *const p22 = p[22]; const real v17 = *p22;
  (void)v17;
  real *const temporary = workspace + 0; (void)temporary;
  (void)with_outputs;
  
  /* v2 = multiply(optimizer.sum, 0.9) */
  /* v5 = multiply(gradient, clipping) */
  /* v6 = add(v2, v5) */
  /* v9 = multiply(optimizer.sum_of_squares, 0.999) */
  /* v10 = multiply(v5, v5) */
  /* v11 = add(v9, v10) */
  /* v13 = sqrt(v11) */
  /* v15 = add(v13, epsilon) */
  /* v16 = divide(v6, v15) */
  /* v18 = multiply(v16, rate) */
  /* v19 = subtract(theta, v18) */
  {
    const real *r0 = p16;
    const real *r3 = p17;
    const real *r7 = p19;
    const real *r12 = p20;
    real *w6 = p16;
    real *w11 = p19;
    real *w19 = p20;
    SIMD()
    for (long j = 0; j < flat; j++) {
      const real v0 = r0[j];
      const real v2 = v0 * 0.9f;
      const real v3 = r3[j];
      const real v5 = v3 * v4;
      const real v6 = v2 + v5;
      const real v7 = r7[j];
      const real v9 = v7 * 0.999f;
      const real v10 = v5 * v5;
      const real v11 = v9 + v10;
      const real v13 = r_sqrt(v11);
      const real v15 = v13 + v14;
      const real v16 = v6 / v15;
      const real v18 = v16 * v17;
      const real v12 = r12[j];
      const real v19 = v12 - v18;
      w6[j] = v6;
      w11[j] = v11;
      w19[j] = v19;
    }
  }
}

/* The factor that limits the length of a vector. One whose squares are out of range is scaled first, to be near 1. */
OUTLINE real clipping_factor(real *v, long count, double longest)
{
  double squares = 0;
  SIMD(reduction(+:squares))
  for (long j = 0; j < count; j++) squares += (double)v[j] * v[j];
  if (squares >= 9.860761315262648e-32 && squares <= 3.4028234663852886e+38)
    return sqrt(squares) > longest ? (real)(longest / sqrt(squares)) : 1;
  real size = 0;
  for (long j = 0; j < count; j++) size = r_max(size, r_abs(v[j]));
  if (!(size > 0 && size < (real)INFINITY)) return 1;
  squares = 0;
  for (long j = 0; j < count; j++) squares += (double)(v[j] / size) * (v[j] / size);
  if (size * sqrt(squares) <= longest) return 1;
  for (long j = 0; j < count; j++) v[j] /= size;
  return (real)(longest / sqrt(squares));
}

static void feed(void **p, const index64 *sizes, const index64 *places) {
  const long batch = sizes[0];
  turn(p[23], 20, places, batch, 20, p[3], batch);
  for (long j = 0; j < batch; j++) ((index64 *)p[8])[j] = ((const index64 *)p[24])[places[j]];
}
void feed_once(void **p, const index64 *sizes, const index64 *places) {
  feed(p, sizes, places);
}
void steps(void **p, const index64 *sizes, index64 count, const index64 *places, const real *numbers, index64 numbers_step, const real *noise, index64 noise_step, double *losses) {
  const long batch = sizes[0], batch_row = PADDED(batch); (void)batch; (void)batch_row;
  const long flat = sizes[1], flat_row = PADDED(flat); (void)flat; (void)flat_row;
  for (index64 step = 0; step < count; step++) {
    if (places) {
      feed(p, sizes, places);
      places += batch;
    }
    p[21] = (void *)(numbers + 0);
    p[22] = (void *)(numbers + 1);
    p[7] = (void *)(noise + 0 * batch + 0);
    gradient(p, sizes, losses != 0);
    if (losses) losses[step] = ((real *)p[0])[160 + 140 * batch_row];
    *(real *)p[18] = clipping_factor(p[17], flat, 1.0);
    update_0(p, sizes, 0);
    numbers += numbers_step;
    noise += noise_step;
  }
}
