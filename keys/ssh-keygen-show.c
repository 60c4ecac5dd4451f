/* What is shown of keys: fingerprints, certificates, DNS records. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "files.h"
#include "key/certificate.h"
#include "ssh-keygen-private.h"

#define FILE_LIMIT ((size_t)64 << 20)

/* `comment` NULL: none is known. */
static void print_fingerprint(Keygen *keygen, const LyKey *key, const char *comment)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LY_AUTO(ly_buf_free) LyBuf shown = {0};
    char label[64];
    keygen_put_fingerprint(keygen, key, keygen->hash, keygen->bubblebabble, &text);
    ly_buf_add_format(&text, " %s (%s)\n",
                      comment ? keygen_visible(ly_bytes_str(comment), &shown) : "no comment",
                      keygen_blob_label(ly_key_blob(key), label, sizeof label));
    if (keygen->verbose) {
        keygen_put_art(keygen, key, &text);
        ly_buf_add_str(&text, "\n");
    }
    printf("%u %s", ly_key_bits(key), ly_buf_str(&text));
}

/* A line's comment, or what stands in front of its key, as ssh-keygen shows it. Malloced. */
static char *line_comment(const LyKeyEntry *entry)
{
    LyBytes comment = ly_bytes_trim(ly_key_comment(entry->key));
    if (comment.len && comment.data[0] != '#')
        return keygen_comment(comment);
    LyBytes prefix = ly_bytes_trim(entry->prefix);
    return prefix.len ? keygen_comment(prefix) : NULL;
}

/* The comment that an unencrypted private key's own format carries. Malloced; NULL: none. */
static char *private_comment(const LyKeyEntry *entry)
{
    bool has_room = entry->format != LY_KEY_PEM && entry->format != LY_KEY_PKCS8;
    return entry->key && !entry->encrypted && has_room ? keygen_comment(ly_key_comment(entry->key)) : NULL;
}

/* The keys of a file of lines, of several keys, or of standard input. */
static bool print_entries(Keygen *keygen, const LyKeyFile *file)
{
    bool any = false;
    for (size_t i = 0; i < file->count; i++) {
        const LyKeyEntry *entry = &file->entries[i];
        if (!entry->key)
            continue;
        LY_AUTO_FREE char *comment = entry->has_private ? private_comment(entry) : line_comment(entry);
        print_fingerprint(keygen, entry->key, comment);
        any = true;
    }
    return any;
}

/* A private key's file: its own public half, with the comment of FILE.pub where that fits. */
static int print_private(Keygen *keygen, const LyKeyEntry *entry)
{
    LyError error;
    char *comment = NULL;
    LyKey *key = keygen_load_public(keygen, keygen->file, &comment, &error);
    if (!key)
        return keygen_fatal("%s is not a key file.", keygen->file);
    if (!comment)
        comment = private_comment(entry);
    print_fingerprint(keygen, key, comment);
    ly_key_unref(key);
    ly_free(comment);
    return KEYGEN_OK;
}

static bool says_private(LyBytes text)
{
    LyBytes line;
    return ly_bytes_line(&text, &line) && ly_bytes_find(line, LY_BYTES("PRIVATE KEY")) != SIZE_MAX;
}

int keygen_fingerprint(Keygen *keygen)
{
    int status = KEYGEN_OK;
    if (!keygen_need_file(keygen, "Enter file in which the key is", &status))
        return status;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyError error;
    bool standard = strcmp(keygen->file, "-") == 0;
    if (!file_read(keygen->file, FILE_LIMIT, &text, &error))
        return keygen_fatal("ssh-keygen: %s: %s", keygen->file, KEYGEN_ERROR(&error));
    LyKeyReadOptions options = keygen->tool->limits;
    options.public_only = true;
    LyKeyFile file = {0};
    const char *name = standard ? "(stdin)" : keygen->file;
    bool read = ly_key_file_read(keygen->crypto, ly_buf_bytes(&text), &options, &file, &error);
    if (!standard &&
        (read ? file.count == 1 && file.entries[0].has_private : says_private(ly_buf_bytes(&text))))
        status = print_private(keygen, read ? &file.entries[0] : &(LyKeyEntry){0});
    else if (!read || !print_entries(keygen, &file))
        status = keygen_fatal("%s is not a %s file.", name,
                              says_private(ly_buf_bytes(&text)) ? "key" : "public key");
    ly_key_file_clear(&file);
    return status;
}

