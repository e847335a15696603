// SPDX-License-Identifier: GPL-2.0-only
/*
 * atwifid: a name server for this machine alone, which has the module resolve names.
 * See atwifid(8).
 *
 * One thread and one loop of events. A question that nobody has asked yet waits for the
 * module (struct question); who asks for the same meanwhile waits with it (struct waiter).
 * Each of both has a bound, and a waiter a time: what cannot be answered in time is
 * answered with SERVFAIL, and what comes later is there for whoever asks again.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dns.h"
#include "hook.h"
#include "libatwifi.h"
#include "service.h"

#define BUCKETS		256
#define QUESTIONS_MAX	512	/* asked, waiting and known */
#define WAITERS_MAX	1024
#define RESOLVED	64	/* of each of both: of these none is anybody's but resolved's */
#define WAITERS_TCP	64	/* of one connection */
#define TCP_MAX		64	/* resolved's, and as many of all others' */
#define TCP_OUTPUT	131072	/* bytes that one has not read yet */
#define TCP_OUTPUTS	2097152	/* and all resolved's, or all others' */
#define TCP_QUERY	(2 + DNS_QUERY_MAX)
#define UDP_ROOM	1048576	/* bytes for those that were not read yet, of a kilobyte each */
#define ASKED_MAX	8	/* half of what the driver lets a user have */
#define FORWARDED_MAX	2	/* each takes one of the module's five sockets */
#define SERVERS_MAX	2
/* A module that connects to nobody does nothing else for 20 to 75 s, however soon we hang up. */
#define SILENT_MS	(5 * 60 * 1000)

/* Resolvers ask again after 5 s: they are to know by then. */
#define PATIENCE_MS	4000
/* In less than that it would be no fault of a server not to have answered. */
#define LEAST_MS	1000
#define TCP_IDLE_S	30
#define ACCEPT_S	1
#define PURGE_S		10
/* The module does not tell how long an address holds. */
#define TTL		10
#define TTL_MOST	60	/* of what a server has said */
#define FAILURE_TTL	5	/* RFC 2308, 7.1 */

enum state {
	URGENT,		/* as the next: it is of resolved's, who asks for all programs */
	WAITING,	/* for its turn with the module */
	ASKED,
	QUEUED,		/* for its turn with a server */
	FORWARDED,
	KNOWN,
};

/*
 * A server: it is asked by this network device alone, where there is one, and not before @silent,
 * since it has answered no connect.
 */
struct server {
	struct sockaddr_in	address;
	char			device[IF_NAMESIZE];
	int64_t			silent;
};

TAILQ_HEAD(questions, question);
TAILQ_HEAD(waiters, waiter);
TAILQ_HEAD(tcps, tcp);

/**
 * struct question - what was asked, and what is known
 * @bucket: by its key
 * @order: in the list of its state
 * @query: as the first has asked it
 * @id: ASKED: of the resolver's
 * @server, @upstream, @message: FORWARDED: to whom, by what, with which number
 * @to, @connected: FORWARDED: who that was then, and whether it has answered the connect
 * @deadline: FORWARDED: of what this server may take for all of it
 * @answer: KNOWN
 * @until: FORWARDED: for so long servers are asked; KNOWN: it holds
 * @waiters: who is to be told
 */
struct question {
	LIST_ENTRY(question)	bucket;
	TAILQ_ENTRY(question)	order;
	enum state		state;
	struct dns_query	query;
	uint32_t		id;
	unsigned int		server;
	struct server		to;
	bool			connected;
	struct bufferevent	*upstream;
	struct event		*deadline;
	uint16_t		message;
	struct dns_answer	answer;
	int64_t			until;
	struct waiters		waiters;
};

/**
 * struct tcp - a connection of a program's, or of systemd-resolved's
 * @node: in the list of its kind, of which the first has not asked for the longest time
 * @bev: it
 * @hook: it is resolved's, and asks as hook.c has it, one question at a time
 * @todo: about that
 * @deadline: of the next question: it may come in pieces, but is to come; and of the end
 * @waiters: questions that wait
 * @ended: it asks no more
 * @broken: it is not answered any more, and about to be closed
 */
struct tcp {
	TAILQ_ENTRY(tcp)	node;
	struct bufferevent	*bev;
	bool			hook;
	enum hook_todo		todo;
	struct event		*deadline;
	unsigned int		waiters;
	bool			ended;
	bool			broken;
};

/* Who waits for an answer: by UDP where there is no connection. */
struct waiter {
	TAILQ_ENTRY(waiter)	node;
	TAILQ_ENTRY(waiter)	by_time;
	struct question		*question;
	struct dns_query	query;
	struct tcp		*tcp;
	struct sockaddr_in	from;
	int64_t			until;
};

static struct event_base *base;
static struct event *udp_event, *resolver_event, *patience, *purge;
static struct evconnlistener *listener, *hook_listener;
static int udp = -1;
static struct atwifi_resolver *resolver;
static const char *device;
static struct server servers[SERVERS_MAX];
static unsigned int n_servers;
static struct sockaddr_in own;
static const char *servers_file;
/* A connect that no question waits for any more, and to whom: one at a time. */
static struct {
	struct bufferevent	*connect;
	struct server		to;
} late;

