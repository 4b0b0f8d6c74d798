// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// Y0 to Y3 have the sums of four rows, and Y4 to Y7 those of every other four terms,
// because an addition takes four times as long as starting one.
#define CLEAR \
	VXORPD Y0, Y0, Y0; \
	VXORPD Y1, Y1, Y1; \
	VXORPD Y2, Y2, Y2; \
	VXORPD Y3, Y3, Y3; \
	VXORPD Y4, Y4, Y4; \
	VXORPD Y5, Y5, Y5; \
	VXORPD Y6, Y6, Y6; \
	VXORPD Y7, Y7, Y7

// JOIN makes of four parts of each of the sums a, b, c and d one register of sums:
// a0+a1, b0+b1, a2+a3, b2+b3 and c0+c1, d0+d1, c2+c3, d2+d3, of these a0+a1, b0+b1,
// c0+c1, d0+d1 and a2+a3, b2+b3, c2+c3, d2+d3, and their sum.
#define JOIN \
	VADDPD     Y4, Y0, Y0; \
	VADDPD     Y5, Y1, Y1; \
	VADDPD     Y6, Y2, Y2; \
	VADDPD     Y7, Y3, Y3; \
	VHADDPD    Y1, Y0, Y0; \
	VHADDPD    Y3, Y2, Y2; \
	VPERM2F128 $0x20, Y2, Y0, Y1; \
	VPERM2F128 $0x31, Y2, Y0, Y3; \
	VADDPD     Y3, Y1, Y0

// TURN loads one value of each of the four rows into Y1.
#define TURN \
	VMOVSD      (R8)(AX*8), X1; \
	VMOVHPD     (R9)(AX*8), X1, X1; \
	VMOVSD      (R10)(AX*8), X2; \
	VMOVHPD     (R11)(AX*8), X2, X2; \
	VINSERTF128 $1, X2, Y1, Y1

// STORE writes the four sums, strides apart.
#define STORE \
	VEXTRACTF128 $1, Y0, X1; \
	LEAQ         (DI)(BX*8), AX; \
	VMOVSD       X0, (DI); \
	VMOVHPD      X0, (AX); \
	LEAQ         (AX)(BX*8), AX; \
	VMOVSD       X1, (AX); \
	VMOVHPD      X1, (AX)(BX*8)

// LANES begins a function of lanes: it loads its arguments.
#define LANES \
	MOVQ dst+0(FP), DI; \
	MOVQ stride+8(FP), BX; \
	MOVQ four+16(FP), R8; \
	MOVQ apart+24(FP), R11; \
	MOVQ m+32(FP), SI; \
	MOVQ cols+40(FP), CX; \
	MOVQ groups+48(FP), R13; \
	LEAQ (R8)(R11*8), R9; \
	LEAQ (R9)(R11*8), R10; \
	LEAQ (R10)(R11*8), R11; \
	LEAQ (BX)(BX*2), R14

// COLUMN loads one column: of eight rows into Y8 and Y9, and of the four into Y10 to Y13.
#define COLUMN \
	VMOVUPD      (SI), Y8; \
	VMOVUPD      32(SI), Y9; \
	VBROADCASTSD (R8)(AX*8), Y10; \
	VBROADCASTSD (R9)(AX*8), Y11; \
	VBROADCASTSD (R10)(AX*8), Y12; \
	VBROADCASTSD (R11)(AX*8), Y13; \
	ADDQ         $64, SI; \
	INCQ         AX

// WRITE stores the eight sums of each of the four rows, strides apart.
#define WRITE \
	LEAQ    (DI)(BX*8), AX; \
	VMOVUPD Y0, (DI); \
	VMOVUPD Y4, 32(DI); \
	VMOVUPD Y1, (AX); \
	VMOVUPD Y5, 32(AX); \
	VMOVUPD Y2, (AX)(BX*8); \
	VMOVUPD Y6, 32(AX)(BX*8); \
	VMOVUPD Y3, (DI)(R14*8); \
	VMOVUPD Y7, 32(DI)(R14*8); \
	ADDQ    $64, DI

// STEP adds the absolute difference of two columns to a sum.
#define STEP(m, x, sum) \
	VSUBPD m, x, Y14; \
	VANDPD Y15, Y14, Y14; \
	VADDPD Y14, sum, sum

