/* known-hosts: who is known, and who no longer shall be. */
#include <time.h>

#include "base/auto.h"
#include "base/base64.h"
#include "commands.h"
#include "describe.h"
#include "files.h"
#include "key/edit.h"
#include "key/fingerprint.h"
#include "key/known_hosts.h"
#include "text-file.h"

typedef struct Values {
    const char *file;
    uint64_t port;
    bool hashed;
} Values;

#define FIELD(name) offsetof(Values, name)

static const Option options[] = {
    {"file", 'f', "FILE", OPTION_STRING, FIELD(file), 0, "the file; else ~/.ssh/known_hosts"},
    {"port", 'p', "PORT", OPTION_NUMBER, FIELD(port), 65535, "the host's port; HOST may be [HOST]:PORT too"},
    {"hashed", 'H', NULL, OPTION_FLAG, FIELD(hashed), 0, "add: write the host's name hashed"},
    {NULL},
};

typedef struct Edit {
    Tool *tool;
    const Values *values;
    char *path;
    LyBuf text, changed, said;
    LyJson json;
    const char *host; /* as the user wrote it */
    size_t count;
} Edit;

static void edit_close(Edit *edit)
{
    ly_free(edit->path);
    ly_buf_free(&edit->text);
    ly_buf_free(&edit->changed);
    ly_buf_free(&edit->said);
}

/* "[HOST]:PORT" or HOST, and --port; no port is 22. */
static bool read_host(const Values *values, const char *text, LyBytes *host, uint16_t *port)
{
    LyBytes whole = ly_bytes_str(text), name, digits;
    uint64_t number = values->port ? values->port : 22;
    if (whole.len && whole.data[0] == '[') {
        if (!ly_bytes_split(ly_bytes_slice(whole, 1, whole.len), ']', &name, &digits) || digits.len < 2 ||
            digits.data[0] != ':' ||
            !ly_bytes_number(ly_bytes_slice(digits, 1, digits.len), 65535, &number) || number == 0)
            return false;
        whole = name;
    }
    *host = whole;
    *port = (uint16_t)number;
    return whole.len > 0;
}

/* The name that lines are looked up by, in lower case as ssh writes them. */
static bool put_lookup_name(const Values *values, const char *text, LyBuf *name)
{
    LyBytes host;
    uint16_t port;
    if (!read_host(values, text, &host, &port))
        return false;
    if (values->port && port != 22)
        ly_buf_add_format(name, "[%.*s]:%u", (int)host.len, (const char *)host.data, port);
    else
        ly_buf_add_str(name, text);
    for (size_t i = 0; i < name->len; i++)
        if (name->data[i] >= 'A' && name->data[i] <= 'Z')
            name->data[i] |= 0x20;
    return true;
}

static Status bad_host(Tool *tool, const char *text)
{
    return tool_fail(tool, STATUS_USAGE, "\"%s\" is not a host; it is HOST or [HOST]:PORT",
                     LY_PRINTABLE(ly_bytes_str(text)));
}

static void put_json(Edit *edit, const LyHostLine *line)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    LyJson *json = &edit->json;
    ly_base64_decode(&blob, line->base64, false);
    ly_json_begin(json, '{');
    ly_json_name(json, "host"), ly_json_cstring(json, edit->host);
    ly_json_name(json, "line"), ly_json_unsigned(json, line->number);
    ly_json_name(json, "marker");
    if (line->marker.len)
        ly_json_string(json, line->marker);
    else
        ly_json_null(json);
    ly_json_name(json, "hosts"), ly_json_string(json, line->hosts);
    ly_json_name(json, "hashed"), ly_json_bool(json, line->hashed);
    ly_json_name(json, "type"), ly_json_string(json, line->type);
    json_fingerprint(edit->tool, json, "fingerprint", ly_buf_bytes(&blob));
    json_comment(json, ly_bytes_trim(line->comment));
    ly_json_name(json, "text"), ly_json_string(json, ly_bytes_trim(line->line));
    ly_json_end(json, '}');
}

