// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bringing up a module that is in any state, and finding its rate.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>

#include "kselftest_harness.h"
#include "pattern.h"
#include "ptys.h"
#include "util.h"

/* The host died while it sent: the module waits for the rest of the payload. */
TEST_F(module, left_in_payload)
{
	self->tty = open_tty(self->sim.tty, B115200);
	ASSERT_LE(0, self->tty);
	ASSERT_TRUE(raw_until(self->tty, "AT\r\n", "OK\r\n"));
	ASSERT_TRUE(raw(self->tty, "AT+SSLCRET=1,900\r\n", ">"));
	ASSERT_EQ(5, write(self->tty, "-----", 5));
	close(self->tty);
	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device, 5000));
}

TEST_F(module, left_in_transparent_mode)
{
	char command[64];

	self->tty = open_tty(self->sim.tty, B115200);
	ASSERT_LE(0, self->tty);
	snprintf(command, sizeof(command), "AT+SOCKET=4,192.0.2.1,%d\r\n", atw_peer_port());
	ASSERT_TRUE(raw_until(self->tty, command, "OK\r\n"));
	ASSERT_TRUE(raw(self->tty, "AT+SOCKETTT\r\n", ">"));
	/* What comes back meanwhile is no answer of the module. */
	ASSERT_TRUE(raw(self->tty, "echo\r\n\r\nOK\r\n", "OK"));
	close(self->tty);
	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device, 5000));
}

/* Sockets of the host's life before: closed, so that all are ours. */
TEST_F(module, stale_sockets)
{
	int fd[16], i, max = atw_max_sockets();
	char command[64];

	self->tty = open_tty(self->sim.tty, B115200);
	ASSERT_LE(0, self->tty);
	snprintf(command, sizeof(command), "AT+SOCKET=4,192.0.2.1,%d\r\n", atw_peer_port());
	ASSERT_TRUE(raw_until(self->tty, command, "OK\r\n"));
	for (i = 1; i < max; i++) {
		ASSERT_TRUE(raw(self->tty, command, "OK\r\n"));
	}
	ASSERT_EQ(max, sim_stat(&self->sim, "sockets"));
	close(self->tty);
	ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
			    sizeof(self->device)));
	ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS));
	for (i = 0; i < max; i++) {
		fd[i] = peer_by(self->device, "echo");
		ASSERT_LE(0, fd[i]);
		ASSERT_TRUE(atw_echo_works(fd[i], i, 100));
	}
}

/* A module that restarts while it is being brought up. */
TEST_F(module, banner_at_any_moment)
{
	static const int after_ms[] = { 0, 20, 60, 150, 300, 450, 700, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(after_ms); i++) {
		ASSERT_EQ(0, attach(self->sim.tty, B115200, &self->tty, self->device,
				    sizeof(self->device)));
		atw_pause_ms(after_ms[i]);
		ASSERT_EQ(0, sim_tell(&self->sim, "reset"));
		ASSERT_TRUE(atw_state_becomes(self->device, "joined", UP_MS)) {
			TH_LOG("reset %d ms after the attaching", after_ms[i]);
		}
		/* It may have been joined before the reset was noticed. */
		ASSERT_TRUE(transfers_in_time(self->device, 3000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty));
		close(self->tty);
		self->tty = -1;
	}
}

/* The module runs at another rate than the line: found, and raised. */
TEST_F(line, wrong_rate)
{
	static const char *const rate[LINES] = {
		"115200", "9600", "460800", "921600", "3000000", "4000000",
	};
	int i;

	/* All at the same time: most of it is waiting for answers at other rates. */
	for (i = 0; i < LINES; i++) {
		ASSERT_EQ(0, sim_start(&self->sim[i], "middleware", "--uart-rate", rate[i]));
		ASSERT_EQ(0, attach(self->sim[i].tty, B921600, &self->tty[i], self->device[i],
				    16));
	}
	for (i = 0; i < LINES; i++) {
		ASSERT_TRUE(atw_state_becomes(self->device[i], "joined", UP_MS)) {
			TH_LOG("the module runs at %s", rate[i]);
		}
		EXPECT_TRUE(file_says(self->device[i], "baud", "921600\n"));
		ASSERT_TRUE(transfer(self->device[i], 20000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[i]));
	}
}

