// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the addresses of names, as a program would find them whose C library has no
 * modules for it: linked statically, with musl.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *one;
	char text[INET6_ADDRSTRLEN];
	int err = 0;
	int i;

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
