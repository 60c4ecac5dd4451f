#include "key/known_hosts.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/list.h"
#include "base/names.h"
#include "key/certificate.h"
#include "key/edit.h"
#include "key/read.h"

#define HOST_LIMIT 1025

typedef struct File {
    LyLink link;
    char *name;
    LyBytes text; /* owned */
} File;

struct LyKnownHosts {
    LyCrypto *crypto;
    LyList files;
};

LyKnownHosts *ly_known_hosts_new(LyCrypto *crypto)
{
    LyKnownHosts *hosts = ly_new(LyKnownHosts);
    hosts->crypto = ly_crypto_ref(crypto);
    ly_list_init(&hosts->files);
    return hosts;
}

void ly_known_hosts_free(LyKnownHosts *hosts)
{
    if (!hosts)
        return;
    ly_list_each(&hosts->files, File, link, file)
    {
        ly_link_remove(&file->link);
        ly_free(file->name);
        ly_free((void *)file->text.data);
        ly_free(file);
    }
    ly_crypto_unref(hosts->crypto);
    ly_free(hosts);
}

void ly_known_hosts_add(LyKnownHosts *hosts, const char *name, LyBytes text)
{
    File *file = ly_new(File);
    file->name = ly_strdup(name);
    file->text = ly_bytes(ly_bytes_dup_str(text), text.len);
    ly_list_append(&hosts->files, &file->link);
}

/* The name that is looked up: lower case, "[host]:port" unless the port is 22. */
static bool put_lookup_name(LyBytes host, uint16_t port, LyBuf *out)
{
    if (host.len == 0 || host.len > HOST_LIMIT)
        return false;
    if (port != 22)
        ly_buf_add_str(out, "[");
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        if (c <= ' ' || c == ',' || c == 0x7f)
            return false; /* no file can name such a host, and none must seem to */
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
        ly_buf_add(out, ly_bytes(&c, 1));
    }
    if (port != 22)
        ly_buf_add_format(out, "]:%u", port);
    return true;
}

typedef enum Marker { NO_MARKER, CERT_AUTHORITY, REVOKED } Marker;

typedef struct Line {
    const char *file;
    unsigned number;
    Marker marker;
    LyKey *key; /* owned by the walk */
} Line;

typedef struct Walk {
    const LyKnownHosts *hosts;
    LyBytes name;
    const File *file;
    LyBytes rest;
    unsigned number; /* of the last line read */
    Line line;
} Walk;

/* Reads a line that is for the host; false when it is not, or its key cannot be read. */
static bool read_line(Walk *walk, const LyHostLine *text)
{
    Line *line = &walk->line;
    if (!ly_host_line_matches(walk->hosts->crypto, text, walk->name))
        return false;
    line->number = text->number;
    line->marker = !text->marker.len                              ? NO_MARKER
                   : ly_bytes_is(text->marker, "@cert-authority") ? CERT_AUTHORITY
                                                                  : REVOKED;
    line->key = ly_key_read_line(walk->hosts->crypto, text->key, NULL);
    if (line->key && ly_key_is_certificate(line->key)) {
        ly_key_unref(line->key);
        line->key = NULL;
    }
    return line->key != NULL;
}

static const File *next_file(const LyKnownHosts *hosts, const File *file)
{
    const LyLink *link = file ? file->link.next : hosts->files.head.next;
    return link == &hosts->files.head ? NULL : ly_container_of(link, File, link);
}

/* The next line about the host; false at the end, when nothing is left to release. */
static bool next_line(Walk *walk)
{
    LyHostLine line;
    ly_key_unref(walk->line.key);
    walk->line.key = NULL;
    for (;;) {
        while (walk->file && ly_host_line_next(&walk->rest, &walk->number, &line))
            if (read_line(walk, &line))
                return true;
        walk->file = next_file(walk->hosts, walk->file);
        if (!walk->file)
            return false;
        walk->rest = walk->file->text;
        walk->line.file = walk->file->name;
        walk->number = 0;
    }
}

static void decide(LyHostCheck *check, LyHostVerdict verdict, const Line *line)
{
    check->verdict = verdict;
    check->file = line->file;
    check->line = line->number;
}

/* What one line says. The worst word stands: revoked over all, then a CA, then the key itself, then a key of
 * its type. */