/* Firmware that swallows what is longer than 1024 bytes: one upload fails, no other. */
TEST_F(line, long_sends_swallowed)
{
	int fd, i;
	char byte;

	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--quirk", "send-max=1024"));
	/* At lower rates no more are sent at a time. */
	ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	fd = peer_by(self->device[0], "hold");
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_upload(fd, 20000, 51));
	ASSERT_ERRNO(ECONNRESET, recv(fd, &byte, 1, 0));
	close(fd);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(transfer(self->device[0], 20000));
	}
	/* Also after it has started again. */
	ASSERT_TRUE(restart(&self->sim[0], self->device[0]));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	ASSERT_TRUE(transfer(self->device[0], 20000));
}

/*
 * A module that says it runs at one bit per second, or at more than there is, or at less than
 * it does: no wait grows out of that, in its transparent mode nor when the device is taken away.
 */
TEST_F(line, rate_of_nonsense)
{
	static const struct {
		const char *quirk;
		int bytes;
	} lies[] = {
		{ "uart-told=1", 1000 }, { "uart-told=2000000000", 1000 },
		/* This one is believed, and what is written takes as long as it says. */
		{ "uart-told=1200", 100 },
	};
	int fd, on = 1, n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		n = lies[i].bytes;
		ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--quirk", lies[i].quirk));
		ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0],
				    16));
		ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
		fd = peer_by(self->device[0], "echo");
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, setsockopt(fd, SOL_ATWIFI, ATW_TRANSPARENT, &on, sizeof(on)));
		ASSERT_TRUE(atw_echo_works(fd, 1, n));
		/* More than goes without its being left. */
		ASSERT_TRUE(atw_echo_works(fd, 2, 2 * n));
		ASSERT_TRUE(atw_echo_works(fd, 3, n));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(fd);
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
}

/* The wire does not bear the rate that is asked for: both stay at the old one. */
TEST_F(line, rate_taken_back)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int fd;

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault", "slow-wire,dir=out"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0], 16));
	/* The module is at another rate than the line: it is looked for first. */
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(file_says(self->device[0], "baud", "115200\n"));
	EXPECT_TRUE(logged(log, "atwifi", "921600 baud does not work"));
	ASSERT_TRUE(transfer(self->device[0], 20000));
	/* Not tried again: it would wear out the module's flash. */
	ASSERT_TRUE(restart(&self->sim[0], self->device[0]));
	ASSERT_TRUE(transfer(self->device[0], 20000));
	EXPECT_FALSE(logged(log, "atwifi", "921600 baud does not work"));
	/* Nor did the module store it. */
	ASSERT_LE(0, detach(self->tty[0]));
	fd = open_tty(self->sim[0].tty, B115200);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(raw_until(fd, "AT+UARTCFG?\r\n", "+UARTCFG:115200,8,1,0"));
	close(fd);
	close(log);
}

/* One that bears it in neither direction: the log says where the module is. */
TEST_F(line, rate_lost)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault", "slow-wire"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B921600, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_becomes(logged(log, "atwifi", "it stays at 921600 baud"), LONG_MS));
	/* Once the wire is mended it is found there. */
	ASSERT_EQ(0, sim_tell(&self->sim[0], "clear"));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", LONG_MS));
	EXPECT_TRUE(file_says(self->device[0], "baud", "921600\n"));
	ASSERT_TRUE(transfer(self->device[0], 20000));
	close(log);
}

static int set_crtscts(const char *tty, int *fd)
{
	struct termios tio;

	*fd = open_tty(tty, B115200);
	if (*fd < 0 || tcgetattr(*fd, &tio))
		return -1;
	tio.c_cflag |= CRTSCTS;
	return tcsetattr(*fd, TCSANOW, &tio) || set_ldisc(*fd, N_ATWIFI) ? -1 : 0;
}

/* RTS and CTS: first the module's, then ours; neither where it or a wire has none. */
TEST_F(line, flow_control)
{
	static const char *const option[] = {
		"--quirk=flow-control=1", "--quirk=flow-control=0", "--fault=no-cts",
	};
	struct termios tio;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(option); i++) {
		ASSERT_EQ(0, sim_start(&self->sim[0], "bw16", option[i], NULL));
		ASSERT_EQ(0, set_crtscts(self->sim[0].tty, &self->tty[0]));
		ASSERT_TRUE(atw_state_becomes("atw0", "joined", UP_MS));
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
		EXPECT_EQ(i ? 0 : CRTSCTS, tio.c_cflag & CRTSCTS);
		ASSERT_TRUE(transfer("atw0", 20000));
		/* A module that starts again has forgotten it, and gives no CTS. */
		ASSERT_TRUE(restart(&self->sim[0], "atw0"));
		ASSERT_TRUE(transfer("atw0", 20000));
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
		EXPECT_EQ(i ? 0 : CRTSCTS, tio.c_cflag & CRTSCTS);
		ASSERT_LE(0, detach(self->tty[0]));
		/* As it was found. */
		ASSERT_EQ(0, tcgetattr(self->tty[0], &tio));
		EXPECT_EQ(CRTSCTS, tio.c_cflag & CRTSCTS);
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
}

