/* An SFTP server with its tree in memory, and a link to it, for the tests of the mount engine. What a request
 * does, it does when it comes; its answer can be held back, changed, given in another order, or never. */
#ifndef LY_TEST_FS_SERVER_H
#define LY_TEST_FS_SERVER_H

#include <glib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "link.h"
#include "sftp/server.h"

typedef struct Node {
    int refs;
    LySftpAttrs attrs; /* the size is the content's */
    GByteArray *content;
    char *target;
} Node;

typedef struct Handle {
    Node *node;
    char *path; /* a directory's */
    bool listed;
} Handle;

typedef struct Answer {
    LySftpRequest *request;
    LySftpReplyType type;
    uint32_t status;
    GByteArray *bytes; /* DATA, EXTENDED */
    Handle *handle;
    LySftpAttrs attrs;
    GPtrArray *names; /* GBytes */
    GArray *name_attrs;
} Answer;

typedef struct Server Server;
typedef struct TestLink {
    Link link;
    Server *server;
    LyTask task;
    LyBuf to_server, to_client;
    LySftpServer *sftp;
    bool up;
} TestLink;

struct Server {
    LyLoop *loop;
    GHashTable *tree;   /* path: Node */
    GPtrArray *answers; /* held back, in the order of the requests */
    bool hold;
    void (*meddle)(Server *server, Answer *answer); /* may change the answer; NULL */
    uint32_t meddled;                               /* for its own use */
    uint32_t extensions;
    uint64_t free_blocks; /* statvfs */
    unsigned seen[256];   /* requests by type */
    unsigned seen_extension[LY_SFTP_EXTENSION_COUNT];
    TestLink *link;
    unsigned links;    /* made ever */
    bool silent;       /* a new link never comes up */
    LyErrorCode fault; /* the link goes down, or comes not up, for this */
    bool final;
    unsigned moves; /* counts whatever happened */
};

static inline void node_unref(gpointer data)
{
    Node *node = data;
    if (--node->refs)
        return;
    g_byte_array_unref(node->content);
    g_free(node->target);
    g_free(node);
}

static inline Node *server_add(Server *server, const char *path, uint32_t permissions, const void *data,
                               size_t len)
{
    Node *node = g_new0(Node, 1);
    node->refs = 1;
    node->content = g_byte_array_new();
    g_byte_array_append(node->content, data, (guint)len);
    node->attrs = (LySftpAttrs){15, 0, 1000, 1001, permissions, 100, 200};
    g_hash_table_replace(server->tree, g_strdup(path), node);
    return node;
}

static inline Node *server_add_link(Server *server, const char *path, const char *target)
{
    Node *node = server_add(server, path, S_IFLNK | 0777, "", 0);
    node->target = g_strdup(target);
    return node;
}

static inline Node *server_find(Server *server, const char *path)
{
    return g_hash_table_lookup(server->tree, path);
}

static inline void handle_close(Handle *handle)
{
    node_unref(handle->node);
    g_free(handle->path);
    g_free(handle);
}

static inline bool is_directory(const Node *node)
{
    return S_ISDIR(node->attrs.permissions);
}

