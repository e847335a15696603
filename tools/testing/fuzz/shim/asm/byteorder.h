/* SPDX-License-Identifier: GPL-2.0-only */
#include <endian.h>

#define cpu_to_be16	htobe16
#define cpu_to_be32	htobe32
#define be32_to_cpu	be32toh

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define __LITTLE_ENDIAN_BITFIELD
#define __constant_cpu_to_be32	__builtin_bswap32
#else
#define __BIG_ENDIAN_BITFIELD
#define __constant_cpu_to_be32
#endif