static LIST_HEAD(, question) buckets[BUCKETS];
static struct questions lists[KNOWN + 1];
static unsigned int counts[KNOWN + 1], n_questions, n_waiters;
static struct waiters waiting = TAILQ_HEAD_INITIALIZER(waiting);
/* Others', and resolved's: who has many of one kind takes no place of the other. */
static struct tcps tcps[2] = { TAILQ_HEAD_INITIALIZER(tcps[0]), TAILQ_HEAD_INITIALIZER(tcps[1]) };
static unsigned int n_tcp[2];

static void go_on(void);

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

/* Answers */

static size_t unread(const struct tcp *tcp)
{
	return evbuffer_get_length(bufferevent_get_output(tcp->bev));
}

/* Whoever does not read is not answered for ever; nor are all of a kind together. */
static void send_tcp(struct tcp *tcp, const uint8_t *wire, size_t len)
{
	uint16_t size = htons(len);
	struct tcp *each;
	size_t all = 0;

	TAILQ_FOREACH(each, &tcps[tcp->hook], node)
		all += unread(each);
	if (unread(tcp) + len > TCP_OUTPUT || all + len > TCP_OUTPUTS ||
	    (!tcp->hook && bufferevent_write(tcp->bev, &size, sizeof(size))) ||
	    bufferevent_write(tcp->bev, wire, len)) {
		/* Not here: its question, or one of others', is still being dealt with. */
		tcp->broken = true;
		event_active(tcp->deadline, EV_TIMEOUT, 0);
	}
}

/* To whom: a connection, or else an address. */
static void send_answer(struct tcp *tcp, const struct sockaddr_in *to, const struct dns_query *q,
			const struct dns_answer *answer)
{
	uint8_t wire[DNS_ANSWER_MAX];
	size_t len;

	if (tcp && tcp->broken)
		return;
	if (tcp && tcp->hook)
		len = hook_reply(tcp->todo, q, answer, (char *)wire);
	else
		len = dns_reply(q, answer, wire, tcp ? sizeof(wire) : q->room);
	if (tcp)
		send_tcp(tcp, wire, len);
	else
		/* One for whom there is no room is lost, as any datagram may be. */
		(void)!sendto(udp, wire, len, MSG_DONTWAIT, (const struct sockaddr *)to,
			      sizeof(*to));
}

static void waiter_free(struct waiter *w)
{
	TAILQ_REMOVE(&w->question->waiters, w, node);
	TAILQ_REMOVE(&waiting, w, by_time);
	if (w->tcp)
		w->tcp->waiters--;
	free(w);
	n_waiters--;
}

/* A time-out for the one who has waited the longest. */
static void arm(void)
{
	struct waiter *w = TAILQ_FIRST(&waiting);
	struct timeval tv = { 0 };
	int64_t left;

	if (!w) {
		event_del(patience);
		return;
	}
	left = w->until - now_ms();
	if (left > 0) {
		tv.tv_sec = left / 1000;
		tv.tv_usec = left % 1000 * 1000;
	}
	event_add(patience, &tv);
}

/* Questions */

static unsigned int bucket_of(const struct dns_query *query)
{
	uint32_t hash = 5381;
	unsigned int i;

	for (i = 0; i <= query->len; i++)
		hash = hash * 33 + query->key[i];
	return hash % BUCKETS;
}

static void move(struct question *q, enum state state)
{
	TAILQ_REMOVE(&lists[q->state], q, order);
	counts[q->state]--;
	q->state = state;
	TAILQ_INSERT_TAIL(&lists[state], q, order);
	counts[state]++;
}

static void hang_up(struct question *q)
{
	if (q->upstream)
		bufferevent_free(q->upstream);
	q->upstream = NULL;
	if (q->deadline)
		event_free(q->deadline);
	q->deadline = NULL;
}

static void question_free(struct question *q)
{
	while (!TAILQ_EMPTY(&q->waiters))
		waiter_free(TAILQ_FIRST(&q->waiters));
	hang_up(q);
	TAILQ_REMOVE(&lists[q->state], q, order);
	counts[q->state]--;
	LIST_REMOVE(q, bucket);
	free(q);
	n_questions--;
}

/* One of whom nobody has been asked yet goes with the last who waits; others go on. */
static void question_put(struct question *q)
{
	if (TAILQ_EMPTY(&q->waiters) && (q->state <= WAITING || q->state == QUEUED))
		question_free(q);
}

static struct question *find(const struct dns_query *query)
{
	struct question *q;

	LIST_FOREACH(q, &buckets[bucket_of(query)], bucket)
		if (q->query.alone == query->alone && q->query.len == query->len &&
		    !memcmp(q->query.key, query->key, 1 + query->len))
			return q;
	return NULL;
}

