#pragma once
// mallopt, which Swift's Glibc module leaves out: libcrypto takes scrypt's memory from malloc.
#include <malloc.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

// Swift does not import macros with parameters or casts.

static inline int postern_certificate_print_subject(BIO *bio, const X509 *certificate) {
  return X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
}

static inline GENERAL_NAMES *postern_certificate_names(const X509 *certificate) {
  return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int postern_certificate_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

// The bytes of a name of one of four kinds, and which it is; -1: another.
static inline int postern_certificate_name(const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *count) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
  const ASN1_STRING *value;
  switch (name->type) {
    case GEN_DNS:
    case GEN_URI:
    case GEN_EMAIL: value = name->d.ia5; break;
    case GEN_IPADD: value = name->d.iPAddress; break;
    default: return -1;
  }
  *bytes = ASN1_STRING_get0_data(value);
  *count = ASN1_STRING_length(value);
  return name->type;
}