/* In ssh-keygen's words. */
static void put_found(Edit *edit, const LyHostLine *line)
{
    if (edit->tool->json)
        put_json(edit, line);
    else if (!edit->tool->quiet)
        ly_buf_add_format(&edit->said, "# Host %s found: line %u %s\n",
                          LY_PRINTABLE(ly_bytes_str(edit->host)), line->number,
                          ly_bytes_is(line->marker, "@cert-authority") ? "CA"
                          : line->marker.len                           ? "REVOKED"
                                                                       : "");
}

static void found_gone(void *user, const LyHostLine *line)
{
    put_found(user, line);
}

static Status find(Edit *edit, const char *host)
{
    LY_AUTO(ly_buf_free) LyBuf name = {0};
    LyBytes rest = ly_buf_bytes(&edit->text);
    LyHostLine line;
    unsigned number = 0;
    bool any = false;
    if (!put_lookup_name(edit->values, host, &name))
        return bad_host(edit->tool, host);
    while (ly_host_line_next(&rest, &number, &line)) {
        if (!line.understood || !ly_host_line_matches(edit->tool->crypto, &line, ly_buf_bytes(&name)))
            continue;
        any = true;
        put_found(edit, &line);
        if (edit->tool->json)
            continue;
        ly_buf_add(&edit->said, ly_bytes_trim(line.line));
        ly_buf_add_str(&edit->said, "\n");
    }
    return any ? STATUS_OK : STATUS_NO;
}

static Status remove_host(Edit *edit, const char *host)
{
    LY_AUTO(ly_buf_free) LyBuf name = {0}, left = LY_BUF(TEXT_FILE_LIMIT + 1);
    if (!put_lookup_name(edit->values, host, &name))
        return bad_host(edit->tool, host);
    size_t gone = ly_known_hosts_remove(edit->tool->crypto, ly_buf_bytes(&edit->text), ly_buf_bytes(&name),
                                        &left, found_gone, edit);
    edit->count += gone;
    if (gone == 0)
        return tool_fail(edit->tool, STATUS_NO, "%s: %s is not in it", edit->path,
                         LY_PRINTABLE(ly_bytes_str(host)));
    ly_buf_clear(&edit->text);
    ly_buf_add(&edit->text, ly_buf_bytes(&left));
    return STATUS_OK;
}

static void say_kept(Edit *edit)
{
    if (!edit->tool->quiet && !edit->tool->json)
        ly_buf_add_format(&edit->said, "%s updated.\nOriginal contents retained as %s.old\n", edit->path,
                          edit->path);
}

/* Each host by `one`; then the text is written if lines went. */
static Status each_host(Edit *edit, int argc, char **argv, Status (*one)(Edit *edit, const char *host))
{
    Status status = text_file_read(edit->tool, edit->path, &edit->text, NULL);
    if (status != STATUS_OK)
        return status;
    if (argc == 0)
        return tool_fail(edit->tool, STATUS_USAGE, "known-hosts needs a HOST");
    if (edit->tool->json)
        ly_json_begin(&edit->json, '[');
    for (int i = 0; i < argc && status != STATUS_USAGE; i++) {
        edit->host = argv[i];
        Status next = one(edit, argv[i]);
        status = next ? next : status;
    }
    if (edit->tool->json)
        ly_json_end(&edit->json, ']');
    if (edit->count && status != STATUS_USAGE) {
        Status written = text_file_write(edit->tool, edit->path, ly_buf_bytes(&edit->text), true);
        if (written != STATUS_OK)
            return written;
        say_kept(edit);
    }
    return status;
}

static Status find_run(Edit *edit, int argc, char **argv)
{
    return each_host(edit, argc, argv, find);
}

static Status remove_run(Edit *edit, int argc, char **argv)
{
    return each_host(edit, argc, argv, remove_host);
}

