#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift does not import macros with parameters or casts; nothing else belongs here.

static inline int postern_ssl_ctx_set_versions(SSL_CTX *context, int minimum, int maximum) {
  return SSL_CTX_set_min_proto_version(context, minimum) && SSL_CTX_set_max_proto_version(context, maximum);
}

static inline void postern_ssl_ctx_set_mode(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static inline void postern_ssl_ctx_set_options(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
}

static inline void postern_ssl_ctx_set_cache_mode(SSL_CTX *context, long mode) {
  SSL_CTX_set_session_cache_mode(context, mode);
}

static inline int postern_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
  return (int)SSL_CTX_set1_groups_list(context, groups);
}

static inline void postern_ssl_ctx_set_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }

static inline int postern_ssl_set_server_name(SSL *session, const char *name) {
  return (int)SSL_set_tlsext_host_name(session, name);
}

static inline void postern_ssl_ctx_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *),
                                                           void *argument) {
  SSL_CTX_set_tlsext_servername_callback(context, callback);
  SSL_CTX_set_tlsext_servername_arg(context, argument);
}

static inline int postern_x509_chain_count(const STACK_OF(X509) *chain) { return sk_X509_num(chain); }
static inline const X509 *postern_x509_chain_entry(const STACK_OF(X509) *chain, int index) { return sk_X509_value(chain, index); }

static inline GENERAL_NAMES *postern_x509_alt_names(const X509 *certificate) {
  return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int postern_alt_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

// The bytes of a host name or an address, and which of both it is; -1: something else.
static inline int postern_alt_name(const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *count) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
  if (name->type != GEN_DNS && name->type != GEN_IPADD) return -1;
  const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
  *bytes = ASN1_STRING_get0_data(value);
  *count = ASN1_STRING_length(value);
  return name->type;
}

static inline void postern_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void postern_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void postern_bio_retry_write(BIO *bio) { BIO_set_retry_write(bio); }

static inline int postern_x509_print_subject(BIO *bio, const X509 *certificate) {
  return X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
}
