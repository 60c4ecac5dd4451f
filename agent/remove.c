/* lanyard-agent remove: keys by file, by fingerprint, or all. */
#include <string.h>

#include "base/auto.h"
#include "commands.h"
#include "list.h"

typedef struct RemoveValues {
    bool all;
} RemoveValues;

static const Option remove_options[] = {
    {"all", 'a', NULL, OPTION_FLAG, offsetof(RemoveValues, all), 0, "remove all keys"},
    {NULL},
};

static Status remove_all(AgentClient *client)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    bool done = false;
    ly_put_u8(&request, SSH_AGENTC_REMOVE_ALL_IDENTITIES);
    Status status = agent_client_do(client, &request, &done);
    return status || done ? status
                          : tool_fail(client->tool, STATUS_NO, "the agent refused to remove all keys");
}

/* The plain key's certificates go with it. */
static bool is_named(const ListedIdentity *identity, LyBytes plain_blob, LyBytes blob)
{
    return ly_bytes_equal(identity->blob, blob) ||
           (identity->key && ly_bytes_equal(ly_key_plain_blob(identity->key), plain_blob));
}

static Status remove_one(AgentClient *client, const ListedIdentity *identity)
{
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    bool done = false;
    ly_put_u8(&request, SSH_AGENTC_REMOVE_IDENTITY);
    ly_put_string(&request, identity->blob);
    Status status = agent_client_do(client, &request, &done);
    if (status)
        return status;
    if (!done)
        return tool_fail(client->tool, STATUS_NO, "the agent refused to remove %s",
                         LY_PRINTABLE(identity->comment));
    if (client->tool->quiet || client->tool->json)
        return STATUS_OK;
    ly_buf_add_str(&text, "Identity removed: ");
    identity_put_fingerprint(client->tool, identity, &text);
    ly_buf_add_format(&text, " (%s)\n", LY_PRINTABLE(identity->comment));
    return tool_print(client->tool, ly_buf_bytes(&text));
}

static Status remove_named(AgentClient *client, const IdentityList *list, const char *name)
{
    Tool *tool = client->tool;
    LoadedKey loaded = {0};
    bool by_fingerprint = strncmp(name, "SHA256:", 7) == 0, some = false;
    Status status = by_fingerprint ? STATUS_OK : tool_load_key(tool, name, NEED_PUBLIC, &loaded);
    for (size_t i = 0; i < list->count && !status; i++) {
        LY_AUTO(ly_buf_free) LyBuf fingerprint = {0};
        if (by_fingerprint)
            identity_put_fingerprint(tool, &list->items[i], &fingerprint);
        if (by_fingerprint ? !ly_bytes_is(ly_buf_bytes(&fingerprint), name)
                           : !is_named(&list->items[i], ly_key_plain_blob(loaded.entry->key),
                                       ly_key_blob(loaded.entry->key)))
            continue;
        some = true;
        status = remove_one(client, &list->items[i]);
    }
    loaded_key_clear(&loaded);
    if (!status && !some)
        status = tool_fail(tool, STATUS_NO, "the agent does not have %s", LY_PRINTABLE(ly_bytes_str(name)));
    return status;
}

static Status run_remove(Tool *tool, void *values, int argc, char **argv)
{
    const RemoveValues *given = values;
    AgentClient client;
    IdentityList list = {0};
    if (given->all == (argc > 0))
        return tool_fail(tool, STATUS_USAGE, "remove takes files or fingerprints, or --all");
    Status status = agent_client_open(tool, &client);
    if (!status)
        status = given->all ? remove_all(&client) : identity_list_get(&client, &list);
    for (int i = 0; i < argc && !given->all && (!status || status == STATUS_NO); i++) {
        Status one = remove_named(&client, &list, argv[i]);
        status = status ? status : one;
    }
    identity_list_clear(&list);
    agent_client_close(&client);
    return status;
}

const Command remove_command = {
    .name = "remove",
    .arguments = "[FILE | FINGERPRINT]...",
    .summary = "Remove keys and their certificates",
    .options = remove_options,
    .values_size = sizeof(RemoveValues),
    .most = -1,
    .run = run_remove,
};