/* A new question, a copy; NULL: there are too many, or no memory. */
static struct question *question_new(const struct dns_query *query, enum state state)
{
	const unsigned int max = query->alone ? QUESTIONS_MAX : QUESTIONS_MAX - RESOLVED;
	struct question *q;

	if (n_questions - counts[KNOWN] >= max)
		return NULL;
	/* What was learned first is the least of a loss. */
	while (n_questions >= max)
		question_free(TAILQ_FIRST(&lists[KNOWN]));
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->query = *query;
	q->state = state;
	TAILQ_INIT(&q->waiters);
	TAILQ_INSERT_TAIL(&lists[state], q, order);
	LIST_INSERT_HEAD(&buckets[bucket_of(query)], q, bucket);
	counts[state]++;
	n_questions++;
	return q;
}

/* All who wait are told; what holds for no time is forgotten at once. */
static void settle(struct question *q, struct dns_answer answer)
{
	struct waiter *w;

	hang_up(q);
	while ((w = TAILQ_FIRST(&q->waiters))) {
		send_answer(w->tcp, &w->from, &w->query, &answer);
		waiter_free(w);
	}
	arm();
	/* Of a server's bytes no more is kept than that there are no records. */
	answer.wire = NULL;
	q->answer = answer;
	q->until = now_ms() + answer.ttl * INT64_C(1000);
	move(q, KNOWN);
	if (!answer.ttl)
		question_free(q);
	else if (!event_pending(purge, EV_TIMEOUT, NULL))
		event_add(purge, &(struct timeval){ PURGE_S, 0 });
}

/* What does not hold any more takes no memory. */
static void purge_cb(evutil_socket_t fd, short what, void *arg)
{
	struct question *q, *next;
	int64_t now = now_ms();

	for (q = TAILQ_FIRST(&lists[KNOWN]); q; q = next) {
		next = TAILQ_NEXT(q, order);
		if (q->until <= now)
			question_free(q);
	}
	if (!TAILQ_EMPTY(&lists[KNOWN]))
		event_add(purge, &(struct timeval){ PURGE_S, 0 });
}

static void fail(struct question *q, uint32_t ttl)
{
	settle(q, (struct dns_answer){ .rcode = ns_r_servfail, .ttl = ttl });
}

/* We would ask ourselves until all have waited too long. What is sent to nobody comes here. */
static bool is_own(const struct sockaddr_in *to)
{
	const in_addr_t address = to->sin_addr.s_addr ?: htonl(INADDR_LOOPBACK);

	return address == own.sin_addr.s_addr && to->sin_port == own.sin_port;
}

/* The same as it was last asked or read; NULL: it is none of those. */
static struct server *server_find(const struct server *to)
{
	unsigned int i;

	for (i = 0; i < SERVERS_MAX; i++)
		if (servers[i].address.sin_addr.s_addr == to->address.sin_addr.s_addr &&
		    servers[i].address.sin_port == to->address.sin_port &&
		    !strcmp(servers[i].device, to->device))
			return &servers[i];
	return NULL;
}

/* Is this network device another than that of the module which resolves names? */
static bool is_of_another(const char *name)
{
	char path[64], module[256];
	const char *slash;
	ssize_t len;

	if (!device || !*name)
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	len = readlink(path, module, sizeof(module) - 1);
	if (len < 0)
		return false;
	module[len] = '\0';
	/* Of basename() not every C library has the same idea. */
	slash = strrchr(module, '/');
	return !slash || strcmp(slash + 1, device);
}

/*
 * Who is to be asked now: whoever writes the file does that when the servers are others. It
 * may name this one, for programs. One that a module has named is asked by way of that module: it
 * is not to have this machine ask whomever it likes, by any way that there is.
 */
static void read_servers(void)
{
	char line[256], text[INET_ADDRSTRLEN], device_of[IF_NAMESIZE] = "";
	struct server now[SERVERS_MAX], to, *known;
	static bool said;
	FILE *f;

	if (!servers_file)
		return;
	n_servers = 0;
	f = fopen(servers_file, "re");
	while (f && fgets(line, sizeof(line), f)) {
		to = (struct server){
			.address = { .sin_family = AF_INET, .sin_port = htons(53) },
		};
		sscanf(line, "# device: %15s", device_of);
		if (sscanf(line, "nameserver %15s", text) != 1 ||
		    inet_pton(AF_INET, text, &to.address.sin_addr) != 1 || is_of_another(device_of))
			continue;
		strcpy(to.device, device_of);
		known = server_find(&to);
		if (known)
			to.silent = known->silent;
		if (!is_own(&to.address)) {
			/* Both of one network only where there is no other. */
			if (n_servers < SERVERS_MAX)
				now[n_servers++] = to;
			else if (!strcmp(now[0].device, now[1].device) &&
				 strcmp(now[0].device, to.device))
				now[1] = to;
		} else if (!said) {
			warnx("%s names this server itself, which is not asked", servers_file);
			said = true;
		}
	}
	if (f)
		fclose(f);
	/* Where it names none what is known of the others is kept, for when it does again. */
	memcpy(servers, now, n_servers * sizeof(*now));
}

