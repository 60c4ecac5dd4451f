/* A KRL as text: ssh-keygen's language in and out, and plain lists of keys. */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/memory.h"
#include "base/hex.h"
#include "key/krl-private.h"
#include "key/read.h"
#include "key/text.h"

/* Numbers as in C: decimal, 0x hexadecimal, 0 octal. */
static bool read_serial(LyBytes text, uint64_t *serial)
{
    char digits[32], *end;
    text = ly_bytes_trim(text);
    if (text.len == 0 || text.len >= sizeof digits || text.data[0] < '0' || text.data[0] > '9')
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = 0;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 0);
    if (errno || end != digits + text.len)
        return false;
    *serial = value;
    return true;
}

static bool add_serials(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    LyBytes from, to;
    uint64_t lowest, highest;
    bool range = ly_bytes_split(text, '-', &from, &to);
    if (!read_serial(from, &lowest) || !read_serial(range ? to : from, &highest))
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is no serial number and no range of them",
                            LY_PRINTABLE(text));
    LyKrlAuthority *authority =
        ly_krl_check_run(lowest, highest, error) ? ly_krl_authority(krl, ca_blob, error) : NULL;
    if (authority)
        ly_krl_append_run(krl, authority, lowest, highest);
    return authority != NULL;
}

static bool add_id(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    return ly_krl_append_id(krl, ca_blob, text, error);
}

/* "SHA256:" and base64, with or without padding; or hexadecimal, as ssh-keygen -Q -l shows digests. */
static bool add_hash(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    uint8_t digest[32];
    LY_AUTO(ly_buf_free) LyBuf base64 = {0}, bytes = {0};
    if (!ly_bytes_starts_with(text, "SHA256:"))
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a SHA256: fingerprint",
                            LY_PRINTABLE(text));
    text = ly_bytes_slice(text, strlen("SHA256:"), text.len);
    if (!ly_hex_read(text, digest, sizeof digest)) {
        ly_buf_add(&base64, text);
        while (base64.len % 4)
            ly_buf_add_str(&base64, "=");
        if (!ly_base64_decode(&bytes, ly_buf_bytes(&base64), false) || bytes.len != sizeof digest)
            return ly_error_set(error, LY_ERROR_INVALID, "the SHA256: fingerprint is damaged or cut short");
        memcpy(digest, bytes.data, sizeof digest);
    }
    ly_krl_append(krl, &krl->sha256, ly_krl_keep(krl, ly_bytes(digest, sizeof digest)));
    return true;
}

static bool add_digest(LyKrl *krl, LyBytes line, LyHash hash, LyKrlSet *set, LyError *error)
{
    uint8_t digest[LY_HASH_MAX];
    LyKey *key = ly_key_read_line(krl->crypto, line, error);
    if (!key)
        return false;
    LyBytes blob = ly_key_plain_blob(key);
    bool good = ly_hash(krl->crypto, hash, &blob, 1, digest) ||
                ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute %s", ly_hash_name(hash));
    if (good)
        ly_krl_append(krl, set, ly_krl_keep(krl, ly_bytes(digest, ly_hash_len(hash))));
    ly_key_unref(key);
    return good;
}

static bool add_sha1(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    return add_digest(krl, text, LY_SHA1, &krl->sha1, error);
}

static bool add_sha256(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    return add_digest(krl, text, LY_SHA256, &krl->sha256, error);
}

static bool add_key_line(LyKrl *krl, LyBytes line, bool explicit_key, LyError *error)
{
    LyKey *key = ly_key_read_line(krl->crypto, line, error);
    if (!key)
        return false;
    bool good = ly_krl_append_key(krl, key, explicit_key, error);
    ly_key_unref(key);
    return good;
}

static bool add_explicit_key(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    return add_key_line(krl, text, true, error);
}

static const struct {
    const char *name;
    bool (*add)(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error);
} statements[] = {
    {"serial:", add_serials},   {"id:", add_id},     {"hash:", add_hash},
    {"key:", add_explicit_key}, {"sha1:", add_sha1}, {"sha256:", add_sha256},
};

static bool add_statement(LyKrl *krl, LyBytes line, LyBytes ca_blob, LyError *error)
{
    for (size_t i = 0; i < LY_COUNT(statements); i++) {
        size_t len = strlen(statements[i].name);
        if (line.len >= len && strncasecmp((const char *)line.data, statements[i].name, len) == 0)
            return statements[i].add(krl, ly_bytes_trim(ly_bytes_slice(line, len, line.len)), ca_blob, error);
    }
    return add_key_line(krl, line, false, error);
}

bool ly_krl_add_text(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error)
{
    LyBytes line, rest;
    unsigned number = 0;
    bool good = true;
    while (good && ly_bytes_line(&text, &line)) {
        number++;
        ly_bytes_split(line, '#', &line, &rest);
        line = ly_bytes_trim(line);
        if (line.len == 0)
            continue;
        good = ly_krl_room(krl, error) && add_statement(krl, line, ca_blob, error);
    }
    ly_krl_settle(krl);
    return good || ly_error_prefix(error, "line %u", number);
}

