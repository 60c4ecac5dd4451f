/* Object identifiers of key files, as DER content, for LY_BYTES(). */
#ifndef LY_KEY_OIDS_H
#define LY_KEY_OIDS_H

#include "base/error.h"

#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"        /* 1.2.840.113549.1.1.1 */
#define OID_DSA "\x2a\x86\x48\xce\x38\x04\x01"                /* 1.2.840.10040.4.1 */
#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01"                 /* 1.2.840.10045.2.1 */
#define OID_ED25519 "\x2b\x65\x70"                            /* 1.3.101.112 */
#define OID_ED448 "\x2b\x65\x71"                              /* 1.3.101.113 */
#define OID_P256 "\x2a\x86\x48\xce\x3d\x03\x01\x07"           /* 1.2.840.10045.3.1.7 */
#define OID_P384 "\x2b\x81\x04\x00\x22"                       /* 1.3.132.0.34 */
#define OID_P521 "\x2b\x81\x04\x00\x23"                       /* 1.3.132.0.35 */
#define OID_PBES2 "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"      /* 1.2.840.113549.1.5.13 */
#define OID_PBKDF2 "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"     /* 1.2.840.113549.1.5.12 */
#define OID_SCRYPT "\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"     /* 1.3.6.1.4.1.11591.4.11 */
#define OID_HMAC_SHA1 "\x2a\x86\x48\x86\xf7\x0d\x02\x07"      /* 1.2.840.113549.2.7 */
#define OID_HMAC_SHA256 "\x2a\x86\x48\x86\xf7\x0d\x02\x09"    /* 1.2.840.113549.2.9 */
#define OID_HMAC_SHA384 "\x2a\x86\x48\x86\xf7\x0d\x02\x0a"    /* 1.2.840.113549.2.10 */
#define OID_HMAC_SHA512 "\x2a\x86\x48\x86\xf7\x0d\x02\x0b"    /* 1.2.840.113549.2.11 */
#define OID_AES128_CBC "\x60\x86\x48\x01\x65\x03\x04\x01\x02" /* 2.16.840.1.101.3.4.1.2 */
#define OID_AES192_CBC "\x60\x86\x48\x01\x65\x03\x04\x01\x16" /* 2.16.840.1.101.3.4.1.22 */
#define OID_AES256_CBC "\x60\x86\x48\x01\x65\x03\x04\x01\x2a" /* 2.16.840.1.101.3.4.1.42 */
#define OID_DES_EDE3_CBC "\x2a\x86\x48\x86\xf7\x0d\x03\x07"   /* 1.2.840.113549.3.7 */

/* The OID of a curve. */
LyBytes ly_oid_of_curve(int curve);
/* The curve of an OID; -1 with LY_ERROR_UNSUPPORTED for others. */
int ly_curve_of_oid(LyBytes oid, LyError *error);

#endif