/* What the module cannot tell a server may; without one it is a failure. */
static void ask_a_server(struct question *q)
{
	read_servers();
	if (!n_servers) {
		fail(q, FAILURE_TTL);
		return;
	}
	move(q, QUEUED);
}

/* The module */

static void answered(struct question *q, int error, struct in_addr address)
{
	const struct dns_answer found = { .has_address = true, .address = address, .ttl = TTL };

	switch (error) {
	case 0:
		settle(q, found);
		break;
	case EHOSTUNREACH:
	case EINVAL:
	case ENAMETOOLONG:
	case EOPNOTSUPP:
		if (q->query.alone)
			fail(q, FAILURE_TTL);
		else
			ask_a_server(q);
		break;
	default:
		/* No module, or no time: the next may have more luck. */
		fail(q, 0);
	}
}

static void ask(struct question *q)
{
	if (atwifi_resolver_ask(resolver, device, q->query.host, &q->id))
		answered(q, errno, (struct in_addr){ 0 });
	else
		move(q, ASKED);
}

static void resolver_cb(evutil_socket_t fd, short what, void *arg);

static void resolver_begin(void)
{
	resolver = atwifi_resolver_new();
	if (!resolver)
		err(1, "generic netlink");
	resolver_event = event_new(base, atwifi_resolver_fd(resolver), EV_READ | EV_PERSIST,
				   resolver_cb, NULL);
	if (!resolver_event || event_add(resolver_event, NULL))
		errx(1, "no memory");
}

/* Answers are lost: those who wait for them would do so for ever. */
static void resolver_again(void)
{
	warn("answers of the driver are lost");
	event_free(resolver_event);
	atwifi_resolver_free(resolver);
	resolver_begin();
	while (!TAILQ_EMPTY(&lists[ASKED]))
		fail(TAILQ_FIRST(&lists[ASKED]), 0);
}

static void resolver_cb(evutil_socket_t fd, short what, void *arg)
{
	struct atwifi_answer answer;
	struct question *q;

	while (!atwifi_resolver_next(resolver, &answer)) {
		TAILQ_FOREACH(q, &lists[ASKED], order)
			if (q->id == answer.id)
				break;
		if (q)
			answered(q, answer.error, answer.address);
	}
	if (errno != EAGAIN)
		resolver_again();
	go_on();
}

/* Servers: by TCP, since the module cuts datagrams to 1024 bytes. */

static void next_server(struct question *q);

static void upstream_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	static uint8_t wire[DNS_ANSWER_MAX];
	struct dns_answer answer;
	struct question *q = arg;
	uint16_t size;
	size_t len;

	if (evbuffer_copyout(in, &size, sizeof(size)) != sizeof(size))
		return;
	len = ntohs(size);
	if (len <= sizeof(wire) && evbuffer_get_length(in) < sizeof(size) + len)
		return;
	if (len > sizeof(wire)) {
		next_server(q);
	} else {
		evbuffer_drain(in, sizeof(size));
		evbuffer_remove(in, wire, len);
		if (dns_forwarded(&q->query, q->message, wire, len, TTL_MOST, &answer) &&
		    (answer.rcode == ns_r_noerror || answer.rcode == ns_r_nxdomain))
			settle(q, answer);
		else
			next_server(q);
	}
	go_on();
}

static void upstream_event(struct bufferevent *bev, short what, void *arg)
{
	struct question *q = arg;

	if (what & BEV_EVENT_CONNECTED) {
		q->connected = true;
		return;
	}
	next_server(q);
	go_on();
}

static void late_end(void)
{
	if (late.connect)
		bufferevent_free(late.connect);
	late.connect = NULL;
}

static void late_event(struct bufferevent *bev, short what, void *arg)
{
	struct server *to = server_find(&late.to);

	late_end();
	if (to)
		to->silent = what & BEV_EVENT_CONNECTED ? 0 : now_ms() + SILENT_MS;
}

/*
 * It may be the server that is silent, or a module that is at another connect, which is not the
 * server's fault: what comes of this connect tells. Until then the server is left alone.
 */
static void late_begin(struct question *q)
{
	struct server *to = server_find(&q->to);

	/* One by the same device waits for the one that is late. */
	if (!to || (late.connect && !strcmp(late.to.device, q->to.device)))
		return;
	to->silent = now_ms() + SILENT_MS;
	if (late.connect)
		return;
	late.to = q->to;
	late.connect = q->upstream;
	q->upstream = NULL;
	bufferevent_setcb(late.connect, NULL, NULL, late_event, NULL);
	/* The question is asked of others. */
	bufferevent_disable(late.connect, EV_WRITE);
}

/* However it drips. */
static void upstream_late(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;

	if (!q->connected)
		late_begin(q);
	next_server(q);
	go_on();
}