static void not_hashed(void *user, const LyHostLine *line)
{
    Edit *edit = user;
    tool_warn(edit->tool, "%s:%u: a pattern or marker line, which cannot be hashed: %s", edit->path,
              line->number, LY_PRINTABLE(line->hosts));
}

static Status hash_run(Edit *edit, int argc, char **argv)
{
    if (argc)
        return tool_fail(edit->tool, STATUS_USAGE, "known-hosts hash takes no HOST: it hashes all names");
    Status status = text_file_read(edit->tool, edit->path, &edit->text, NULL);
    if (status != STATUS_OK)
        return status;
    size_t count =
        ly_known_hosts_hash(edit->tool->crypto, ly_buf_bytes(&edit->text), &edit->changed, not_hashed, edit);
    if (count)
        status = text_file_write(edit->tool, edit->path, ly_buf_bytes(&edit->changed), true);
    if (status != STATUS_OK)
        return status;
    if (edit->tool->json) {
        ly_json_begin(&edit->json, '{');
        ly_json_name(&edit->json, "file"), ly_json_cstring(&edit->json, edit->path);
        ly_json_name(&edit->json, "hashed_lines"), ly_json_unsigned(&edit->json, count);
        ly_json_end(&edit->json, '}');
    } else if (count == 0 && !edit->tool->quiet) {
        ly_buf_add_format(&edit->said, "%s has no names in the clear\n", edit->path);
    }
    if (count) {
        say_kept(edit);
        tool_warn(edit->tool, "%s.old still has the names in the clear: delete it", edit->path);
    }
    return STATUS_OK;
}

static Status add_key(Edit *edit, const LyKnownHosts *known, LyBytes host, uint16_t port, LyKey *key)
{
    LY_AUTO(ly_buf_free) LyBuf fingerprint = {0};
    LyHostCheck check;
    LyError error;
    bool present;
    ly_known_hosts_check(known, host, port, key, (uint64_t)time(NULL), &check);
    ly_key_put_fingerprint(edit->tool->crypto, ly_key_plain_blob(key), LY_SHA256, &fingerprint);
    present = check.verdict == LY_HOST_OK && !check.by_ca;
    if (check.verdict == LY_HOST_CHANGED || check.verdict == LY_HOST_REVOKED)
        tool_warn(edit->tool, "%s:%u: %s", edit->path, check.line, check.detail);
    if (!present && !ly_known_hosts_line(edit->tool->crypto, host, port, key, edit->values->hashed,
                                         &edit->changed, &error))
        return tool_error(edit->tool, NULL, &error);
    edit->count += !present;
    if (edit->tool->json) {
        ly_json_begin(&edit->json, '{');
        ly_json_name(&edit->json, "host"), ly_json_cstring(&edit->json, edit->host);
        ly_json_name(&edit->json, "type"), ly_json_cstring(&edit->json, ly_key_type(key)->name);
        json_fingerprint(edit->tool, &edit->json, "fingerprint", ly_key_plain_blob(key));
        ly_json_name(&edit->json, "added"), ly_json_bool(&edit->json, !present);
        ly_json_end(&edit->json, '}');
    } else if (!edit->tool->quiet) {
        ly_buf_add_format(&edit->said, "%s %s %s\n", LY_PRINTABLE(ly_bytes_str(edit->host)),
                          ly_buf_str(&fingerprint), present ? "is there already" : "added");
    }
    return STATUS_OK;
}

/* The keys to add: a line spelt out in one or several arguments, or files. */
static Status keys_of_argument(Tool *tool, int argc, char **argv, int *used, LyKey ***keys, size_t *count)
{
    LyError error;
    LY_AUTO(ly_buf_free) LyBuf line = {0};
    if (!strchr(argv[0], ' ') && !ly_key_type_find(ly_bytes_str(argv[0]), NULL)) {
        *used = 1;
        return public_keys_read(tool, argv[0], keys, count);
    }
    for (int i = 0; i < argc; i++)
        ly_buf_add_format(&line, "%s%s", i ? " " : "", argv[i]);
    LyKey *key = ly_key_read_line(tool->crypto, ly_buf_bytes(&line), &error);
    if (!key)
        return tool_error(tool, NULL, &error);
    *keys = ly_new_array(LyKey *, 1);
    **keys = key;
    *count = 1;
    *used = argc;
    return STATUS_OK;
}

