/* Trees: every directory is listed as a whole before anything in it is touched, then gone through, the
 * deepest first, with many requests under way. */
#include "base/memory.h"
#include "sftp/file-private.h"
#include "sftp/tree-private.h"

#define DEPTH_MAX 256
#define MAX_OPS 64
/* A listing has no end that a server could not put off. */
#define HELD_MAX ((size_t)64 << 20)

#define TYPE_MASK 0170000u
#define TYPE_DIRECTORY 0040000u

typedef struct Entry { /* followed by the name */
    uint32_t name_len;
    LySftpAttrs attrs;
} Entry;

bool ly_tree_is_directory(const LySftpAttrs *attrs)
{
    return attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS && (attrs->permissions & TYPE_MASK) == TYPE_DIRECTORY;
}

/* ---- operations ---- */

LyTreeOp *ly_tree_op(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const char *step)
{
    LyTreeOp *op = ly_new(LyTreeOp);
    op->tree = tree;
    op->dir = dir;
    op->step = step;
    ly_buf_add(&op->path, path);
    ly_list_append(&tree->ops, &op->link);
    tree->op_count++;
    if (dir)
        dir->pending++;
    return op;
}

static void free_op(LyTreeOp *op)
{
    LySftpTree *tree = op->tree;
    if (op->release)
        op->release(op);
    ly_link_remove(&op->link);
    tree->op_count--;
    if (op->dir)
        op->dir->pending--;
    ly_buf_free(&op->path);
    ly_free(op);
}

void ly_tree_asked(LyTreeOp *op, LySftpId id, void (*replied)(LyTreeOp *op, LySftpReply *reply))
{
    LyBytes message;
    op->id = id;
    op->replied = replied;
    if (id)
        return;
    uint32_t status = ly_sftp_refusal(op->tree->client, &message);
    if (op->path.len > LY_SFTP_PATH_MAX)
        message = LY_BYTES("its path is too long");
    ly_tree_fail(op->tree, status, message, op->step, ly_buf_bytes(&op->path));
}

void ly_tree_replied(void *user, LySftpReply *reply)
{
    LyTreeOp *op = user;
    LySftpTree *tree = op->tree;
    op->id = 0;
    ly_tree_enter(tree);
    op->replied(op, reply);
    ly_tree_leave(tree);
}

void ly_tree_op_fail(LyTreeOp *op, const LySftpReply *reply)
{
    /* an OK that was not expected is none */
    uint32_t status = reply->status == SSH_FX_OK ? SSH_FX_BAD_MESSAGE : reply->status;
    ly_tree_fail(op->tree, status, reply->message, op->step, ly_buf_bytes(&op->path));
}

static void op_ok(LyTreeOp *op, LySftpReply *reply)
{
    if (reply->status == SSH_FX_OK)
        ly_tree_op_end(op);
    else
        ly_tree_op_fail(op, reply);
}

/* ---- directories ---- */

static void free_dir(LyTreeDir *dir)
{
    ly_link_remove(&dir->link);
    ly_link_remove(&dir->ready);
    ly_buf_free(&dir->path);
    ly_buf_free(&dir->entries);
    ly_free(dir);
}

static void directory_left(LyTreeDir *dir, LySftpTree *tree);

static void check_left(LyTreeDir *dir, LySftpTree *tree)
{
    if (tree->ended || !dir->listed || dir->leaving || dir->pending || dir->next < dir->entries.len)
        return;
    dir->leaving = true;
    ly_link_remove(&dir->ready);
    tree->held_len -= dir->entries.len;
    if (tree->class->leave)
        tree->class->leave(dir, tree);
    else
        directory_left(dir, tree);
}

static void directory_left(LyTreeDir *dir, LySftpTree *tree)
{
    LyTreeDir *parent = dir->parent;
    free_dir(dir);
    if (!parent)
        return;
    parent->pending--;
    check_left(parent, tree);
}

