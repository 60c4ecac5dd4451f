/* What the files of the signature primitives share: the inside of LyPk. */
#ifndef LY_CRYPTO_PK_PRIVATE_H
#define LY_CRYPTO_PK_PRIVATE_H

#include <openssl/bn.h>
#include <pthread.h>

#include "crypto/crypto-private.h"
#include "crypto/pk.h"

/* The numbers of a key, by type. */
enum { RSA_N, RSA_E, RSA_D, RSA_IQMP, RSA_P, RSA_Q, PK_NUMBER_COUNT };
enum { DSA_P, DSA_Q, DSA_G, DSA_Y, DSA_X };
enum { EC_POINT_, EC_SCALAR }; /* the underscore: OpenSSL has a type EC_POINT */
enum { ED_PUBLIC, ED_SEED };

struct LyPk {
    unsigned refs; /* atomic */
    LyCrypto *crypto;
    LyPkType type;
    LyCurve curve; /* ECDSA */
    bool is_private;
    unsigned bits;
    LyBytes numbers[PK_NUMBER_COUNT]; /* into `memory`, which is secret memory if is_private */
    uint8_t *memory;
    pthread_mutex_t lock; /* for the two below, which are made at first use */
    EVP_PKEY *key;
    EVP_MD_CTX *signer; /* signed with it before: setting it up takes half as long as a signature on P-256;
                           NULL while a thread has it */
};

typedef struct LyCurveInfo {
    const char *ssh_name, *name; /* "nistp256"; OpenSSL's "P-256" */
    int nid;
    unsigned bits, len; /* len: bytes of a coordinate */
    const char *digest;
} LyCurveInfo;

extern const LyCurveInfo ly_curves[LY_CURVE_COUNT];

/* OpenSSL's names of the two Edwards curves. */
const char *ly_pk_edwards_name(LyPkType type);
/* OpenSSL's form of the key, owned by `pk`; NULL with LY_ERROR_CRYPTO. Its private half is not compared with
 * the public one. */
EVP_PKEY *ly_pk_key(const LyPk *pk, LyError *error);

#endif