/* A BW16 says 104 when it has no servers, and when a port is in use. */
TEST_F(line, no_servers)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const char *device = self->device[0];
	int fd, dgram, taken, code;
	socklen_t len = sizeof(code);

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "bw16", NULL, NULL));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS));
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, atw_bind(fd, 8100));
	ASSERT_ERRNO(EOPNOTSUPP, listen(fd, 1));
	ASSERT_EQ(0, getsockopt(fd, SOL_ATWIFI, ATW_MODULE_ERROR, &code, &len));
	EXPECT_EQ(104, code);
	EXPECT_TRUE(logged(log, "port 8100", "has no servers in station mode"));
	dgram = atw_socket(SOCK_DGRAM);
	ASSERT_LE(0, dgram);
	ASSERT_ERRNO(EOPNOTSUPP, atw_bind(dgram, 8101));
	close(dgram);
	ASSERT_TRUE(transfer(device, 5000));
	/* Once it has had one a port may be in use. */
	ASSERT_EQ(0, sim_tell(&self->sim[0], "quirk no-servers=0"));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, sim_tell(&self->sim[0], "quirk no-servers=1"));
	taken = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, taken);
	ASSERT_EQ(0, atw_bind(taken, 8102));
	ASSERT_ERRNO(EADDRINUSE, listen(taken, 1));
	EXPECT_TRUE(logged(log, "port 8102", "is in use there"));
	close(taken);
	close(fd);
	close(log);
}

/*
 * Networks whose names have ends of lines in them, by which they look like the module's
 * words: its state is found out in spite of that, once and for good.
 */
TEST_F(line, names_of_lines)
{
	static const struct {
		const char *profile, *ap;
	} net[] = {
		{ "middleware", "--ap=\\x0d\\x0aOK\\x0d\\x0a:12345678" },
		{ "classic", "--ap=x\\x0d\\x0aready\\x0d\\x0a:12345678" },
		{ "bw20", "--ap=x\\x0d\\x0aready\\x0d\\x0a:12345678" },
		{ "bw16",
		  "--ap=\\x0aERROR\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a:12345678" },
		{ "middleware", "--ap=\\x0aUnknown cmd\\:\\x0a:12345678" },
		{ "middleware", "--ap=\\x0a+EVENT\\:SocketDown,102,99,:12345678" },
	};
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const char *device = self->device[0];
	char byte;
	size_t i;
	int fd;

	ASSERT_LE(0, log);
	for (i = 0; i < ARRAY_SIZE(net); i++) {
		ASSERT_LE(0, lseek(log, 0, SEEK_END));
		ASSERT_EQ(0, sim_start(&self->sim[0], net[i].profile, net[i].ap, NULL));
		ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0],
				    16));
		ASSERT_TRUE(atw_state_becomes(device, "joined", UP_MS)) {
			TH_LOG("%s", net[i].ap);
		}
		EXPECT_TRUE(file_says(device, "address", "192.168.3.142\n")) {
			TH_LOG("%s", net[i].ap);
		}
		EXPECT_TRUE(file_says(device, "gateway", "192.168.3.1\n"));
		EXPECT_TRUE(logged(log, device, "has ends of lines in it"));
		/* No stream pays for it when it is asked again. */
		fd = peer_in_time(device, "echo");
		ASSERT_LE(0, fd);
		ASSERT_TRUE(atw_echo_works(fd, 1, 500));
		ASSERT_EQ(0, sim_tell(&self->sim[0],
				      "lease 192.168.3.7,255.255.255.0,192.168.3.1"));
		ASSERT_EQ(0, sim_tell(&self->sim[0], "link down"));
		ASSERT_ERRNO(ENETDOWN, recv(fd, &byte, 1, 0));
		close(fd);
		ASSERT_EQ(0, sim_tell(&self->sim[0], "link up"));
		ASSERT_TRUE(atw_becomes(file_says(device, "address", "192.168.3.7\n"), LONG_MS));
		EXPECT_EQ(0, atw_stat(device, "reboots"));
		EXPECT_FALSE(logged(log, device, "has ends of lines in it"));
		ASSERT_TRUE(transfers_in_time(device, 2000));
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		sim_end(&self->sim[0]);
	}
	close(log);
}

