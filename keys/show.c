/* show: what the keys of files are. It asks nobody anything: what a passphrase hides stays hidden, unless one
 * was given. */
#include "commands.h"

#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/secret.h"
#include "describe.h"
#include "files.h"
#include "key/certificate.h"
#include "key/fingerprint.h"
#include "key/weakness.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define WARNINGS_MAX (LY_WEAKNESS_MAX + 3)

typedef struct Show {
    Tool *tool;
    LyBuf out;
    LyJson json;
    Status status;
    const char *file;
    char *passphrase;
    bool readable; /* the file, by others */
} Show;

typedef struct Warnings {
    LyWeakness items[WARNINGS_MAX];
    size_t count;
} Warnings;

/* Debian's package openssh-blacklist puts its lists here. */
static bool on_blocklist(Tool *tool, const LyKey *key)
{
    LyPkType pk = ly_key_type(key)->pk;
    if ((pk != LY_PK_RSA && pk != LY_PK_DSA) || ly_key_type(key)->sk)
        return false;
    LY_AUTO_FREE char *path =
        ly_format("/usr/share/ssh/blacklist.%s-%u", pk == LY_PK_RSA ? "RSA" : "DSA", ly_key_bits(key));
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    char id[21];
    if (!file_read(path, FILE_LIMIT, &text, NULL))
        return false;
    ly_key_debian_blocklist_id(tool->crypto, key, id);
    LyBytes rest = ly_buf_bytes(&text), line;
    while (ly_bytes_line(&rest, &line))
        if (ly_bytes_is(line, id))
            return true;
    return false;
}

static void find_warnings(Show *show, const LyKeyEntry *entry, Warnings *found)
{
    static const LyWeakness readable = {"readable-by-others",
                                        "others can read this private key: chmod 600 the file"};
    static const LyWeakness wrong = {"wrong-passphrase",
                                     "the passphrase that was given does not open this key"};
    found->count = entry->key ? ly_key_weaknesses(entry->key, entry->format, found->items) : 0;
    if (entry->key && on_blocklist(show->tool, entry->key))
        found->items[found->count++] = ly_weakness_debian;
    if (entry->has_private && show->readable)
        found->items[found->count++] = readable;
    if (show->passphrase && entry->error.code == LY_ERROR_PASSPHRASE)
        found->items[found->count++] = wrong;
}

/* Certificates. */

static void json_strings(LyJson *json, const char *name, LyBytes strings)
{
    LyReader reader = ly_reader(strings);
    ly_json_name(json, name);
    ly_json_begin(json, '[');
    while (reader.len && !reader.failed)
        ly_json_string(json, ly_get_string(&reader));
    ly_json_end(json, ']');
}

/* What an option says: the string in its data; flags have none. */
static LyBytes option_value(LyBytes data)
{
    LyReader inner = ly_reader(data);
    LyBytes value = ly_get_string(&inner);
    return ly_reader_done(&inner) ? value : data;
}

static void json_options(LyJson *json, const char *name, LyBytes options)
{
    LyReader reader = ly_reader(options);
    ly_json_name(json, name);
    ly_json_begin(json, '{');
    while (reader.len && !reader.failed) {
        LyBytes option = ly_get_string(&reader), data = ly_get_string(&reader);
        ly_json_foreign_name(json, option);
        ly_json_string(json, option_value(data));
    }
    ly_json_end(json, '}');
}

static const char *kind_name(uint32_t kind)
{
    return kind == LY_CERTIFICATE_USER ? "user" : kind == LY_CERTIFICATE_HOST ? "host" : "unknown";
}

