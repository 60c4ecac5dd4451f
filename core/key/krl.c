/* A KRL in memory: what is revoked, and the question whether a key is. */
#include "key/krl.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/memory.h"
#include "key/certificate.h"
#include "key/krl-private.h"

/* Far above any real list; 16 bytes of memory each. */
#define ENTRIES_LIMIT ((size_t)1 << 22)
#define AUTHORITIES_LIMIT ((size_t)4096)
#define COMMENT_LIMIT ((size_t)64 << 10)

LyKrl *ly_krl_new(LyCrypto *crypto)
{
    LyKrl *krl = ly_new(LyKrl);
    krl->crypto = ly_crypto_ref(crypto);
    return krl;
}

void ly_krl_free(LyKrl *krl)
{
    if (!krl)
        return;
    for (size_t i = 0; i < krl->authority_count; i++) {
        ly_free(krl->authorities[i]->serials.item);
        ly_free(krl->authorities[i]->ids.item);
        ly_free(krl->authorities[i]);
    }
    ly_free(krl->authorities);
    ly_free(krl->by_blob);
    ly_free(krl->keys.item);
    ly_free(krl->sha1.item);
    ly_free(krl->sha256.item);
    for (size_t i = 0; i < krl->chunk_count; i++)
        ly_free(krl->chunks[i]);
    ly_free(krl->chunks);
    ly_crypto_unref(krl->crypto);
    ly_free(krl);
}

/* Room for one more of `len` bytes each. */
static void *grow(void *items, size_t count, size_t *capacity, size_t len)
{
    if (count < *capacity)
        return items;
    *capacity = LY_MAX(*capacity * 2, (size_t)8);
    return ly_realloc(items, *capacity * len);
}

LyBytes ly_krl_keep(LyKrl *krl, LyBytes bytes)
{
    if (bytes.len == 0)
        return (LyBytes){0};
    krl->chunks = grow(krl->chunks, krl->chunk_count, &krl->chunk_capacity, sizeof *krl->chunks);
    uint8_t *copy = ly_alloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    krl->chunks[krl->chunk_count++] = copy;
    return ly_bytes(copy, bytes.len);
}

/* Sorted arrays. */

static int compare(LyBytes a, LyBytes b)
{
    size_t len = LY_MIN(a.len, b.len);
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_items(const void *a, const void *b)
{
    return compare(*(const LyBytes *)a, *(const LyBytes *)b);
}

/* Where it stands, or would: the first of `count` sorted items that is not less. */
static size_t set_place(const LyBytes *items, size_t count, LyBytes value)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(items[middle], value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool set_holds(const LyKrlSet *set, LyBytes value)
{
    size_t place = set_place(set->item, set->count, value);
    return place < set->count && ly_bytes_equal(set->item[place], value);
}

/* The last item into its place among the others: usual, and cheaper than sorting all again. */
static void set_insert(LyKrlSet *set)
{
    LyBytes value = set->item[set->settled];
    size_t place = set_place(set->item, set->settled, value);
    if (place < set->settled && ly_bytes_equal(set->item[place], value)) {
        set->count--;
        return;
    }
    memmove(&set->item[place + 1], &set->item[place], (set->settled - place) * sizeof value);
    set->item[place] = value;
    set->settled++;
}

static void set_settle(LyKrlSet *set)
{
    size_t kept = 0;
    if (set->settled + 1 == set->count)
        set_insert(set);
    if (set->settled == set->count)
        return;
    qsort(set->item, set->count, sizeof *set->item, compare_items);
    for (size_t i = 0; i < set->count; i++)
        if (kept == 0 || !ly_bytes_equal(set->item[kept - 1], set->item[i]))
            set->item[kept++] = set->item[i];
    set->count = set->settled = kept;
}

static int compare_runs(const void *a, const void *b)
{
    const LyKrlRun *x = a, *y = b;
    return (x->lowest > y->lowest) - (x->lowest < y->lowest);
}

static size_t run_place(const LyKrlRun *items, size_t count, uint64_t lowest)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].lowest <= lowest)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool runs_hold(const LyKrlRuns *runs, uint64_t serial)
{
    size_t place = run_place(runs->item, runs->count, serial);
    return place > 0 && serial <= runs->item[place - 1].highest;
}