/* One that restarts whenever it is found is told once, and found when it does no more. */
TEST_F(line, restarts_again_and_again)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault=reset,dir=in,every=60",
			       "--boot-ms=50"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_becomes(logged(log, "atw0", "restarts again and again"), LONG_MS));
	ASSERT_EQ(0, sim_tell(&self->sim[0], "clear"));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_FALSE(logged(log, "atw0", "restarts again and again"));
	EXPECT_TRUE(transfer(self->device[0], 5000));
	close(log);
}

TEST_F(line, boots_into_transparent_mode)
{
	ASSERT_EQ(0, sim_start(&self->sim[0], "middleware", "--fault", "boot-transparent"));
	ASSERT_EQ(0, attach(self->sim[0].tty, B115200, &self->tty[0], self->device[0], 16));
	ASSERT_TRUE(atw_state_becomes(self->device[0], "joined", UP_MS));
	EXPECT_TRUE(transfer(self->device[0], 5000));
}

static bool is_none(const char *device)
{
	return file_says(device, "state", "probing\n") || file_says(device, "state", "failed\n");
}

/* Nobody at the other end: no one waits for it, and the log says so. */
TEST_F(line, no_module)
{
	uint64_t limit = atw_now_ms() + LONG_MS;
	int master, log, fd, clean = 0;
	char tty[64], buf[256];
	struct pollfd p;

	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	master = open_master(tty, sizeof(tty));
	ASSERT_LE(0, master);
	ASSERT_EQ(0, attach(tty, B115200, &self->tty[0], self->device[0], 16));
	/* It takes what is sent and does not answer. */
	while (!logged(log, "atwifi", "answer")) {
		ASSERT_LT(atw_now_ms(), limit);
		p = (struct pollfd) { .fd = master, .events = POLLIN };
		if (poll(&p, 1, 100) > 0)
			clean += read(master, buf, sizeof(buf)) > 0;
		ASSERT_TRUE(is_none(self->device[0]));
	}
	EXPECT_LT(0, clean);
	fd = atw_socket(SOCK_STREAM);
	ASSERT_LE(0, fd);
	ASSERT_EQ(-1, atw_connect_host(fd, atw_peer_port()));
	EXPECT_TRUE(errno == ENETDOWN || errno == ENODEV);
	EXPECT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
	close(master);
}

/* Something is there, but it is no module: noise, or a chatty console. */
TEST_F(line, noise)
{
	static const char *const text[] = {
		"\r\nOK\r\n", "\r\nready\r\n", ">", "\r\n+EVENT:SocketDown,1,99999999,x\r\n",
		"\r\n+EVENT:SocketDown,4294967297,4,abcd\r\n", "\r\n+EVENT:WIFI_GOT_IP\r\n",
		"\r\n+EVENT:SocketDisconnect,1\r\n", "login: ", "+SOCKETREAD,1,1024,",
		"at version:release/V4.18\r\n", "1,4,3,192.0.2.1,80,-1,0\r\n",
	};
	uint64_t limit;
	uint8_t buf[700];
	int master, round;
	unsigned int i;
	char tty[64];

	for (round = 0; round < 4; round++) {
		master = open_master(tty, sizeof(tty));
		ASSERT_LE(0, master);
		ASSERT_EQ(0, fcntl(master, F_SETFL, O_NONBLOCK));
		ASSERT_EQ(0, attach(tty, B115200, &self->tty[0], self->device[0], 16));
		limit = atw_now_ms() + 3000;
		for (i = 0; atw_now_ms() < limit; i++) {
			const void *data = buf;
			size_t n = sizeof(buf);

			if (round & 1) {
				data = text[i % ARRAY_SIZE(text)];
				n = strlen(data);
			} else {
				pattern_fill(buf, n, round, i * sizeof(buf));
			}
			if (write(master, data, n) < 0 || round >= 2)
				atw_wait(master, POLLOUT, 10);
			while (read(master, buf, sizeof(buf)) > 0)
				;
			ASSERT_TRUE(is_none(self->device[0]));
		}
		ASSERT_GT(DETACH_MS, (unsigned int)detach(self->tty[0]));
		close(self->tty[0]);
		self->tty[0] = -1;
		close(master);
	}
}

TEST_HARNESS_MAIN