static void json_certificate(Show *show, const LyKey *key)
{
    LyCertificate certificate;
    LyJson *json = &show->json;
    ly_json_name(json, "certificate");
    if (!key || !ly_key_is_certificate(key) || !ly_certificate_read(ly_key_blob(key), &certificate, NULL)) {
        ly_json_null(json);
        return;
    }
    ly_json_begin(json, '{');
    ly_json_name(json, "kind");
    ly_json_cstring(json, kind_name(certificate.kind));
    ly_json_name(json, "serial");
    ly_json_unsigned(json, certificate.serial);
    ly_json_name(json, "id");
    ly_json_string(json, certificate.id);
    json_strings(json, "principals", certificate.principals);
    ly_json_name(json, "valid_after");
    ly_json_unsigned(json, certificate.valid_after);
    ly_json_name(json, "valid_before");
    ly_json_unsigned(json, certificate.valid_before);
    json_options(json, "critical", certificate.critical);
    json_options(json, "extensions", certificate.extensions);
    json_fingerprint(show->tool, json, "ca", certificate.ca_blob);
    ly_json_end(json, '}');
}

static void put_strings(LyBuf *out, LyBytes strings)
{
    LyReader reader = ly_reader(strings);
    const char *comma = "";
    while (reader.len && !reader.failed) {
        LyBytes text = ly_get_string(&reader);
        ly_buf_add_str(out, comma);
        put_printable(out, text);
        comma = ", ";
    }
    ly_buf_add_str(out, *comma ? "\n" : "(none)\n");
}

static void put_options(LyBuf *out, const char *title, LyBytes options)
{
    LyReader reader = ly_reader(options);
    while (reader.len && !reader.failed) {
        LyBytes option = ly_get_string(&reader), data = ly_get_string(&reader);
        ly_buf_add_format(out, "  %-13s ", title);
        put_printable(out, option);
        if (data.len) {
            ly_buf_add_str(out, " ");
            put_printable(out, option_value(data));
        }
        ly_buf_add_str(out, "\n");
        title = "";
    }
}

static void put_certificate(Show *show, const LyKey *key)
{
    LyCertificate certificate;
    LyBuf *out = &show->out;
    if (!ly_key_is_certificate(key) || !ly_certificate_read(ly_key_blob(key), &certificate, NULL))
        return;
    ly_buf_add_format(out, "  certificate   for a %s, serial %llu, id \"", kind_name(certificate.kind),
                      (unsigned long long)certificate.serial);
    put_printable(out, certificate.id);
    ly_buf_add_str(out, "\"\n  principals    ");
    put_strings(out, certificate.principals);
    ly_buf_add_str(out, "  valid         ");
    if (certificate.valid_after == 0 && certificate.valid_before == UINT64_MAX) {
        ly_buf_add_str(out, "forever");
    } else {
        ly_buf_add_str(out, "from ");
        put_time(out, certificate.valid_after);
        ly_buf_add_str(out, " to ");
        put_time(out, certificate.valid_before);
    }
    ly_buf_add_str(out, "\n");
    put_options(out, "critical", certificate.critical);
    put_options(out, "extensions", certificate.extensions);
    LyReader reader = ly_reader(certificate.ca_blob);
    LyBytes type = ly_get_string(&reader);
    ly_buf_add_str(out, "  signed by     ");
    ly_key_put_fingerprint(show->tool->crypto, certificate.ca_blob, LY_SHA256, out);
    ly_buf_add_str(out, " (");
    put_printable(out, type);
    ly_buf_add_str(out, ")\n");
}

/* One key. */

static void json_kdf(LyJson *json, const LyKeyKdf *kdf)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"rounds", kdf->rounds},
                   {"iterations", kdf->iterations},
                   {"memory_kib", kdf->memory_kib},
                   {"passes", kdf->passes},
                   {"lanes", kdf->lanes}};
    ly_json_name(json, "kdf");
    if (!kdf->name) {
        ly_json_null(json);
        return;
    }
    ly_json_begin(json, '{');
    ly_json_name(json, "name");
    ly_json_cstring(json, kdf->name);
    for (size_t i = 0; i < LY_COUNT(numbers); i++) {
        if (numbers[i].value) {
            ly_json_name(json, numbers[i].name);
            ly_json_unsigned(json, numbers[i].value);
        }
    }
    ly_json_end(json, '}');
}