/* One that has to do with this device alone, if it has a name; -1: there is none. */
static int socket_by(const char *name, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && *name && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool dial(struct question *q, int64_t ms)
{
	const struct timeval limit = { ms / 1000, ms % 1000 * 1000 };
	const int fd = socket_by(q->to.device, SOCK_STREAM);
	uint8_t wire[DNS_UDP_LEAST];
	uint16_t size;
	size_t len;

	if (fd < 0)
		return false;
	q->upstream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!q->upstream)
		close(fd);
	q->deadline = evtimer_new(base, upstream_late, q);
	if (!q->upstream || !q->deadline || event_add(q->deadline, &limit))
		return false;
	evutil_secure_rng_get_bytes(&q->message, sizeof(q->message));
	len = dns_forward(&q->query, q->message, wire);
	size = htons(len);
	bufferevent_setcb(q->upstream, upstream_read, NULL, upstream_event, q);
	bufferevent_setwatermark(q->upstream, EV_READ, 0, sizeof(size) + DNS_ANSWER_MAX);
	return !bufferevent_write(q->upstream, &size, sizeof(size)) &&
	       !bufferevent_write(q->upstream, wire, len) &&
	       !bufferevent_enable(q->upstream, EV_READ | EV_WRITE) &&
	       !bufferevent_socket_connect(q->upstream, (const struct sockaddr *)&q->to.address,
					   sizeof(q->to.address));
}

static unsigned int n_willing(unsigned int i, int64_t now)
{
	unsigned int n = 0;

	for (; i < n_servers; i++)
		n += servers[i].silent <= now;
	return n;
}

/*
 * To the next that is not left alone. Those behind it are to have their turn while somebody
 * waits, and what one does not need the others have.
 */
static void forward(struct question *q)
{
	int64_t now = now_ms();
	unsigned int n;

	for (; now + LEAST_MS <= q->until && (n = n_willing(q->server, now)); q->server++) {
		if (servers[q->server].silent > now)
			continue;
		q->to = servers[q->server];
		q->connected = false;
		if (dial(q, (q->until - now) / n))
			return;
		hang_up(q);
	}
	fail(q, FAILURE_TTL);
}

static void forward_first(struct question *q)
{
	move(q, FORWARDED);
	q->server = 0;
	q->until = now_ms() + PATIENCE_MS;
	forward(q);
}

static void next_server(struct question *q)
{
	hang_up(q);
	q->server++;
	forward(q);
}

/* Whose turn it is. */
static void go_on(void)
{
	while (counts[ASKED] < ASKED_MAX && counts[URGENT] + counts[WAITING])
		ask(TAILQ_FIRST(&lists[counts[URGENT] ? URGENT : WAITING]));
	while (counts[FORWARDED] < FORWARDED_MAX && !TAILQ_EMPTY(&lists[QUEUED]))
		forward_first(TAILQ_FIRST(&lists[QUEUED]));
}

/* Programs */

static void patience_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct dns_answer failure = { .rcode = ns_r_servfail };
	int64_t now = now_ms();
	struct question *q;
	struct waiter *w;

	while ((w = TAILQ_FIRST(&waiting)) && w->until <= now) {
		q = w->question;
		send_answer(w->tcp, &w->from, &w->query, &failure);
		waiter_free(w);
		question_put(q);
	}
	arm();
}

/* Wait for a question's answer; false: too many do. */
static bool wait_for(struct question *q, const struct dns_query *query, struct tcp *tcp,
		     const struct sockaddr_in *from)
{
	const unsigned int max = tcp && tcp->hook ? WAITERS_MAX : WAITERS_MAX - RESOLVED;
	struct waiter *w;

	if (n_waiters >= max || (tcp && tcp->waiters == WAITERS_TCP))
		return false;
	w = calloc(1, sizeof(*w));
	if (!w)
		return false;
	w->question = q;
	w->query = *query;
	w->tcp = tcp;
	if (tcp)
		tcp->waiters++;
	else
		w->from = *from;
	w->until = now_ms() + PATIENCE_MS;
	TAILQ_INSERT_TAIL(&q->waiters, w, node);
	TAILQ_INSERT_TAIL(&waiting, w, by_time);
	n_waiters++;
	arm();
	return true;
}

/* What is known, for as long as it still holds. */
static bool answer_known(struct question *q, const struct dns_query *query, struct tcp *tcp,
			 const struct sockaddr_in *from)
{
	struct dns_answer answer = q->answer;
	int64_t left = q->until - now_ms();

	if (left <= 0)
		return false;
	answer.ttl = (left + 999) / 1000;
	send_answer(tcp, from, query, &answer);
	return true;
}

static void forget_all(void)
{
	size_t i;

	late_end();
	for (i = 0; i < SERVERS_MAX; i++)
		servers[i].silent = 0;
	while (!TAILQ_EMPTY(&lists[KNOWN]))
		question_free(TAILQ_FIRST(&lists[KNOWN]));
}

/*
 * The file is another when a module is in another network: what was learned in the one before may
 * not hold there.
 */
