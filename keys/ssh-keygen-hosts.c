/* known_hosts: finding, removing and hashing hosts. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/base64.h"
#include "files.h"
#include "key/edit.h"
#include "ssh-keygen-private.h"

#define FILE_LIMIT ((size_t)64 << 20)

typedef struct Hosts {
    Keygen *keygen;
    const char *path;
    LyBytes text;
    size_t found;
} Hosts;

static LyBytes without_end(LyBytes line)
{
    while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
        line.len--;
    return line;
}

/* Neither a blank line, nor a remark, nor "names type base64" whose blob is of that type, known here or not.
 */
static bool is_malformed(const LyHostLine *line)
{
    LyBytes text = ly_bytes_trim(line->line);
    if (!line->understood)
        return text.len && text.data[0] != '#';
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    bool decoded = ly_base64_decode(&blob, line->base64, false);
    LyReader reader = ly_reader(ly_buf_bytes(&blob));
    return !decoded || !ly_bytes_equal(ly_get_string(&reader), line->type);
}

/* -F -l */
static void print_fingerprint(const Hosts *hosts, const LyHostLine *line)
{
    Keygen *keygen = hosts->keygen;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LY_AUTO(ly_buf_free) LyBuf comment = {0};
    LyError error;
    char label[64];
    LY_AUTO_FREE char *key_line = ly_format("%.*s %.*s", (int)line->type.len, (const char *)line->type.data,
                                            (int)line->base64.len, (const char *)line->base64.data);
    LyKey *key = ly_key_read_line(keygen->crypto, ly_bytes_str(key_line), &error);
    if (!key) {
        keygen_say("%s:%u: invalid line", hosts->path, line->number);
        return;
    }
    keygen_put_fingerprint(keygen, key, keygen->hash, keygen->bubblebabble, &text);
    printf("%s %s %s%s%s\n", keygen->host, keygen_blob_label(ly_key_blob(key), label, sizeof label),
           ly_buf_str(&text), line->comment.len ? " " : "", keygen_visible(line->comment, &comment));
    if (keygen->verbose) {
        ly_buf_clear(&text);
        keygen_put_art(keygen, key, &text);
        printf("%s\n", ly_buf_str(&text));
    }
    ly_key_unref(key);
}

static void print_found(Hosts *hosts, const LyHostLine *line)
{
    Keygen *keygen = hosts->keygen;
    hosts->found++;
    if (!keygen->quiet)
        printf("# Host %s found: line %u %s\n", keygen->host, line->number,
               ly_bytes_is(line->marker, "@cert-authority") ? "CA"
               : ly_bytes_is(line->marker, "@revoked")      ? "REVOKED"
                                                            : "");
    if (keygen->hash_hosts) {
        LyBuf hashed = {0};
        ly_known_hosts_hash(keygen->crypto, line->line, &hashed, NULL, NULL);
        fwrite(hashed.data, 1, hashed.len, stdout);
        if (!hashed.len || hashed.data[hashed.len - 1] != '\n')
            printf("\n");
        ly_buf_free(&hashed);
    } else if (keygen->show_fingerprint) {
        print_fingerprint(hosts, line);
    } else {
        LyBytes text = without_end(line->line);
        printf("%.*s\n", (int)text.len, (const char *)text.data);
    }
}

static int find(Hosts *hosts)
{
    LyBytes text = hosts->text;
    unsigned number = 0;
    LyHostLine line;
    while (ly_host_line_next(&text, &number, &line))
        if (line.understood &&
            ly_host_line_matches(hosts->keygen->crypto, &line, ly_bytes_str(hosts->keygen->host)))
            print_found(hosts, &line);
    return hosts->found ? KEYGEN_OK : KEYGEN_NO;
}

static void say_removed(void *user, const LyHostLine *line)
{
    Hosts *hosts = user;
    if (!hosts->keygen->quiet)
        printf("# Host %s found: line %u\n", hosts->keygen->host, line->number);
}