static void put_time(uint64_t seconds, char text[64])
{
    struct tm parts;
    time_t when = (time_t)LY_MIN(seconds, (uint64_t)INT64_MAX);
    if (!localtime_r(&when, &parts) || strftime(text, 64, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        snprintf(text, 64, "%llu", (unsigned long long)seconds);
}

void keygen_put_validity(uint64_t after, uint64_t before, LyBuf *out)
{
    char from[64], to[64];
    put_time(after, from);
    put_time(before, to);
    if (after == 0 && before == UINT64_MAX)
        ly_buf_add_str(out, "forever");
    else if (after == 0)
        ly_buf_add_format(out, "before %s", to);
    else if (before == UINT64_MAX)
        ly_buf_add_format(out, "after %s", from);
    else
        ly_buf_add_format(out, "from %s to %s", from, to);
}

/* Options whose data ssh-keygen knows how to show. */
static bool is_known(LyBytes name, bool critical)
{
    static const char *const flags[] = {"permit-X11-forwarding",  "permit-agent-forwarding",
                                        "permit-port-forwarding", "permit-pty",
                                        "permit-user-rc",         "no-touch-required"};
    if (critical)
        return ly_bytes_is(name, "force-command") || ly_bytes_is(name, "source-address") ||
               ly_bytes_is(name, "verify-required");
    for (size_t i = 0; i < LY_COUNT(flags); i++)
        if (ly_bytes_is(name, flags[i]))
            return true;
    return false;
}

static void print_options(const char *title, LyBytes options, bool critical)
{
    LY_AUTO(ly_buf_free) LyBuf shown = {0};
    printf("        %s: %s\n", title, options.len ? "" : "(none)");
    LyReader reader = ly_reader(options);
    while (reader.len && !reader.failed) {
        LyBytes name = ly_get_string(&reader), data = ly_get_string(&reader);
        if (reader.failed)
            break;
        printf("                %s", keygen_visible(name, &shown));
        if (is_known(name, critical) && (critical || !data.len)) {
            LyReader inside = ly_reader(data);
            if (data.len)
                printf(" %s", keygen_visible(ly_get_string(&inside), &shown));
        } else if (data.len) {
            printf(" UNKNOWN OPTION: ");
            for (size_t i = 0; i < data.len; i++)
                printf("%02x", data.data[i]);
            printf(" (len %zu)", data.len);
        } else {
            printf(" UNKNOWN FLAG OPTION");
        }
        printf("\n");
    }
}

static void print_certificate(Keygen *keygen, const LyKey *key, const LyCertificate *certificate)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LY_AUTO(ly_buf_free) LyBuf validity = {0};
    char label[64], ca_label[64];
    LyReader signature = ly_reader(certificate->signature);
    LyBytes algorithm = ly_get_string(&signature);
    printf("        Type: %s %s certificate\n", ly_key_type_name(key),
           certificate->kind == LY_CERTIFICATE_HOST   ? "host"
           : certificate->kind == LY_CERTIFICATE_USER ? "user"
                                                      : "unknown");
    keygen_put_fingerprint(keygen, key, keygen->hash, false, &text);
    printf("        Public key: %s %s\n", keygen_blob_label(ly_key_blob(key), label, sizeof label),
           ly_buf_str(&text));
    ly_buf_clear(&text);
    ly_key_put_fingerprint(keygen->crypto, certificate->ca_blob, keygen->hash, &text);
    printf("        Signing CA: %s %s", keygen_blob_label(certificate->ca_blob, ca_label, sizeof ca_label),
           ly_buf_str(&text));
    printf(" (using %s)\n", keygen_visible(algorithm, &text));
    printf("        Key ID: \"%s\"\n", keygen_visible(certificate->id, &text));
    printf("        Serial: %llu\n", (unsigned long long)certificate->serial);
    keygen_put_validity(certificate->valid_after, certificate->valid_before, &validity);
    printf("        Valid: %s\n", ly_buf_str(&validity));
    printf("        Principals: %s\n", certificate->principals.len ? "" : "(none)");
    for (LyReader names = ly_reader(certificate->principals); names.len && !names.failed;)
        printf("                %s\n", keygen_visible(ly_get_string(&names), &text));
    print_options("Critical Options", certificate->critical, true);
    print_options("Extensions", certificate->extensions, false);
}

/* One line of -L. */
static bool show_line(Keygen *keygen, const char *path, unsigned number, LyBytes line, bool standard)
{
    LyError error;
    LyKey *key = ly_key_read_line(keygen->crypto, line, &error);
    LyCertificate certificate;
    bool shown = false;
    if (!key) {
        keygen_say("%s:%u: invalid key: invalid format", path, number);
    } else if (!ly_key_is_certificate(key)) {
        keygen_say("%s:%u is not a certificate", path, number);
    } else if (ly_certificate_read(ly_key_blob(key), &certificate, &error)) {
        if (number == 1 && !standard)
            printf("%s:\n", path);
        else
            printf("%s:%u:\n", path, number);
        print_certificate(keygen, key, &certificate);
        shown = true;
    }
    ly_key_unref(key);
    return shown;
}

int keygen_show_certificate(Keygen *keygen)
{
    int status = KEYGEN_OK;
    if (!keygen_need_file(keygen, "Enter file in which the key is", &status))
        return status;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyError error;
    bool standard = strcmp(keygen->file, "-") == 0, any = false;
    if (!file_read(keygen->file, FILE_LIMIT, &text, &error))
        return keygen_fatal("ssh-keygen: %s: %s", keygen->file, KEYGEN_ERROR(&error));
    LyBytes rest = ly_buf_bytes(&text), line;
    if (ly_bytes_starts_with(rest, "\xef\xbb\xbf"))
        rest = ly_bytes_slice(rest, 3, rest.len);
    for (unsigned number = 1; ly_bytes_line(&rest, &line); number++) {
        line = ly_bytes_trim(line);
        if (line.len && line.data[0] != '#' &&
            show_line(keygen, standard ? "(stdin)" : keygen->file, number, line, standard))
            any = true;
    }
    return any ? KEYGEN_OK : KEYGEN_NO;
}

/* 1: printed; 0: no such file; -1: failed after a message. */
static int print_records(Keygen *keygen, const char *path)
{
    struct stat status;
    LyError error;
    if (stat(path, &status) != 0) {
        if (errno == ENOENT)
            return 0;
        keygen_say("%s: %s", path, strerror(errno));
        return -1;
    }
    LyKey *key = keygen_load_public(keygen, path, NULL, &error);
    LyBuf text = {0};
    bool ok = key && ly_key_put_sshfp(keygen->crypto, key, keygen->host, LY_HASH_COUNT, keygen->generic,
                                      &text, &error);
    if (ok)
        fwrite(text.data, 1, text.len, stdout);
    else
        keygen_say("Failed to read v2 public key from \"%s\": %s.", path, KEYGEN_ERROR(&error));
    ly_buf_free(&text);
    ly_key_unref(key);
    return ok ? 1 : -1;
}

int keygen_resource_records(Keygen *keygen)
{
    static const char *const host_keys[] = {
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/ssh/ssh_host_dsa_key",
        "/etc/ssh/ssh_host_ecdsa_key",
        "/etc/ssh/ssh_host_ed25519_key",
    };
    if (keygen->file) {
        int printed = print_records(keygen, keygen->file);
        if (printed)
            return printed > 0 ? KEYGEN_OK : KEYGEN_FATAL;
        return keygen_fatal("%s: %s", keygen->file, strerror(ENOENT));
    }
    bool any = false;
    for (size_t i = 0; i < LY_COUNT(host_keys); i++) {
        int printed = print_records(keygen, host_keys[i]);
        if (printed < 0)
            return KEYGEN_FATAL;
        any = any || printed;
    }
    return any ? KEYGEN_OK : keygen_fatal("no keys found.");
}
