/* SPDX-License-Identifier: GPL-2.0 */
#include <endian.h>

#define cpu_to_be16	htobe16
#define cpu_to_be32	htobe32
#define be32_to_cpu	be32toh
