/* A tree copied on its server: by the server itself with copy-data, through this client otherwise. */
#include "base/memory.h"
#include "sftp/file-private.h"
#include "sftp/tree-private.h"

#define TYPE_MASK 0170000u
#define TYPE_FILE 0100000u
#define TYPE_LINK 0120000u
#define SERVER_OPS 16 /* files at once, two handles each */
#define CLIENT_OPS 4
#define BUFFER                                                                                               \
    ((size_t)1 << 20) /* of each file that goes through this client, and again for what is behind */

/* A file on its way. */
typedef struct Copy {
    LyBuf target; /* its path */
    uint8_t from[LY_SFTP_HANDLE_MAX], to[LY_SFTP_HANDLE_MAX];
    size_t from_len, to_len; /* 0: not open */
    LySftpReader *reader;
    LySftpWriter *writer;
    LyBuf held; /* read, and not taken by the writer yet */
    bool read;
} Copy;

static void target_of(const LySftpTree *tree, LyBytes path, LyBuf *target)
{
    ly_buf_add(target, ly_buf_bytes(&tree->to));
    ly_buf_add(target, ly_bytes_slice(path, tree->from.len, path.len));
}

static void release(LyTreeOp *op)
{
    Copy *copy = op->state;
    LySftpClient *client = op->tree->client;
    ly_sftp_reader_free(copy->reader);
    ly_sftp_writer_free(copy->writer);
    if (copy->from_len)
        ly_sftp_close(client, ly_bytes(copy->from, copy->from_len), NULL, NULL);
    if (copy->to_len)
        ly_sftp_close(client, ly_bytes(copy->to, copy->to_len), NULL, NULL);
    ly_buf_free(&copy->target);
    ly_buf_free(&copy->held);
    ly_free(copy);
}

static LyTreeOp *copy_op(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const char *step,
                         const LySftpAttrs *attrs)
{
    LyTreeOp *op = ly_tree_op(tree, dir, path, step);
    Copy *copy = ly_new(Copy);
    op->attrs = *attrs;
    op->state = copy;
    op->release = release;
    target_of(tree, path, &copy->target);
    return op;
}

/* Fails with the target's path. */
static void fail_target(LyTreeOp *op, const LySftpReply *reply, const char *step)
{
    Copy *copy = op->state;
    uint32_t status = reply->status == SSH_FX_OK ? SSH_FX_BAD_MESSAGE : reply->status;
    ly_tree_fail(op->tree, status, reply->message, step, ly_buf_bytes(&copy->target));
}

static LySftpAttrs kept_attrs(const LySftpAttrs *attrs)
{
    LySftpAttrs kept = *attrs;
    kept.flags &= SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME;
    kept.permissions &= 07777;
    return kept;
}

/* ---- files ---- */

static void closed(LyTreeOp *op, LySftpReply *reply)
{
    if (reply->status == SSH_FX_OK)
        ly_tree_op_end(op);
    else
        fail_target(op, reply, "close");
}

static void attributes_set(LyTreeOp *op, LySftpReply *reply)
{
    Copy *copy = op->state;
    if (reply->status != SSH_FX_OK) {
        fail_target(op, reply, "set the permissions of");
        return;
    }
    LyBytes handle = ly_bytes(copy->to, copy->to_len);
    copy->to_len = 0;
    ly_tree_asked(op, ly_sftp_close(op->tree->client, handle, ly_tree_replied, op), closed);
}

static void written(LyTreeOp *op)
{
    Copy *copy = op->state;
    LySftpAttrs attrs = kept_attrs(&op->attrs);
    ly_tree_asked(
        op, ly_sftp_fsetstat(op->tree->client, ly_bytes(copy->to, copy->to_len), &attrs, ly_tree_replied, op),
        attributes_set);
}

static void data_copied(LyTreeOp *op, LySftpReply *reply)
{
    if (reply->status == SSH_FX_OK)
        written(op);
    else
        ly_tree_op_fail(op, reply);
}

static void write_held(void *user)
{
    LyTreeOp *op = user;
    LySftpTree *tree = op->tree;
    Copy *copy = op->state;
    ly_tree_enter(tree);
    size_t taken = ly_sftp_writer_write(copy->writer, ly_buf_bytes(&copy->held));
    ly_buf_drop(&copy->held, taken);
    if (taken)
        ly_sftp_reader_consumed(copy->reader, taken);
    if (copy->read && !copy->held.len)
        ly_sftp_writer_finish(copy->writer);
    ly_tree_leave(tree);
}

