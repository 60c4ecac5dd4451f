/* A directory with its parents. Most often all but the last are there: that one is tried first. */
#include "base/memory.h"
#include "sftp/file-private.h"
#include "sftp/tree-private.h"

typedef struct Parents {
    size_t len; /* of the path's part that is being made */
    bool from_top;
    uint32_t status; /* why it was not made */
    LyBuf message;
} Parents;

static void make(LyTreeOp *op);

static void release(LyTreeOp *op)
{
    Parents *parents = op->state;
    ly_buf_free(&parents->message);
    ly_free(parents);
}

static LyBytes part(const LyTreeOp *op)
{
    const Parents *parents = op->state;
    return ly_bytes_slice(ly_buf_bytes(&op->path), 0, parents->len);
}

/* The next component, if there is one. */
static void descend(LyTreeOp *op)
{
    Parents *parents = op->state;
    LyBytes path = ly_buf_bytes(&op->path);
    size_t len = parents->len;
    while (len < path.len && path.data[len] == '/')
        len++;
    if (len == path.len) {
        ly_tree_op_end(op);
        return;
    }
    while (len < path.len && path.data[len] != '/')
        len++;
    parents->len = len;
    make(op);
}

/* It could not be made: is it there? */
static void looked(LyTreeOp *op, LySftpReply *reply)
{
    Parents *parents = op->state;
    bool there = reply->type == LY_SFTP_REPLY_ATTRS;
    if (there && ly_tree_is_directory(&reply->attrs)) {
        descend(op);
    } else if (!there && !parents->from_top && reply->status == SSH_FX_NO_SUCH_FILE) {
        parents->from_top = true;
        parents->len = 0;
        descend(op);
    } else {
        LyBytes why = there ? LY_BYTES("it is no directory") : ly_buf_bytes(&parents->message);
        uint32_t status = reply->status == SSH_FX_CONNECTION_LOST ? reply->status : parents->status;
        ly_tree_fail(op->tree, status, why, op->step, part(op));
    }
}

static void made(LyTreeOp *op, LySftpReply *reply)
{
    Parents *parents = op->state;
    if (reply->status == SSH_FX_OK) {
        descend(op);
    } else if (reply->status == SSH_FX_CONNECTION_LOST) {
        ly_tree_op_fail(op, reply);
    } else {
        parents->status = reply->status;
        ly_buf_clear(&parents->message);
        ly_buf_add(&parents->message, ly_bytes_slice(reply->message, 0, 1024));
        ly_tree_asked(op, ly_sftp_stat(op->tree->client, part(op), ly_tree_replied, op), looked);
    }
}

static LySftpId ask(LyTreeOp *op)
{
    LySftpAttrs attrs = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = op->tree->mode & 07777};
    return ly_sftp_mkdir(op->tree->client, part(op), op->tree->mode == UINT32_MAX ? NULL : &attrs,
                         ly_tree_replied, op);
}

static void make(LyTreeOp *op)
{
    ly_tree_asked(op, ask(op), made);
}

LySftpTree *ly_sftp_mkdir_parents(LySftpClient *client, LyBytes path, uint32_t mode, LySftpFileDone done,
                                  void *user)
{
    LySftpTree *tree = ly_tree_new(client, NULL, path, done, user);
    tree->mode = mode;
    LyTreeOp *op = ly_tree_op(tree, NULL, path, "make the directory");
    Parents *parents = ly_new(Parents);
    parents->len = path.len;
    op->state = parents;
    op->release = release;
    LySftpId id = ask(op);
    if (!id) {
        ly_sftp_tree_cancel(tree);
        return NULL;
    }
    ly_tree_asked(op, id, made);
    return tree;
}