// func fourFast(dst *float64, stride int, four *float64, apart int, m, add *float64, cols, rows int)
//
// The columns beyond the last eight, up to 7, are turned at first: tail has the values
// of the four rows in each.
TEXT ·fourFast(SB), NOSPLIT, $224-64
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), BX
	MOVQ four+16(FP), R8
	MOVQ apart+24(FP), R11
	MOVQ m+32(FP), SI
	MOVQ add+40(FP), R12
	MOVQ cols+48(FP), CX
	MOVQ rows+56(FP), R13
	LEAQ (R8)(R11*8), R9
	LEAQ (R9)(R11*8), R10
	LEAQ (R10)(R11*8), R11
	LEAQ tail-224(SP), R14
	MOVQ CX, DX
	ANDQ $-8, DX
	MOVQ DX, AX

turn:
	CMPQ    AX, CX
	JGE     row
	TURN
	VMOVUPD Y1, (R14)
	ADDQ    $32, R14
	INCQ    AX
	JMP     turn

row:
	CLEAR
	XORQ AX, AX

eight:
	CMPQ        AX, DX
	JGE         join
	VMOVUPD     (SI)(AX*8), Y8
	VMOVUPD     32(SI)(AX*8), Y9
	VFMADD231PD (R8)(AX*8), Y8, Y0
	VFMADD231PD (R9)(AX*8), Y8, Y1
	VFMADD231PD (R10)(AX*8), Y8, Y2
	VFMADD231PD (R11)(AX*8), Y8, Y3
	VFMADD231PD 32(R8)(AX*8), Y9, Y4
	VFMADD231PD 32(R9)(AX*8), Y9, Y5
	VFMADD231PD 32(R10)(AX*8), Y9, Y6
	VFMADD231PD 32(R11)(AX*8), Y9, Y7
	ADDQ        $8, AX
	JMP         eight

join:
	JOIN
	LEAQ tail-224(SP), R14

one:
	CMPQ         AX, CX
	JGE          store
	VBROADCASTSD (SI)(AX*8), Y8
	VFMADD231PD  (R14), Y8, Y0
	ADDQ         $32, R14
	INCQ         AX
	JMP          one

store:
	VBROADCASTSD (R12), Y8
	VADDPD       Y8, Y0, Y0
	STORE
	ADDQ         $8, DI
	ADDQ         $8, R12
	LEAQ         (SI)(CX*8), SI
	DECQ         R13
	JNZ          row
	VZEROUPPER
	RET

// func apartFast(dst *float64, stride int, four *float64, apart int, m *float64, cols, rows int)
TEXT ·apartFast(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), BX
	MOVQ four+16(FP), R8
	MOVQ apart+24(FP), R11
	MOVQ m+32(FP), SI
	MOVQ cols+40(FP), CX
	MOVQ rows+48(FP), R13
	LEAQ (R8)(R11*8), R9
	LEAQ (R9)(R11*8), R10
	LEAQ (R10)(R11*8), R11
	MOVQ CX, DX
	ANDQ $-8, DX

row:
	CLEAR
	XORQ AX, AX

eight:
	CMPQ        AX, DX
	JGE         half
	VMOVUPD     (SI)(AX*8), Y8
	VMOVUPD     32(SI)(AX*8), Y9
	VSUBPD      (R8)(AX*8), Y8, Y10
	VSUBPD      (R9)(AX*8), Y8, Y11
	VSUBPD      (R10)(AX*8), Y8, Y12
	VSUBPD      (R11)(AX*8), Y8, Y13
	VFMADD231PD Y10, Y10, Y0
	VFMADD231PD Y11, Y11, Y1
	VFMADD231PD Y12, Y12, Y2
	VFMADD231PD Y13, Y13, Y3
	VSUBPD      32(R8)(AX*8), Y9, Y10
	VSUBPD      32(R9)(AX*8), Y9, Y11
	VSUBPD      32(R10)(AX*8), Y9, Y12
	VSUBPD      32(R11)(AX*8), Y9, Y13
	VFMADD231PD Y10, Y10, Y4
	VFMADD231PD Y11, Y11, Y5
	VFMADD231PD Y12, Y12, Y6
	VFMADD231PD Y13, Y13, Y7
	ADDQ        $8, AX
	JMP         eight

half:
	LEAQ        4(AX), R14
	CMPQ        R14, CX
	JGT         join
	VMOVUPD     (SI)(AX*8), Y8
	VSUBPD      (R8)(AX*8), Y8, Y10
	VSUBPD      (R9)(AX*8), Y8, Y11
	VSUBPD      (R10)(AX*8), Y8, Y12
	VSUBPD      (R11)(AX*8), Y8, Y13
	VFMADD231PD Y10, Y10, Y0
	VFMADD231PD Y11, Y11, Y1
	VFMADD231PD Y12, Y12, Y2
	VFMADD231PD Y13, Y13, Y3
	MOVQ        R14, AX

