#include <math.h>
#include <stdint.h>
#include <string.h>

typedef double real;
typedef int64_t integer __attribute__((may_alias));
typedef int64_t index64;
#define VECTOR 2
typedef real vector __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
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
typedef integer lanes __attribute__((vector_size(16)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (lanes){__VA_ARGS__})
#endif


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

INLINE word bits(real x) { word n; memcpy(&n, &x, sizeof n); return n; }
INLINE real real_of(word n) { real x; memcpy(&x, &n, sizeof x); return x; }
INLINE real exp_series(real x) { real p = 0x1.af75ad23227aep-26; p = p * x + 0x1.28a2a68492df7p-22; p = p * x + 0x1.71ddeaabfc7d7p-19; p = p * x + 0x1.a019a69cbc5f3p-16; p = p * x + 0x1.a01a01b58c3a4p-13; p = p * x + 0x1.6c16c17f278a4p-10; p = p * x + 0x1.111111110e7b2p-7; p = p * x + 0x1.5555555552165p-5; p = p * x + 0x1.555555555555cp-3; p = p * x + 0x1.0000000000005p-1; return p; }
INLINE real log_series(real x) { real p = 0x1.2f112df3e5244p-3; p = p * x + 0x1.39a09d078c69fp-3; p = p * x + 0x1.7466496cb03dep-3; p = p * x + 0x1.c71c51d8e78afp-3; p = p * x + 0x1.2492494229359p-2; p = p * x + 0x1.999999997fa04p-2; p = p * x + 0x1.5555555555593p-1; return p; }
INLINE real erf_near(real x) { real p = -0x1.ace0121424238p-31; p = p * x + 0x1.d7849b7854c69p-27; p = p * x + -0x1.5c16e42ab1a77p-23; p = p * x + 0x1.b9827b4374af2p-20; p = p * x + -0x1.f4ca949cfe879p-17; p = p * x + 0x1.f9a2bf742a950p-14; p = p * x + -0x1.c02db072f60a5p-11; p = p * x + 0x1.565bccfa9a8d6p-8; p = p * x + -0x1.b82ce312062c0p-6; p = p * x + 0x1.ce2f21a041018p-4; p = p * x + -0x1.812746b0379c2p-2; p = p * x + 0x1.06eba8214db68p-3; return p; }
INLINE real erf_far(real x) { real p = 0x1.3774d6ce93d07p-36; p = p * x + -0x1.6656f7d3dc213p-31; p = p * x + 0x1.76a33d08ffaeap-27; p = p * x + -0x1.d0cf17c954b90p-24; p = p * x + 0x1.713d501dedb1dp-21; p = p * x + -0x1.66c6408e396a9p-19; p = p * x + 0x1.e4bdea252cd98p-19; p = p * x + 0x1.d5abeb7a926c1p-16; p = p * x + -0x1.e3adb59825ba9p-13; p = p * x + 0x1.e24cf7d76e013p-11; p = p * x + -0x1.1315b7a7ffdcdp-9; p = p * x + 0x1.3230fa2b9a814p-11; p = p * x + 0x1.3517546b26a46p-6; p = p * x + -0x1.a46766bf3a491p-4; p = p * x + -0x1.45f94aa9674d3p-1; p = p * x + -0x1.20dcc5a6861cep+0; p = p * x + -0x1.1d7004429afdbp-20; return p; }
INLINE real sin_series(real x) { real p = 0x1.5d93a5acfd57cp-33; p = p * x + -0x1.ae5e68a2b9cebp-26; p = p * x + 0x1.71de357b1fe7dp-19; p = p * x + -0x1.a01a019c161d5p-13; p = p * x + 0x1.111111110f8a6p-7; p = p * x + -0x1.5555555555549p-3; return p; }
INLINE real cos_series(real x) { real p = -0x1.8fae9be8838d4p-37; p = p * x + 0x1.1ee9ebdb4b1c4p-29; p = p * x + -0x1.27e4f809c52adp-22; p = p * x + 0x1.a01a019cb1590p-16; p = p * x + -0x1.6c16c16c15177p-10; p = p * x + 0x1.555555555554cp-5; return p; }

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

INLINE real log_rest(real f, real half_square) {
  const real s = f / (2 + f), z = s * s;
  return s * (half_square + z * log_series(z));
}

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
  v[0] = SHUFFLE(a, b, 0, 2);
  v[1] = SHUFFLE(a, b, 1, 3);
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

OUTLINE void dots_1(long depth, const real *a, long a_row, const real *b, long b_row, real *c, long c_row, real *sums_of_b) {
  for (long n = 0; n < 1; n += 1) {
    for (long m = 0; m < 4; m += 4) {
      const real *a0 = a + (m + 0) * a_row;
      const real *a1 = a + (m + 1) * a_row;
      const real *a2 = a + (m + 2) * a_row;
      const real *a3 = a + (m + 3) * a_row;
      const real *b0 = b + (n + 0) * b_row;
      real s0_0 = 0, s1_0 = 0, s2_0 = 0, s3_0 = 0, t0 = 0;
      for (long begin = 0; begin < depth; begin += PIECE) {
        const long end = depth - begin < PIECE ? depth : begin + PIECE;
        real part_s0_0 = 0, part_s1_0 = 0, part_s2_0 = 0, part_s3_0 = 0, part_t0 = 0;
        SIMD(reduction(+:part_s0_0, part_s1_0, part_s2_0, part_s3_0, part_t0))
        for (long j = begin; j < end; j++) {
          part_s0_0 += a0[j] * b0[j];
          part_s1_0 += a1[j] * b0[j];
          part_s2_0 += a2[j] * b0[j];
          part_s3_0 += a3[j] * b0[j];
          part_t0 += b0[j];
        }
        s0_0 += part_s0_0;
        s1_0 += part_s1_0;
        s2_0 += part_s2_0;
        s3_0 += part_s3_0;
        t0 += part_t0;
      }
      c[(m + 0) * c_row + n + 0] = s0_0;
      c[(m + 1) * c_row + n + 0] = s1_0;
      c[(m + 2) * c_row + n + 0] = s2_0;
      c[(m + 3) * c_row + n + 0] = s3_0;
      sums_of_b[n + 0] = t0;
    }
  }
}
OUTLINE void dots_2(long depth, const real *a, long a_row, const real *b, long b_row, real *c, long c_row, real *sums_of_b) {
  for (long n = 0; n < 4; n += 4) {
    for (long m = 0; m < 2; m += 2) {
      const real *a0 = a + (m + 0) * a_row;
      const real *a1 = a + (m + 1) * a_row;
      const real *b0 = b + (n + 0) * b_row;
      const real *b1 = b + (n + 1) * b_row;
      const real *b2 = b + (n + 2) * b_row;
      const real *b3 = b + (n + 3) * b_row;
      real s0_0 = 0, s0_1 = 0, s0_2 = 0, s0_3 = 0, s1_0 = 0, s1_1 = 0, s1_2 = 0, s1_3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      for (long begin = 0; begin < depth; begin += PIECE) {
        const long end = depth - begin < PIECE ? depth : begin + PIECE;
        real part_s0_0 = 0, part_s0_1 = 0, part_s0_2 = 0, part_s0_3 = 0, part_s1_0 = 0, part_s1_1 = 0, part_s1_2 = 0, part_s1_3 = 0, part_t0 = 0, part_t1 = 0, part_t2 = 0, part_t3 = 0;
        SIMD(reduction(+:part_s0_0, part_s0_1, part_s0_2, part_s0_3, part_s1_0, part_s1_1, part_s1_2, part_s1_3, part_t0, part_t1, part_t2, part_t3))
        for (long j = begin; j < end; j++) {
          part_s0_0 += a0[j] * b0[j];
          part_s0_1 += a0[j] * b1[j];
          part_s0_2 += a0[j] * b2[j];
          part_s0_3 += a0[j] * b3[j];
          part_s1_0 += a1[j] * b0[j];
          part_s1_1 += a1[j] * b1[j];
          part_s1_2 += a1[j] * b2[j];
          part_s1_3 += a1[j] * b3[j];
          part_t0 += b0[j];
          part_t1 += b1[j];
          part_t2 += b2[j];
          part_t3 += b3[j];
        }
        s0_0 += part_s0_0;
        s0_1 += part_s0_1;
        s0_2 += part_s0_2;
        s0_3 += part_s0_3;
        s1_0 += part_s1_0;
        s1_1 += part_s1_1;
        s1_2 += part_s1_2;
        s1_3 += part_s1_3;
        t0 += part_t0;
        t1 += part_t1;
        t2 += part_t2;
        t3 += part_t3;
      }
      c[(m + 0) * c_row + n + 0] = s0_0;
      c[(m + 0) * c_row + n + 1] = s0_1;
      c[(m + 0) * c_row + n + 2] = s0_2;
      c[(m + 0) * c_row + n + 3] = s0_3;
      c[(m + 1) * c_row + n + 0] = s1_0;
      c[(m + 1) * c_row + n + 1] = s1_1;
      c[(m + 1) * c_row + n + 2] = s1_2;
      c[(m + 1) * c_row + n + 3] = s1_3;
      sums_of_b[n + 0] = t0;
      sums_of_b[n + 1] = t1;
      sums_of_b[n + 2] = t2;
      sums_of_b[n + 3] = t3;
    }
  }
  for (long n = 0; n < 4; n += 4) {
    for (long m = 2; m < 3; m += 1) {
      const real *a0 = a + (m + 0) * a_row;
      const real *b0 = b + (n + 0) * b_row;
      const real *b1 = b + (n + 1) * b_row;
      const real *b2 = b + (n + 2) * b_row;
      const real *b3 = b + (n + 3) * b_row;
      real s0_0 = 0, s0_1 = 0, s0_2 = 0, s0_3 = 0;
      for (long begin = 0; begin < depth; begin += PIECE) {
        const long end = depth - begin < PIECE ? depth : begin + PIECE;
        real part_s0_0 = 0, part_s0_1 = 0, part_s0_2 = 0, part_s0_3 = 0;
        SIMD(reduction(+:part_s0_0, part_s0_1, part_s0_2, part_s0_3))
        for (long j = begin; j < end; j++) {
          part_s0_0 += a0[j] * b0[j];
          part_s0_1 += a0[j] * b1[j];
          part_s0_2 += a0[j] * b2[j];
          part_s0_3 += a0[j] * b3[j];
        }
        s0_0 += part_s0_0;
        s0_1 += part_s0_1;
        s0_2 += part_s0_2;
        s0_3 += part_s0_3;
      }
      c[(m + 0) * c_row + n + 0] = s0_0;
      c[(m + 0) * c_row + n + 1] = s0_1;
      c[(m + 0) * c_row + n + 2] = s0_2;
      c[(m + 0) * c_row + n + 3] = s0_3;
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
  real *const p4 = p[4];
  real *const p5 = p[5]; const real v30 = *p5;
  (void)v30;
  real *const p6 = p[6];
  real *const p7 = p[7];
  real v29 = 0;
  real v31 = 0;
  real v34 = 0;
  real v36 = 0;
  real v37 = 0;
  real v39 = 0;
  real v40 = 0;
  real v41 = 0;
  real v44 = 0;
  real v45 = 0;
  real v46 = 0;
  real v48 = 0;
  real v49 = 0;
  real v50 = 0;
  real *const temporary = workspace + 48 + 19 * batch_row; (void)temporary;
  (void)with_outputs;
  
  /* layers.0: v3 = affine(theta.layers.0.weight, x) */
  /* layers.0: v7 = multiply(v3, 0.7071067811865476) */
  /* layers.0: v8 = erf(v7) */
  /* layers.0: v9 = add(1.0, v8) */
  /* layers.0: v10 = multiply(0.5, v9) */
  /* layers.0: v11 = multiply(v3, v10) */
  {
    for (long i = 0; i < 4; i++) {
      const real *r3_0 = p3 + 0 * batch;
      const real *r3_1 = p3 + 1 * batch;
      const real *r3_2 = p3 + 2 * batch;
      real *w3 = (workspace + 0) + i * batch_row;
      real *w7 = (workspace + 4 * batch_row) + i * batch_row;
      real *w10 = (workspace + 8 * batch_row) + i * batch_row;
      real *w11 = (workspace + 12 * batch_row) + i * batch_row;
      const real b3 = p2[3 * 4 + i];
      const real a3_0 = p2[0 * 4 + i];
      const real a3_1 = p2[1 * 4 + i];
      const real a3_2 = p2[2 * 4 + i];
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v3 = b3 + a3_0 * r3_0[j] + a3_1 * r3_1[j] + a3_2 * r3_2[j];
        const real v7 = v3 * 0.7071067811865476;
        const real v8 = r_erf(v7);
        const real v9 = 1.0 + v8;
        const real v10 = 0.5 * v9;
        const real v11 = v3 * v10;
        w3[j] = v3;
        w7[j] = v7;
        w10[j] = v10;
        w11[j] = v11;
      }
    }
  }
  
  /* layers.1: v21 = affine(theta.layers.1.weight, v11) */
  /* layers.1: v23 = subtract(v21, target) */
  /* layers.1: v24 = absolute(v23) */
  /* layers.1: v25 = minimum(v24, 1.0) */
  /* layers.1: v26 = multiply(0.5, v25) */
  /* layers.1: v27 = subtract(v24, v26) */
  {
    const long i = 0;
    const real *r21_0 = (workspace + 12 * batch_row) + 0 * batch_row;
    const real *r21_1 = (workspace + 12 * batch_row) + 1 * batch_row;
    const real *r21_2 = (workspace + 12 * batch_row) + 2 * batch_row;
    const real *r21_3 = (workspace + 12 * batch_row) + 3 * batch_row;
    const real *r22 = p4;
    real *w23 = (workspace + 16 * batch_row);
    real *w25 = (workspace + 17 * batch_row);
    real *w27 = (workspace + 18 * batch_row);
    const real b21 = p1[4 * 1 + i];
    const real a21_0 = p1[0 * 1 + i];
    const real a21_1 = p1[1 * 1 + i];
    const real a21_2 = p1[2 * 1 + i];
    const real a21_3 = p1[3 * 1 + i];
    SIMD()
    for (long j = 0; j < batch_row; j++) {
      const real v21 = b21 + a21_0 * r21_0[j] + a21_1 * r21_1[j] + a21_2 * r21_2[j] + a21_3 * r21_3[j];
      const real v22 = r22[j];
      const real v23 = v21 - v22;
      const real v24 = r_abs(v23);
      const real v25 = v24 > 1.0 ? 1.0 : v24;
      const real v26 = 0.5 * v25;
      const real v27 = v24 - v26;
      w23[j] = v23;
      w25[j] = v25;
      w27[j] = v27;
    }
  }
  
  /* layers.1: v28 = multiply(v25, v27) */
  /* layers.1: v29 = sum(v28, all) */
  if (with_outputs) {
    {
      const real *r25 = (workspace + 17 * batch_row);
      const real *r27 = (workspace + 18 * batch_row);
      real s29 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s29 = 0;
        SIMD(reduction(+:part_s29))
        for (long j = begin; j < end; j++) {
          const real v25 = r25[j];
          const real v27 = r27[j];
          const real v28 = v25 * v27;
          part_s29 += v28;
        }
        s29 += part_s29;
      }
      v29 = s29;
    }
  }
  
  /* layers.1: v31 = multiply(v29, inverse_weight) */
  if (with_outputs) {
    {
      v31 = v29 * v30;
    }
  }
  
  /* layers.0: v33 = absolute(v32) */
  /* layers.0: v34 = sum(v33, all) */
  if (with_outputs) {
    {
      v34 = 0;
      for (long i = 0; i < 3; i++) {
        const real *r32 = p2 + i * 4;
        real s34 = 0;
        for (long begin = 0; begin < 4; begin += PIECE) {
          const long end = 4 - begin < PIECE ? 4 : begin + PIECE;
          real part_s34 = 0;
          SIMD(reduction(+:part_s34))
          for (long j = begin; j < end; j++) {
            const real v32 = r32[j];
            const real v33 = r_abs(v32);
            part_s34 += v33;
          }
          s34 += part_s34;
        }
        v34 += s34;
      }
    }
  }
  
  /* layers.0: v36 = multiply(v34, 0.01) */
  /* layers.0: v37 = add(v31, v36) */
  if (with_outputs) {
    {
      v36 = v34 * 0.01;
      v37 = v31 + v36;
    }
  }
  
  /* layers.0: v38 = multiply(v32, v32) */
  /* layers.0: v39 = sum(v38, all) */
  if (with_outputs) {
    {
      v39 = 0;
      for (long i = 0; i < 3; i++) {
        const real *r32 = p2 + i * 4;
        real s39 = 0;
        for (long begin = 0; begin < 4; begin += PIECE) {
          const long end = 4 - begin < PIECE ? 4 : begin + PIECE;
          real part_s39 = 0;
          SIMD(reduction(+:part_s39))
          for (long j = begin; j < end; j++) {
            const real v32 = r32[j];
            const real v38 = v32 * v32;
            part_s39 += v38;
          }
          s39 += part_s39;
        }
        v39 += s39;
      }
    }
  }
  
  /* layers.0: v40 = multiply(v39, 0.01) */
  /* layers.0: v41 = add(v37, v40) */
  if (with_outputs) {
    {
      v40 = v39 * 0.01;
      v41 = v37 + v40;
    }
  }
  
  /* layers.1: v43 = absolute(v42) */
  /* layers.1: v44 = sum(v43, all) */
  if (with_outputs) {
    {
      const real *r42 = p1;
      real s44 = 0;
      for (long begin = 0; begin < 4; begin += PIECE) {
        const long end = 4 - begin < PIECE ? 4 : begin + PIECE;
        real part_s44 = 0;
        SIMD(reduction(+:part_s44))
        for (long j = begin; j < end; j++) {
          const real v42 = r42[j];
          const real v43 = r_abs(v42);
          part_s44 += v43;
        }
        s44 += part_s44;
      }
      v44 = s44;
    }
  }
  
  /* layers.1: v45 = multiply(v44, 0.01) */
  /* layers.0: v46 = add(v41, v45) */
  if (with_outputs) {
    {
      v45 = v44 * 0.01;
      v46 = v41 + v45;
    }
  }
  
  /* layers.1: v47 = multiply(v42, v42) */
  /* layers.1: v48 = sum(v47, all) */
  if (with_outputs) {
    {
      const real *r42 = p1;
      real s48 = 0;
      for (long begin = 0; begin < 4; begin += PIECE) {
        const long end = 4 - begin < PIECE ? 4 : begin + PIECE;
        real part_s48 = 0;
        SIMD(reduction(+:part_s48))
        for (long j = begin; j < end; j++) {
          const real v42 = r42[j];
          const real v47 = v42 * v42;
          part_s48 += v47;
        }
        s48 += part_s48;
      }
      v48 = s48;
    }
  }
  
  /* layers.1: v49 = multiply(v48, 0.01) */
  /* layers.0: v50 = add(v46, v49) */
  if (with_outputs) {
    {
      v49 = v48 * 0.01;
      v50 = v46 + v49;
      *(workspace + 19 * batch_row) = v50;
    }
  }
  
  /* layers.1: v52 = add(v42, v42) */
  /* layers.1: v53 = multiply(v52, 0.01) */
  /* layers.1: v54 = sign(v42) */
  /* layers.1: v55 = multiply(v54, 0.01) */
  /* layers.1: v56 = add(v53, v55) */
  {
    const real *r42 = p1;
    real *w56 = (workspace + 16 + 19 * batch_row);
    SIMD()
    for (long j = 0; j < 4; j++) {
      const real v42 = r42[j];
      const real v52 = v42 + v42;
      const real v53 = v52 * 0.01;
      const real v54 = r_sign(v42);
      const real v55 = v54 * 0.01;
      const real v56 = v53 + v55;
      w56[j] = v56;
    }
  }
  
  /* layers.1: v57 = pad(v56, (0, 4, 5)) */
  for (long i = 0; i < 5; i++) memset((workspace + 32 + 19 * batch_row) + i * 1, 0, 1 * sizeof(real));
  for (long i = 0; i < 4; i++) memcpy(((workspace + 32 + 19 * batch_row) + 0 * 1) + i * 1, (workspace + 16 + 19 * batch_row) + i * 1, 1 * sizeof(real));
  
  /* layers.1: v58 = negative(v25) */
  /* layers.1: v59 = multiply(v58, 0.5) */
  /* layers.1: v60 = add(v27, v59) */
  /* layers.1: v61 = greater(1.0, v25) */
  /* layers.1: v62 = cast(v61) */
  /* layers.1: v63 = multiply(v60, v62) */
  /* layers.1: v64 = add(v25, v63) */
  /* layers.1: v65 = sign(v23) */
  /* layers.1: v66 = multiply(v64, v65) */
  /* layers.1: v67 = multiply(v66, inverse_weight) */
  {
    const real *r25 = (workspace + 17 * batch_row);
    const real *r27 = (workspace + 18 * batch_row);
    const real *r23 = (workspace + 16 * batch_row);
    real *w67 = (workspace + 16 * batch_row);
    SIMD()
    for (long j = 0; j < batch_row; j++) {
      const real v25 = r25[j];
      const real v58 = -v25;
      const real v59 = v58 * 0.5;
      const real v27 = r27[j];
      const real v60 = v27 + v59;
      const int v61 = 1.0 > v25;
      const real v62 = (real)v61;
      const real v63 = v60 * v62;
      const real v64 = v25 + v63;
      const real v23 = r23[j];
      const real v65 = r_sign(v23);
      const real v66 = v64 * v65;
      const real v67 = v66 * v30;
      w67[j] = v67;
    }
  }
  
  /* layers.1: v68 = affine_gradient(v11, v67) */
  dots_1(batch, (workspace + 12 * batch_row), batch_row, (workspace + 16 * batch_row), batch_row, (workspace + 16 + 19 * batch_row), 1, ((workspace + 16 + 19 * batch_row) + 4 * 1));
  
  /* layers.1: v69 = add(v57, v68) */
  {
    const real *r57 = (workspace + 32 + 19 * batch_row);
    const real *r68 = (workspace + 16 + 19 * batch_row);
    real *w69 = p6;
    SIMD()
    for (long j = 0; j < 5; j++) {
      const real v57 = r57[j];
      const real v68 = r68[j];
      const real v69 = v57 + v68;
      w69[j] = v69;
    }
  }
  
  /* layers.0: v71 = add(v32, v32) */
  /* layers.0: v72 = multiply(v71, 0.01) */
  /* layers.0: v73 = sign(v32) */
  /* layers.0: v74 = multiply(v73, 0.01) */
  /* layers.0: v75 = add(v72, v74) */
  {
    const real *r32 = p2;
    real *w75 = (workspace + 16 + 19 * batch_row);
    SIMD()
    for (long j = 0; j < 3 * 4; j++) {
      const real v32 = r32[j];
      const real v71 = v32 + v32;
      const real v72 = v71 * 0.01;
      const real v73 = r_sign(v32);
      const real v74 = v73 * 0.01;
      const real v75 = v72 + v74;
      w75[j] = v75;
    }
  }
  
  /* layers.0: v76 = pad(v75, (0, 3, 4)) */
  for (long i = 0; i < 4; i++) memset((workspace + 32 + 19 * batch_row) + i * 4, 0, 4 * sizeof(real));
  for (long i = 0; i < 3; i++) memcpy(((workspace + 32 + 19 * batch_row) + 0 * 4) + i * 4, (workspace + 16 + 19 * batch_row) + i * 4, 4 * sizeof(real));
  
  /* layers.0: v12 = multiply(v3, 0.5) */
  /* layers.0: v14 = multiply(v7, v7) */
  /* layers.0: v15 = negative(v14) */
  /* layers.0: v16 = exp(v15) */
  /* layers.0: v17 = multiply(1.1283791670955126, v16) */
  /* layers.0: v18 = multiply(v12, v17) */
  /* layers.0: v19 = multiply(v18, 0.7071067811865476) */
  /* layers.0: v20 = add(v10, v19) */
  /* layers.1: v77 = matmul(v42, v67) */
  /* layers.1: v78 = multiply(v20, v77) */
  {
    for (long i = 0; i < 4; i++) {
      const real *r3 = (workspace + 0) + i * batch_row;
      const real *r7 = (workspace + 4 * batch_row) + i * batch_row;
      const real *r10 = (workspace + 8 * batch_row) + i * batch_row;
      const real *r67 = (workspace + 16 * batch_row);
      real *w78 = (workspace + 8 * batch_row) + i * batch_row;
      const real v42 = p1[i * 1];
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v3 = r3[j];
        const real v12 = v3 * 0.5;
        const real v7 = r7[j];
        const real v14 = v7 * v7;
        const real v15 = -v14;
        const real v16 = r_exp(v15);
        const real v17 = 1.1283791670955126 * v16;
        const real v18 = v12 * v17;
        const real v19 = v18 * 0.7071067811865476;
        const real v10 = r10[j];
        const real v20 = v10 + v19;
        const real v67 = r67[j];
        const real v77 = v42 * v67;
        const real v78 = v20 * v77;
        w78[j] = v78;
      }
    }
  }
  
  /* layers.1: v79 = affine_gradient(x, v78) */
  dots_2(batch, p3, batch, (workspace + 8 * batch_row), batch_row, (workspace + 16 + 19 * batch_row), 4, ((workspace + 16 + 19 * batch_row) + 3 * 4));
  
  /* layers.0: v80 = add(v76, v79) */
  {
    const real *r76 = (workspace + 32 + 19 * batch_row);
    const real *r79 = (workspace + 16 + 19 * batch_row);
    real *w80 = p7;
    SIMD()
    for (long j = 0; j < 4 * 4; j++) {
      const real v76 = r76[j];
      const real v79 = r79[j];
      const real v80 = v76 + v79;
      w80[j] = v80;
    }
  }
}