static bool runs_sorted(const LyKrlRuns *runs)
{
    for (size_t i = LY_MAX(runs->settled, (size_t)1); i < runs->count; i++)
        if (runs->item[i].lowest < runs->item[i - 1].lowest)
            return false;
    return true;
}

/* `next` does not start before `run`: it becomes part of it if they overlap or touch. */
static bool join(LyKrlRun *run, const LyKrlRun *next)
{
    if (next->lowest > run->highest && next->lowest - 1 != run->highest)
        return false;
    run->highest = LY_MAX(run->highest, next->highest);
    return true;
}

static void runs_insert(LyKrlRuns *runs)
{
    LyKrlRun run = runs->item[runs->settled], *item = runs->item;
    size_t count = runs->settled, place = run_place(item, count, run.lowest), after;
    if (place > 0 && join(&item[place - 1], &run)) {
        place--;
    } else {
        memmove(&item[place + 1], &item[place], (count - place) * sizeof run);
        item[place] = run;
        count++;
    }
    for (after = place + 1; after < count && join(&item[place], &item[after]);)
        after++;
    memmove(&item[place + 1], &item[after], (count - after) * sizeof run);
    runs->count = runs->settled = count - (after - place - 1);
}

static void runs_settle(LyKrlRuns *runs)
{
    size_t kept = 0;
    if (runs->settled + 1 == runs->count)
        runs_insert(runs);
    if (runs->settled == runs->count)
        return;
    if (!runs_sorted(runs)) /* bitmaps and most lists come sorted */
        qsort(runs->item, runs->count, sizeof *runs->item, compare_runs);
    for (size_t i = 0; i < runs->count; i++)
        if (kept == 0 || !join(&runs->item[kept - 1], &runs->item[i]))
            runs->item[kept++] = runs->item[i];
    runs->count = runs->settled = kept;
}

void ly_krl_settle(LyKrl *krl)
{
    for (size_t i = 0; i < krl->authority_count; i++) {
        runs_settle(&krl->authorities[i]->serials);
        set_settle(&krl->authorities[i]->ids);
    }
    set_settle(&krl->keys);
    set_settle(&krl->sha1);
    set_settle(&krl->sha256);
}

/* Authorities. */

