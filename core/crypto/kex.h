/* Key exchange methods. Each is one round trip of two opaque public values, whatever the mathematics:
 *     client: init -> Q_C (or e)        server: respond(Q_C) -> Q_S (or f), K        client: finish(Q_S) -> K
 * The values are the contents of the one `string` or `mpint` field of the KEX_..._INIT and _REPLY messages,
 * which are framed alike. Group exchange (RFC 4419) needs ly_kex_set_group() first. */
#ifndef LY_CRYPTO_KEX_H
#define LY_CRYPTO_KEX_H

#include "base/buf.h"
#include "crypto/hash.h"

typedef enum LyKexKind {
    LY_KEX_DH,
    LY_KEX_DH_GROUP_EXCHANGE,
    LY_KEX_ECDH,
    LY_KEX_X25519,
    LY_KEX_SNTRUP761X25519,
    LY_KEX_MLKEM768X25519
} LyKexKind;

typedef struct LyKexInfo {
    const char *name;
    LyKexKind kind;
    LyHash hash;
    bool by_default;
    const char *group; /* as OpenSSL names it: "P-256", "modp_2048"; NULL where there is none */
} LyKexInfo;

typedef struct LyKex LyKex;

/* NULL when the name is unknown. */
const LyKexInfo *ly_kex_find(LyBytes name);
/* Name-list in order of preference; mlkem768x25519-sha256 only where the linked OpenSSL has ML-KEM. */
void ly_kex_names(const LyCrypto *crypto, bool only_default, LyBuf *out);

LyKex *ly_kex_new(LyCrypto *crypto, const LyKexInfo *info, LyError *error);
void ly_kex_free(LyKex *kex);

/* Group exchange: sets p and g (magnitudes). `check` (the client does) refuses with LY_ERROR_PROTOCOL a p
 * that is even, of fewer than min_bits or more than max_bits bits, or not a probable prime, and g that is not
 * in 2..p-2. Without `check` (the server, with a group of its own) only the primality is taken on trust, and
 * the code is LY_ERROR_INVALID. */
bool ly_kex_set_group(LyKex *kex, LyBytes p, LyBytes g, unsigned min_bits, unsigned max_bits, bool check,
                      LyError *error);
/* A safe prime for the server's GEX_GROUP: the smallest of `moduli` (text of moduli(5), may be empty; chosen
 * at random among equals) that has at least `want` bits and lies within min..max, else the largest within,
 * else a built-in RFC 3526 group. Writes magnitudes. False when min..max admits none. */
bool ly_kex_choose_group(LyCrypto *crypto, LyBytes moduli, unsigned min_bits, unsigned want_bits,
                         unsigned max_bits, LyBuf *p, LyBuf *g);

/* Client: makes the ephemeral key and appends the public value. */
bool ly_kex_init(LyKex *kex, LyBuf *public_value, LyError *error);
/* Server: checks the client's value, appends its own to `public_value` and K, encoded as the exchange hash
 * wants it (mpint; string for the hybrids) to `secret`. LY_ERROR_PROTOCOL: wrong length, off the curve,
 * 0/1/p-1, negative, all-zero result. */
bool ly_kex_respond(LyKex *kex, LyBytes client_value, LyBuf *public_value, LyBuf *secret, LyError *error);
/* Client: checks the server's value and appends K, encoded as above. */
bool ly_kex_finish(LyKex *kex, LyBytes server_value, LyBuf *secret, LyError *error);

#endif