static inline void set_attrs(Node *node, const LySftpAttrs *set)
{
    if (set->flags & SSH_FILEXFER_ATTR_SIZE) {
        guint old = node->content->len;
        g_byte_array_set_size(node->content, (guint)set->size);
        if (set->size > old)
            memset(node->content->data + old, 0, (guint)set->size - old);
    }
    if (set->flags & SSH_FILEXFER_ATTR_UIDGID)
        node->attrs.uid = set->uid, node->attrs.gid = set->gid;
    if (set->flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        node->attrs.permissions = (node->attrs.permissions & S_IFMT) | (set->permissions & 07777);
    if (set->flags & SSH_FILEXFER_ATTR_ACMODTIME)
        node->attrs.atime = set->atime, node->attrs.mtime = set->mtime;
}

static inline void put_data(Node *node, uint64_t offset, LyBytes data)
{
    if (offset + data.len > node->content->len)
        set_attrs(node, &(LySftpAttrs){.flags = SSH_FILEXFER_ATTR_SIZE, .size = offset + data.len});
    memcpy(node->content->data + offset, data.data, data.len);
}

static inline void answer_name(Answer *answer, LyBytes name, const LySftpAttrs *attrs)
{
    if (!answer->names) {
        answer->names = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        answer->name_attrs = g_array_new(FALSE, FALSE, sizeof *attrs);
    }
    answer->type = LY_SFTP_REPLY_NAME;
    g_ptr_array_add(answer->names, g_bytes_new(name.data, name.len));
    g_array_append_val(answer->name_attrs, *attrs);
}

static inline LySftpAttrs node_attrs(const Node *node)
{
    LySftpAttrs attrs = node->attrs;
    attrs.size = node->content->len;
    return attrs;
}

static inline uint32_t list_names(Server *server, Answer *answer, Handle *handle)
{
    if (handle->listed)
        return SSH_FX_EOF;
    handle->listed = true;
    GHashTableIter iter;
    gpointer path, node;
    g_hash_table_iter_init(&iter, server->tree);
    g_autofree char *prefix = g_strconcat(handle->path, "/", NULL);
    while (g_hash_table_iter_next(&iter, &path, &node)) {
        const char *name = (const char *)path + strlen(prefix);
        if (!g_str_has_prefix(path, prefix) || strchr(name, '/'))
            continue;
        LySftpAttrs attrs = node_attrs(node);
        answer_name(answer, ly_bytes_str(name), &attrs);
    }
    return answer->names ? SSH_FX_OK : SSH_FX_EOF;
}

static inline bool has_children(Server *server, const char *path)
{
    GHashTableIter iter;
    gpointer each;
    g_autofree char *prefix = g_strconcat(path, "/", NULL);
    g_hash_table_iter_init(&iter, server->tree);
    while (g_hash_table_iter_next(&iter, &each, NULL))
        if (g_str_has_prefix(each, prefix))
            return true;
    return false;
}

static inline uint32_t serve_open(Server *server, Answer *answer, const char *path, Node *node)
{
    const LySftpRequest *request = answer->request;
    bool directory = request->type == SSH_FXP_OPENDIR;
    uint32_t pflags = directory ? 0 : request->pflags;
    if (node && pflags & SSH_FXF_EXCL)
        return SSH_FX_FAILURE;
    if (!node && !(pflags & SSH_FXF_CREAT))
        return SSH_FX_NO_SUCH_FILE;
    if (!node) {
        node = server_add(server, path, S_IFREG | 0644, "", 0);
        set_attrs(node, &request->attrs);
    }
    if (is_directory(node) != directory)
        return SSH_FX_FAILURE;
    if (pflags & SSH_FXF_TRUNC)
        g_byte_array_set_size(node->content, 0);
    answer->handle = g_new0(Handle, 1);
    answer->handle->node = node;
    node->refs++;
    answer->handle->path = g_strdup(path);
    answer->type = LY_SFTP_REPLY_HANDLE;
    return SSH_FX_OK;
}

static inline uint32_t serve_rename(Server *server, const char *from, const char *to, bool replace, bool link)
{
    Node *node = server_find(server, from);
    if (!node)
        return SSH_FX_NO_SUCH_FILE;
    if (server_find(server, to) && !replace)
        return SSH_FX_FAILURE;
    node->refs++;
    g_hash_table_replace(server->tree, g_strdup(to), node);
    if (!link)
        g_hash_table_remove(server->tree, from);
    return SSH_FX_OK;
}

static inline uint32_t serve_extended(Server *server, Answer *answer, const char *path, const char *path2)
{
    const LySftpRequest *request = answer->request;
    Handle *handle = request->handle, *handle2 = request->handle2;
    Node *node = server_find(server, path);
    LyBuf buf = {0};
    switch (request->extension) {
    case LY_SFTP_EXTENSION_POSIX_RENAME:
        return serve_rename(server, path, path2, true, false);
    case LY_SFTP_EXTENSION_HARDLINK:
        return serve_rename(server, path, path2, false, true);
    case LY_SFTP_EXTENSION_LSETSTAT:
        if (node)
            set_attrs(node, &request->attrs);
        return node ? SSH_FX_OK : SSH_FX_NO_SUCH_FILE;
    case LY_SFTP_EXTENSION_FSYNC:
        return SSH_FX_OK;
    case LY_SFTP_EXTENSION_COPY_DATA: {
        GByteArray *from = handle->node->content;
        LyBytes data = ly_bytes_slice(ly_bytes(from->data, from->len), request->offset, request->len);
        put_data(handle2->node, request->offset2, data);
        return SSH_FX_OK;
    }
    case LY_SFTP_EXTENSION_STATVFS:
    case LY_SFTP_EXTENSION_FSTATVFS:
        ly_put_statvfs(&buf, &(LySftpStatvfs){4096, 4096, 1000, server->free_blocks, server->free_blocks,
                                              1000, 500, 500, 7, 0, 255});
        answer->type = LY_SFTP_REPLY_EXTENDED;
        answer->bytes = g_byte_array_new();
        g_byte_array_append(answer->bytes, buf.data, (guint)buf.len);
        ly_buf_free(&buf);
        return SSH_FX_OK;
    default:
        return SSH_FX_OP_UNSUPPORTED;
    }
}

static inline uint32_t serve_path(Server *server, Answer *answer, const char *path, const char *path2)
{
    const LySftpRequest *request = answer->request;
    Node *node = server_find(server, path);
    switch (request->type) {
    case SSH_FXP_OPEN:
    case SSH_FXP_OPENDIR:
        return serve_open(server, answer, path, node);
    case SSH_FXP_MKDIR:
    case SSH_FXP_SYMLINK:
        if (node)
            return SSH_FX_FAILURE;
        if (request->type == SSH_FXP_SYMLINK)
            server_add_link(server, path, path2);
        else
            set_attrs(server_add(server, path, S_IFDIR | 0755, "", 0), &request->attrs);
        return SSH_FX_OK;
    case SSH_FXP_RENAME:
        return serve_rename(server, path, path2, false, false);
    case SSH_FXP_REALPATH:
        answer_name(answer, request->path, &(LySftpAttrs){0});
        return SSH_FX_OK;
    default:
        break;
    }
    if (!node)
        return SSH_FX_NO_SUCH_FILE;
    switch (request->type) {
    case SSH_FXP_LSTAT:
    case SSH_FXP_STAT:
        answer->type = LY_SFTP_REPLY_ATTRS;
        answer->attrs = node_attrs(node);
        return SSH_FX_OK;
    case SSH_FXP_SETSTAT:
        set_attrs(node, &request->attrs);
        return SSH_FX_OK;
    case SSH_FXP_REMOVE:
    case SSH_FXP_RMDIR:
        if (is_directory(node) != (request->type == SSH_FXP_RMDIR) || has_children(server, path))
            return SSH_FX_FAILURE;
        g_hash_table_remove(server->tree, path);
        return SSH_FX_OK;
    case SSH_FXP_READLINK:
        if (!node->target)
            return SSH_FX_FAILURE;
        answer_name(answer, ly_bytes_str(node->target), &(LySftpAttrs){0});
        return SSH_FX_OK;
    default:
        return SSH_FX_OP_UNSUPPORTED;
    }
}

static inline uint32_t serve(Server *server, Answer *answer)
{
    const LySftpRequest *request = answer->request;
    Handle *handle = request->handle;
    g_autofree char *path = ly_bytes_dup_str(request->path), *path2 = ly_bytes_dup_str(request->path2);
    switch (request->type) {
    case SSH_FXP_EXTENDED:
        return serve_extended(server, answer, path, path2);
    case SSH_FXP_READ: {
        GByteArray *content = handle->node->content;
        LyBytes data = ly_bytes_slice(ly_bytes(content->data, content->len), request->offset, request->len);
        answer->type = LY_SFTP_REPLY_DATA;
        answer->bytes = g_byte_array_new();
        g_byte_array_append(answer->bytes, data.data, (guint)data.len);
        return data.len ? SSH_FX_OK : SSH_FX_EOF;
    }
    case SSH_FXP_WRITE:
        put_data(handle->node, request->offset, request->data);
        return SSH_FX_OK;
    case SSH_FXP_FSTAT:
        answer->type = LY_SFTP_REPLY_ATTRS;
        answer->attrs = node_attrs(handle->node);
        return SSH_FX_OK;
    case SSH_FXP_FSETSTAT:
        set_attrs(handle->node, &request->attrs);
        return SSH_FX_OK;
    case SSH_FXP_READDIR:
        return list_names(server, answer, handle);
    default:
        return serve_path(server, answer, path, path2);
    }
}

static inline void answer_free(Answer *answer)
{
    if (answer->handle)
        handle_close(answer->handle);
    if (answer->bytes)
        g_byte_array_unref(answer->bytes);
    if (answer->names) {
        g_ptr_array_unref(answer->names);
        g_array_unref(answer->name_attrs);
    }
    g_free(answer);
}

/* Sends a held answer and forgets it. */
static inline void server_release(Server *server, guint index)
{
    Answer *answer = g_ptr_array_steal_index(server->answers, index);
    LySftpRequest *request = answer->request;
    Handle *handle = answer->handle;
    server->moves++;
    if (answer->status != SSH_FX_OK) {
        ly_sftp_reply_status(request, answer->status, NULL);
    } else if (answer->type == LY_SFTP_REPLY_HANDLE) {
        answer->handle = NULL;
        g_assert_true(ly_sftp_reply_handle(request, handle, is_directory(handle->node)));
    } else if (answer->type == LY_SFTP_REPLY_DATA) {
        ly_sftp_reply_data(request, ly_bytes(answer->bytes->data, answer->bytes->len));
    } else if (answer->type == LY_SFTP_REPLY_EXTENDED) {
        ly_sftp_reply_extended(request, ly_bytes(answer->bytes->data, answer->bytes->len));
    } else if (answer->type == LY_SFTP_REPLY_ATTRS) {
        ly_sftp_reply_attrs(request, &answer->attrs);
    } else if (answer->type == LY_SFTP_REPLY_NAME) {
        ly_sftp_reply_names_begin(request);
        for (guint i = 0; i < answer->names->len; i++) {
            gsize len;
            const void *data = g_bytes_get_data(answer->names->pdata[i], &len);
            ly_sftp_reply_names_add(request, ly_bytes(data, len), (LyBytes){0},
                                    &g_array_index(answer->name_attrs, LySftpAttrs, i));
        }
        ly_sftp_reply_names_end(request);
    } else {
        ly_sftp_reply_status(request, SSH_FX_OK, NULL);
    }
    answer_free(answer);
}

static inline void server_queue(Server *server, Answer *answer)
{
    server->moves++;
    if (server->meddle)
        server->meddle(server, answer);
    g_ptr_array_add(server->answers, answer);
    if (!server->hold)
        server_release(server, server->answers->len - 1);
}

static inline void server_request(LySftpRequest *request)
{
    Server *server = request->backend;
    Answer *answer = g_new0(Answer, 1);
    answer->request = request;
    server->seen[request->type]++;
    if (request->type == SSH_FXP_EXTENDED && request->extension >= 0)
        server->seen_extension[request->extension]++;
    answer->status = serve(server, answer);
    server_queue(server, answer);
}

static inline void server_close(void *backend, void *handle, LySftpRequest *request)
{
    Server *server = backend;
    handle_close(handle);
    if (!request)
        return;
    Answer *answer = g_new0(Answer, 1);
    answer->request = request;
    server->seen[SSH_FXP_CLOSE]++;
    server_queue(server, answer);
}

static inline void server_cancel(LySftpRequest *request)
{
    Server *server = request->backend;
    for (guint i = 0; i < server->answers->len; i++)
        if (((Answer *)server->answers->pdata[i])->request == request) {
            answer_free(g_ptr_array_steal_index(server->answers, i));
            return;
        }
    g_assert_not_reached();
}

/* ---- the link ---- */

static inline size_t take_parts(TestLink *link, LyBuf *buf, const LyBytes *parts, size_t count)
{
    size_t before = buf->len;
    for (size_t i = 0; i < count; i++)
        ly_buf_add(buf, parts[i]);
    ly_loop_defer(link->server->loop, &link->task);
    return buf->len - before;
}

static inline size_t sftp_write(void *user, const LyBytes *parts, size_t count)
{
    TestLink *link = user;
    return take_parts(link, &link->to_client, parts, count);
}

static inline size_t test_link_write(Link *link, const LyBytes *parts, size_t count)
{
    return take_parts((TestLink *)link, &((TestLink *)link)->to_server, parts, count);
}

static inline bool test_link_order(const Link *link)
{
    return true;
}

static inline void test_link_free(Link *base)
{
    TestLink *link = (TestLink *)base;
    ly_loop_undefer(link->server->loop, &link->task);
    link->server->link = NULL;
    ly_sftp_server_free(link->sftp);
    ly_buf_free(&link->to_server);
    ly_buf_free(&link->to_client);
    g_free(link);
}

/* Events come from here alone. */
static inline void test_link_run(void *user)
{
    TestLink *link = user;
    Server *server = link->server;
    LinkEvents events = link->link.events;
    LyError error = {0};
    server->moves++;
    if (server->fault) {
        ly_error_set(&error, server->fault, "as the test wants it");
        server->fault = LY_OK;
        events.down(events.user, &error, server->final);
        return;
    }
    if (!link->up) {
        link->up = !server->silent;
        if (link->up)
            events.up(events.user);
        return;
    }
    LyBuf bytes = link->to_server;
    size_t taken;
    link->to_server = (LyBuf){0};
    if (bytes.len && !ly_sftp_server_receive(link->sftp, ly_buf_bytes(&bytes), &taken, &error))
        g_error("the server: %s", error.message);
    g_assert_true(!bytes.len || taken == bytes.len);
    ly_buf_free(&bytes);
    bytes = link->to_client;
    link->to_client = (LyBuf){0};
    if (bytes.len)
        events.data(events.user, ly_buf_bytes(&bytes));
    ly_buf_free(&bytes);
    if (server->link == link) /* it may be gone */
        events.iterated(events.user);
}

static inline Link *test_link_make(void *user, LyLoop *loop, const LinkEvents *events)
{
    static const LinkClass class = {test_link_write, test_link_order, test_link_free};
    Server *server = user;
    TestLink *link = g_new0(TestLink, 1);
    link->link = (Link){&class, *events};
    link->server = server;
    link->task = (LyTask){.func = test_link_run, .user = link};
    LySftpServerOptions options = {
        .sink = {sftp_write, link},
        .backend = {server_request, server_close, server_cancel, server, server->extensions, false},
        .symlink_openssh_order = true,
        .max_outstanding = 1024,
    };
    link->sftp = ly_sftp_server_new(&options);
    g_assert_null(server->link);
    server->link = link;
    server->links++;
    ly_loop_defer(loop, &link->task);
    return &link->link;
}

/* The link goes down in the next iteration. */
static inline void server_kill(Server *server, LyErrorCode code, bool final)
{
    server->fault = code;
    server->final = final;
    ly_loop_defer(server->loop, &server->link->task);
}

static inline void server_init(Server *server, LyLoop *loop)
{
    server->loop = loop;
    server->tree = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, node_unref);
    server->answers = g_ptr_array_new();
    server->extensions = (1u << LY_SFTP_EXTENSION_COUNT) - 1;
    server->free_blocks = 500;
    server_add(server, ".", S_IFDIR | 0755, "", 0);
    server_add(server, "/srv", S_IFDIR | 0755, "", 0);
}

static inline void server_clear(Server *server)
{
    g_assert_null(server->link);
    g_assert_cmpuint(server->answers->len, ==, 0);
    g_ptr_array_unref(server->answers);
    g_hash_table_unref(server->tree);
}

#endif