void ly_tree_op_end(LyTreeOp *op)
{
    LySftpTree *tree = op->tree;
    LyTreeDir *dir = op->dir;
    free_op(op);
    if (!dir || tree->ended)
        return;
    if (dir->leaving) /* that was what leaving takes */
        directory_left(dir, tree);
    else
        check_left(dir, tree);
}

static bool is_passed_over(LyBytes name)
{
    return name.len == 0 || ly_bytes_is(name, ".") || ly_bytes_is(name, "..") ||
           memchr(name.data, '/', name.len) || ly_bytes_has_nul(name);
}

static bool keep_entries(LyTreeOp *op, LySftpReply *reply)
{
    LySftpTree *tree = op->tree;
    LyTreeDir *dir = op->dir;
    LySftpName name;
    while (ly_sftp_reply_name(reply, &name)) {
        if (is_passed_over(name.filename))
            continue;
        Entry entry = {.name_len = (uint32_t)name.filename.len, .attrs = name.attrs};
        size_t len = sizeof entry + name.filename.len;
        if (len > HELD_MAX - tree->held_len) {
            ly_tree_fail(tree, SSH_FX_FAILURE, LY_BYTES("there are too many names"), "list",
                         ly_buf_bytes(&dir->path));
            return false;
        }
        ly_buf_add(&dir->entries, ly_bytes(&entry, sizeof entry));
        ly_buf_add(&dir->entries, name.filename);
        tree->held_len += len;
    }
    return true;
}

static void listed(LyTreeOp *op, LySftpReply *reply)
{
    LySftpTree *tree = op->tree;
    LyTreeDir *dir = op->dir;
    LyBytes handle = ly_bytes(dir->handle, dir->handle_len);
    if (reply->type == LY_SFTP_REPLY_NAME && reply->name_count) {
        if (keep_entries(op, reply))
            ly_tree_asked(op, ly_sftp_readdir(tree->client, handle, ly_tree_replied, op), listed);
    } else if (reply->type == LY_SFTP_REPLY_NAME || reply->status == SSH_FX_EOF) {
        dir->handle_len = 0;
        ly_sftp_close(tree->client, handle, NULL, NULL); /* a listing that was read is not lost by it */
        dir->listed = true;
        if (dir->entries.len)
            ly_list_prepend(&tree->ready, &dir->ready); /* the deepest first: few listings are held */
        ly_tree_op_end(op);
    } else {
        ly_tree_op_fail(op, reply);
    }
}

static void opened(LyTreeOp *op, LySftpReply *reply)
{
    LyTreeDir *dir = op->dir;
    if (reply->type != LY_SFTP_REPLY_HANDLE) {
        ly_tree_op_fail(op, reply);
        return;
    }
    memcpy(dir->handle, reply->handle.data, reply->handle.len);
    dir->handle_len = reply->handle.len;
    ly_tree_asked(op, ly_sftp_readdir(op->tree->client, reply->handle, ly_tree_replied, op), listed);
}

void ly_tree_list(LyTreeDir *dir, LySftpTree *tree)
{
    LyBytes path = ly_buf_bytes(&dir->path);
    LyTreeOp *op = ly_tree_op(tree, dir, path, "list");
    ly_tree_asked(op, ly_sftp_opendir(tree->client, path, ly_tree_replied, op), opened);
}

static void found_directory(LySftpTree *tree, LyTreeDir *parent, LyBytes path, const LySftpAttrs *attrs)
{
    LyTreeDir *dir = ly_new(LyTreeDir);
    dir->parent = parent;
    dir->depth = parent ? parent->depth + 1 : 0;
    dir->attrs = *attrs;
    dir->entries.limit = HELD_MAX;
    ly_buf_add(&dir->path, path);
    ly_list_append(&tree->dirs, &dir->link);
    if (parent)
        parent->pending++;
    if (dir->depth > DEPTH_MAX)
        ly_tree_fail(tree, SSH_FX_FAILURE, LY_BYTES("it is too deep in the tree"), "list", path);
    else if (tree->class->enter)
        tree->class->enter(dir, tree);
    else
        ly_tree_list(dir, tree);
}