static void json_member(LyJson *json, const char *name, const char *text)
{
    ly_json_name(json, name);
    ly_json_cstring(json, text);
}

static void show_json(Show *show, const LyKeyEntry *entry, const Warnings *warnings)
{
    LyJson *json = &show->json;
    const LyKey *key = entry->key;
    ly_json_begin(json, '{');
    json_member(json, "file", show->file);
    json_member(json, "format", ly_key_format_name(entry->format));
    json_member(json, "type", key ? ly_key_type_name(key) : NULL);
    ly_json_name(json, "bits");
    if (key) {
        ly_json_unsigned(json, ly_key_bits(key));
        json_fingerprint(show->tool, json, "fingerprint", ly_key_plain_blob(key));
        json_comment(json, ly_key_comment(key));
    } else {
        ly_json_null(json);
        json_member(json, "fingerprint", NULL);
        json_member(json, "comment", NULL);
    }
    ly_json_name(json, "private");
    ly_json_bool(json, entry->has_private);
    ly_json_name(json, "encrypted");
    ly_json_bool(json, entry->encrypted);
    json_member(json, "cipher", entry->cipher[0] ? entry->cipher : NULL);
    json_kdf(json, &entry->kdf);
    json_certificate(show, key);
    ly_json_name(json, "warnings");
    ly_json_begin(json, '[');
    for (size_t i = 0; i < warnings->count; i++) {
        ly_json_begin(json, '{');
        json_member(json, "code", warnings->items[i].code);
        json_member(json, "text", warnings->items[i].text);
        ly_json_end(json, '}');
    }
    ly_json_end(json, ']');
    ly_json_end(json, '}');
}

static void put_encryption(LyBuf *out, const LyKeyEntry *entry)
{
    const LyKeyKdf *kdf = &entry->kdf;
    if (!entry->encrypted) {
        ly_buf_add_str(out, entry->has_private ? ", private, not encrypted\n" : ", public\n");
        return;
    }
    ly_buf_add_format(out, ", private, encrypted with %s", entry->cipher);
    if (kdf->name)
        ly_buf_add_format(out, " by %s", kdf->name);
    if (kdf->rounds)
        ly_buf_add_format(out, ", %u rounds", kdf->rounds);
    if (kdf->iterations)
        ly_buf_add_format(out, ", %llu iterations", (unsigned long long)kdf->iterations);
    if (kdf->memory_kib)
        ly_buf_add_format(out, ", %llu KiB", (unsigned long long)kdf->memory_kib);
    if (kdf->passes)
        ly_buf_add_format(out, ", %u passes", kdf->passes);
    if (kdf->lanes > 1)
        ly_buf_add_format(out, ", %u lanes", kdf->lanes);
    ly_buf_add_str(out, "\n");
}

static void show_text(Show *show, const LyKeyEntry *entry, const Warnings *warnings, bool several)
{
    LyBuf *out = &show->out;
    const LyKey *key = entry->key;
    if (out->len)
        ly_buf_add_str(out, "\n");
    put_printable(out, ly_bytes_str(show->file));
    if (several)
        ly_buf_add_format(out, ", line %u", entry->line);
    ly_buf_add_str(out, "\n");
    if (key)
        ly_buf_add_format(out, "  type          %s, %u bits\n", ly_key_type_name(key), ly_key_bits(key));
    ly_buf_add_format(out, "  format        %s", ly_key_format_name(entry->format));
    put_encryption(out, entry);
    if (entry->prefix.len) {
        ly_buf_add_format(out, "  %-13s ", entry->format == LY_KEY_KNOWN_HOSTS ? "hosts" : "options");
        put_printable(out, entry->prefix);
        ly_buf_add_str(out, "\n");
    }
    if (key) {
        if (ly_key_comment(key).len) {
            ly_buf_add_str(out, "  comment       ");
            put_printable(out, ly_key_comment(key));
            ly_buf_add_str(out, "\n");
        }
        ly_buf_add_str(out, "  fingerprint   ");
        ly_key_put_fingerprint(show->tool->crypto, ly_key_plain_blob(key), LY_SHA256, out);
        ly_buf_add_str(out, "\n                ");
        ly_key_put_fingerprint(show->tool->crypto, ly_key_plain_blob(key), LY_MD5, out);
        ly_buf_add_str(out, "\n                ");
        put_key_bubblebabble(show->tool, key, out);
        ly_buf_add_str(out, "\n");
        put_certificate(show, key);
        put_key_randomart(show->tool, key, LY_SHA256, "                ", out);
    } else {
        ly_buf_add_str(out, "  fingerprint   hidden by the passphrase\n");
    }
    for (size_t i = 0; i < warnings->count; i++)
        ly_buf_add_format(out, "  warning       %s\n", warnings->items[i].text);
}

