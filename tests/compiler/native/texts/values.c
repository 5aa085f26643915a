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

OUTLINE void dots_1(long depth, const real *a, long a_row, const real *b, long b_row, real *c, long c_row, real *sums_of_b) {
  for (long n = 0; n < 1; n += 1) {
    for (long m = 0; m < 4; m += 4) {
      const real *a0 = a + (m + 0) * a_row;
      const real *a1 = a + (m + 1) * a_row;
      const real *a2 = a + (m + 2) * a_row;
      const real *a3 = a + (m + 3) * a_row;
      const real *b0 = b + (n + 0) * b_row;
      double s0_0 = 0, s1_0 = 0, s2_0 = 0, s3_0 = 0, t0 = 0;
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
      double s0_0 = 0, s0_1 = 0, s0_2 = 0, s0_3 = 0, s1_0 = 0, s1_1 = 0, s1_2 = 0, s1_3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
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
      double s0_0 = 0, s0_1 = 0, s0_2 = 0, s0_3 = 0;
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
      double s29 = 0;
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
        double s34 = 0;
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
        double s39 = 0;
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
      double s44 = 0;
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
      double s48 = 0;
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
static void feed(void **p, const index64 *sizes, const index64 *indices) {
  const long batch = sizes[0];
  transpose(p[12], 3, indices, batch, 3, p[3], batch);
  for (long j = 0; j < batch; j++) ((real *)p[4])[j] = ((const real *)p[13])[indices[j]];
}
void feed_once(void **p, const index64 *sizes, const index64 *indices) {
  feed(p, sizes, indices);
}
index64 steps(void **p, const index64 *likely, index64 rows, index64 done, index64 count, const index64 *indices, const real *numbers, index64 numbers_step, const void *noise, index64 noise_step, const uint8_t *with_loss, double *losses) {
  index64 sizes[2];
  memcpy(sizes, likely, sizeof sizes);
  const real *of_step = noise;
  for (index64 step = 0; step < count; step++) {
    sizes[0] = rows - done < likely[0] ? rows - done : likely[0];
    done = done + sizes[0] == rows ? 0 : done + sizes[0];
    const long batch = sizes[0], batch_row = PADDED(batch); (void)batch; (void)batch_row;
    const long flat = sizes[1], flat_row = PADDED(flat); (void)flat; (void)flat_row;
    if (indices) {
      feed(p, sizes, indices);
      indices += batch;
    }
    *(real *)p[5] = (real)(1.0 / batch);
    p[11] = (void *)(numbers + 0);
    gradient(p, sizes, with_loss[step]);
    if (with_loss[step]) losses[step] = ((real *)p[0])[19 * batch_row];
    update_0(p, sizes, 0);
    numbers += numbers_step;
    of_step += noise_step;
    if (!isfinite(losses[step])) return step + 1;
  }
  return count;
}
