// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS as the module speaks it: version 1.2, and a peer is verified only when
 * a CA is stored.
 */
#include <errno.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "atsim.h"

enum { CERT_CA, CERT_OWN, CERT_KEY };

static BIO *stored(struct atsim *sim, int which)
{
	if (!sim->flash.cert_len[which])
		return NULL;
	return BIO_new_mem_buf(sim->flash.cert[which],
			       sim->flash.cert_len[which]);
}

static int use_ca(struct atsim *sim, SSL_CTX *ctx)
{
	BIO *bio = stored(sim, CERT_CA);
	X509 *x;
	int n = 0;

	if (!bio)
		return 0;
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
		X509_free(x);
	}
	BIO_free(bio);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER |
			   SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return n ? 0 : -1;
}

static int use_own(struct atsim *sim, SSL_CTX *ctx)
{
	BIO *cert = stored(sim, CERT_OWN);
	BIO *key = stored(sim, CERT_KEY);
	EVP_PKEY *pkey = NULL;
	X509 *x = NULL;
	int ok = 0;

	if (cert)
		x = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	if (key)
		pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	if (x && pkey)
		ok = SSL_CTX_use_certificate(ctx, x) == 1 &&
		     SSL_CTX_use_PrivateKey(ctx, pkey) == 1 &&
		     SSL_CTX_check_private_key(ctx) == 1;
	X509_free(x);
	EVP_PKEY_free(pkey);
	BIO_free(cert);
	BIO_free(key);
	return ok ? 0 : -1;
}

static SSL_CTX *make_ctx(struct atsim *sim, bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() :
				   TLS_client_method());
	bool own = sim->flash.cert_len[CERT_OWN] ||
		   sim->flash.cert_len[CERT_KEY];

	if (!ctx)
		return NULL;
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (use_ca(sim, ctx) || ((own || server) && use_own(sim, ctx))) {
		SSL_CTX_free(ctx);
		ERR_clear_error();
		return NULL;
	}
	return ctx;
}

/**
 * tls_setup() - prepare a socket for TLS
 * @s: a client or seed that is connected, or a server
 *
 * Return: 0 or an error code.
 */
int tls_setup(struct sock *s)
{
	struct sock *server = sock_is_seed(s) ? sock_find(s->sim, s->server) :
			      NULL;
	struct in_addr addr;

	if (server && server->ctx) {
		SSL_CTX_up_ref(server->ctx);
		s->ctx = server->ctx;
	} else {
		s->ctx = make_ctx(s->sim, sock_is_server(s));
	}
	if (!s->ctx)
		return ERR_SSL_CONFIG;
	if (sock_is_server(s))
		return ERR_OK;
	s->ssl = SSL_new(s->ctx);
	if (!s->ssl || !SSL_set_fd(s->ssl, s->fd))
		return ERR_SSL_CONFIG;
	if (sock_is_seed(s)) {
		SSL_set_accept_state(s->ssl);
		return ERR_OK;
	}
	SSL_set_connect_state(s->ssl);
	if (inet_pton(AF_INET, s->host, &addr) != 1) {
		SSL_set_tlsext_host_name(s->ssl, s->host);
		if (s->sim->flash.cert_len[CERT_CA])
			SSL_set1_host(s->ssl, s->host);
	}
	return ERR_OK;
}

/**
 * tls_handshake() - as far as it gets without waiting
 * @s: the socket
 * @code: set to the error code on failure
 *
 * Return: done, failed, or what it waits for.
 */
enum tls_want tls_handshake(struct sock *s, int *code)
{
	int ret;

	ERR_clear_error();
	ret = SSL_do_handshake(s->ssl);
	if (ret == 1)
		return TLS_DONE;
	switch (SSL_get_error(s->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return TLS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WRITE;
	}
	*code = SSL_get_verify_result(s->ssl) == X509_V_OK ? ERR_SSL_CONFIG :
		ERR_SSL_VERIFY;
	sim_log(s->sim, "TLS handshake failed: %s",
		*code == ERR_SSL_VERIFY ?
		X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)) :
		ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	return TLS_FAIL;
}

static ssize_t result(struct sock *s, int ret)
{
	switch (SSL_get_error(s->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	ERR_clear_error();
	errno = ECONNRESET;
	return -1;
}

/**
 * tls_recv() - recv() for a TLS socket
 * @s: the socket
 * @buf: where to
 * @len: at most
 *
 * Return: as recv().
 */
ssize_t tls_recv(struct sock *s, void *buf, size_t len)
{
	int ret;

	ERR_clear_error();
	ret = SSL_read(s->ssl, buf, len);
	return ret > 0 ? ret : result(s, ret);
}

/**
 * tls_send() - send() for a TLS socket
 * @s: the socket
 * @buf: what
 * @len: how much
 *
 * Return: as send().
 */
ssize_t tls_send(struct sock *s, const void *buf, size_t len)
{
	int ret;

	ERR_clear_error();
	ret = SSL_write(s->ssl, buf, len);
	return ret > 0 ? ret : result(s, ret);
}

/**
 * tls_free() - end TLS on a socket that is closed next
 * @s: the socket
 */
void tls_free(struct sock *s)
{
	if (s->ssl) {
		ERR_clear_error();
		if (SSL_is_init_finished(s->ssl))
			SSL_shutdown(s->ssl);
		SSL_free(s->ssl);
		ERR_clear_error();
	}
	SSL_CTX_free(s->ctx);
	s->ssl = NULL;
	s->ctx = NULL;
}
