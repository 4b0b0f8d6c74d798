// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

DATA exponents<>+0(SB)/8, $0x3ff71547652b82fe // 1/ln 2
DATA exponents<>+8(SB)/8, $0x4338000000000000 // 1.5*2^52: beyond it, floats are integers
DATA exponents<>+16(SB)/8, $0x3fe62e42fefa39ef // ln 2
DATA exponents<>+24(SB)/8, $0x3c7abc9e3b39803f // ln 2 - that
DATA exponents<>+32(SB)/8, $0x3de6124613a86d09 // 1/13!
DATA exponents<>+40(SB)/8, $0x3e21eed8eff8d898 // 1/12!
DATA exponents<>+48(SB)/8, $0x3e5ae64567f544e4 // 1/11!
DATA exponents<>+56(SB)/8, $0x3e927e4fb7789f5c // 1/10!
DATA exponents<>+64(SB)/8, $0x3ec71de3a556c734 // 1/9!
DATA exponents<>+72(SB)/8, $0x3efa01a01a01a01a // 1/8!
DATA exponents<>+80(SB)/8, $0x3f2a01a01a01a01a // 1/7!
DATA exponents<>+88(SB)/8, $0x3f56c16c16c16c17 // 1/6!
DATA exponents<>+96(SB)/8, $0x3f81111111111111 // 1/5!
DATA exponents<>+104(SB)/8, $0x3fa5555555555555 // 1/4!
DATA exponents<>+112(SB)/8, $0x3fc5555555555555 // 1/3!
DATA exponents<>+120(SB)/8, $0x3fe0000000000000 // 1/2!
DATA exponents<>+128(SB)/8, $0x3ff0000000000000 // 1/1!
DATA exponents<>+136(SB)/8, $0x3ff0000000000000 // 1/0!
GLOBL exponents<>(SB), RODATA|NOPTR, $144

// TERM multiplies the four registers of a polynomial by x and adds a coefficient.
#define TERM(offset) \
	VBROADCASTSD exponents<>+offset(SB), Y12; \
	VFMADD213PD  Y12, Y0, Y8; \
	VFMADD213PD  Y12, Y1, Y9; \
	VFMADD213PD  Y12, Y2, Y10; \
	VFMADD213PD  Y12, Y3, Y11

// func expFast(p *float64, n int)
//
// exp(x) is 2^k exp(x - k ln 2), with k next to x/ln 2. The second factor is its Taylor series. To add
// k to the exponent of a float multiplies it by 2^k.
TEXT ·expFast(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	LEAQ (SI)(CX*8), CX

sixteen:
	CMPQ         SI, CX
	JGE          end
	VMOVUPD      (SI), Y0
	VMOVUPD      32(SI), Y1
	VMOVUPD      64(SI), Y2
	VMOVUPD      96(SI), Y3
	VBROADCASTSD exponents<>+0(SB), Y13
	VBROADCASTSD exponents<>+8(SB), Y12
	VMOVAPD      Y12, Y4
	VMOVAPD      Y12, Y5
	VMOVAPD      Y12, Y6
	VMOVAPD      Y12, Y7
	VFMADD231PD  Y13, Y0, Y4
	VFMADD231PD  Y13, Y1, Y5
	VFMADD231PD  Y13, Y2, Y6
	VFMADD231PD  Y13, Y3, Y7
	VSUBPD       Y12, Y4, Y8
	VSUBPD       Y12, Y5, Y9
	VSUBPD       Y12, Y6, Y10
	VSUBPD       Y12, Y7, Y11
	VBROADCASTSD exponents<>+16(SB), Y12
	VBROADCASTSD exponents<>+24(SB), Y13
	VFNMADD231PD Y12, Y8, Y0
	VFNMADD231PD Y12, Y9, Y1
	VFNMADD231PD Y12, Y10, Y2
	VFNMADD231PD Y12, Y11, Y3
	VFNMADD231PD Y13, Y8, Y0
	VFNMADD231PD Y13, Y9, Y1
	VFNMADD231PD Y13, Y10, Y2
	VFNMADD231PD Y13, Y11, Y3
	VBROADCASTSD exponents<>+32(SB), Y8
	VMOVAPD      Y8, Y9
	VMOVAPD      Y8, Y10
	VMOVAPD      Y8, Y11
	TERM(40)
	TERM(48)
	TERM(56)
	TERM(64)
	TERM(72)
	TERM(80)
	TERM(88)
	TERM(96)
	TERM(104)
	TERM(112)
	TERM(120)
	TERM(128)
	TERM(136)
	VPSLLQ       $52, Y4, Y4
	VPSLLQ       $52, Y5, Y5
	VPSLLQ       $52, Y6, Y6
	VPSLLQ       $52, Y7, Y7
	VPADDQ       Y4, Y8, Y8
	VPADDQ       Y5, Y9, Y9
	VPADDQ       Y6, Y10, Y10
	VPADDQ       Y7, Y11, Y11
	VMOVUPD      Y8, (SI)
	VMOVUPD      Y9, 32(SI)
	VMOVUPD      Y10, 64(SI)
	VMOVUPD      Y11, 96(SI)
	ADDQ         $128, SI
	JMP          sixteen

end:
	VZEROUPPER
	RET