/* ---- what is found ---- */

static void found(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const LySftpAttrs *attrs)
{
    bool enter = !tree->found || tree->found(tree->user, path, dir ? dir->depth + 1 : 0, attrs);
    if (tree->ended)
        return;
    if (!ly_tree_is_directory(attrs))
        tree->class->entry(tree, dir, path, attrs);
    else if (enter)
        found_directory(tree, dir, path, attrs);
}

static void looked(LyTreeOp *op, LySftpReply *reply)
{
    LySftpTree *tree = op->tree;
    /* Somebody else removed what was listed. */
    bool gone = reply->status == SSH_FX_NO_SUCH_FILE && op->dir;
    if (reply->type == LY_SFTP_REPLY_ATTRS)
        found(tree, op->dir, ly_buf_bytes(&op->path), &reply->attrs);
    else if (!gone)
        ly_tree_op_fail(op, reply);
    if (!tree->ended)
        ly_tree_op_end(op);
}

static void look(LySftpTree *tree, LyTreeDir *dir, LyBytes path)
{
    LyTreeOp *op = ly_tree_op(tree, dir, path, "examine");
    ly_tree_asked(op, ly_sftp_lstat(tree->client, path, ly_tree_replied, op), looked);
}

/* A directory of the listing is looked at again: some servers list symbolic links as what they point to. */
static void go_on(LySftpTree *tree, LyTreeDir *dir)
{
    Entry entry;
    LyBuf path = {0};
    memcpy(&entry, dir->entries.data + dir->next, sizeof entry);
    LyBytes name = ly_bytes(dir->entries.data + dir->next + sizeof entry, entry.name_len);
    dir->next += sizeof entry + entry.name_len;
    if (dir->next >= dir->entries.len)
        ly_link_remove(&dir->ready);
    ly_buf_add(&path, ly_buf_bytes(&dir->path));
    if (path.len && path.data[path.len - 1] != '/')
        ly_buf_add_str(&path, "/");
    ly_buf_add(&path, name);
    dir->pending++; /* nobody leaves it meanwhile */
    bool unknown =
        !(entry.attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS) || !(entry.attrs.permissions & TYPE_MASK);
    if (unknown || ly_tree_is_directory(&entry.attrs))
        look(tree, dir, ly_buf_bytes(&path));
    else
        found(tree, dir, ly_buf_bytes(&path), &entry.attrs);
    ly_buf_free(&path);
    if (tree->ended)
        return;
    dir->pending--;
    check_left(dir, tree);
}

/* ---- life ---- */

LySftpTree *ly_tree_new(LySftpClient *client, const LyTreeClass *class, LyBytes from, LySftpFileDone done,
                        void *user)
{
    LySftpTree *tree = ly_new(LySftpTree);
    tree->client = client;
    tree->class = class;
    tree->done = done;
    tree->user = user;
    tree->max_ops = class && class->max_ops ? class->max_ops : MAX_OPS;
    ly_buf_add(&tree->from, from);
    ly_list_init(&tree->ops);
    ly_list_init(&tree->dirs);
    ly_list_init(&tree->ready);
    return tree;
}

/* Takes back what is under way and closes what is open. */
static void stop(LySftpTree *tree)
{
    tree->ended = true;
    ly_list_each(&tree->ops, LyTreeOp, link, op)
    {
        ly_sftp_cancel(tree->client, op->id);
        free_op(op);
    }
    ly_list_each(&tree->dirs, LyTreeDir, link, dir)
    {
        if (dir->handle_len)
            ly_sftp_close(tree->client, ly_bytes(dir->handle, dir->handle_len), NULL, NULL);
        free_dir(dir);
    }
}