static void look_at_file(void)
{
	static struct stat before;
	struct stat now;

	if (!servers_file || stat(servers_file, &now))
		return;
	if (now.st_ino != before.st_ino || now.st_mtim.tv_sec != before.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
		forget_all();
	before = now;
}

static void look_up(enum dns_todo todo, const struct dns_query *query, struct tcp *tcp,
		    const struct sockaddr_in *from)
{
	const struct dns_answer failure = { .rcode = ns_r_servfail };
	struct question *q;

	look_at_file();
	q = find(query);
	if (q && q->state == KNOWN) {
		if (answer_known(q, query, tcp, from))
			return;
		question_free(q);
		q = NULL;
	}
	if (!q)
		q = question_new(query, todo != DNS_ADDRESS ? QUEUED :
					query->alone ? URGENT : WAITING);
	if (!q || !wait_for(q, query, tcp, from)) {
		send_answer(tcp, from, query, &failure);
		if (q)
			question_put(q);
		return;
	}
	go_on();
}

static void handle(const uint8_t *wire, size_t len, struct tcp *tcp,
		   const struct sockaddr_in *from)
{
	struct dns_query query;
	enum dns_todo todo = dns_parse(wire, len, &query);

	if (todo == DNS_OTHER)
		read_servers();
	if (todo == DNS_OTHER && !n_servers) {
		/* A name that no module can be asked for may have an address all the same. */
		query.rcode = query.type == ns_t_a ? ns_r_servfail : ns_r_notimpl;
		todo = DNS_REPLY;
	}
	if (todo == DNS_REPLY)
		send_answer(tcp, from, &query, NULL);
	else if (todo != DNS_DROP)
		look_up(todo, &query, tcp, from);
}

static void handle_call(const char *call, size_t len, struct tcp *tcp)
{
	char text[HOOK_ANSWER_MAX];
	struct dns_query query;

	tcp->todo = hook_parse(call, len, &query);
	if (tcp->todo == HOOK_ADDRESS || tcp->todo == HOOK_NO_IPV6)
		look_up(DNS_ADDRESS, &query, tcp, NULL);
	else if (tcp->todo != HOOK_CLOSE)
		send_tcp(tcp, (uint8_t *)text, hook_reply(tcp->todo, &query, NULL, text));
	else
		event_active(tcp->deadline, EV_TIMEOUT, 0);
}

static void udp_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sockaddr_in from = { 0 };
	uint8_t buf[DNS_QUERY_MAX + 1];	/* one more: it is longer */
	socklen_t size;
	ssize_t n;
	int i;

	/* The others have their turn, too. */
	for (i = 0; i < 64; i++) {
		size = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &size);
		if (n < 0)
			return;
		if (size == sizeof(from) && from.sin_family == AF_INET)
			handle(buf, n, NULL, &from);
	}
}

/* The next call, with the zero at its end; -1: it is not whole yet. */
static int call_next(struct evbuffer *in)
{
	const struct evbuffer_ptr end = evbuffer_search(in, "", 1, NULL);

	if (end.pos >= 0)
		return end.pos + 1;
	return evbuffer_get_length(in) > HOOK_CALL_MAX ? INT_MAX : -1;
}

/* The next question of a connection; -1: it is not whole yet. */
static int tcp_next(const struct tcp *tcp)
{
	struct evbuffer *in = bufferevent_get_input(tcp->bev);
	uint16_t size;

	if (tcp->hook)
		return call_next(in);
	if (evbuffer_copyout(in, &size, sizeof(size)) != sizeof(size))
		return -1;
	size = ntohs(size);
	if (size <= DNS_QUERY_MAX && evbuffer_get_length(in) < sizeof(size) + size)
		return -1;
	return size;
}

/* It asks no more, and has been told all. */
static bool tcp_is_done(const struct tcp *tcp)
{
	return tcp->ended && !tcp->waiters && !unread(tcp) && tcp_next(tcp) < 0;
}

/* From the last question to the next. */
static void tcp_expect(struct tcp *tcp)
{
	event_add(tcp->deadline, &(struct timeval){ TCP_IDLE_S, 0 });
	TAILQ_REMOVE(&tcps[tcp->hook], tcp, node);
	TAILQ_INSERT_TAIL(&tcps[tcp->hook], tcp, node);
}

static void tcp_free(struct tcp *tcp)
{
	struct waiter *w, *next;
	struct question *q;

	for (w = TAILQ_FIRST(&waiting); w && tcp->waiters; w = next) {
		next = TAILQ_NEXT(w, by_time);
		if (w->tcp != tcp)
			continue;
		q = w->question;
		waiter_free(w);
		question_put(q);
	}
	arm();
	TAILQ_REMOVE(&tcps[tcp->hook], tcp, node);
	n_tcp[tcp->hook]--;
	event_free(tcp->deadline);
	bufferevent_free(tcp->bev);
	free(tcp);
}

static void tcp_late(evutil_socket_t fd, short what, void *arg)
{
	tcp_free(arg);
}

