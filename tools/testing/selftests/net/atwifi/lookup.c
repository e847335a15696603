// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the addresses of names, as a program would find them whose C library has no
 * modules for it: linked statically, with musl. "lookup -g NAME PORT PATH" prints a page.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int get(const char *name, const char *port, const char *path)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *one;
	int fd = -1, c;
	FILE *f;

	if (getaddrinfo(name, port, &hints, &all))
		return 1;
	for (one = all; one && fd < 0; one = one->ai_next) {
		fd = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
		if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f || dprintf(fd, "GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n", path, name) < 0)
		return 1;
	while ((c = getc(f)) != EOF)
		putchar(c);
	return fclose(f) || fflush(stdout);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *one;
	char text[INET6_ADDRSTRLEN];
	int err = 0;
	int i;

	if (argc == 5 && !strcmp(argv[1], "-g"))
		return get(argv[2], argv[3], argv[4]);
	for (i = 1; i < argc; i++) {
		err = getaddrinfo(argv[i], "80", &hints, &all);
		if (err) {
			fprintf(stderr, "lookup: %s: %s\n", argv[i], gai_strerror(err));
			break;
		}
		for (one = all; one; one = one->ai_next) {
			getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0,
				    NI_NUMERICHOST);
			printf("%s\n", text);
		}
		freeaddrinfo(all);
	}
	return err != 0;
}
