/* lanyard-agent list: what the agent holds, and under which constraints. */
#include "list.h"

#include "base/auto.h"
#include "commands.h"
#include "key/fingerprint.h"

#define LIST_EXTENDED "list-extended@putty.projects.tartarus.org"

static ListedIdentity *append(IdentityList *list, Tool *tool, LyBytes blob, LyBytes comment)
{
    list->items = ly_realloc(list->items, (list->count + 1) * sizeof *list->items);
    ListedIdentity *identity = &list->items[list->count++];
    *identity = (ListedIdentity){.key = ly_key_new_public(tool->crypto, blob, NULL),
                                 .blob = blob,
                                 .comment = comment,
                                 .seconds_left = AGENT_NEVER,
                                 .seconds_unused = AGENT_NEVER};
    return identity;
}

void identity_list_clear(IdentityList *list)
{
    for (size_t i = 0; i < list->count; i++)
        ly_key_unref(list->items[i].key);
    ly_free(list->items);
    ly_buf_free(&list->reply);
    *list = (IdentityList){0};
}

static bool read_details(IdentityList *list, Tool *tool, LyBytes contents)
{
    LyReader reader = ly_reader(contents);
    uint32_t count = ly_get_u32(&reader);
    for (uint32_t i = 0; i < count && i < LY_AGENT_IDENTITIES_MAX && !reader.failed; i++) {
        LyBytes blob = ly_get_string(&reader), comment = ly_get_string(&reader);
        uint32_t flags = ly_get_u32(&reader);
        uint64_t left = ly_get_u64(&reader), unused = ly_get_u64(&reader), uses = ly_get_u64(&reader);
        if (reader.failed)
            break;
        ListedIdentity *identity = append(list, tool, blob, comment);
        identity->detailed = true;
        identity->confirm = flags & AGENT_CONFIRM;
        identity->encrypted = flags & AGENT_ENCRYPTED;
        identity->destination = flags & AGENT_DESTINATION;
        identity->provider = flags & AGENT_PROVIDER_KEY;
        identity->seconds_left = left;
        identity->seconds_unused = unused;
        identity->uses = uses;
    }
    return !reader.failed;
}

static Status read_plain(AgentClient *client, IdentityList *list)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    LyAgentIdentity *identities;
    size_t count;
    LyError error;
    ly_put_agent_request_identities(&request);
    Status status = agent_client_ask(client, &request, &list->reply);
    if (status)
        return status;
    if (!ly_get_agent_identities(ly_buf_bytes(&list->reply), &identities, &count, &error))
        return tool_error(client->tool, NULL, &error);
    for (size_t i = 0; i < count; i++)
        append(list, client->tool, identities[i].key_blob, identities[i].comment);
    ly_free(identities);
    return STATUS_OK;
}

/* Pageant tells which keys are still encrypted: bit 1 of the flags in a string behind each key. */
static void read_extended(AgentClient *client, IdentityList *list)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    ly_put_u8(&request, SSH_AGENTC_EXTENSION);
    ly_put_cstring(&request, LIST_EXTENDED);
    if (agent_client_ask(client, &request, &reply))
        return;
    LyReader reader = ly_reader(ly_buf_bytes(&reply));
    if (ly_get_u8(&reader) != SSH_AGENT_SUCCESS)
        return;
    uint32_t count = ly_get_u32(&reader);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        LyBytes blob = ly_get_string(&reader);
        ly_get_string(&reader);
        LyReader info = ly_reader(ly_get_string(&reader));
        uint32_t flags = ly_get_u32(&info);
        for (size_t j = 0; j < list->count && !info.failed; j++)
            if (ly_bytes_equal(list->items[j].blob, blob))
                list->items[j].encrypted = flags & 2;
    }
}

Status identity_list_get(AgentClient *client, IdentityList *list)
{
    LyBytes contents;
    bool done;
    *list = (IdentityList){0};
    Status status =
        agent_client_extension(client, AGENT_DETAILS, (LyBytes){0}, &list->reply, &contents, &done);
    if (status || (done && read_details(list, client->tool, contents)))
        return status;
    identity_list_clear(list);
    status = read_plain(client, list);
    if (!status && list->count)
        read_extended(client, list);
    return status;
}

void identity_put_fingerprint(Tool *tool, const ListedIdentity *identity, LyBuf *out)
{
    LyBytes blob = identity->key ? ly_key_plain_blob(identity->key) : identity->blob;
    ly_key_put_fingerprint(tool->crypto, blob, LY_SHA256, out);
}

/* --- Shown --- */

