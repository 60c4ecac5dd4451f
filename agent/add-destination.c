#include <string.h>

#include "add.h"
#include "base/auto.h"
#include "agent/numbers.h"
#include "files.h"
#include "key/edit.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define DESTINATIONS_MAX 1024

static const char *const default_files[] = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2",
                                            "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"};

/* Appends "string key, bool is_ca" for each line of the text that names the host. */
static size_t put_host_keys(Tool *tool, LyBytes text, LyBytes host, LyBuf *out)
{
    LyHostLine line;
    unsigned number = 0;
    size_t count = 0;
    while (ly_host_line_next(&text, &number, &line)) {
        bool ca = ly_bytes_is(line.marker, "@cert-authority");
        if (!line.understood || (line.marker.len && !ca) || !ly_host_line_matches(tool->crypto, &line, host))
            continue;
        LyKey *key = ly_key_read_line(tool->crypto, line.key, NULL);
        if (!key)
            continue;
        ly_put_string(out, ly_key_blob(key));
        ly_put_bool(out, ca);
        ly_key_unref(key);
        count++;
    }
    return count;
}

static Status put_keys(Tool *tool, const StringList *known_hosts, LyBytes host, LyBuf *out)
{
    size_t files = known_hosts->count ? known_hosts->count : LY_COUNT(default_files), found = 0;
    for (size_t i = 0; i < files; i++) {
        LY_AUTO_FREE char *path =
            file_home_path(known_hosts->count ? known_hosts->items[i] : default_files[i]);
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        LyError error;
        if (path && file_read(path, FILE_LIMIT, &text, &error))
            found += put_host_keys(tool, ly_buf_bytes(&text), host, out);
        else if (known_hosts->count)
            return tool_error(tool, known_hosts->items[i], &error);
    }
    return found ? STATUS_OK
                 : tool_fail(
                       tool, STATUS_INPUT,
                       "no host keys are known for the destination %s: connect to it once, or name a file "
                       "with --known-hosts",
                       LY_PRINTABLE(host));
}

/* Without the brackets of "[::1]", as ssh cleans host names; "[host]:port" stays as known_hosts has it. */
static LyBytes clean_host(LyBytes host)
{
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        return ly_bytes_slice(host, 1, host.len - 2);
    return host;
}

static Status put_hop(Tool *tool, const StringList *known_hosts, LyBytes text, bool user_allowed, LyBuf *out)
{
    LyBytes user, host;
    bool has_user = ly_bytes_split(text, '@', &user, &host);
    if (!has_user)
        user = (LyBytes){0}, host = text;
    host = clean_host(host);
    if (host.len == 0 && user.len == 0)
        return tool_fail(tool, STATUS_USAGE, "the destination \"%s\" names neither a user nor a host",
                         LY_PRINTABLE(text));
    if ((has_user && !user_allowed) || user.len > 256)
        return tool_fail(tool, STATUS_USAGE, "the destination \"%s\" has a user where none may stand",
                         LY_PRINTABLE(text));
    ly_put_string(out, user);
    ly_put_string(out, host);
    ly_put_string(out, (LyBytes){0});
    return host.len ? put_keys(tool, known_hosts, host, out) : STATUS_OK;
}

static Status put_destination(Tool *tool, const StringList *known_hosts, const char *text, LyBuf *out)
{
    LyBytes from, to;
    bool hops = ly_bytes_split(ly_bytes_str(text), '>', &from, &to);
    size_t whole = ly_put_string_begin(out), mark = ly_put_string_begin(out);
    Status status = STATUS_OK;
    if (hops) {
        status = put_hop(tool, known_hosts, from, false, out);
    } else { /* from here */
        to = ly_bytes_str(text);
        for (int i = 0; i < 3; i++)
            ly_put_string(out, (LyBytes){0});
    }
    ly_put_string_end(out, mark);
    mark = ly_put_string_begin(out);
    if (!status)
        status = put_hop(tool, known_hosts, to, true, out);
    ly_put_string_end(out, mark);
    ly_put_string(out, (LyBytes){0});
    ly_put_string_end(out, whole);
    return status;
}

Status destinations_put(Tool *tool, const StringList *destinations, const StringList *known_hosts, LyBuf *out)
{
    if (destinations->count > DESTINATIONS_MAX)
        return tool_fail(tool, STATUS_USAGE, "there are more than %d destinations", DESTINATIONS_MAX);
    ly_put_u8(out, SSH_AGENT_CONSTRAIN_EXTENSION);
    ly_put_cstring(out, "restrict-destination-v00@openssh.com");
    size_t mark = ly_put_string_begin(out);
    Status status = STATUS_OK;
    for (size_t i = 0; i < destinations->count && !status; i++)
        status = put_destination(tool, known_hosts, destinations->items[i], out);
    ly_put_string_end(out, mark);
    return status;
}
