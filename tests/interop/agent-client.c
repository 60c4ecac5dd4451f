/* agent-client list | sign PUBFILE ALGORITHM | bind PUBFILE: asks the agent of SSH_AUTH_SOCK, for
 * agent-client.sh. Prints keys as ssh-add -L does, a signature as "ALGORITHM LENGTH". */
#include <stdio.h>
#include <stdlib.h>

#include "agent/client.h"
#include "base/base64.h"
#include "base/memory.h"
#include "loop/agent.h"

typedef struct Result {
    LyLoop *loop;
    LyBuf reply;
    LyError error;
    bool failed;
} Result;

static void answered(void *user, LyBytes reply, const LyError *error)
{
    Result *result = user;
    result->failed = error != NULL;
    if (error)
        result->error = *error;
    ly_buf_add(&result->reply, reply);
    ly_loop_quit(result->loop);
}

static bool print_identities(LyBytes reply, LyError *error)
{
    LyAgentIdentity *identities;
    size_t count;
    if (!ly_get_agent_identities(reply, &identities, &count, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        LyReader blob = ly_reader(identities[i].key_blob);
        LyBytes type = ly_get_string(&blob);
        LyBuf text = {0};
        ly_base64_encode(&text, identities[i].key_blob, 0);
        printf("%.*s %s %.*s\n", (int)type.len, (const char *)type.data, ly_buf_str(&text),
               (int)identities[i].comment.len, (const char *)identities[i].comment.data);
        ly_buf_free(&text);
    }
    ly_free(identities);
    return true;
}

static bool print_signature(LyBytes reply, LyError *error)
{
    LyBytes signature;
    if (!ly_get_agent_signature(reply, &signature, error))
        return false;
    LyReader reader = ly_reader(signature);
    LyBytes algorithm = ly_get_string(&reader), bytes = ly_get_string(&reader);
    if (!ly_reader_done(&reader))
        return ly_error_set(error, LY_ERROR_PROTOCOL, "bytes behind the signature");
    printf("%.*s %zu\n", (int)algorithm.len, (const char *)algorithm.data, bytes.len);
    return true;
}

/* The blob of "TYPE BASE64 COMMENT". */
static bool read_public(const char *path, LyBuf *blob)
{
    char line[4096];
    FILE *file = fopen(path, "r");
    LyBytes type, rest, base64;
    bool good =
        file && fgets(line, sizeof line, file) && ly_bytes_split(ly_bytes_str(line), ' ', &type, &rest);
    if (file)
        fclose(file);
    if (!good)
        return false;
    ly_bytes_split(rest, ' ', &base64, &rest);
    return ly_base64_decode(blob, ly_bytes_trim(base64), false);
}

int main(int argc, char **argv)
{
    LyBuf request = {0}, blob = {0};
    bool (*print)(LyBytes reply, LyError * error) = NULL;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        ly_put_agent_request_identities(&request);
        print = print_identities;
    } else if (argc == 4 && strcmp(argv[1], "sign") == 0 && read_public(argv[2], &blob)) {
        uint32_t flags = ly_agent_sign_flags(ly_bytes_str(argv[3]));
        ly_put_agent_sign_request(&request, ly_buf_bytes(&blob), LY_BYTES("something to sign"), flags);
        print = print_signature;
    } else if (argc == 3 && strcmp(argv[1], "bind") == 0 && read_public(argv[2], &blob)) {
        ly_put_agent_session_bind(&request, ly_buf_bytes(&blob), LY_BYTES("session"),
                                  LY_BYTES("no signature"), false);
        print = ly_get_agent_success;
    }
    if (!print) {
        fprintf(stderr, "usage: agent-client list | sign PUBFILE ALGORITHM | bind PUBFILE\n");
        return 2;
    }
    LyError error = {0};
    LyLoop *loop = ly_loop_new(&error);
    LyAgentConnection *connection =
        loop ? ly_agent_connect(loop, "SSH_AUTH_SOCK", 10 * 1000 * 1000, &error) : NULL;
    bool good = connection != NULL;
    if (good) {
        Result result = {.loop = loop};
        ly_agent_request(connection, ly_buf_bytes(&request), answered, &result);
        ly_loop_run(loop);
        if (result.failed)
            error = result.error;
        good = !result.failed && print(ly_buf_bytes(&result.reply), &error);
        ly_buf_free(&result.reply);
    }
    ly_agent_connection_free(connection);
    ly_loop_free(loop);
    ly_buf_free(&request);
    ly_buf_free(&blob);
    if (!good)
        fprintf(stderr, "agent-client: %s\n", error.message);
    return good ? 0 : 1;
}
