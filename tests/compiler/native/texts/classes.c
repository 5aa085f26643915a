OUTLINE void transpose(const real *from, long from_row, const index64 *indices, long rows, long columns, real *to, long to_row)
{
  if (columns < VECTOR || rows < VECTOR) {
    for (long r = 0; r < rows; r++) {
      const real *row = from + (indices ? indices[r] : r) * from_row;
      for (long c = 0; c < columns; c++) to[c * to_row + r] = row[c];
    }
    return;
  }
  for (long r = 0; r < rows; r += VECTOR) {
    const long first = r + VECTOR <= rows ? r : rows - VECTOR;  /* the last square lies over the one before */
    const real *row[VECTOR];
    /* Two loops: one would read indices by a mask, and CPUs are slow where that is all zeros and the address null. */
    for (long k = 0; k < VECTOR; k++) row[k] = from + (first + k) * from_row;
    if (indices) {
      for (long k = 0; k < VECTOR; k++) row[k] = from + indices[first + k] * from_row;
      for (long k = r + VECTOR; k < r + 2 * VECTOR && k < rows; k++)
        for (long c = 0; c < columns; c += 64 / (long)sizeof(real))
          __builtin_prefetch(from + indices[k] * from_row + c);
    }
    for (long c = 0; c < columns; c += VECTOR) {
      const long second = c + VECTOR <= columns ? c : columns - VECTOR;
      transpose_square(row, second, to + second * to_row + first, to_row);
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
OUTLINE void product_1(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, real *apart) {
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
OUTLINE void product_2(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, real *apart) {
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
      double s0_0 = 0, s0_1 = 0, s0_2 = 0, s1_0 = 0, s1_1 = 0, s1_2 = 0, s2_0 = 0, s2_1 = 0, s2_2 = 0, t0 = 0, t1 = 0, t2 = 0;
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
      double s0_0 = 0, s0_1 = 0, s0_2 = 0, s1_0 = 0, s1_1 = 0, s1_2 = 0;
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
OUTLINE void product_4(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, real *apart) {
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
OUTLINE void product_5(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, real *apart) {
  for (long begin = 0; begin < depth; begin += 4096) {
    const long end = depth - begin < 4096 ? depth : begin + 4096;
    real *const sum = begin ? apart : c;
    for (long k = begin; k < end; k += 384) {
      const long deep = end - k < 384 ? end - k : 384;
      long v = 0;
      for (; v + 2 <= 4; v += 2) {
        for (long m = 0; m < 20; m += 5) tile_5_2(deep, a + m * a_row + k * a_column, a_row, a_column, b + k * b_row + v * VECTOR, b_row, sum + m * c_row + v * VECTOR, c_row, 0, k > begin);
      }
    }
    if (begin) for (long m = 0; m < 20; m++) for (long j = 0; j < vectors * VECTOR; j++) c[m * c_row + j] += apart[m * c_row + j];
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
OUTLINE void product_6(long vectors, long depth, const real *a, long a_row, long a_column, const real *b, long b_row, real *c, long c_row, const real *bias, real *apart) {
  for (long begin = 0; begin < depth; begin += 4096) {
    const long end = depth - begin < 4096 ? depth : begin + 4096;
    real *const sum = begin ? apart : c;
    for (long k = begin; k < end; k += 192) {
      const long deep = end - k < 192 ? end - k : 192;
      long v = 0;
      for (; v + 4 <= 4; v += 4) {
        for (long m = 0; m < 1; m += 1) tile_1_4(deep, a + m * a_row + k * a_column, a_row, a_column, b + k * b_row + v * VECTOR, b_row, sum + m * c_row + v * VECTOR, c_row, 0, k > begin);
      }
    }
    if (begin) for (long m = 0; m < 1; m++) for (long j = 0; j < vectors * VECTOR; j++) c[m * c_row + j] += apart[m * c_row + j];
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
  real *const p9 = p[9]; const real v47 = *p9;
  (void)v47;
  real *const p10 = p[10];
  real *const p11 = p[11];
  real *const p12 = p[12];
  real *const p13 = p[13];
  real *const p14 = p[14];
  real *const p15 = p[15];
  real v46 = 0;
  real v48 = 0;
  real v50 = 0;
  real v89 = 0;
  real v90 = 0;
  int v93 = 0;
  real v94 = 0;
  real v95 = 0;
  real *const temporary = workspace + 208 + 143 * batch_row; (void)temporary;
  (void)with_outputs;
  
  /* layers.0: v3 = affine(theta.layers.0.weight, x) */
  product_1(batch_row / VECTOR, 20, p2, 1, 32, p3, batch, (workspace + 1 * batch_row), batch_row, (p2 + 20 * 32), 0);
  
  /* layers.0: v4 = tanh(v3) */
  /* layers.0: v5 = sum(v4, batch) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r3 = (workspace + 1 * batch_row) + i * batch_row;
      real *w4 = (workspace + 1 * batch_row) + i * batch_row;
      double s5 = 0;
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
      double s9 = 0;
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
      double s14 = 0;
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
  product_2(batch_row / VECTOR, 32, p1, 1, 3, (workspace + 160 + 97 * batch_row), batch_row, (workspace + 160 + 129 * batch_row), batch_row, (p1 + 32 * 3), 0);
  
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
  /* layers.3: v36 = maximum(v34, -69.0) */
  /* layers.3: v37 = exp(v36) */
  /* layers.3: v38 = sum(v37, features) */
  {
    for (long j = 0; j < batch_row; j++) (workspace + 160 + 139 * batch_row)[j] = 0;
    for (long i = 0; i < 3; i++) {
      const real *r32 = (workspace + 160 + 129 * batch_row) + i * batch_row;
      const real *r33 = (workspace + 160 + 132 * batch_row);
      real *w38 = (workspace + 160 + 139 * batch_row);
      real *w34 = (workspace + 160 + 129 * batch_row) + i * batch_row;
      real *w36 = (workspace + 160 + 133 * batch_row) + i * batch_row;
      real *w37 = (workspace + 160 + 136 * batch_row) + i * batch_row;
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v32 = r32[j];
        const real v33 = r33[j];
        const real v34 = v32 - v33;
        const real v36 = v34 < (-69.0f) ? (-69.0f) : v34;
        const real v37 = r_exp(v36);
        w38[j] += v37;
        w34[j] = v34;
        w36[j] = v36;
        w37[j] = v37;
      }
    }
  }
  
  /* v41 = one_hot(target, 3) */
  /* v42 = cast(v41) */
  {
    for (long i = 0; i < 3; i++) {
      const integer *r40 = ((const integer *)(workspace + 0));
      real *w42 = (workspace + 160 + 140 * batch_row) + i * batch_row;
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const integer v40 = r40[j];
        const int v41 = i == v40;
        const real v42 = (real)v41;
        w42[j] = v42;
      }
    }
  }
  
  /* layers.3: v43 = multiply(v42, v34) */
  /* layers.3: v44 = sum(v43, features) */
  if (with_outputs) {
    {
      for (long j = 0; j < batch_row; j++) (workspace + 160 + 132 * batch_row)[j] = 0;
      for (long i = 0; i < 3; i++) {
        const real *r42 = (workspace + 160 + 140 * batch_row) + i * batch_row;
        const real *r34 = (workspace + 160 + 129 * batch_row) + i * batch_row;
        real *w44 = (workspace + 160 + 132 * batch_row);
        SIMD()
        for (long j = 0; j < batch_row; j++) {
          const real v42 = r42[j];
          const real v34 = r34[j];
          const real v43 = v42 * v34;
          w44[j] += v43;
        }
      }
    }
  }
  
  /* layers.3: v39 = log(v38) */
  /* layers.3: v45 = subtract(v39, v44) */
  /* layers.3: v46 = sum(v45, all) */
  if (with_outputs) {
    {
      const real *r38 = (workspace + 160 + 139 * batch_row);
      const real *r44 = (workspace + 160 + 132 * batch_row);
      double s46 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s46 = 0;
        SIMD(reduction(+:part_s46))
        for (long j = begin; j < end; j++) {
          const real v38 = r38[j];
          const real v39 = r_log(v38);
          const real v44 = r44[j];
          const real v45 = v39 - v44;
          part_s46 += v45;
        }
        s46 += part_s46;
      }
      v46 = s46;
    }
  }
  
  /* layers.3: v48 = multiply(v46, inverse_weight) */
  if (with_outputs) {
    {
      v48 = v46 * v47;
      *(workspace + 160 + 143 * batch_row) = v48;
    }
  }
  
  /* v50 = negative(inverse_weight) */
  {
    v50 = -v47;
  }
  
  /* layers.3: v55 = divide(1.0, v38) */
  /* layers.3: v56 = multiply(v55, inverse_weight) */
  {
    const real *r38 = (workspace + 160 + 139 * batch_row);
    real *w56 = (workspace + 160 + 139 * batch_row);
    SIMD()
    for (long j = 0; j < batch_row; j++) {
      const real v38 = r38[j];
      const real v55 = 1.0f / v38;
      const real v56 = v55 * v47;
      w56[j] = v56;
    }
  }
  
  /* v51 = multiply(v42, v50) */
  /* layers.3: v52 = greater(v36, -69.0) */
  /* layers.3: v53 = cast(v52) */
  /* layers.3: v54 = multiply(v37, v53) */
  /* layers.3: v57 = multiply(v54, v56) */
  /* layers.3: v58 = add(v51, v57) */
  {
    for (long i = 0; i < 3; i++) {
      const real *r42 = (workspace + 160 + 140 * batch_row) + i * batch_row;
      const real *r36 = (workspace + 160 + 133 * batch_row) + i * batch_row;
      const real *r37 = (workspace + 160 + 136 * batch_row) + i * batch_row;
      const real *r56 = (workspace + 160 + 139 * batch_row);
      real *w58 = (workspace + 160 + 136 * batch_row) + i * batch_row;
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v42 = r42[j];
        const real v51 = v42 * v50;
        const real v36 = r36[j];
        const int v52 = v36 > (-69.0f);
        const real v53 = (real)v52;
        const real v37 = r37[j];
        const real v54 = v37 * v53;
        const real v56 = r56[j];
        const real v57 = v54 * v56;
        const real v58 = v51 + v57;
        w58[j] = v58;
      }
    }
  }
  
  /* layers.3: v59 = affine_gradient(v31, v58) */
  dots_3(batch, (workspace + 160 + 97 * batch_row), batch_row, (workspace + 160 + 136 * batch_row), batch_row, p10, 3, (p10 + 32 * 3));
  
  /* layers.3: v62 = matmul(v61, v58) */
  product_4(batch_row / VECTOR, 3, p1, 3, 1, (workspace + 160 + 136 * batch_row), batch_row, (workspace + 160 + 97 * batch_row), batch_row, 0, 0);
  
  /* layers.3: v63 = multiply(v30, v62) */
  /* layers.1: v64 = sum(v63, batch) */
  /* layers.3: v66 = multiply(v63, v11) */
  /* layers.3: v67 = sum(v66, batch) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r30 = (workspace + 160 + 65 * batch_row) + i * batch_row;
      const real *r62 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      const real *r11 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      real *w63 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      double s64 = 0;
      double s67 = 0;
      for (long begin = 0; begin < batch; begin += PIECE) {
        const long end = batch - begin < PIECE ? batch : begin + PIECE;
        real part_s64 = 0, part_s67 = 0;
        SIMD(reduction(+:part_s64, part_s67))
        for (long j = begin; j < end; j++) {
          const real v30 = r30[j];
          const real v62 = r62[j];
          const real v63 = v30 * v62;
          const real v11 = r11[j];
          const real v66 = v63 * v11;
          part_s64 += v63;
          part_s67 += v66;
          w63[j] = v63;
        }
        s64 += part_s64;
        s67 += part_s67;
      }
      p11[i * 1] = s64;
      (workspace + 176 + 143 * batch_row)[i * 1] = s67;
    }
  }
  
  /* layers.1: v68 = multiply(v67, v19) */
  {
    const real *r67 = (workspace + 176 + 143 * batch_row);
    const real *r19 = (workspace + 96 + 65 * batch_row);
    real *w68 = p12;
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v67 = r67[j];
      const real v19 = r19[j];
      const real v68 = v67 * v19;
      w68[j] = v68;
    }
  }
  
  /* layers.3: v72 = multiply(v67, inverse_rows) */
  /* layers.0: v73 = multiply(v19, v19) */
  /* layers.3: v74 = multiply(v72, v73) */
  {
    const real *r67 = (workspace + 176 + 143 * batch_row);
    const real *r19 = (workspace + 96 + 65 * batch_row);
    real *w74 = (workspace + 96 + 65 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v67 = r67[j];
      const real v72 = v67 * v6;
      const real v19 = r19[j];
      const real v73 = v19 * v19;
      const real v74 = v72 * v73;
      w74[j] = v74;
    }
  }
  
  /* layers.1: v77 = multiply(v64, inverse_rows) */
  {
    const real *r64 = p11;
    real *w77 = (workspace + 176 + 143 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v64 = r64[j];
      const real v77 = v64 * v6;
      w77[j] = v77;
    }
  }
  
  /* layers.0: v70 = multiply(v4, v4) */
  /* layers.0: v71 = subtract(1.0, v70) */
  /* layers.3: v75 = multiply(v11, v74) */
  /* layers.3: v76 = subtract(v63, v75) */
  /* layers.3: v78 = subtract(v76, v77) */
  /* layers.3: v79 = multiply(v78, v21) */
  /* layers.3: v80 = multiply(v71, v79) */
  {
    for (long i = 0; i < 32; i++) {
      const real *r4 = (workspace + 1 * batch_row) + i * batch_row;
      const real *r11 = (workspace + 32 + 33 * batch_row) + i * batch_row;
      const real *r63 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      real *w80 = (workspace + 160 + 97 * batch_row) + i * batch_row;
      const real v74 = (workspace + 96 + 65 * batch_row)[i * 1];
      const real v77 = (workspace + 176 + 143 * batch_row)[i * 1];
      const real v21 = (workspace + 128 + 65 * batch_row)[i * 1];
      SIMD()
      for (long j = 0; j < batch_row; j++) {
        const real v4 = r4[j];
        const real v70 = v4 * v4;
        const real v71 = 1.0f - v70;
        const real v11 = r11[j];
        const real v75 = v11 * v74;
        const real v63 = r63[j];
        const real v76 = v63 - v75;
        const real v78 = v76 - v77;
        const real v79 = v78 * v21;
        const real v80 = v71 * v79;
        w80[j] = v80;
      }
    }
  }
  
  /* layers.0: v81 = affine_gradient(x, v80) */
  transpose((workspace + 160 + 97 * batch_row), batch_row, 0, 32, batch, temporary, 32);
  product_5(4, batch, p3, batch, 1, temporary, 32, p13, 32, 0, ((temporary + 32 * batch_row) + 20 * 32));
  product_6(4, batch, (&one), 0, 0, temporary, 32, (temporary + 32 * batch_row), 32, 0, ((temporary + 32 * batch_row) + 20 * 32));
  memcpy((p13 + 20 * 32), (temporary + 32 * batch_row), 32 * sizeof(real));
  
  /* layers.0: v83 = add(v7, v10) */
  /* layers.1: v84 = subtract(v83, state.layers.1.running_mean) */
  /* layers.1: v86 = multiply(v84, 0.010000000000000009) */
  /* layers.1: v87 = add(state.layers.1.running_mean, v86) */
  {
    const real *r7 = (workspace + 33 * batch_row);
    const real *r10 = (workspace + 32 + 65 * batch_row);
    const real *r82 = p14;
    real *w87 = p14;
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v7 = r7[j];
      const real v10 = r10[j];
      const real v83 = v7 + v10;
      const real v82 = r82[j];
      const real v84 = v83 - v82;
      const real v86 = v84 * 0.01f;
      const real v87 = v82 + v86;
      w87[j] = v87;
    }
  }
  
  /* v89 = subtract(1.0, inverse_rows) */
  /* v90 = maximum(v89, inverse_rows) */
  {
    v89 = 1.0f - v6;
    v90 = r_max(v89, v6);
  }
  
  /* layers.0: v91 = divide(v15, v90) */
  /* layers.1: v92 = subtract(v91, state.layers.1.running_variance) */
  {
    const real *r15 = (workspace + 64 + 65 * batch_row);
    const real *r88 = p15;
    real *w92 = (workspace + 64 + 65 * batch_row);
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v15 = r15[j];
      const real v91 = v15 / v90;
      const real v88 = r88[j];
      const real v92 = v91 - v88;
      w92[j] = v92;
    }
  }
  
  /* v93 = greater(1.0, inverse_rows) */
  /* v94 = cast(v93) */
  /* v95 = multiply(v94, 0.010000000000000009) */
  {
    v93 = 1.0f > v6;
    v94 = (real)v93;
    v95 = v94 * 0.01f;
  }
  
  /* layers.1: v96 = multiply(v92, v95) */
  /* layers.1: v97 = add(state.layers.1.running_variance, v96) */
  {
    const real *r92 = (workspace + 64 + 65 * batch_row);
    const real *r88 = p15;
    real *w97 = p15;
    SIMD()
    for (long j = 0; j < 32; j++) {
      const real v92 = r92[j];
      const real v96 = v92 * v95;
      const real v88 = r88[j];
      const real v97 = v88 + v96;
      w97[j] = v97;
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


typedef unsigned __int128 wide;
#define WIDE(words, k) ((wide)(words)[2 * (k) + 1] << 64 | (words)[2 * (k)])
#define MULTIPLIER ((wide)0x2360ed051fc65da4u << 64 | 0x4385df649fccf645u)
INLINE uint64_t word_of(wide state)
{
  const uint64_t mixed = (uint64_t)(state >> 64) ^ (uint64_t)state;
  const unsigned turn = state >> 122;
  return mixed >> turn | mixed << (-turn & 63);
}

/* The numbers after a state of the generator with this increment. */
OUTLINE void draw(wide state, wide increment, real *to, long count)
{
  const wide twice = MULTIPLIER * MULTIPLIER, ahead = twice * twice;
  const wide increment_ahead = increment * (MULTIPLIER + 1) * (twice + 1);
  wide states[4];
  for (int k = 0; k < 4; k++) states[k] = state = state * MULTIPLIER + increment;
  for (long j = 0; j < count; j += 4 * 2) {
    for (int k = 0; k < 4; k++) {
      const uint64_t word = word_of(states[k]);
      states[k] = states[k] * ahead + increment_ahead;
      to[j + 2 * k] = ((uint32_t)word >> 8) * 0x1p-24f;
      to[j + 2 * k + 1] = (uint32_t)(word >> 40) * 0x1p-24f;
    }
  }
}

static void feed(void **p, const index64 *sizes, const index64 *indices) {
  const long batch = sizes[0];
  transpose(p[24], 20, indices, batch, 20, p[3], batch);
  for (long j = 0; j < batch; j++) ((index64 *)p[8])[j] = ((const index64 *)p[25])[indices[j]];
}
void feed_once(void **p, const index64 *sizes, const index64 *indices) {
  feed(p, sizes, indices);
}
index64 steps(void **p, const index64 *likely, index64 rows, index64 done, index64 count, const index64 *indices, const real *numbers, index64 numbers_step, const void *noise, index64 noise_step, const uint8_t *with_loss, double *losses) {
  index64 sizes[2];
  memcpy(sizes, likely, sizeof sizes);
  const real *of_step = noise;
  const uint64_t *const walk = noise;
  wide state = WIDE(walk, 0);
  for (index64 step = 0; step < count; step++) {
    sizes[0] = rows - done < likely[0] ? rows - done : likely[0];
    done = done + sizes[0] == rows ? 0 : done + sizes[0];
    const long batch = sizes[0], batch_row = PADDED(batch); (void)batch; (void)batch_row;
    const long flat = sizes[1], flat_row = PADDED(flat); (void)flat; (void)flat_row;
    if (indices) {
      feed(p, sizes, indices);
      indices += batch;
    }
    *(real *)p[4] = (real)(1.0 / batch);
    *(real *)p[9] = (real)(1.0 / batch);
    p[21] = (void *)(numbers + 0);
    p[22] = (void *)(numbers + 1);
    p[7] = (void *)((real *)p[23] + 0 * batch + 0);
    draw(state, WIDE(walk, 1), (real *)p[23], 32 * batch + 0);
    state = state * WIDE(walk, 2) + WIDE(walk, 3);
    gradient(p, sizes, with_loss[step]);
    if (with_loss[step]) losses[step] = ((real *)p[0])[160 + 143 * batch_row];
    *(real *)p[18] = clipping_factor(p[17], flat, 1.0);
    update_0(p, sizes, 0);
    numbers += numbers_step;
    of_step += noise_step;
    if (!isfinite(losses[step])) return step + 1;
  }
  return count;
}
