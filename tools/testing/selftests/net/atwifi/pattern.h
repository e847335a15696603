/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The streams that peer and tests send each other: every byte follows from a
 * seed and its offset, so that a missing, doubled, foreign or displaced byte
 * shows at the very place, and any piece can be checked by itself.
 */
#ifndef ATW_PATTERN_H
#define ATW_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

static inline uint64_t pattern_word(uint32_t seed, uint64_t index)
{
	uint64_t x = ((uint64_t)seed << 40) + index * 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline void pattern_fill(void *buf, size_t len, uint32_t seed, uint64_t offset)
{
	uint8_t *p = buf;

	while (len) {
		uint64_t word = pattern_word(seed, offset / 8) >> offset % 8 * 8;

		do {
			*p++ = word;
			word >>= 8;
			offset++;
			len--;
		} while (len && offset % 8);
	}
}

/* The index of the first byte that is not as it should be; -1: all are. */
static inline ssize_t pattern_check(const void *buf, size_t len, uint32_t seed, uint64_t offset)
{
	const uint8_t *p = buf;
	size_t i = 0;

	while (i < len) {
		uint64_t word = pattern_word(seed, offset / 8) >> offset % 8 * 8;

		do {
			if (p[i] != (uint8_t)word)
				return i;
			word >>= 8;
			offset++;
			i++;
		} while (i < len && offset % 8);
	}
	return -1;
}

/* Datagrams of a row: each begins with its number. */
static inline void datagram_fill(void *buf, size_t len, uint32_t seed, uint32_t seq)
{
	uint8_t *p = buf;

	p[0] = seq;
	p[1] = seq >> 8;
	p[2] = seq >> 16;
	p[3] = seq >> 24;
	pattern_fill(p + 4, len - 4, seed, (uint64_t)seq * len);
}

/* The number of a datagram that is whole and as it was sent; -1 of any other. */
static inline int64_t datagram_check(const void *buf, size_t len, size_t size, uint32_t seed)
{
	const uint8_t *p = buf;
	uint32_t seq;

	if (len != size || size < 4)
		return -1;
	seq = p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
	return pattern_check(p + 4, len - 4, seed, (uint64_t)seq * len) < 0 ? (int64_t)seq : -1;
}

#endif