static void put_duration(uint64_t seconds, LyBuf *out)
{
    static const struct {
        uint64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0, shown = 0;
    while (i + 1 < LY_COUNT(units) && seconds < units[i].seconds)
        i++;
    for (; i < LY_COUNT(units) && shown < 2; i++, shown++) {
        uint64_t number = seconds / units[i].seconds;
        seconds %= units[i].seconds;
        if (number || shown == 0)
            ly_buf_add_format(out, "%llu%c", (unsigned long long)number, units[i].letter);
    }
}

static void put_notes(const ListedIdentity *identity, LyBuf *out)
{
    const char *between = " [";
    const struct {
        bool given;
        const char *text;
    } notes[] = {{identity->encrypted, "encrypted"},
                 {identity->confirm, "confirm"},
                 {identity->destination, "destinations"},
                 {identity->provider, "PKCS#11"}};
    for (size_t i = 0; i < LY_COUNT(notes); i++) {
        if (!notes[i].given)
            continue;
        ly_buf_add_format(out, "%s%s", between, notes[i].text);
        between = ", ";
    }
    if (identity->seconds_left != AGENT_NEVER) {
        ly_buf_add_format(out, "%s", between);
        put_duration(identity->seconds_left, out);
        ly_buf_add_str(out, " left");
        between = ", ";
    }
    if (identity->seconds_unused != AGENT_NEVER) {
        ly_buf_add_format(out, "%sused ", between);
        put_duration(identity->seconds_unused, out);
        ly_buf_add_str(out, " ago");
        between = ", ";
    }
    if (between[0] == ',')
        ly_buf_add_str(out, "]");
}

static void put_line(Tool *tool, const ListedIdentity *identity, LyBuf *out)
{
    ly_buf_add_format(out, "%u ", identity->key ? ly_key_bits(identity->key) : 0);
    identity_put_fingerprint(tool, identity, out);
    char comment[600];
    ly_buf_add_format(out, " %s (%s%s)", ly_printable(identity->comment, comment, sizeof comment),
                      identity->key ? ly_key_type(identity->key)->short_name : "UNKNOWN",
                      identity->key && ly_key_is_certificate(identity->key) ? "-CERT" : "");
    put_notes(identity, out);
    ly_buf_add_str(out, "\n");
}

static void put_seconds(LyJson *json, const char *name, uint64_t seconds)
{
    ly_json_name(json, name);
    if (seconds == AGENT_NEVER)
        ly_json_null(json);
    else
        ly_json_unsigned(json, seconds);
}

static void put_json(Tool *tool, const ListedIdentity *identity, LyJson *json)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    identity_put_fingerprint(tool, identity, &text);
    LyReader type = ly_reader(identity->blob);
    ly_json_begin(json, '{');
    ly_json_name(json, "fingerprint");
    ly_json_string(json, ly_buf_bytes(&text));
    ly_json_name(json, "comment");
    ly_json_string(json, identity->comment);
    ly_json_name(json, "type");
    ly_json_string(json, ly_get_string(&type));
    ly_json_name(json, "bits");
    ly_json_unsigned(json, identity->key ? ly_key_bits(identity->key) : 0);
    ly_json_name(json, "certificate");
    ly_json_bool(json, identity->key && ly_key_is_certificate(identity->key));
    ly_json_name(json, "encrypted");
    ly_json_bool(json, identity->encrypted);
    if (identity->detailed) {
        ly_json_name(json, "confirm");
        ly_json_bool(json, identity->confirm);
        ly_json_name(json, "destinations");
        ly_json_bool(json, identity->destination);
        put_seconds(json, "seconds_left", identity->seconds_left);
        put_seconds(json, "seconds_since_use", identity->seconds_unused);
        ly_json_name(json, "uses");
        ly_json_unsigned(json, identity->uses);
    }
    ly_json_end(json, '}');
}

static Status print_list(Tool *tool, const IdentityList *list)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyJson json = {.out = &text};
    if (!tool->json && list->count == 0)
        return tool_fail(tool, STATUS_NO, "the agent has no identities");
    if (tool->json)
        ly_json_begin(&json, '[');
    for (size_t i = 0; i < list->count; i++)
        if (tool->json)
            put_json(tool, &list->items[i], &json);
        else
            put_line(tool, &list->items[i], &text);
    if (tool->json)
        ly_json_end(&json, ']');
    Status status = tool_print(tool, ly_buf_bytes(&text));
    return status ? status : list->count ? STATUS_OK : STATUS_NO;
}

static Status run_list(Tool *tool, void *values, int argc, char **argv)
{
    AgentClient client;
    IdentityList list = {0};
    Status status = agent_client_open(tool, &client);
    if (!status)
        status = identity_list_get(&client, &list);
    if (!status)
        status = print_list(tool, &list);
    identity_list_clear(&list);
    agent_client_close(&client);
    return status;
}

const Command list_command = {
    .name = "list",
    .arguments = "",
    .summary = "List the keys, their constraints and their last use",
    .run = run_list,
};
