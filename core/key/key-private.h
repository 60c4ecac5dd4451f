/* Inside the key floor: a key's numbers between its serial forms, and the object itself. */
#ifndef LY_KEY_KEY_PRIVATE_H
#define LY_KEY_KEY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "key/key.h"

/* Views into what was parsed; magnitudes without leading zeros. Unused ones are empty. */
typedef struct LyKeyNumbers {
    const LyKeyType *type;
    LyBytes n, e, d, iqmp;                 /* RSA, with p and q */
    LyBytes p, q, g, y, x;                 /* DSA */
    LyBytes point, scalar;                 /* ECDSA */
    LyBytes public_key, seed;              /* Ed25519, Ed448 */
    LyBytes application, handle, reserved; /* sk-* */
    uint8_t sk_flags;
} LyKeyNumbers;

struct LyKey {
    atomic_uint count;
    LyCrypto *crypto;
    const LyKeyType *type;
    const char *type_name;
    bool is_certificate;
    unsigned bits;
    LyBytes blob;         /* owned */
    LyBytes plain;        /* owned unless it is `blob` */
    LyBytes comment;      /* owned */
    LyBytes secret;       /* owned, secret memory: the plain key's private fields, type name first */
    pthread_mutex_t lock; /* guards the two below, which are made at first use */
    LyPk *pk;
    bool checked;
};

/* The fields behind the type name of a public blob. False when malformed; judged by ly_key_numbers_check. */
bool ly_key_get_public_fields(LyReader *reader, LyKeyNumbers *numbers);
/* The fields of a private key behind its type name; of a certificate (`with_public` false), those behind the
 * certificate. */
bool ly_key_get_private_fields(LyReader *reader, bool with_public, LyKeyNumbers *numbers);
void ly_key_put_public_fields(const LyKeyNumbers *numbers, LyBuf *out);
void ly_key_put_private_fields(const LyKeyNumbers *numbers, bool with_public, LyBuf *out);
/* Lengths and the cheap properties; no arithmetic. LY_ERROR_INVALID. */
bool ly_key_numbers_check(const LyKeyNumbers *numbers, bool private_half, LyError *error);
unsigned ly_key_numbers_bits(const LyKeyNumbers *numbers);
size_t ly_curve_len(int curve); /* bytes of a coordinate */

/* A private key from its numbers (public ones included); checks them. */
LyKey *ly_key_new_numbers(LyCrypto *crypto, const LyKeyNumbers *numbers, LyBytes comment, LyError *error);
/* The key's numbers: all where it has its private half, else the public ones. They view the key. */
void ly_key_get_numbers(const LyKey *key, LyKeyNumbers *numbers);
/* Gives a new key its comment, before anybody else knows the key. */
void ly_key_set_comment(LyKey *key, LyBytes comment);
/* The EVP side of the key, made at first use; a reference, because ly_key_forget may come at any time. */
LyPk *ly_key_take_pk(LyKey *key, LyError *error);

#endif