join:
	JOIN

one:
	CMPQ         AX, CX
	JGE          store
	VBROADCASTSD (SI)(AX*8), Y8
	TURN
	VSUBPD       Y1, Y8, Y1
	VFMADD231PD  Y1, Y1, Y0
	INCQ         AX
	JMP          one

store:
	STORE
	ADDQ $8, DI
	LEAQ (SI)(CX*8), SI
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// func lanesFast(dst *float64, stride int, four *float64, apart int, m *float64, cols, groups int)
TEXT ·lanesFast(SB), NOSPLIT, $0-56
	LANES

group:
	CLEAR
	XORQ AX, AX

column:
	CMPQ        AX, CX
	JGE         write
	COLUMN
	VFMADD231PD Y8, Y10, Y0
	VFMADD231PD Y8, Y11, Y1
	VFMADD231PD Y8, Y12, Y2
	VFMADD231PD Y8, Y13, Y3
	VFMADD231PD Y9, Y10, Y4
	VFMADD231PD Y9, Y11, Y5
	VFMADD231PD Y9, Y12, Y6
	VFMADD231PD Y9, Y13, Y7
	JMP         column

write:
	WRITE
	DECQ R13
	JNZ  group
	VZEROUPPER
	RET

// func blocksFast(dst *float64, stride int, four *float64, apart int, m *float64, cols, groups int)
TEXT ·blocksFast(SB), NOSPLIT, $0-56
	LANES
	VPCMPEQQ Y15, Y15, Y15
	VPSRLQ   $1, Y15, Y15 // all bits but the sign

group:
	CLEAR
	XORQ AX, AX

column:
	CMPQ AX, CX
	JGE  write
	COLUMN
	STEP(Y8, Y10, Y0)
	STEP(Y8, Y11, Y1)
	STEP(Y8, Y12, Y2)
	STEP(Y8, Y13, Y3)
	STEP(Y9, Y10, Y4)
	STEP(Y9, Y11, Y5)
	STEP(Y9, Y12, Y6)
	STEP(Y9, Y13, Y7)
	JMP  column

write:
	WRITE
	DECQ R13
	JNZ  group
	VZEROUPPER
	RET

// func withinFast(p *float64, n int, limit float64) bool
//
// Without their signs, the bits of floats are ordered as integers. Those of NaN come
// after infinity's.
TEXT ·withinFast(SB), NOSPLIT, $0-25
	MOVQ         p+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSD limit+16(FP), Y0
	VPCMPEQQ     Y1, Y1, Y1
	VPSRLQ       $1, Y1, Y1 // all bits but the sign
	VPXOR        Y2, Y2, Y2 // of what is beyond
	VPXOR        Y3, Y3, Y3
	LEAQ         (SI)(CX*8), CX

sixteen:
	CMPQ     SI, CX
	JGE      end
	VPAND    (SI), Y1, Y4
	VPAND    32(SI), Y1, Y5
	VPAND    64(SI), Y1, Y6
	VPAND    96(SI), Y1, Y7
	VPCMPGTQ Y0, Y4, Y4
	VPCMPGTQ Y0, Y5, Y5
	VPCMPGTQ Y0, Y6, Y6
	VPCMPGTQ Y0, Y7, Y7
	VPOR     Y4, Y2, Y2
	VPOR     Y5, Y3, Y3
	VPOR     Y6, Y2, Y2
	VPOR     Y7, Y3, Y3
	ADDQ     $128, SI
	JMP      sixteen

end:
	VPOR   Y3, Y2, Y2
	VPTEST Y2, Y2
	SETEQ  ret+24(FP)
	VZEROUPPER
	RET

// func singlesFast(dst *float32, src *float64, n int)
TEXT ·singlesFast(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	LEAQ (DI)(CX*4), CX

eight:
	CMPQ       DI, CX
	JGE        end
	VCVTPD2PSY (SI), X0
	VCVTPD2PSY 32(SI), X1
	VMOVUPS    X0, (DI)
	VMOVUPS    X1, 16(DI)
	ADDQ       $64, SI
	ADDQ       $32, DI
	JMP        eight

end:
	VZEROUPPER
	RET