static void show_failure(Show *show, const LyError *error)
{
    Status status = tool_error(show->tool, show->file, error);
    show->status = LY_MAX(show->status, status);
    if (!show->tool->json)
        return;
    ly_json_begin(&show->json, '{');
    json_member(&show->json, "file", show->file);
    json_member(&show->json, "error", error->message);
    ly_json_end(&show->json, '}');
}

static void show_entry(Show *show, const LyKeyEntry *entry, bool several)
{
    LyError error = entry->error;
    bool hidden = error.code == LY_ERROR_PASSPHRASE && (entry->key || !show->passphrase);
    bool bad = error.code != LY_OK && !hidden;
    if (!bad && entry->key && ly_key_is_private(entry->key))
        bad = !ly_key_check(entry->key, &error);
    if (bad) {
        if (several)
            ly_error_prefix(&error, "line %u", entry->line);
        show_failure(show, &error);
        return;
    }
    Warnings warnings;
    find_warnings(show, entry, &warnings);
    if (show->tool->json)
        show_json(show, entry, &warnings);
    else
        show_text(show, entry, &warnings, several);
}

static bool others_can_read(const char *path)
{
    struct stat status;
    return strcmp(path, "-") != 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           (status.st_mode & 077) != 0;
}

static void show_file(Show *show, const char *path)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKeyReadOptions options = show->tool->limits;
    LyKeyFile file;
    LyError error;
    show->file = path;
    show->readable = others_can_read(path);
    options.have_passphrase = show->passphrase != NULL;
    options.passphrase = ly_bytes_str(show->passphrase);
    options.public_only = !show->passphrase;
    if (!file_read(path, FILE_LIMIT, &text, &error) ||
        !ly_key_file_read(show->tool->crypto, ly_buf_bytes(&text), &options, &file, &error)) {
        show_failure(show, &error);
        return;
    }
    for (size_t i = 0; i < file.count; i++)
        show_entry(show, &file.entries[i], file.count > 1);
    ly_key_file_clear(&file);
}

static Status show_run(Tool *tool, void *values, int argc, char **argv)
{
    Show show = {.tool = tool, .json.out = &show.out};
    if (tool_has_passphrase(tool)) {
        Status status = tool_old_passphrase(tool, "", &show.passphrase);
        if (status)
            return status;
    }
    if (tool->json)
        ly_json_begin(&show.json, '[');
    for (int i = 0; i < argc; i++)
        show_file(&show, argv[i]);
    if (tool->json)
        ly_json_end(&show.json, ']');
    Status printed = tool_print(tool, ly_buf_bytes(&show.out));
    ly_buf_free(&show.out);
    ly_secret_free(show.passphrase);
    return LY_MAX(show.status, printed);
}

const Command show_command = {
    .name = "show",
    .arguments = "FILE...",
    .summary = "Show what the keys of files are, and what is wrong with them",
    .least = 1,
    .most = -1,
    .run = show_run,
};