static void say_kept(void *user, const LyHostLine *line)
{
    Hosts *hosts = user;
    if (line->understood && memchr(line->hosts.data, '*', line->hosts.len) == NULL &&
        memchr(line->hosts.data, '?', line->hosts.len) == NULL &&
        memchr(line->hosts.data, '!', line->hosts.len) == NULL)
        return;
    if (line->understood)
        keygen_say("%s:%u: ignoring host name with wildcard: %s", hosts->path, line->number,
                   LY_PRINTABLE(ly_bytes_slice(line->hosts, 0, 64)));
}

/* What is not a line of a known_hosts file keeps it from being changed. */
static bool is_valid(const Hosts *hosts)
{
    LyBytes text = hosts->text;
    unsigned number = 0;
    bool valid = true;
    for (LyHostLine line; ly_host_line_next(&text, &number, &line);) {
        if (!is_malformed(&line))
            continue;
        keygen_say("%s:%u: invalid line", hosts->path, line.number);
        valid = false;
    }
    if (!valid) {
        keygen_say("%s is not a valid known_hosts file.", hosts->path);
        keygen_say("Not replacing existing known_hosts file because of errors");
    }
    return valid;
}

/* The old file stays beside it as FILE.old. */
static int replace(const Hosts *hosts, LyBytes text, bool was_plain)
{
    LyError error;
    LY_AUTO_FREE char *old = ly_format("%s.old", hosts->path);
    if (unlink(old) != 0 && errno != ENOENT)
        return keygen_fatal("unlink %s: %s", old, strerror(errno));
    if (link(hosts->path, old) != 0)
        return keygen_fatal("link %s to %s: %s", hosts->path, old, strerror(errno));
    if (!file_write(hosts->path, FILE_REPLACE, 0600, text, &error)) {
        keygen_say("Cannot write %s: %s", hosts->path, KEYGEN_ERROR(&error));
        unlink(old);
        return KEYGEN_NO;
    }
    printf("%s updated.\nOriginal contents retained as %s\n", hosts->path, old);
    if (was_plain) {
        keygen_say("WARNING: %s contains unhashed entries", old);
        keygen_say("Delete this file to ensure privacy of hostnames");
    }
    return KEYGEN_OK;
}

static int change(Hosts *hosts)
{
    Keygen *keygen = hosts->keygen;
    LY_AUTO(ly_buf_free) LyBuf changed = {0};
    size_t count;
    if (keygen->delete_host)
        count = ly_known_hosts_remove(keygen->crypto, hosts->text, ly_bytes_str(keygen->host), &changed,
                                      say_removed, hosts);
    else
        count = ly_known_hosts_hash(keygen->crypto, hosts->text, &changed, say_kept, hosts);
    if (changed.failed)
        return keygen_fatal("%s would grow over %zu bytes", hosts->path, LY_BUF_LIMIT);
    if (!is_valid(hosts))
        return KEYGEN_NO;
    if (keygen->delete_host && !count) {
        keygen_say("Host %s not found in %s", keygen->host, hosts->path);
        return KEYGEN_OK;
    }
    return replace(hosts, ly_buf_bytes(&changed), !keygen->delete_host && count > 0);
}

int keygen_hosts(Keygen *keygen)
{
    LyError error;
    struct stat status;
    LY_AUTO_FREE char *path = keygen->file ? ly_strdup(keygen->file) : keygen_path("~/.ssh/known_hosts");
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    if (stat(path, &status) != 0)
        return keygen_fatal("Cannot stat %s: %s", path, strerror(errno));
    if (!file_read(path, FILE_LIMIT, &text, &error))
        return keygen_fatal("Cannot read %s: %s", path, KEYGEN_ERROR(&error));
    Hosts hosts = {.keygen = keygen, .path = path, .text = ly_buf_bytes(&text)};
    return keygen->find_host ? find(&hosts) : change(&hosts);
}
