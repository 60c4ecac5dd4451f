/* Keys that are known to be weak. No I/O: the Debian blocklist is the caller's to look up. */
#ifndef LY_KEY_WEAKNESS_H
#define LY_KEY_WEAKNESS_H

#include "key/format.h"
#include "key/key.h"

typedef struct LyWeakness {
    const char
        *code;        /* "rsa-small", "dsa", "roca", "close-primes", "small-exponent", "putty-p521"
                         (CVE-2024-31497), "debian" (CVE-2008-0166); an even exponent, or 1, is no key at all */
    const char *text; /* a sentence: what is wrong and what to do */
} LyWeakness;

#define LY_WEAKNESS_MAX 8

/* Fills `found` and returns how many. `format`: where the key came from (putty-p521 for P-521 in a PPK).
 * Milliseconds at most: size, exponent, the ROCA pattern of CVE-2017-15361, a few steps of Fermat
 * (CVE-2022-26320). */
size_t ly_key_weaknesses(const LyKey *key, LyKeyFormat format, LyWeakness found[LY_WEAKNESS_MAX]);
/* The 20 hexadecimal digits (with NUL) under which Debian's blocklist (files blacklist.RSA-2048 ...) has the
 * key: the last 80 bits of its MD5 fingerprint. */
void ly_key_debian_blocklist_id(LyCrypto *crypto, const LyKey *key, char id[21]);
/* The weakness to report for a key that the list has. */
extern const LyWeakness ly_weakness_debian;

#endif
