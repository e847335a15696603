/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of AF_ATWIFI share.
 *
 * Environment, set by the runner:
 *  ATW_HOST           address of the peer as seen through the module
 *  ATW_FAMILY         "inet": sockets of AF_INET, which find the module's network
 *                     device by themselves
 *  ATW_PEER_PORT      where the peer listens
 *  ATW_GREET_PORT     where it speaks first
 *  ATW_NAME           a name of the peer that the module can resolve
 *  ATW_HOLE           an address that never answers
 *  ATW_MAX_SOCKETS    how many sockets the module has
 *  ATW_PROFILE        the family of its firmware, as the emulator names it
 *  ATW_SIM_CONTROL    the emulator's control socket, or a device that stands
 *                     for it; tests that need one are skipped without
 */
#ifndef ATW_UTIL_H
#define ATW_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/atwifi.h>

#define ATW_PROC	"/proc/net/atwifi"
#define ATW_GROUPS	"/proc/sys/net/atwifi/socket_group_range"
#define ATW_DEVICE	"atw0"
#define ATW_RECV_MODE	"/sys/class/atwifi/" ATW_DEVICE "/recv_mode"
#define ATW_TRACING	"/sys/kernel/tracing/"
/* What atw_trace_begin() makes. */
#define ATW_TRACE	ATW_TRACING "instances/atwifi/"
#define GREETING	"the peer speaks first\n"

/*
 * What no test should ever have to wait for, on however slow a machine: less than the
 * peer's IDLE_SECONDS.
 */
#define LONG_S		100
#define LONG_MS		(LONG_S * 1000)

/* How long the emulated module waits for an answer: usually, and where it is held. */
#define HOLD_USUAL	5000
#define HOLD_LONG	(2 * LONG_MS)
#define HOLD_ENDS	1

/* What hangs is ended, and nothing that is only slow: 30 s are too few for that. */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	(3 * LONG_S)
#endif

int atw_family(void);
const char *atw_env(const char *name, const char *otherwise);
int atw_peer_port(void);
int atw_greet_port(void);
int atw_max_sockets(void);
uint64_t atw_now_ms(void);
bool atw_kernel_at_least(unsigned int major, unsigned int minor);
void atw_pause_ms(int ms);

int atw_socket(int type);
int atw_failed(int fd);
int atw_bind(int fd, int port);
int atw_port(int fd);
int atw_server(int type, int backlog, int *port);
int atw_accept(int fd);
int atw_dial(int port, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int atw_client(int server, int port, const char *verb);
bool atw_profile_is(const char *name);
bool atw_of_open_sdk(void);
struct sockaddr_atw atw_addr(const char *ip, int port);
struct sockaddr_atw atw_name_addr(const char *name, int port);
int atw_connect(int fd, const struct sockaddr_atw *addr);
int atw_connect_host(int fd, int port);
int atw_connect_hole(int fd);
int atw_disconnect(int fd);
int atw_connect_anew(int fd, const struct sockaddr_atw *addr);
int atw_timeouts(int fd, int ms);
int atw_peer(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int atw_peer_on(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

ssize_t atw_send_all(int fd, const void *buf, size_t len);
ssize_t atw_recv_all(int fd, void *buf, size_t len);
ssize_t atw_recv_line(int fd, char *buf, size_t size);
int atw_wait(int fd, short events, int ms);
int atw_upload(int fd, uint64_t bytes, uint32_t seed);
int64_t atw_download(int fd, uint64_t bytes, uint32_t seed, int *err);
int64_t atw_download_acked(int fd, uint64_t bytes, uint32_t seed, uint32_t window, int *err);
bool atw_echo_works(int fd, uint32_t seed, size_t len);
uint64_t atw_meter(int fd);

char *atw_slurp(const char *path);
int atw_write(const char *path, const char *text);
bool atw_trace_begin(void);
void atw_trace_end(void);
int atw_listed(void);
bool atw_listed_becomes(int count, int ms);
long atw_stat(const char *device, const char *name);
bool file_says(const char *device, const char *file, const char *want);
bool atw_state_becomes(const char *device, const char *state, int ms);
bool logged(int fd, const char *one, const char *two);

bool atw_sleeps(pid_t tid);
bool atw_settled(void);
bool atw_emptied(void);
int atw_room(int fd);
bool atw_reset_module(const char *device);
int atw_hold(int ms);
int atw_hold_module(void);
int atw_patience_ms(int ms);
long atw_link_polls(uint64_t since);
int atw_cert(const char *which, const char *file);
bool atw_has_sim(void);
int atw_sim_at(const char *path, char *reply, size_t size, const char *command);
int atw_sim(const char *command);
long atw_sim_stat(const char *name);
bool atw_sim_has(long count, int ms);

/* Whether something becomes true in that time: it is looked at again and again. */
#define atw_becomes(condition, ms) ({				\
	uint64_t limit_ = atw_now_ms() + (ms);			\
	bool is_;						\
								\
	while (!(is_ = (condition)) && atw_now_ms() < limit_)	\
		atw_pause_ms(10);				\
	is_;							\
})

/* kselftest's ASSERT_* print numbers: the name of an errno says more. */
#define ASSERT_ERRNO(expected, call) do {			\
	errno = 0;						\
	ASSERT_EQ(-1, call) {					\
		TH_LOG("expected " #expected);			\
	}							\
	ASSERT_STREQ(#expected, atw_errno_name(errno));		\
} while (0)

const char *atw_errno_name(int err);

#endif
