/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzzers share: choices made by the fuzzer's bytes, and what is wrong. */
#ifndef ATW_FUZZ_H
#define ATW_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef FUZZ_USER
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
#else
#include <linux/types.h>
#endif

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* How much of it was looked at, which is told at the end; and how much is to be, 0: any. */
static u64 fuzz_bytes;
static u64 fuzz_limit;

static void fuzz_tell(void)
{
	fprintf(stderr, "stat::bytes: %llu\n", (unsigned long long)fuzz_bytes);
}

static __attribute__((constructor)) void fuzz_begin(void)
{
	const char *limit = getenv("FUZZ_BYTES");

	if (limit)
		fuzz_limit = strtoull(limit, NULL, 10);
	atexit(fuzz_tell);
}

/* So many bytes are about to be looked at; where that are enough it ends here, well. */
static inline void fuzz_count(size_t n)
{
	if (fuzz_limit && fuzz_bytes >= fuzz_limit) {
		fuzz_tell();
		/* Not by exit(), which libFuzzer takes for a finding. */
		_exit(0);
	}
	fuzz_bytes += n;
}

static const u8 *choice_data;
static size_t choice_left;
static u64 choice_state;

static inline void choices_from(const u8 *data, size_t size)
{
	choice_data = data;
	choice_left = size;
	choice_state = size;
}

/* Below @n. When the fuzzer's bytes are used up they go on by themselves. */
static inline u32 choose(u32 n)
{
	u32 v = 0;

	if (choice_left) {
		v = *choice_data++;
		choice_left--;
		if (n > 256 && choice_left) {
			v = v << 8 | *choice_data++;
			choice_left--;
		}
		return v % n;
	}
	choice_state = choice_state * 6364136223846793005ull + 1442695040888963407ull;
	return (choice_state >> 33) % n;
}

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define DIE(...) do {					\
	fprintf(stderr, "wrong: " __VA_ARGS__);		\
	fputc('\n', stderr);				\
	abort();					\
} while (0)

#endif