static void judge(const Line *line, LyKey *key, LyBytes ca_blob, LyHostCheck *check)
{
    LyBytes blob = ly_key_plain_blob(line->key);
    bool is_key = ly_key_equal_public(line->key, key);
    bool is_ca = ca_blob.len && ly_bytes_equal(blob, ca_blob);
    if (line->marker == REVOKED) {
        if (!is_key && !is_ca)
            return;
        decide(check, LY_HOST_REVOKED, line);
        check->by_ca = false;
        snprintf(check->detail, sizeof check->detail, "the host's %s key %sis marked as revoked",
                 ly_key_type_name(key), is_key ? "" : "was certified by a CA that ");
    } else if (check->verdict == LY_HOST_REVOKED || check->by_ca) {
        return;
    } else if (line->marker == CERT_AUTHORITY) {
        if (!is_ca)
            return;
        decide(check, LY_HOST_OK, line);
        check->by_ca = true;
        check->detail[0] = 0;
    } else if (check->verdict == LY_HOST_OK) {
        return;
    } else if (is_key) {
        decide(check, LY_HOST_OK, line);
        check->detail[0] = 0;
    } else if (ly_key_type(line->key) == ly_key_type(key)) {
        if (check->verdict == LY_HOST_CHANGED)
            return;
        decide(check, LY_HOST_CHANGED, line);
        snprintf(check->detail, sizeof check->detail, "another %s key is known for the host",
                 ly_key_type(key)->name);
    } else if (check->verdict == LY_HOST_UNKNOWN) {
        decide(check, LY_HOST_NEW_TYPE, line);
        snprintf(check->detail, sizeof check->detail, "a %s key is known for the host, but no %s key",
                 ly_key_type(line->key)->name, ly_key_type(key)->name);
    }
}

static LyBytes lower_host(LyBytes host, LyBuf *out)
{
    put_lookup_name(host, 22, out);
    return ly_buf_bytes(out);
}

void ly_known_hosts_check(const LyKnownHosts *hosts, LyBytes host, uint16_t port, LyKey *key,
                          uint64_t now_seconds, LyHostCheck *check)
{
    LY_AUTO(ly_buf_free) LyBuf name = {0}, principal = {0};
    LyHostCheck result = {.verdict = LY_HOST_UNKNOWN};
    LyCertificate certificate = {0};
    LyError error = {0};
    if (ly_key_is_certificate(key))
        ly_certificate_read(ly_key_blob(key), &certificate, NULL);
    if (put_lookup_name(host, port, &name)) {
        Walk walk = {.hosts = hosts, .name = ly_buf_bytes(&name)};
        while (next_line(&walk))
            judge(&walk.line, key, certificate.ca_blob, &result);
    }
    if (result.verdict == LY_HOST_OK && result.by_ca &&
        !ly_certificate_check(hosts->crypto, key, LY_CERTIFICATE_HOST, lower_host(host, &principal), true,
                              now_seconds, (LyBytes){0}, &error)) {
        result.verdict = LY_HOST_BAD_CERTIFICATE;
        result.by_ca = false;
        snprintf(result.detail, sizeof result.detail, "%.250s", error.message);
    }
    *check = result;
}

void ly_known_hosts_prefer(const LyKnownHosts *hosts, LyBytes host, uint16_t port, LyBytes algorithms,
                           LyBuf *out)
{
    LY_AUTO(ly_buf_free) LyBuf name = {0}, types = {0};
    bool has_ca = false, first = true;
    LyBytes each;
    if (!put_lookup_name(host, port, &name))
        return;
    Walk walk = {.hosts = hosts, .name = ly_buf_bytes(&name)};
    while (next_line(&walk)) {
        has_ca = has_ca || walk.line.marker == CERT_AUTHORITY;
        if (walk.line.marker != NO_MARKER)
            continue;
        ly_buf_add_str(&types, types.len ? "," : "");
        ly_buf_add_str(&types, ly_key_type_name(walk.line.key));
    }
    while (ly_names_next(&algorithms, &each)) {
        const LySignatureAlgorithm *info = ly_signature_algorithm_find(each);
        bool is_certificate = false;
        if (!info || !ly_key_type_find(ly_bytes_str(info->key_type), &is_certificate))
            continue;
        if (is_certificate ? !has_ca : !ly_names_contain(ly_buf_bytes(&types), ly_bytes_str(info->key_type)))
            continue;
        ly_buf_add_str(out, first ? "" : ",");
        ly_buf_add(out, each);
        first = false;
    }
}

bool ly_known_hosts_line(LyCrypto *crypto, LyBytes host, uint16_t port, LyKey *key, bool hashed, LyBuf *out,
                         LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf name = {0};
    LyBytes plain = ly_key_plain_blob(key);
    bool readable = put_lookup_name(host, port, &name);
    /* In the clear, some characters would be patterns, a marker or a comment. */
    for (size_t i = 0; i < host.len && !hashed && readable; i++)
        readable = !strchr("*?!|@#", host.data[i]);
    if (!readable)
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" cannot stand in known_hosts",
                            LY_PRINTABLE(host));
    if (hashed) {
        if (!ly_host_name_hash(crypto, ly_buf_bytes(&name), out))
            return ly_error_set(error, LY_ERROR_CRYPTO, "libcrypto cannot compute HMAC-SHA-1");
    } else {
        ly_buf_add(out, ly_buf_bytes(&name));
    }
    ly_buf_add_format(out, " %s ", ly_key_type(key)->name);
    ly_base64_encode(out, plain, 0);
    ly_buf_add_str(out, "\n");
    return true;
}