/* A key of a type that came after this program, and no key that is damaged: no such key can be met. */
static bool unknown_type(LyBytes line)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    LyBytes type = ly_text_word(&line), base64 = ly_text_word(&line);
    if (ly_key_type_find(type, NULL) || base64.len == 0 || !ly_base64_decode(&blob, base64, false))
        return false;
    LyReader reader = ly_reader(ly_buf_bytes(&blob));
    return ly_bytes_equal(ly_get_string(&reader), type) && !reader.failed;
}

LyKrl *ly_revoked_keys_read(LyCrypto *crypto, LyBytes file, LyError *error)
{
    LyBytes line;
    unsigned number = 0;
    bool good = true;
    if (file.len >= LY_KRL_MAGIC_LEN && memcmp(file.data, LY_KRL_MAGIC, LY_KRL_MAGIC_LEN) == 0)
        return ly_krl_read(crypto, file, error);
    LyKrl *krl = ly_krl_new(crypto);
    while (good && ly_bytes_line(&file, &line)) {
        number++;
        line = ly_bytes_trim(line);
        if (line.len == 0 || line.data[0] == '#' || unknown_type(line))
            continue;
        good = ly_krl_room(krl, error) && add_key_line(krl, line, true, error);
    }
    if (good) {
        ly_krl_settle(krl);
        return krl;
    }
    ly_krl_free(krl);
    ly_error_prefix(error, "line %u", number);
    return NULL;
}

/* Out. */

/* Control characters and what is not UTF-8 in octal, as ssh-keygen shows them. */
static void put_text(LyBytes text, LyBuf *out)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = LY_MIN(text.len - i, (size_t)4);
        char shown[16];
        /* the longest beginning that is one printable character */
        while (len > 0 && !ly_bytes_is(ly_bytes_slice(text, i, len),
                                       ly_printable(ly_bytes_slice(text, i, len), shown, sizeof shown)))
            len--;
        if (len)
            ly_buf_add(out, ly_bytes_slice(text, i, len));
        else
            ly_buf_add_format(out, "\\%03o", text.data[i]);
        i += len ? len : 1;
    }
}

/* "SHA256:..." of the blob, and its type's name. */
static void put_blob(const LyKrl *krl, LyBytes blob, const char *format, LyBuf *out)
{
    char fingerprint[100];
    LyReader reader = ly_reader(blob);
    LyBytes type = ly_get_string(&reader);
    LyKey *key = ly_key_new_public(krl->crypto, blob, NULL);
    ly_key_fingerprint(krl->crypto, key ? ly_key_plain_blob(key) : blob, LY_SHA256, fingerprint);
    ly_buf_add_format(out, format, fingerprint, key ? ly_key_type_name(key) : LY_PRINTABLE(type));
    ly_key_unref(key);
}

static void put_time(uint64_t seconds, LyBuf *out)
{
    struct tm parts;
    char text[64];
    time_t time = (time_t)LY_MIN(seconds, (uint64_t)INT64_MAX);
    if (localtime_r(&time, &parts) && strftime(text, sizeof text, "%Y%m%dT%H%M%S", &parts))
        ly_buf_add_str(out, text);
    else
        ly_buf_add_str(out, "<INVALID>");
}

static void put_authority(const LyKrl *krl, const LyKrlAuthority *authority, LyBuf *out)
{
    ly_buf_add_str(out, "\n");
    if (authority->blob.len)
        put_blob(krl, authority->blob, "# CA key %2$s %1$s\n", out);
    else
        ly_buf_add_str(out, "# Wildcard CA\n");
    for (size_t i = 0; i < authority->serials.count; i++) {
        const LyKrlRun *run = &authority->serials.item[i];
        ly_buf_add_format(out, "serial: %llu", (unsigned long long)run->lowest);
        if (run->highest != run->lowest)
            ly_buf_add_format(out, "-%llu", (unsigned long long)run->highest);
        ly_buf_add_str(out, "\n");
    }
    for (size_t i = 0; i < authority->ids.count; i++) {
        ly_buf_add_str(out, "id: ");
        put_text(authority->ids.item[i], out);
        ly_buf_add_str(out, "\n");
    }
}

void ly_krl_describe(const LyKrl *krl, LyBuf *out)
{
    ly_buf_add_format(out, "# KRL version %llu\n# Generated at ", (unsigned long long)krl->version);
    put_time(krl->generated, out);
    ly_buf_add_str(out, "\n");
    if (krl->comment.len) {
        ly_buf_add_str(out, "# Comment: ");
        put_text(krl->comment, out);
        ly_buf_add_str(out, "\n");
    }
    ly_buf_add_str(out, "\n");
    for (size_t i = 0; i < krl->keys.count; i++)
        put_blob(krl, krl->keys.item[i], "hash: %s # %s\n", out);
    for (size_t i = 0; i < krl->sha256.count; i++) {
        ly_buf_add_str(out, "hash: SHA256:");
        ly_put_hex(krl->sha256.item[i], out);
        ly_buf_add_str(out, "\n");
    }
    for (size_t i = 0; i < krl->sha1.count; i++) {
        ly_buf_add_str(out, "# hash SHA1:");
        ly_put_hex(krl->sha1.item[i], out);
        ly_buf_add_str(out, "\n");
    }
    for (size_t i = 0; i < krl->authority_count; i++)
        put_authority(krl, krl->authorities[i], out);
}