static void read_data(void *user, LyBytes data)
{
    LyTreeOp *op = user;
    LySftpTree *tree = op->tree;
    Copy *copy = op->state;
    ly_tree_enter(tree);
    size_t taken = copy->held.len ? 0 : ly_sftp_writer_write(copy->writer, data);
    ly_buf_add(&copy->held, ly_bytes_slice(data, taken, data.len));
    if (taken)
        ly_sftp_reader_consumed(copy->reader, taken);
    ly_tree_leave(tree);
}

static void read_done(void *user, const LySftpOutcome *outcome)
{
    LyTreeOp *op = user;
    LySftpTree *tree = op->tree;
    Copy *copy = op->state;
    ly_tree_enter(tree);
    if (outcome->status != SSH_FX_OK) {
        ly_tree_fail(tree, outcome->status, outcome->message, "read", ly_buf_bytes(&op->path));
    } else {
        copy->read = true;
        write_held(op);
    }
    ly_tree_leave(tree);
}

static void write_done(void *user, const LySftpOutcome *outcome)
{
    LyTreeOp *op = user;
    Copy *copy = op->state;
    LySftpTree *tree = op->tree;
    ly_tree_enter(tree);
    if (outcome->status != SSH_FX_OK)
        ly_tree_fail(tree, outcome->status, outcome->message, "write", ly_buf_bytes(&copy->target));
    else
        written(op);
    ly_tree_leave(tree);
}

static void copy_through(LyTreeOp *op)
{
    Copy *copy = op->state;
    LySftpReaderOptions from = {.handle = ly_bytes(copy->from, copy->from_len),
                                .len = UINT64_MAX,
                                .ahead = BUFFER,
                                .data = read_data,
                                .done = read_done,
                                .user = op};
    LySftpWriterOptions to = {.handle = ly_bytes(copy->to, copy->to_len),
                              .mode = UINT32_MAX,
                              .behind = BUFFER,
                              .writable = write_held,
                              .done = write_done,
                              .user = op};
    copy->held.limit = 2 * BUFFER;
    copy->writer = ly_sftp_writer_new(op->tree->client, &to);
    copy->reader = copy->writer ? ly_sftp_reader_new(op->tree->client, &from) : NULL;
    if (!copy->reader)
        ly_tree_asked(op, 0, NULL);
}

static void target_opened(LyTreeOp *op, LySftpReply *reply)
{
    Copy *copy = op->state;
    LySftpClient *client = op->tree->client;
    if (reply->type != LY_SFTP_REPLY_HANDLE) {
        fail_target(op, reply, "make");
        return;
    }
    memcpy(copy->to, reply->handle.data, reply->handle.len);
    copy->to_len = reply->handle.len;
    if (ly_sftp_client_has(client, LY_SFTP_EXTENSION_COPY_DATA))
        ly_tree_asked(op,
                      ly_sftp_copy_data(client, ly_bytes(copy->from, copy->from_len), 0, 0, reply->handle, 0,
                                        ly_tree_replied, op),
                      data_copied);
    else
        copy_through(op);
}

static void source_opened(LyTreeOp *op, LySftpReply *reply)
{
    Copy *copy = op->state;
    if (reply->type != LY_SFTP_REPLY_HANDLE) {
        ly_tree_op_fail(op, reply);
        return;
    }
    LySftpAttrs attrs = {.flags = op->attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS,
                         .permissions = (op->attrs.permissions & 0777) | 0200};
    memcpy(copy->from, reply->handle.data, reply->handle.len);
    copy->from_len = reply->handle.len;
    ly_tree_asked(op,
                  ly_sftp_open(op->tree->client, ly_buf_bytes(&copy->target),
                               SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL, &attrs, ly_tree_replied, op),
                  target_opened);
}

/* ---- symbolic links ---- */

static void link_dated(LyTreeOp *op, LySftpReply *reply)
{
    ly_tree_op_end(op); /* most file systems can, and the link is there */
}

