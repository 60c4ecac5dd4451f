/* A client and a server back to back in memory, over a real directory: the server answers late, in any order,
 * with few bytes at a time, or not at all; it lies about sizes, and its disk may be full. */
#ifndef LY_TEST_SFTP_UNRULY_H
#define LY_TEST_SFTP_UNRULY_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "sftp/directory.h"
#include "sftp/file.h"
#include "sftp/server-private.h"

typedef struct Unruly {
    LySftpClient *client;
    LySftpServer *server;
    LySftpDirectory *directory;
    LySftpBackend real; /* the directory's */
    LyBuf to_server, to_client;
    GPtrArray *waiting; /* LySftpRequest, not yet handed to the directory */
    GRand *random;
    bool ready;
    /* how unruly it is */
    bool late;         /* answers late, in any order */
    uint32_t read_max; /* READ gives 1 to so many bytes; 0: what was asked */
    bool claims;       /* FSTAT tells `claimed` bytes */
    uint64_t claimed;
    uint64_t quota;       /* bytes that may be written */
    unsigned dies_after;  /* requests; 0: never */
    unsigned empty_reads; /* READ gives no bytes and no SSH_FX_EOF */
    void (*before)(struct Unruly *unruly, LySftpRequest *request);
    size_t sink_room; /* bytes that the client's sink takes between two rounds */
    size_t taken;
    /* what was seen */
    unsigned requests, counts[256];
    bool dead;
    char *root;
    void *user;
} Unruly;

static inline void unruly_serve(Unruly *unruly, LySftpRequest *request)
{
    if (unruly->before)
        unruly->before(unruly, request);
    if (request->type == SSH_FXP_READ && unruly->empty_reads) {
        ly_sftp_reply_data(request, (LyBytes){0});
        return;
    }
    if (request->type == SSH_FXP_READ && unruly->read_max) {
        uint64_t most = (uint64_t)g_rand_int_range(unruly->random, 1, (int)unruly->read_max + 1);
        request->len = LY_MIN(request->len, most);
    }
    if (request->type == SSH_FXP_FSTAT && unruly->claims) {
        LySftpAttrs attrs = {.flags = 5, .size = unruly->claimed, .permissions = 0100640};
        ly_sftp_reply_attrs(request, &attrs);
        return;
    }
    if (request->type == SSH_FXP_WRITE && request->data.len > unruly->quota) {
        ly_sftp_reply_status(request, SSH_FX_FAILURE, "Disk quota exceeded");
        return;
    }
    if (request->type == SSH_FXP_WRITE)
        unruly->quota -= request->data.len;
    request->backend = unruly->real.user;
    unruly->real.request(request);
}

static inline void unruly_request(LySftpRequest *request)
{
    Unruly *unruly = request->backend;
    unruly->requests++;
    unruly->counts[request->type]++;
    if (unruly->dies_after && unruly->requests >= unruly->dies_after)
        unruly->dead = true;
    else if (unruly->late)
        g_ptr_array_add(unruly->waiting, request);
    else
        unruly_serve(unruly, request);
}

static inline void unruly_close(void *backend, void *handle, LySftpRequest *request)
{
    Unruly *unruly = backend;
    if (request)
        request->backend = unruly->real.user;
    unruly->real.close(unruly->real.user, handle, request);
}

static inline void unruly_cancel(LySftpRequest *request)
{
    Unruly *unruly = request->backend;
    g_ptr_array_remove(unruly->waiting, request);
}

static inline size_t unruly_to_server(void *user, const LyBytes *parts, size_t count)
{
    Unruly *unruly = user;
    size_t before = unruly->to_server.len;
    for (size_t i = 0; i < count; i++) {
        LyBytes part = ly_bytes_slice(parts[i], 0, unruly->sink_room - unruly->taken);
        unruly->taken += part.len;
        ly_buf_add(&unruly->to_server, part);
    }
    return unruly->to_server.len - before;
}

static inline size_t unruly_to_client(void *user, const LyBytes *parts, size_t count)
{
    Unruly *unruly = user;
    size_t before = unruly->to_client.len;
    for (size_t i = 0; i < count; i++)
        ly_buf_add(&unruly->to_client, parts[i]);
    return unruly->to_client.len - before;
}

static inline void unruly_ready(void *user, LySftpReply *reply)
{
    Unruly *unruly = user;
    unruly->ready = reply->status == SSH_FX_OK;
}

