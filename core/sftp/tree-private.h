/* What the works on trees share: directories that are listed and gone through, operations of one or more
 * requests, and the end. */
#ifndef LY_SFTP_TREE_PRIVATE_H
#define LY_SFTP_TREE_PRIVATE_H

#include "base/list.h"
#include "sftp/tree.h"

typedef struct LyTreeDir LyTreeDir;
typedef struct LyTreeOp LyTreeOp;

/* One thing that is being done: a request, or several that follow one another. */
struct LyTreeOp {
    LySftpTree *tree;
    LyTreeDir *dir; /* that it belongs to, and that waits for it; NULL: the root's */
    LyLink link;
    LySftpId id;      /* the request under way */
    LyBuf path;       /* what it works on */
    const char *step; /* of an error, "cannot STEP PATH" */
    LySftpAttrs attrs;
    void (*replied)(LyTreeOp *op, LySftpReply *reply);
    void (*release)(LyTreeOp *op); /* frees `state`; NULL: nothing to do */
    void *state;
};

struct LyTreeDir {
    LyTreeDir *parent; /* NULL: the root */
    LyLink link;       /* in tree->dirs */
    LyLink ready;      /* in tree->ready while there are entries to begin with */
    LyBuf path;
    unsigned depth;
    LySftpAttrs attrs;
    uint8_t handle[LY_SFTP_HANDLE_MAX];
    size_t handle_len;
    LyBuf entries;    /* of the whole listing */
    size_t next;      /* the entry to go on with */
    unsigned pending; /* operations and directories below that are not done */
    bool listed, leaving;
};

/* What a kind of work does with what is found; each begins an operation or does nothing. `leave`: after all
 * that is in the directory; NULL: nothing. */
typedef struct LyTreeClass {
    /* A directory is about to be listed: ly_tree_list(dir), now or later. */
    void (*enter)(LyTreeDir *dir, LySftpTree *tree);
    /* Anything else. `dir` NULL: it is the root. */
    void (*entry)(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const LySftpAttrs *attrs);
    void (*leave)(LyTreeDir *dir, LySftpTree *tree);
    unsigned max_ops;
} LyTreeClass;

struct LySftpTree {
    LySftpClient *client;
    const LyTreeClass *class;
    LySftpTreeFound found; /* a walk's */
    LySftpFileDone done;
    void *user;
    LyBuf from, to; /* the root; a copy's target */
    uint32_t mode;  /* of directories that are made */
    LyList ops, dirs, ready;
    unsigned op_count, max_ops;
    size_t held_len; /* bytes of all listings */
    unsigned depth;
    bool ended, dead;
};

LySftpTree *ly_tree_new(LySftpClient *client, const LyTreeClass *class, LyBytes from, LySftpFileDone done,
                        void *user);
/* Looks at the root and begins. NULL: refused, and the tree is freed. */
LySftpTree *ly_tree_start(LySftpTree *tree);
void ly_tree_fail(LySftpTree *tree, uint32_t status, LyBytes message, const char *step, LyBytes path);
void ly_tree_enter(LySftpTree *tree);
void ly_tree_leave(LySftpTree *tree); /* goes on with what is to do; may free the tree */
void ly_tree_list(LyTreeDir *dir, LySftpTree *tree);

LyTreeOp *ly_tree_op(LySftpTree *tree, LyTreeDir *dir, LyBytes path, const char *step);
/* To say with each request of the operation: what comes is given to `replied`. */
void ly_tree_asked(LyTreeOp *op, LySftpId id, void (*replied)(LyTreeOp *op, LySftpReply *reply));
void ly_tree_replied(void *user, LySftpReply *reply); /* an LySftpDone; `user` is the operation */
void ly_tree_op_fail(LyTreeOp *op, const LySftpReply *reply);
void ly_tree_op_end(LyTreeOp *op);
bool ly_tree_is_directory(const LySftpAttrs *attrs);

#endif