/* One question at a time, so that others have their turn. */
static void tcp_read(struct bufferevent *bev, void *arg)
{
	uint8_t wire[HOOK_CALL_MAX];
	struct tcp *tcp = arg;
	int len;

	if (tcp->broken)
		return;
	/* Who does not read the answers is not asked again until he has. */
	if (unread(tcp) || (tcp->hook && tcp->waiters)) {
		bufferevent_disable(bev, EV_READ);
		return;
	}
	len = tcp_next(tcp);
	if (len > (tcp->hook ? HOOK_CALL_MAX : DNS_QUERY_MAX) || (len < 0 && tcp_is_done(tcp))) {
		tcp_free(tcp);
		return;
	}
	if (len < 0)
		return;
	if (!tcp->hook)
		evbuffer_drain(bufferevent_get_input(bev), sizeof(uint16_t));
	evbuffer_remove(bufferevent_get_input(bev), wire, len);
	tcp_expect(tcp);
	if (tcp->hook)
		handle_call((char *)wire, len - 1, tcp);
	else
		handle(wire, len, tcp, NULL);
	bufferevent_trigger(bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void tcp_written(struct bufferevent *bev, void *arg)
{
	struct tcp *tcp = arg;

	if (tcp->broken)
		return;
	if (!tcp->ended)
		bufferevent_enable(bev, EV_READ);
	bufferevent_trigger(bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void tcp_event(struct bufferevent *bev, short what, void *arg)
{
	struct tcp *tcp = arg;

	if (what & BEV_EVENT_EOF) {
		tcp->ended = true;
		if (!tcp_is_done(tcp))
			return;
	}
	tcp_free(tcp);
}

/* The one that has asked nothing for the longest time, which may be for ever. */
static void tcp_make_room(struct tcps *of)
{
	struct tcp *tcp;

	TAILQ_FOREACH(tcp, of, node)
		if (!tcp->waiters)
			break;
	tcp_free(tcp ? tcp : TAILQ_FIRST(of));
}

static struct tcp *tcp_new(evutil_socket_t fd)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));

	if (!tcp)
		return NULL;
	tcp->deadline = evtimer_new(base, tcp_late, tcp);
	if (tcp->deadline)
		tcp->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (tcp->bev)
		return tcp;
	if (tcp->deadline)
		event_free(tcp->deadline);
	free(tcp);
	return NULL;
}

static void accept_cb(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from,
		      int size, void *arg)
{
	const bool hook = arg;
	struct tcp *tcp;

	if (n_tcp[hook] == TCP_MAX)
		tcp_make_room(&tcps[hook]);
	tcp = tcp_new(fd);
	if (!tcp) {
		close(fd);
		return;
	}
	n_tcp[hook]++;
	tcp->hook = hook;
	TAILQ_INSERT_TAIL(&tcps[hook], tcp, node);
	tcp_expect(tcp);
	bufferevent_setcb(tcp->bev, tcp_read, tcp_written, tcp_event, tcp);
	bufferevent_setwatermark(tcp->bev, EV_READ, 0, 2 * (tcp->hook ? HOOK_CALL_MAX : TCP_QUERY));
	bufferevent_enable(tcp->bev, EV_READ | EV_WRITE);
}

static void accept_again(evutil_socket_t fd, short what, void *l)
{
	evconnlistener_enable(l);
}

/*
 * There is no file for it, and as long as it waits it would be told at once, again and again: one
 * of those who are connected gives way, of resolved's none for others, or it is looked at later.
 */
static void accept_failed(struct evconnlistener *l, void *arg)
{
	const bool hook = arg;

	if (n_tcp[false])
		tcp_make_room(&tcps[false]);
	else if (hook && n_tcp[true])
		tcp_make_room(&tcps[true]);
	else if (!event_base_once(base, -1, EV_TIMEOUT, accept_again, l,
				  &(struct timeval){ ACCEPT_S, 0 }))
		evconnlistener_disable(l);
}

/* The machine */

/*
 * By the loopback device alone: where route_localnet is set neighbours, too, could reach what is
 * an address of this machine alone.
 */
static void listen_at(const struct sockaddr_in *at)
{
	const int room = UDP_ROOM;

	udp = socket_by("lo", SOCK_DGRAM);
	if (udp < 0 || bind(udp, (const struct sockaddr *)at, sizeof(*at)))
		err(1, "UDP %s:%d", inet_ntoa(at->sin_addr), ntohs(at->sin_port));
	/*
	 * Whoever finds no room here is told nothing, and asks again after seconds: as many as
	 * can wait may come at once, if the kernel lets us have so much (net.core.rmem_max).
	 */
	if (setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)))
		warn("UDP: %d bytes of questions", room);
	udp_event = event_new(base, udp, EV_READ | EV_PERSIST, udp_cb, NULL);
	listener = evconnlistener_new_bind(base, accept_cb, NULL,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
					   LEV_OPT_REUSEABLE, -1, (const struct sockaddr *)at,
					   sizeof(*at));
	if (!listener || setsockopt(evconnlistener_get_fd(listener), SOL_SOCKET, SO_BINDTODEVICE,
				    "lo", strlen("lo")))
		err(1, "TCP %s:%d", inet_ntoa(at->sin_addr), ntohs(at->sin_port));
	evconnlistener_set_error_cb(listener, accept_failed);
	if (!udp_event || event_add(udp_event, NULL))
		errx(1, "no memory");
}

