/* Inside the key floor: what a KRL holds. Entries are appended in any order and settled (sorted, none twice,
 * runs merged) at the end of each public call, so that asking is a binary search. */
#ifndef LY_KEY_KRL_PRIVATE_H
#define LY_KEY_KRL_PRIVATE_H

#include "key/krl.h"

#define LY_KRL_MAGIC "SSHKRL\n" /* and its NUL */
#define LY_KRL_MAGIC_LEN ((size_t)8)
#define LY_KRL_FORMAT 1
#define LY_KRL_LIMIT ((size_t)64 << 20)

enum {
    KRL_SECTION_CERTIFICATES = 1,
    KRL_SECTION_EXPLICIT_KEY = 2,
    KRL_SECTION_FINGERPRINT_SHA1 = 3,
    KRL_SECTION_SIGNATURE = 4,
    KRL_SECTION_FINGERPRINT_SHA256 = 5,
    KRL_SECTION_EXTENSION = 255,
};

enum {
    KRL_SECTION_CERT_SERIAL_LIST = 0x20,
    KRL_SECTION_CERT_SERIAL_RANGE = 0x21,
    KRL_SECTION_CERT_SERIAL_BITMAP = 0x22,
    KRL_SECTION_CERT_KEY_ID = 0x23,
    KRL_SECTION_CERT_EXTENSION = 0x39,
};

typedef struct LyKrlRun {
    uint64_t lowest, highest;
} LyKrlRun;

typedef struct LyKrlRuns {
    LyKrlRun *item;
    size_t count, capacity;
    size_t settled; /* the first so many are sorted and apart from each other */
} LyKrlRuns;

typedef struct LyKrlSet { /* views into the KRL's chunks */
    LyBytes *item;
    size_t count, capacity;
    size_t settled;
} LyKrlSet;

typedef struct LyKrlAuthority {
    LyBytes blob; /* the CA's plain blob; empty: any CA */
    LyKrlRuns serials;
    LyKrlSet ids;
} LyKrlAuthority;

struct LyKrl {
    LyCrypto *crypto;
    uint64_t version, generated, flags;
    LyBytes comment;
    LyKrlAuthority **authorities; /* as they came */
    LyKrlAuthority **by_blob;     /* the same, sorted */
    size_t authority_count, authority_capacity;
    LyKrlSet keys, sha1, sha256;
    void **chunks; /* owned memory that the views point into */
    size_t chunk_count, chunk_capacity;
    size_t entries; /* appended so far */
};

/* A copy that lives as long as the KRL. */
LyBytes ly_krl_keep(LyKrl *krl, LyBytes bytes);
/* The entries for a CA, made when missing. NULL with LY_ERROR_INVALID: the blob is malformed. */
LyKrlAuthority *ly_krl_authority(LyKrl *krl, LyBytes ca_blob, LyError *error);
/* One entry more is within the limits: for whatever reads many. LY_ERROR_LIMIT. */
bool ly_krl_room(const LyKrl *krl, LyError *error);
/* LY_ERROR_INVALID: serial 0, or a range upside down. */
bool ly_krl_check_run(uint64_t lowest, uint64_t highest, LyError *error);
/* Each appends; the KRL is to be settled before it is asked or written. `value` is kept as a view. */
void ly_krl_append(LyKrl *krl, LyKrlSet *set, LyBytes value);
void ly_krl_append_run(LyKrl *krl, LyKrlAuthority *authority, uint64_t lowest, uint64_t highest);
/* LY_ERROR_INVALID: the CA is malformed. */
bool ly_krl_append_id(LyKrl *krl, LyBytes ca_blob, LyBytes id, LyError *error);
/* `explicit_key`: a certificate is revoked as the key that it certifies. LY_ERROR_INVALID: its CA is
 * malformed. */
bool ly_krl_append_key(LyKrl *krl, const LyKey *key, bool explicit_key, LyError *error);
void ly_krl_settle(LyKrl *krl);

#endif
