/* Inside the key floor: what reading and writing PuTTY's key files (PPK 1, 2 and 3) share. */
#ifndef LY_KEY_PPK_H
#define LY_KEY_PPK_H

#include "crypto/kdf.h"
#include "key/format.h"
#include "key/key-private.h"

#define LY_PPK_BLOCK 16 /* bytes; the private part of an encrypted file is a multiple */

/* A file's parts; views. */
typedef struct LyPpk {
    unsigned version; /* 1, 2 or 3 */
    bool encrypted;   /* aes256-cbc */
    LyBytes type, comment, public_blob;
    LyKeyKdf kdf; /* argon2* of encrypted version 3 */
    LyBytes salt;
} LyPpk;

/* In secret memory. */
typedef struct LyPpkKeys {
    uint8_t cipher[32], iv[LY_PPK_BLOCK], mac[32];
    size_t mac_len;
} LyPpkKeys;

/* "Argon2id" in the file, "argon2id" in LyKeyKdf. */
typedef struct LyPpkKdf {
    const char *name, *kdf;
    LyArgon2 variant;
} LyPpkKdf;
/* By either name; NULL when unknown. */
const LyPpkKdf *ly_ppk_kdf_find(LyBytes name);

/* Version 3: Argon2 with the costs and the salt of `ppk`; before: SHA-1. A file that is not encrypted has a
 * MAC too, under a key that everybody knows. */
bool ly_ppk_derive(LyCrypto *crypto, const LyPpk *ppk, LyBytes passphrase, LyPpkKeys *keys, LyError *error);
/* The MAC over all that the file says (version 1: over the private part); its length in *len. */
bool ly_ppk_mac(LyCrypto *crypto, const LyPpk *ppk, const LyPpkKeys *keys, LyBytes private_part,
                uint8_t mac[LY_HASH_MAX], size_t *len, LyError *error);
/* The private part between its clear and its encrypted form, appended. */
bool ly_ppk_crypt(LyCrypto *crypto, const LyPpk *ppk, const LyPpkKeys *keys, bool encrypt, LyBytes in,
                  LyBuf *out, LyError *error);

#endif