static Status add_all(Edit *edit, const LyKnownHosts *known, LyBytes host, uint16_t port, int argc,
                      char **argv)
{
    Status status = STATUS_OK;
    for (int used = 0; argc > 0 && status == STATUS_OK; argc -= used, argv += used) {
        LyKey **keys;
        size_t count;
        status = keys_of_argument(edit->tool, argc, argv, &used, &keys, &count);
        if (status != STATUS_OK)
            break;
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            status = add_key(edit, known, host, port, keys[i]);
        public_keys_free(keys, count);
    }
    return status;
}

static Status add_run(Edit *edit, int argc, char **argv)
{
    LyBytes host, text;
    uint16_t port;
    bool exists;
    if (argc < 2)
        return tool_fail(edit->tool, STATUS_USAGE,
                         "known-hosts add needs a HOST and a key, a file or a line");
    if (!read_host(edit->values, argv[0], &host, &port))
        return bad_host(edit->tool, argv[0]);
    Status status = text_file_read(edit->tool, edit->path, &edit->text, &exists);
    if (status != STATUS_OK)
        return status;
    text = ly_buf_bytes(&edit->text);
    edit->host = argv[0];
    ly_buf_add(&edit->changed, text);
    if (text.len && text.data[text.len - 1] != '\n')
        ly_buf_add_str(&edit->changed, "\n");
    LyKnownHosts *known = ly_known_hosts_new(edit->tool->crypto);
    ly_known_hosts_add(known, edit->path, text);
    if (edit->tool->json)
        ly_json_begin(&edit->json, '[');
    status = add_all(edit, known, host, port, argc - 1, argv + 1);
    if (edit->tool->json)
        ly_json_end(&edit->json, ']');
    ly_known_hosts_free(known);
    if (status == STATUS_OK && edit->count)
        status = text_file_write(edit->tool, edit->path, ly_buf_bytes(&edit->changed), false);
    return status;
}

static const struct {
    const char *name;
    Status (*run)(Edit *edit, int argc, char **argv);
} actions[] = {{"find", find_run}, {"remove", remove_run}, {"hash", hash_run}, {"add", add_run}};

static Status known_hosts_run(Tool *tool, void *data, int argc, char **argv)
{
    LY_AUTO(edit_close) Edit edit = {.tool = tool, .values = data};
    Status status = STATUS_USAGE;
    size_t i = 0;
    edit.path = file_home_path(edit.values->file ? edit.values->file : "~/.ssh/known_hosts");
    edit.text = edit.changed = LY_BUF(TEXT_FILE_LIMIT + 1);
    edit.json.out = &edit.said;
    while (i < LY_COUNT(actions) && strcmp(argv[0], actions[i].name) != 0)
        i++;
    if (i == LY_COUNT(actions))
        return tool_fail(tool, STATUS_USAGE, "known-hosts does find, remove, hash or add, and not \"%s\"",
                         LY_PRINTABLE(ly_bytes_str(argv[0])));
    status = actions[i].run(&edit, argc - 1, argv + 1);
    if (status != STATUS_OK && status != STATUS_NO)
        return status;
    Status printed = tool_print(tool, ly_buf_bytes(&edit.said));
    return printed ? printed : status;
}

const Command known_hosts_command = {
    .name = "known-hosts",
    .arguments = "find HOST... | remove HOST... | hash | add HOST KEY...",
    .summary = "Find, remove, hash and add the hosts of known_hosts",
    .options = options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = -1,
    .run = known_hosts_run,
};