/* As systemd has made it, which alone may where resolved looks for such sockets. */
static void listen_for_resolved(void)
{
	int fd = service_socket();

	if (fd < 0)
		return;
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	hook_listener = evconnlistener_new(base, accept_cb, &hook_listener, LEV_OPT_CLOSE_ON_FREE |
					   LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!hook_listener)
		errx(1, "the socket for systemd-resolved");
	evconnlistener_set_error_cb(hook_listener, accept_failed);
}

static void prepare(const struct sockaddr_in *at)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	patience = base ? evtimer_new(base, patience_cb, NULL) : NULL;
	purge = base ? evtimer_new(base, purge_cb, NULL) : NULL;
	if (!patience || !purge)
		errx(1, "no memory");
	for (i = 0; i <= KNOWN; i++)
		TAILQ_INIT(&lists[i]);
	service_begin(base, forget_all);
	resolver_begin();
	listen_at(at);
	listen_for_resolved();
}

static void clean_up(void)
{
	size_t i;

	for (i = 0; i <= KNOWN; i++)
		while (!TAILQ_EMPTY(&lists[i]))
			question_free(TAILQ_FIRST(&lists[i]));
	late_end();
	for (i = 0; i < sizeof(tcps) / sizeof(*tcps); i++)
		while (!TAILQ_EMPTY(&tcps[i]))
			tcp_free(TAILQ_FIRST(&tcps[i]));
	evconnlistener_free(listener);
	if (hook_listener)
		evconnlistener_free(hook_listener);
	event_free(udp_event);
	close(udp);
	event_free(resolver_event);
	atwifi_resolver_free(resolver);
	event_free(patience);
	event_free(purge);
	service_end();
	event_base_free(base);
	libevent_global_shutdown();
}

/*
 * systemd-resolved looks for sockets again if the time of their directory is another. This is one
 * that no change of it has, be it in the same tick.
 */
static int touch(const char *directory)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_sec--;
	if (utimensat(AT_FDCWD, directory, times, 0))
		err(1, "%s", directory);
	return 0;
}

static void usage(FILE *to, int status)
{
	fputs("usage: atwifid [OPTION]...\n"
	      "\n"
	      "A name server for this machine: names are resolved by the Wi-Fi module.\n"
	      "\n"
	      "  -l, --listen ADDRESS[:PORT]  of 127.0.0.0/8, for UDP and TCP (127.0.0.57:53)\n"
	      "  -s, --server ADDRESS[:PORT]  whom to ask for what the module cannot tell, by the\n"
	      "                               network; twice for two. Without: nobody\n"
	      "  -s, --server /PATH           those that this file, as resolv.conf, has now\n"
	      "  -d, --device NAME            whose module resolves names (any that has joined)\n"
	      "  -t, --touch DIRECTORY        have systemd-resolved look there again, and end\n"
	      "  -h, --help                   this\n"
	      "\n"
	      "It stays in the foreground. See atwifid(8).\n", to);
	exit(status);
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53) };
	const char *colon = strchr(text, ':');
	char host[INET_ADDRSTRLEN] = "", *end;
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	long port = 53;

	if (len < sizeof(host))
		memcpy(host, text, len);
	if (colon) {
		port = strtol(colon + 1, &end, 10);
		if (end == colon + 1 || *end)
			port = 0;
	}
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || port < 1 || port > 65535)
		errx(2, "'%s' is not an IPv4 address, or ADDRESS:PORT", text);
	a.sin_port = htons(port);
	return a;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "server", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "touch", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	unsigned int i;
	int c, status;

	own = address("127.0.0.57");
	while ((c = getopt_long(argc, argv, "l:s:d:t:h", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			own = address(optarg);
			break;
		case 's':
			if (servers_file || n_servers == SERVERS_MAX ||
			    (*optarg == '/' && n_servers))
				errx(2, "there can be %d servers, or one file that names them",
				     SERVERS_MAX);
			if (*optarg == '/')
				servers_file = optarg;
			else
				servers[n_servers++].address = address(optarg);
			break;
		case 'd':
			device = optarg;
			break;
		case 't':
			return touch(optarg);
		case 'h':
			usage(stdout, 0);
			break;
		default:
			usage(stderr, 2);
		}
	}
	if (optind < argc)
		usage(stderr, 2);
	/* A server for others would be one for attackers of others. */
	if (ntohl(own.sin_addr.s_addr) >> 24 != 127)
		errx(2, "%s is not an address of this machine alone (127.0.0.0/8)",
		     inet_ntoa(own.sin_addr));
	for (i = 0; i < n_servers; i++)
		if (is_own(&servers[i].address))
			errx(2, "%s:%d is itself: a server has another address or port",
			     inet_ntoa(own.sin_addr), ntohs(own.sin_port));
	prepare(&own);
	notify("READY=1", 0);
	status = event_base_dispatch(base) < 0;
	if (status)
		warn("waiting for events");
	notify("STOPPING=1", MSG_DONTWAIT);
	clean_up();
	return status;
}