/* One round: bytes both ways, and one of the late answers. False: nothing moves any more. */
static inline bool unruly_round(Unruly *unruly)
{
    LyError error = {0};
    size_t taken = 0;
    bool moved = false;
    unruly->taken = 0;
    if (unruly->dead) {
        bool told = ly_sftp_client_is_closed(unruly->client);
        ly_sftp_client_closed(unruly->client);
        return !told;
    }
    ly_sftp_client_flush(unruly->client);
    if (unruly->to_server.len) {
        size_t len = unruly->late ? (size_t)g_rand_int_range(unruly->random, 1, 70000) : SIZE_MAX;
        LyBytes piece = ly_bytes_slice(ly_buf_bytes(&unruly->to_server), 0, len);
        if (!ly_sftp_server_receive(unruly->server, piece, &taken, &error))
            g_error("the server: %s", error.message);
        ly_buf_drop(&unruly->to_server, taken);
        moved = taken > 0;
    }
    if (unruly->waiting->len) {
        guint i = (guint)g_rand_int_range(unruly->random, 0, (int)unruly->waiting->len);
        LySftpRequest *request = g_ptr_array_steal_index(unruly->waiting, i);
        unruly_serve(unruly, request);
        moved = true;
    }
    if (unruly->to_client.len) {
        size_t len = unruly->late ? (size_t)g_rand_int_range(unruly->random, 1, 70000) : SIZE_MAX;
        LyBuf piece = {0};
        ly_buf_add(&piece, ly_bytes_slice(ly_buf_bytes(&unruly->to_client), 0, len));
        ly_buf_drop(&unruly->to_client, piece.len);
        if (!ly_sftp_client_receive(unruly->client, ly_buf_bytes(&piece), &error))
            g_error("the client: %s", error.message);
        ly_buf_free(&piece);
        moved = true;
    }
    return moved || ly_sftp_client_pending_len(unruly->client);
}

/* `extensions`: bits of what the server has besides limits@openssh.com. */
static inline Unruly *unruly_new(uint32_t extensions)
{
    Unruly *unruly = g_new0(Unruly, 1);
    LySftpDirectoryOptions options = {.umask = -1};
    LyError error;
    unruly->root = g_dir_make_tmp("lanyard-sftp-XXXXXX", NULL);
    options.root = unruly->root;
    unruly->directory = ly_sftp_directory_new(&options, &unruly->real, &error);
    g_assert_nonnull(unruly->directory);
    unruly->waiting = g_ptr_array_new();
    unruly->random = g_rand_new_with_seed(4711);
    unruly->quota = UINT64_MAX;
    unruly->sink_room = SIZE_MAX;
    unruly->to_server.limit = unruly->to_client.limit = SIZE_MAX / 2;
    LySftpServerOptions server = {.sink = {unruly_to_client, unruly},
                                  .backend = {.request = unruly_request,
                                              .close = unruly_close,
                                              .cancel = unruly_cancel,
                                              .user = unruly,
                                              .extensions = extensions}};
    LySftpClientOptions client = {.sink = {unruly_to_server, unruly}, .symlink_openssh_order = false};
    unruly->server = ly_sftp_server_new(&server);
    unruly->client = ly_sftp_client_new(&client, unruly_ready, unruly);
    while (unruly_round(unruly))
        ;
    g_assert_true(unruly->ready);
    return unruly;
}

static inline void unruly_run(Unruly *unruly)
{
    while (unruly_round(unruly))
        ;
}

static inline int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    return remove(path);
}

static inline void remove_local_tree(const char *path)
{
    g_assert_cmpint(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
}

static inline void unruly_free(Unruly *unruly)
{
    ly_sftp_client_free(unruly->client);
    ly_sftp_server_free(unruly->server);
    ly_sftp_directory_free(unruly->directory);
    ly_buf_free(&unruly->to_server);
    ly_buf_free(&unruly->to_client);
    g_ptr_array_unref(unruly->waiting);
    g_rand_free(unruly->random);
    remove_local_tree(unruly->root);
    g_free(unruly->root);
    g_free(unruly);
}

/* Handles that the server keeps. */
static inline unsigned open_handles(Unruly *unruly)
{
    return unruly->server->handles.used;
}

/* Paths below the served directory, as the server names them and as they are here. The last few live. */
static inline char *local(Unruly *unruly, const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % G_N_ELEMENTS(paths)];
    g_snprintf(path, sizeof paths[0], "%s/%s", unruly->root, name);
    return path;
}

/* Bytes of which none is like its neighbours at any chunk's distance. */
static inline uint8_t *pattern(size_t len)
{
    uint8_t *bytes = g_malloc(len + 1);
    uint32_t state = 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

static inline void put_file(const char *path, const uint8_t *bytes, size_t len, mode_t mode)
{
    g_assert_true(g_file_set_contents(path, (const char *)bytes, (gssize)len, NULL));
    g_assert_cmpint(chmod(path, mode), ==, 0);
}

static inline void assert_file(const char *path, const uint8_t *bytes, size_t len)
{
    char *there;
    gsize there_len;
    g_assert_true(g_file_get_contents(path, &there, &there_len, NULL));
    g_assert_cmpuint(there_len, ==, len);
    g_assert_true(memcmp(there, bytes, len) == 0);
    g_free(there);
}

static inline mode_t mode_of(const char *path)
{
    struct stat stat;
    g_assert_cmpint(lstat(path, &stat), ==, 0);
    return stat.st_mode & 07777;
}

#define ALL_EXTENSIONS ((1u << LY_SFTP_EXTENSION_COUNT) - 1)

#endif