/* update_0 */
static void update_0(void *const *p, const index64 *sizes, int with_outputs) {
  const long batch = sizes[0], batch_row = PADDED(batch); (void)batch; (void)batch_row;
  const long flat = sizes[1], flat_row = PADDED(flat); (void)flat; (void)flat_row;
  real *const workspace = p[0];
  real *const p8 = p[8];
  real *const p9 = p[9];
  real *const p10 = p[10];
  real *const p11 = p[11]; const real v6 = *p11;
  (void)v6;
  real *const temporary = workspace + 0; (void)temporary;
  (void)with_outputs;
  
  /* v2 = multiply(optimizer.velocity, 0.9) */
  /* v4 = add(v2, gradient) */
  /* v7 = multiply(v4, rate) */
  /* v8 = subtract(theta, v7) */
  {
    const real *r0 = p8;
    const real *r3 = p9;
    const real *r5 = p10;
    real *w4 = p8;
    real *w8 = p10;
    SIMD()
    for (long j = 0; j < flat; j++) {
      const real v0 = r0[j];
      const real v2 = v0 * 0.9;
      const real v3 = r3[j];
      const real v4 = v2 + v3;
      const real v7 = v4 * v6;
      const real v5 = r5[j];
      const real v8 = v5 - v7;
      w4[j] = v4;
      w8[j] = v8;
    }
  }
}
static void feed(void **p, const index64 *sizes, const index64 *places) {
  const long batch = sizes[0];
  turn(p[12], 3, places, batch, 3, p[3], batch);
  for (long j = 0; j < batch; j++) ((real *)p[4])[j] = ((const real *)p[13])[places[j]];
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
    p[11] = (void *)(numbers + 0);
    gradient(p, sizes, losses != 0);
    if (losses) losses[step] = ((real *)p[0])[19 * batch_row];
    update_0(p, sizes, 0);
    numbers += numbers_step;
    noise += noise_step;
  }
}
