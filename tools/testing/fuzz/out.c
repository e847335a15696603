// SPDX-License-Identifier: GPL-2.0-only
/*
 * What atwctl prints of anybody's words: characters that no terminal obeys, be it text or JSON,
 * and the JSON is of what was said.
 */
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "fuzz.h"
#include "out.h"

/* What goes to standard output goes there meanwhile. */
static char *printed;
static size_t n_printed;
static FILE *usual;

static void begin(void)
{
	usual = stdout;
	stdout = open_memstream(&printed, &n_printed);
}

/* Lines of characters, none of which is a control: C0, DEL, or C1. */
static void end(void)
{
	mbstate_t state = { 0 };
	const char *s;
	size_t n;
	wchar_t c;

	fclose(stdout);
	stdout = usual;
	for (s = printed; s < printed + n_printed; s += n) {
		n = mbrtowc(&c, s, printed + n_printed - s, &state);
		if (!n || n > 4)
			DIE("no character");
		if (c != '\n' && (c < ' ' || (c >= 0x7f && c < 0xa0)))
			DIE("a terminal is told %#x", (unsigned int)c);
	}
}

static void check_text(const char *text)
{
	begin();
	out_text(text);
	end();
	if (n_printed < strlen(text) || memchr(printed, '\n', n_printed))
		DIE("not all of it, or more lines");
	free(printed);
}

static void check_json(struct json_object *obj, bool line)
{
	struct json_object *again;

	begin();
	out_json(json_object_get(obj), line);
	end();
	again = json_tokener_parse(printed);
	if (!json_object_equal(obj, again))
		DIE("other JSON: %s", printed);
	if (line && strchr(printed, '\n') != printed + n_printed - 1)
		DIE("not one line: %s", printed);
	json_object_put(again);
	free(printed);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct json_object *obj = json_object_new_object();
	char *text = strndup((const char *)data, size);

	fuzz_count(size);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		DIE("no locale");
	json_object_object_add(obj, "said", out_string(data, size));
	json_object_object_add(obj, "text", out_string(text, strlen(text)));
	check_text(text);
	check_text(out_get(obj, "text", ""));
	check_json(obj, false);
	check_json(obj, true);
	free(text);
	json_object_put(obj);
	return 0;
}
