// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser and any bytes: what it reports is in its bounds, and does not depend on
 * how the bytes were cut.
 */
#include <string.h>

#include "fuzz.h"
#include "parse.h"

struct run {
	struct atw_parser p;
	u8 sink[ATW_PAYLOAD_MAX];
	u64 hash;
};

static void note(struct run *r, const void *bytes, size_t len)
{
	const u8 *b = bytes;

	while (len--)
		r->hash = (r->hash ^ *b++) * 0x100000001b3ull;
}

static void event(struct run *r, const struct atw_event *ev, u8 how)
{
	const u32 what[] = {
		ev->type, ev->id, ev->id2, ev->len, ev->code, ev->answer, ev->doubt,
	};

	note(r, what, sizeof(what));
	if (r->p.name && ev->type != ATW_EV_LINE && ev->type != ATW_EV_DAMAGE)
		DIE("event %d in a name", ev->type);
	if (ev->text && strlen(ev->text) > ATW_LINE_MAX)
		DIE("the text of event %d has no end", ev->type);
	switch (ev->type) {
	case ATW_EV_PAYLOAD:
	case ATW_EV_CERT:
		if (ev->id == ATW_NO_ID || !ev->id || ev->len > ATW_PAYLOAD_MAX)
			DIE("payload of %u bytes for %u", ev->len, ev->id);
		/* Some have no place. */
		atw_parser_sink(&r->p, how & 8 && ev->len % 3 ? NULL : r->sink);
		break;
	case ATW_EV_PAYLOAD_END:
		if (!(how & 8))
			note(r, r->sink, ev->len);
		break;
	case ATW_EV_PENDING:
	case ATW_EV_DISCONNECT:
	case ATW_EV_RECONNECT:
	case ATW_EV_AUTODEL:
	case ATW_EV_CHILD:
	case ATW_EV_EMPTY:
	case ATW_EV_CONNECTED:
	case ATW_EV_PAYLOAD_BAD:
	case ATW_EV_DOUBTFUL:
		if (ev->id == ATW_NO_ID || !ev->id)
			DIE("event %d of nobody", ev->type);
		break;
	case ATW_EV_DAMAGE:
	case ATW_EV_UNEXPECTED:
		if (ev->id != ATW_NO_ID || ev->id2 != ATW_NO_ID || ev->len)
			DIE("event %d of somebody", ev->type);
		break;
	case ATW_EV_PROMPT:
		r->p.expect_prompt = false;
		break;
	case ATW_EV_OK:
	case ATW_EV_ERROR:
		r->p.expect_final = how & 16;
		break;
	default:
		break;
	}
}

static u64 run(struct run *r, const u8 *data, size_t size, u8 how, u32 cut)
{
	struct atw_event ev;
	size_t end, at = 0;

	memset(r, 0, sizeof(*r));
	atw_parser_init(&r->p);
	r->p.expect_prompt = how & 1;
	r->p.expect_final = how & 2;
	r->p.expect_soon = how & 32;
	r->p.tears = how & 4;
	r->p.name = how & 64;
	do {
		/* In one piece, byte by byte, or anything between. */
		end = size;
		if (cut) {
			cut = cut * 1103515245 + 12345;
			end = at + 1 + (cut & 0x10000 ? 0 : cut >> 20 & 63);
			if (end > size)
				end = size;
		}
		do {
			u8 *piece = malloc(end - at);

			/* Of its own, so that no byte beside it is read. */
			memcpy(piece, data + at, end - at);
			at += atw_parse(&r->p, piece, end - at, &ev);
			free(piece);
			if (ev.type != ATW_EV_NONE)
				event(r, &ev, how);
			if (at > end)
				DIE("more was taken than there is");
		} while (ev.type != ATW_EV_NONE);
		if (at != end)
			DIE("%zu bytes were left", end - at);
	} while (at < size);
	if (atw_parse_pending(&r->p))
		DIE("bytes are still to be looked at again");
	if (atw_parse_idle(&r->p, &ev))
		event(r, &ev, how);
	atw_parse_lost(&r->p, &ev);
	return r->hash;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct run whole, cut;

	fuzz_count(size);
	if (size < 2)
		return 0;
	if (run(&whole, data + 2, size - 2, data[0], 0) !=
	    run(&cut, data + 2, size - 2, data[0], data[1] | 1))
		DIE("the pieces make a difference");
	return 0;
}