static void tree_free(LySftpTree *tree)
{
    ly_buf_free(&tree->from);
    ly_buf_free(&tree->to);
    ly_free(tree);
}

/* Nothing is freed before ly_tree_leave: callers still hold operations and directories. */
static void finish(LySftpTree *tree, const LySftpOutcome *outcome)
{
    if (tree->ended)
        return;
    tree->ended = true;
    if (!tree->dead)
        tree->done(tree->user, outcome);
    tree->dead = true;
}

void ly_tree_fail(LySftpTree *tree, uint32_t status, LyBytes message, const char *step, LyBytes path)
{
    LySftpOutcome outcome = {.status = status, .message = message, .step = step, .path = path};
    finish(tree, &outcome);
}

void ly_tree_enter(LySftpTree *tree)
{
    tree->depth++;
}

void ly_tree_leave(LySftpTree *tree)
{
    LyTreeDir *dir;
    while (tree->depth == 1 && !tree->ended && tree->op_count < tree->max_ops &&
           (dir = ly_list_first(&tree->ready, LyTreeDir, ready)))
        go_on(tree, dir);
    if (tree->depth == 1 && !tree->ended && tree->op_count == 0 && ly_list_empty(&tree->dirs)) {
        LySftpOutcome outcome = {.status = SSH_FX_OK, .path = ly_buf_bytes(&tree->from)};
        finish(tree, &outcome);
    }
    if (--tree->depth || !tree->dead)
        return;
    stop(tree);
    tree_free(tree);
}

LySftpTree *ly_tree_start(LySftpTree *tree)
{
    LyBytes from = ly_buf_bytes(&tree->from);
    LyTreeOp *op = ly_tree_op(tree, NULL, from, "examine");
    LySftpId id = ly_sftp_lstat(tree->client, from, ly_tree_replied, op);
    if (!id) {
        free_op(op);
        tree_free(tree);
        return NULL;
    }
    ly_tree_asked(op, id, looked);
    return tree;
}

void ly_sftp_tree_cancel(LySftpTree *tree)
{
    if (!tree || tree->dead)
        return;
    tree->dead = true;
    tree->ended = true;
    if (tree->depth)
        return;
    stop(tree);
    tree_free(tree);
}

/* ---- walking ---- */

static void walk_entry(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const LySftpAttrs *attrs)
{
    /* it was told */
}

LySftpTree *ly_sftp_walk(LySftpClient *client, LyBytes root, LySftpTreeFound func, LySftpFileDone done,
                         void *user)
{
    static const LyTreeClass class = {.entry = walk_entry};
    LySftpTree *tree = ly_tree_new(client, &class, root, done, user);
    tree->found = func;
    return ly_tree_start(tree);
}

/* ---- removing ---- */

static void removed(LyTreeOp *op, LySftpReply *reply)
{
    if (reply->status == SSH_FX_NO_SUCH_FILE && op->dir) /* somebody else was faster */
        ly_tree_op_end(op);
    else
        op_ok(op, reply);
}

static void remove_entry(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const LySftpAttrs *attrs)
{
    LyTreeOp *op = ly_tree_op(tree, dir, path, "remove");
    ly_tree_asked(op, ly_sftp_remove(tree->client, path, ly_tree_replied, op), removed);
}

static void remove_directory(LyTreeDir *dir, LySftpTree *tree)
{
    LyBytes path = ly_buf_bytes(&dir->path);
    LyTreeOp *op = ly_tree_op(tree, dir, path, "remove");
    ly_tree_asked(op, ly_sftp_rmdir(tree->client, path, ly_tree_replied, op), op_ok);
}

LySftpTree *ly_sftp_remove_tree(LySftpClient *client, LyBytes root, LySftpFileDone done, void *user)
{
    static const LyTreeClass class = {.entry = remove_entry, .leave = remove_directory};
    return ly_tree_start(ly_tree_new(client, &class, root, done, user));
}