static size_t authority_place(const LyKrl *krl, LyBytes blob)
{
    size_t low = 0, high = krl->authority_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(krl->by_blob[middle]->blob, blob) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static LyKrlAuthority *authority_find(const LyKrl *krl, LyBytes blob)
{
    size_t place = authority_place(krl, blob);
    bool found = place < krl->authority_count && ly_bytes_equal(krl->by_blob[place]->blob, blob);
    return found ? krl->by_blob[place] : NULL;
}

static LyKrlAuthority *authority_add(LyKrl *krl, LyBytes blob)
{
    size_t place = authority_place(krl, blob), capacity = krl->authority_capacity;
    krl->by_blob = grow(krl->by_blob, krl->authority_count, &capacity, sizeof *krl->by_blob);
    krl->authorities =
        grow(krl->authorities, krl->authority_count, &krl->authority_capacity, sizeof *krl->authorities);
    LyKrlAuthority *authority = ly_new(LyKrlAuthority);
    authority->blob = ly_krl_keep(krl, blob);
    memmove(&krl->by_blob[place + 1], &krl->by_blob[place],
            (krl->authority_count - place) * sizeof *krl->by_blob);
    krl->by_blob[place] = krl->authorities[krl->authority_count++] = authority;
    return authority;
}

/* A CA in the form to compare by. A key of an unknown type, or a certificate, is compared as it is. */
static bool canonical_ca(LyCrypto *crypto, LyBytes blob, LyBuf *out, LyError *error)
{
    LyError reason = {0};
    LyKey *ca = blob.len ? ly_key_new_public(crypto, blob, &reason) : NULL;
    if (!ca && blob.len && reason.code != LY_ERROR_UNSUPPORTED)
        return ly_error_set(error, LY_ERROR_INVALID, "the CA's key: %s", reason.message);
    ly_buf_add(out, ca && !ly_key_is_certificate(ca) ? ly_key_plain_blob(ca) : blob);
    ly_key_unref(ca);
    return true;
}

LyKrlAuthority *ly_krl_authority(LyKrl *krl, LyBytes ca_blob, LyError *error)
{
    LyKrlAuthority *found = authority_find(krl, ca_blob);
    if (found)
        return found;
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    if (!canonical_ca(krl->crypto, ca_blob, &blob, error))
        return NULL;
    found = authority_find(krl, ly_buf_bytes(&blob));
    return found ? found : authority_add(krl, ly_buf_bytes(&blob));
}

/* Entries. */

bool ly_krl_room(const LyKrl *krl, LyError *error)
{
    if (krl->entries >= ENTRIES_LIMIT)
        return ly_error_set(error, LY_ERROR_LIMIT, "the KRL has more than %zu entries", ENTRIES_LIMIT);
    if (krl->authority_count >= AUTHORITIES_LIMIT)
        return ly_error_set(error, LY_ERROR_LIMIT, "the KRL names more than %zu CAs", AUTHORITIES_LIMIT);
    return true;
}

void ly_krl_append(LyKrl *krl, LyKrlSet *set, LyBytes value)
{
    set->item = grow(set->item, set->count, &set->capacity, sizeof *set->item);
    set->item[set->count++] = value;
    krl->entries++;
}

void ly_krl_append_run(LyKrl *krl, LyKrlAuthority *authority, uint64_t lowest, uint64_t highest)
{
    LyKrlRuns *runs = &authority->serials;
    LyKrlRun run = {lowest, highest}, *last = runs->count ? &runs->item[runs->count - 1] : NULL;
    if (last && lowest >= last->lowest && join(last, &run))
        return;
    runs->item = grow(runs->item, runs->count, &runs->capacity, sizeof *runs->item);
    runs->item[runs->count++] = run;
    krl->entries++;
}

bool ly_krl_check_run(uint64_t lowest, uint64_t highest, LyError *error)
{
    if (lowest == 0)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the serial number 0 cannot be revoked: it means that there is none");
    if (lowest > highest)
        return ly_error_set(error, LY_ERROR_INVALID, "the serial numbers %llu-%llu are not a range",
                            (unsigned long long)lowest, (unsigned long long)highest);
    return true;
}

/* Ids are C strings to OpenSSH. */
static LyBytes until_nul(LyBytes text)
{
    const uint8_t *nul = text.len ? memchr(text.data, 0, text.len) : NULL;
    return nul ? ly_bytes(text.data, (size_t)(nul - text.data)) : text;
}

bool ly_krl_append_id(LyKrl *krl, LyBytes ca_blob, LyBytes id, LyError *error)
{
    LyKrlAuthority *authority = ly_krl_authority(krl, ca_blob, error);
    if (authority)
        ly_krl_append(krl, &authority->ids, ly_krl_keep(krl, until_nul(id)));
    return authority != NULL;
}

bool ly_krl_append_key(LyKrl *krl, const LyKey *key, bool explicit_key, LyError *error)
{
    LyCertificate certificate;
    if (explicit_key || !ly_key_is_certificate(key)) {
        ly_krl_append(krl, &krl->keys, ly_krl_keep(krl, ly_key_plain_blob(key)));
        return true;
    }
    if (!ly_certificate_read(ly_key_blob(key), &certificate, error))
        return false;
    if (certificate.serial == 0)
        return ly_krl_append_id(krl, certificate.ca_blob, certificate.id, error);
    LyKrlAuthority *authority = ly_krl_authority(krl, certificate.ca_blob, error);
    if (authority)
        ly_krl_append_run(krl, authority, certificate.serial, certificate.serial);
    return authority != NULL;
}

void ly_krl_set_version(LyKrl *krl, uint64_t version)
{
    krl->version = version;
}

bool ly_krl_set_comment(LyKrl *krl, LyBytes comment, LyError *error)
{
    if (ly_bytes_has_nul(comment))
        return ly_error_set(error, LY_ERROR_INVALID, "the comment of a KRL cannot hold a NUL");
    if (comment.len > COMMENT_LIMIT)
        return ly_error_set(error, LY_ERROR_LIMIT, "a comment of %zu bytes is refused: the limit is %zu",
                            comment.len, COMMENT_LIMIT);
    krl->comment = ly_krl_keep(krl, comment);
    return true;
}

uint64_t ly_krl_version(const LyKrl *krl)
{
    return krl->version;
}

uint64_t ly_krl_generated(const LyKrl *krl)
{
    return krl->generated;
}

LyBytes ly_krl_comment(const LyKrl *krl)
{
    return krl->comment;
}

bool ly_krl_revoke_serials(LyKrl *krl, LyBytes ca_blob, uint64_t lowest, uint64_t highest, LyError *error)
{
    if (!ly_krl_check_run(lowest, highest, error) || !ly_krl_room(krl, error))
        return false;
    LyKrlAuthority *authority = ly_krl_authority(krl, ca_blob, error);
    if (!authority)
        return false;
    ly_krl_append_run(krl, authority, lowest, highest);
    ly_krl_settle(krl);
    return true;
}

void ly_krl_revoke_id(LyKrl *krl, LyBytes ca_blob, LyBytes id)
{
    ly_krl_append_id(krl, ca_blob, id, NULL); /* nothing is of a CA that is no key */
    ly_krl_settle(krl);
}

void ly_krl_revoke_key(LyKrl *krl, const LyKey *key)
{
    ly_krl_append_key(krl, key, false, NULL);
    ly_krl_settle(krl);
}

void ly_krl_revoke_digest(LyKrl *krl, LyHash hash, LyBytes digest)
{
    if ((hash != LY_SHA1 && hash != LY_SHA256) || digest.len != ly_hash_len(hash))
        return;
    ly_krl_append(krl, hash == LY_SHA1 ? &krl->sha1 : &krl->sha256, ly_krl_keep(krl, digest));
    ly_krl_settle(krl);
}

/* The question. What cannot be told, of a certificate whose CA is no key for one, counts as revoked. */

static bool digest_revoked(const LyKrl *krl, const LyKrlSet *set, LyHash hash, LyBytes plain_blob)
{
    uint8_t digest[LY_HASH_MAX];
    return set->count && (!ly_hash(krl->crypto, hash, &plain_blob, 1, digest) ||
                          set_holds(set, ly_bytes(digest, ly_hash_len(hash))));
}

static bool plain_revoked(const LyKrl *krl, LyBytes plain_blob)
{
    return set_holds(&krl->keys, plain_blob) || digest_revoked(krl, &krl->sha1, LY_SHA1, plain_blob) ||
           digest_revoked(krl, &krl->sha256, LY_SHA256, plain_blob);
}

static bool certificate_revoked(const LyKrl *krl, LyBytes ca, const LyCertificate *certificate)
{
    const LyKrlAuthority *authority = authority_find(krl, ca);
    return authority && (set_holds(&authority->ids, until_nul(certificate->id)) ||
                         (certificate->serial && runs_hold(&authority->serials, certificate->serial)));
}

bool ly_krl_revokes(const LyKrl *krl, const LyKey *key)
{
    LyCertificate certificate;
    if (plain_revoked(krl, ly_key_plain_blob(key)))
        return true;
    if (!ly_key_is_certificate(key))
        return false;
    LY_AUTO(ly_buf_free) LyBuf ca = {0};
    if (!ly_certificate_read(ly_key_blob(key), &certificate, NULL) ||
        !canonical_ca(krl->crypto, certificate.ca_blob, &ca, NULL))
        return true;
    return certificate_revoked(krl, ly_buf_bytes(&ca), &certificate) ||
           certificate_revoked(krl, (LyBytes){0}, &certificate) || plain_revoked(krl, ly_buf_bytes(&ca));
}
