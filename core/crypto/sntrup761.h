/* Streamlined NTRU Prime sntrup761 (NIST PQC round 3 submission; draft-ietf-sshm-ntruprime-ssh), a key
 * encapsulation mechanism. Time and memory accesses do not depend on secrets, but for the number of tries
 * that a key pair takes. */
#ifndef LY_CRYPTO_SNTRUP761_H
#define LY_CRYPTO_SNTRUP761_H

#include "crypto/crypto.h"
#include "crypto/hash.h"

#define LY_SNTRUP761_PUBLIC 1158     /* bytes */
#define LY_SNTRUP761_PRIVATE 1763    /* bytes */
#define LY_SNTRUP761_CIPHERTEXT 1039 /* bytes */
#define LY_SNTRUP761_SHARED 32       /* bytes */

/* All three are false only if libcrypto's SHA-512 fails; the outputs are then void. */
LY_MUST_CHECK bool ly_sntrup761_generate(LyCrypto *crypto, const LyRandom *random,
                                         uint8_t public_key[LY_SNTRUP761_PUBLIC],
                                         uint8_t private_key[LY_SNTRUP761_PRIVATE]);
/* Any public key of the right length is a legal one: coefficients are taken modulo q. */
LY_MUST_CHECK bool ly_sntrup761_encapsulate(LyCrypto *crypto, const LyRandom *random,
                                            const uint8_t public_key[LY_SNTRUP761_PUBLIC],
                                            uint8_t ciphertext[LY_SNTRUP761_CIPHERTEXT],
                                            uint8_t shared[LY_SNTRUP761_SHARED]);
/* A ciphertext that was not made for this key gives another, unpredictable secret (implicit rejection). */
LY_MUST_CHECK bool ly_sntrup761_decapsulate(LyCrypto *crypto, const uint8_t private_key[LY_SNTRUP761_PRIVATE],
                                            const uint8_t ciphertext[LY_SNTRUP761_CIPHERTEXT],
                                            uint8_t shared[LY_SNTRUP761_SHARED]);

#endif
