/* A client and a server back to back in memory, for the tests of core/sftp's server. One pair at a time. */
#ifndef LY_TEST_SFTP_PAIR_H
#define LY_TEST_SFTP_PAIR_H

#include <glib.h>
#include <string.h>

#include "base/memory.h"
#include "sftp/server.h"

typedef struct Result { /* what a completion got */
    int calls;
    LySftpReplyType type;
    uint32_t status;
    size_t data_len;
    LyBuf handle, extended;
    LySftpAttrs attrs;
    GPtrArray *names, *longnames;
    GArray *name_attrs;
} Result;

typedef struct Pair {
    LySftpClient *client;
    LySftpServer *server;
    LyBuf to_server, to_client;
    size_t chunk;
    bool stalled; /* the server's sink takes nothing */
    Result ready, result;
    LySftpId asked;
} Pair;

static Pair *pair;

static inline size_t take_all(LyBuf *buf, const LyBytes *parts, size_t count)
{
    size_t before = buf->len;
    for (size_t i = 0; i < count; i++)
        ly_buf_add(buf, parts[i]);
    return buf->len - before;
}

static inline size_t write_to_server(void *user, const LyBytes *parts, size_t count)
{
    return take_all(&pair->to_server, parts, count);
}

static inline size_t write_to_client(void *user, const LyBytes *parts, size_t count)
{
    return pair->stalled ? 0 : take_all(&pair->to_client, parts, count);
}

static inline void result_clear(Result *result)
{
    ly_buf_free(&result->handle);
    ly_buf_free(&result->extended);
    if (result->names) {
        g_ptr_array_unref(result->names);
        g_ptr_array_unref(result->longnames);
        g_array_unref(result->name_attrs);
    }
    *result = (Result){0};
}

static inline char *dup_bytes(LyBytes bytes)
{
    return bytes.len ? g_strndup((const char *)bytes.data, bytes.len) : g_strdup("");
}

static inline void done(void *user, LySftpReply *reply)
{
    Result *result = user;
    result->calls++;
    result->type = reply->type;
    result->status = reply->status;
    result->data_len = reply->data_len;
    result->attrs = reply->attrs;
    ly_buf_add(&result->handle, reply->handle);
    ly_buf_add(&result->extended, ly_bytes(reply->extended.data, reply->extended.len));
    if (reply->type != LY_SFTP_REPLY_NAME)
        return;
    if (!result->names) {
        result->names = g_ptr_array_new_with_free_func(g_free);
        result->longnames = g_ptr_array_new_with_free_func(g_free);
        result->name_attrs = g_array_new(FALSE, FALSE, sizeof(LySftpAttrs));
    }
    LySftpName name;
    while (ly_sftp_reply_name(reply, &name)) {
        g_ptr_array_add(result->names, dup_bytes(name.filename));
        g_ptr_array_add(result->longnames, dup_bytes(name.longname));
        g_array_append_val(result->name_attrs, name.attrs);
    }
}

/* Carries bytes both ways until nothing moves. */
static inline void pump(void)
{
    bool moved = true;
    while (moved) {
        moved = false;
        size_t taken = 0;
        LyBytes piece = ly_bytes_slice(ly_buf_bytes(&pair->to_server), 0, pair->chunk);
        LyError error = {0};
        if (piece.len && !ly_sftp_server_receive(pair->server, piece, &taken, &error))
            g_error("the server: %s", error.message);
        ly_buf_drop(&pair->to_server, taken);
        piece = ly_bytes_slice(ly_buf_bytes(&pair->to_client), 0, pair->chunk);
        moved = taken || piece.len;
        if (piece.len && !ly_sftp_client_receive(pair->client, piece, &error))
            g_error("the client: %s", error.message);
        ly_buf_drop(&pair->to_client, piece.len);
    }
}

static inline void pair_new(LySftpServerOptions options, size_t chunk)
{
    pair = g_new0(Pair, 1);
    pair->chunk = chunk;
    pair->to_server.limit = pair->to_client.limit = SIZE_MAX / 2;
    options.sink.write = write_to_client;
    options.symlink_openssh_order = true;
    pair->server = ly_sftp_server_new(&options);
    LySftpClientOptions client_options = {.sink = {.write = write_to_server}, .symlink_openssh_order = true};
    pair->client = ly_sftp_client_new(&client_options, done, &pair->ready);
    pump();
    g_assert_cmpint(pair->ready.calls, ==, 1);
    g_assert_cmpuint(pair->ready.status, ==, SSH_FX_OK);
}

static inline void pair_free(void)
{
    ly_sftp_client_free(pair->client);
    ly_sftp_server_free(pair->server);
    ly_buf_free(&pair->to_server);
    ly_buf_free(&pair->to_client);
    result_clear(&pair->result);
    result_clear(&pair->ready);
    g_free(pair);
    pair = NULL;
}

/* Makes a request and waits for its answer, which is then in pair->result. The status. */
#define ASK(request, ...)                                                                                    \
    (result_clear(&pair->result), pair->asked = request(pair->client, __VA_ARGS__, done, &pair->result),     \
     pump(), assert_answered())
#define OK(request, ...) g_assert_cmpuint(ASK(request, __VA_ARGS__), ==, SSH_FX_OK)
#define FAILS(code, request, ...) g_assert_cmpuint(ASK(request, __VA_ARGS__), ==, code)

static inline uint32_t assert_answered(void)
{
    g_assert_cmpuint(pair->asked, !=, 0);
    g_assert_cmpint(pair->result.calls, ==, 1);
    return pair->result.status;
}

/* The handle of the last answer; the caller frees it. */
static inline LyBuf take_handle(void)
{
    LyBuf handle = pair->result.handle;
    pair->result.handle = (LyBuf){0};
    g_assert_cmpuint(handle.len, >=, 1);
    return handle;
}

static inline LyBytes str(const char *text)
{
    return ly_bytes_str(text);
}

#endif
