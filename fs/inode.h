/* The inodes that the kernel knows, or that an open operation needs: found by (parent, name), kept while
 * anybody counts on them. */
#ifndef LY_FS_INODE_H
#define LY_FS_INODE_H

#include "base/buf.h"
#include "base/list.h"
#include "sftp/attrs.h"

struct Listing;
struct OpenFiles;

typedef struct Inode {
    struct Inode *parent;      /* counted; NULL for the root */
    struct Inode *chain;       /* of its hash bucket */
    struct Inode *moved_chain; /* of its bucket among the moved */
    char *name;                /* not NUL-terminated */
    uint64_t st_ino;
    uint64_t lookups; /* of the kernel */
    uint32_t refs;    /* ours: children, open files, operations */
    uint16_t name_len;
    uint8_t misses;  /* a directory's: names asked about one by one; INODE_MISSES_MAX: to be left at that */
    bool gone : 1;   /* unlinked, or replaced by another: has no name any more */
    bool hidden : 1; /* renamed instead of unlinked: goes with its last open file */
    bool moved : 1;  /* its st_ino is not the one its path would give */
    bool kept : 1;   /* kept_size and kept_mtime are set */
    bool linked : 1; /* shares its number with another name of the same file */
    /* counts our own changes: a reply that was asked for before one says nothing about now */
    uint32_t changes;
    uint32_t kept_mtime; /* what the kernel's pages were read from */
    uint64_t kept_size;
    LySftpAttrs attrs;       /* as last seen */
    uint64_t attrs_us;       /* when; 0: not to be used any more */
    struct Listing *listing; /* a directory's, counted; NULL */
    struct OpenFiles *open;  /* NULL when no file is open */
    LyBytes target;          /* a link's, owned; and when it was read */
    uint64_t target_us;
} Inode;

typedef struct Inodes {
    Inode **bucket, **moved_bucket;
    size_t room, moved_room; /* powers of two */
    size_t count, moved_count;
    Inode *root;
    void (*released)(void *user, Inode *inode); /* what hangs on it (listing) is to be let go */
    void *user;
} Inodes;

void inodes_init(Inodes *inodes, void (*released)(void *user, Inode *inode), void *user);
/* Calls `func` for all but the root, also for those without a name; it may free the one that it is given. */
void inodes_each(Inodes *inodes, void (*func)(void *user, Inode *inode), void *user);
/* Frees all, whoever still counts on them. */
void inodes_free(Inodes *inodes);

/* The known inode of a name, or NULL. */
Inode *inode_find(const Inodes *inodes, const Inode *parent, LyBytes name);
/* The same, made when it is not known; the caller takes a reference or a lookup, or calls inode_settle. */
Inode *inode_get(Inodes *inodes, Inode *parent, LyBytes name);
void inode_ref(Inode *inode);
void inode_unref(Inodes *inodes, Inode *inode); /* NULL is fine */
void inode_forget(Inodes *inodes, Inode *inode, uint64_t lookups);
/* Frees it when nobody counts on it. */
void inode_settle(Inodes *inodes, Inode *inode);
/* The name is no more; handles go on. */
void inode_detach(Inodes *inodes, Inode *inode);
/* The name is now another; whatever had that one is detached. Keeps its st_ino. */
void inode_move(Inodes *inodes, Inode *inode, Inode *parent, LyBytes name);

/* The inode is another name of the same file: shows its number as long as it lives. */
void inode_share_number(Inodes *inodes, Inode *inode, Inode *source);
/* Calls `func` for the other names that are known of the same file; it may not free any. */
void inode_each_link(const Inodes *inodes, const Inode *inode, void (*func)(void *user, Inode *link),
                     void *user);

/* Writes the path from the mount's root to `out` (emptied): base, then "/name" each; with base "" relative to
 * where the server starts ("." for the root). `name` (may be empty) is a further component. False when it is
 * too long or the inode is gone. */
bool inode_path(const Inode *inode, LyBytes base, LyBytes name, LyBuf *out);
/* Directories between the root and the inode (the root: 0). */
size_t inode_depth(const Inode *inode);
/* The st_ino that a path gives: a keyed hash, the same at every mount. */
uint64_t inode_natural_number(uint64_t parent_st_ino, LyBytes name);

enum { INODE_ROOT_NUMBER = 1, INODE_MISSES_MAX = 255 };

#endif
