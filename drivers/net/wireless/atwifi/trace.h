/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What passes on the line, without what may be secret in it: names of commands
 * but no parameters, lengths of payloads but no bytes.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM atwifi

#if !defined(_ATWIFI_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ATWIFI_TRACE_H

#include <linux/device.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#ifndef ATW_TRACE_NAME
#define ATW_TRACE_NAME	16
#define ATW_TRACE_CMD	24

/* A test's channel may have no device, or one without a name. */
static inline void atw_trace_name(char *dst, const struct device *dev)
{
	const char *name = dev ? dev_name(dev) : NULL;

	strscpy(dst, name ?: "", ATW_TRACE_NAME);
}

/* The parameters begin behind the '=': passwords may be among them. */
static inline void atw_trace_cmd(char *dst, const char *line, size_t len)
{
	size_t i, max = min_t(size_t, len, ATW_TRACE_CMD - 1);

	for (i = 0; i < max; i++) {
		if (line[i] == '=' || line[i] == '?' || line[i] < ' ')
			break;
		dst[i] = line[i];
	}
	dst[i] = '\0';
}
#endif

TRACE_EVENT(atw_command,
	TP_PROTO(const struct device *dev, const char *line, size_t len),
	TP_ARGS(dev, line, len),
	TP_STRUCT__entry(
		__array(char, name, ATW_TRACE_NAME)
		__array(char, cmd, ATW_TRACE_CMD)
		__field(u32, len)
	),
	TP_fast_assign(
		atw_trace_name(__entry->name, dev);
		atw_trace_cmd(__entry->cmd, line, len);
		__entry->len = len;
	),
	TP_printk("%s %s len=%u", __entry->name, __entry->cmd, __entry->len)
);

TRACE_EVENT(atw_final,
	TP_PROTO(const struct device *dev, int result, u32 code),
	TP_ARGS(dev, result, code),
	TP_STRUCT__entry(
		__array(char, name, ATW_TRACE_NAME)
		__field(int, result)
		__field(u32, code)
	),
	TP_fast_assign(
		atw_trace_name(__entry->name, dev);
		__entry->result = result;
		__entry->code = code;
	),
	TP_printk("%s result=%d code=%u", __entry->name, __entry->result,
		  __entry->code)
);

TRACE_EVENT(atw_event,
	TP_PROTO(const struct device *dev, int type, u32 id, u32 len),
	TP_ARGS(dev, type, id, len),
	TP_STRUCT__entry(
		__array(char, name, ATW_TRACE_NAME)
		__field(int, type)
		__field(u32, id)
		__field(u32, len)
	),
	TP_fast_assign(
		atw_trace_name(__entry->name, dev);
		__entry->type = type;
		__entry->id = id;
		__entry->len = len;
	),
	TP_printk("%s type=%d id=%d len=%u", __entry->name, __entry->type,
		  __entry->id, __entry->len)
);

TRACE_EVENT(atw_payload,
	TP_PROTO(const struct device *dev, bool tx, u32 id, u32 len),
	TP_ARGS(dev, tx, id, len),
	TP_STRUCT__entry(
		__array(char, name, ATW_TRACE_NAME)
		__field(bool, tx)
		__field(u32, id)
		__field(u32, len)
	),
	TP_fast_assign(
		atw_trace_name(__entry->name, dev);
		__entry->tx = tx;
		__entry->id = id;
		__entry->len = len;
	),
	TP_printk("%s %s id=%d len=%u", __entry->name,
		  __entry->tx ? "tx" : "rx", __entry->id, __entry->len)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