static void link_made(LyTreeOp *op, LySftpReply *reply)
{
    Copy *copy = op->state;
    LySftpClient *client = op->tree->client;
    LySftpAttrs attrs = kept_attrs(&op->attrs);
    attrs.flags &= SSH_FILEXFER_ATTR_ACMODTIME;
    if (reply->status != SSH_FX_OK)
        fail_target(op, reply, "make the link");
    else if (attrs.flags && ly_sftp_client_has(client, LY_SFTP_EXTENSION_LSETSTAT))
        ly_tree_asked(op, ly_sftp_lsetstat(client, ly_buf_bytes(&copy->target), &attrs, ly_tree_replied, op),
                      link_dated);
    else
        ly_tree_op_end(op);
}

static void link_read(LyTreeOp *op, LySftpReply *reply)
{
    Copy *copy = op->state;
    LySftpName name;
    if (!ly_sftp_reply_name(reply, &name)) {
        ly_tree_op_fail(op, reply);
        return;
    }
    ly_tree_asked(
        op,
        ly_sftp_symlink(op->tree->client, ly_buf_bytes(&copy->target), name.filename, ly_tree_replied, op),
        link_made);
}

/* ---- the tree ---- */

/* Devices, sockets and named pipes are left out: SFTP cannot make them. */
static void copy_entry(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const LySftpAttrs *attrs)
{
    uint32_t type = attrs->permissions & TYPE_MASK;
    bool known = attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS && type != 0;
    if (known && type == TYPE_LINK) {
        LyTreeOp *op = copy_op(tree, dir, path, "read the link", attrs);
        ly_tree_asked(op, ly_sftp_readlink(tree->client, path, ly_tree_replied, op), link_read);
    } else if (!known || type == TYPE_FILE) {
        LyTreeOp *op = copy_op(tree, dir, path, "copy", attrs);
        ly_tree_asked(op, ly_sftp_open(tree->client, path, SSH_FXF_READ, NULL, ly_tree_replied, op),
                      source_opened);
    }
}

static void directory_made(LyTreeOp *op, LySftpReply *reply)
{
    LySftpTree *tree = op->tree;
    if (reply->status != SSH_FX_OK) {
        fail_target(op, reply, "make the directory");
        return;
    }
    ly_tree_list(op->dir, tree);
    if (!tree->ended)
        ly_tree_op_end(op);
}

static void enter_directory(LyTreeDir *dir, LySftpTree *tree)
{
    LyTreeOp *op = copy_op(tree, dir, ly_buf_bytes(&dir->path), "copy", &dir->attrs);
    Copy *copy = op->state;
    /* To be written into until it is left. */
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS,
                         .permissions = (dir->attrs.permissions & 0777) | 0700};
    LyBytes from = ly_buf_bytes(&tree->from), to = ly_buf_bytes(&tree->to);
    bool inside =
        to.len >= from.len && ly_bytes_equal(ly_bytes_slice(to, 0, from.len), from) &&
        (to.len == from.len || to.data[from.len] == '/' || from.len == 0 || from.data[from.len - 1] == '/');
    if (!dir->parent && inside)
        ly_tree_fail(tree, SSH_FX_FAILURE, LY_BYTES("the copy would be inside of it"), "copy", from);
    else
        ly_tree_asked(op,
                      ly_sftp_mkdir(tree->client, ly_buf_bytes(&copy->target), &attrs, ly_tree_replied, op),
                      directory_made);
}

static void directory_set(LyTreeOp *op, LySftpReply *reply)
{
    if (reply->status == SSH_FX_OK)
        ly_tree_op_end(op);
    else
        fail_target(op, reply, "set the permissions of");
}

static void leave_directory(LyTreeDir *dir, LySftpTree *tree)
{
    LyTreeOp *op = copy_op(tree, dir, ly_buf_bytes(&dir->path), "copy", &dir->attrs);
    Copy *copy = op->state;
    LySftpAttrs attrs = kept_attrs(&dir->attrs);
    ly_tree_asked(op, ly_sftp_setstat(tree->client, ly_buf_bytes(&copy->target), &attrs, ly_tree_replied, op),
                  directory_set);
}

LySftpTree *ly_sftp_copy_tree(LySftpClient *client, LyBytes from, LyBytes to, LySftpFileDone done, void *user)
{
    static const LyTreeClass class = {
        .enter = enter_directory, .entry = copy_entry, .leave = leave_directory, .max_ops = SERVER_OPS};
    LySftpTree *tree = ly_tree_new(client, &class, from, done, user);
    ly_buf_add(&tree->to, to);
    if (!ly_sftp_client_has(client, LY_SFTP_EXTENSION_COPY_DATA))
        tree->max_ops = CLIENT_OPS;
    return ly_tree_start(tree);
}
