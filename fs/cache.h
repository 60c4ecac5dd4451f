/* What is remembered of the remote tree, and for how long it counts: attributes, listings (names there, and
 * by that names not there), link targets. The operations ask here first; whoever changes something says so
 * here. */
#ifndef LY_FS_CACHE_H
#define LY_FS_CACHE_H

#include "listing.h"
#include "operation.h"

/* How long a listing proves that a name is not there. Shorter than what it proves of names that are: a file
 * that somebody just made has to be found. */
enum { CACHE_ABSENT_US = 1000 * 1000 };

/* Whether what was learnt at `since_us` (0: never) still counts after `fresh_us`. */
static inline bool cache_is_fresh(const Mount *mount, uint64_t since_us, uint64_t fresh_us)
{
    return since_us != 0 && fresh_us != 0 && mount_now_us(mount) - since_us < fresh_us;
}
static inline bool cache_has_attrs(const Mount *mount, const Inode *inode)
{
    return cache_is_fresh(mount, inode->attrs_us, mount->options.attr_cache_us);
}
/* Attributes came that were asked for when inode->changes was `changes`. */
void cache_store(Mount *mount, Inode *inode, const LySftpAttrs *attrs, uint32_t changes);
/* We changed the inode, or are about to: what is known of it is old. */
void cache_changed(Mount *mount, Inode *inode);
/* What a name in a directory is: the inode, made or found; another one than before when the type changed. */
Inode *cache_inode(Mount *mount, Inode *parent, LyBytes name, const LySftpAttrs *attrs);

/* We made or removed a name. */
void cache_name_added(Mount *mount, Inode *directory, LyBytes name);
void cache_name_removed(Mount *mount, Inode *directory, LyBytes name);

/* What a listing that counts says of a name. */
typedef enum CacheAnswer { CACHE_UNKNOWN, CACHE_ABSENT, CACHE_PRESENT } CacheAnswer;
CacheAnswer cache_lookup(Mount *mount, Inode *directory, LyBytes name, LySftpAttrs *attrs);

/* 0 or an errno. The size is at least what was written here and not yet acknowledged. */
int cache_stat(Mount *mount, const Inode *inode, const LySftpAttrs *attrs, struct stat *st);
int cache_entry(Mount *mount, Inode *inode, const LySftpAttrs *attrs, struct fuse_entry_param *entry);
/* Replies to whatever wants an entry, counts the lookup, ends the operation. */
void cache_reply_entry(Operation *operation, Inode *inode, const LySftpAttrs *attrs);
void cache_reply_attrs(Operation *operation, const LySftpAttrs *attrs);
double cache_seconds(uint64_t us);

#endif
