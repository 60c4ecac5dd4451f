#include <errno.h>

#include "cache.h"
#include "file.h"

double cache_seconds(uint64_t us)
{
    return (double)us / 1e6;
}

void cache_store(Mount *mount, Inode *inode, const LySftpAttrs *attrs, uint32_t changes)
{
    if (inode->changes != changes)
        return;
    inode->attrs = *attrs;
    inode->attrs_us = mount_now_us(mount);
    /* Asked for behind all our writes (whoever asks sends them first): the server's size is the true one. */
    if (inode->open)
        inode->open->size_grown = false;
}

static void forget_attrs(Inode *inode)
{
    inode->changes++;
    inode->attrs_us = 0;
    inode->target_us = 0;
    if (inode->parent && inode->parent->listing)
        listing_forget_attrs(inode->parent->listing, ly_bytes(inode->name, inode->name_len));
}

/* Another name of what was changed: the kernel takes the two for two files. */
static void link_changed(void *user, Inode *link)
{
    Mount *mount = user;
    forget_attrs(link);
    if (link->lookups && mount->session)
        fuse_lowlevel_notify_inval_inode(mount->session, mount_ino(mount, link), -1,
                                         0); /* attributes alone */
}

void cache_changed(Mount *mount, Inode *inode)
{
    forget_attrs(inode);
    inode_each_link(&mount->inodes, inode, link_changed, mount);
}

Inode *cache_inode(Mount *mount, Inode *parent, LyBytes name, const LySftpAttrs *attrs)
{
    Inode *inode = inode_find(&mount->inodes, parent, name);
    if (inode && inode->attrs.flags && attrs && attributes_type(&inode->attrs) != attributes_type(attrs))
        inode_detach(&mount->inodes, inode); /* the kernel does not let an inode change its type */
    return inode_get(&mount->inodes, parent, name);
}

void cache_name_added(Mount *mount, Inode *directory, LyBytes name)
{
    if (directory->listing) {
        listing_add_name(directory->listing, name);
        if (cache_is_fresh(mount, directory->listing->ours_us, CACHE_ABSENT_US))
            directory->listing->ours_us = mount_now_us(mount);
    }
    cache_changed(mount, directory);
}

void cache_name_removed(Mount *mount, Inode *directory, LyBytes name)
{
    if (directory->listing)
        listing_remove_name(directory->listing, name);
    cache_changed(mount, directory);
}

CacheAnswer cache_lookup(Mount *mount, Inode *directory, LyBytes name, LySftpAttrs *attrs)
{
    Listing *listing = directory->listing;
    if (!listing || listing->state != LISTING_COMPLETE ||
        !cache_is_fresh(mount, listing->complete_us, listing_fresh_us(listing)))
        return CACHE_UNKNOWN;
    const ListingEntry *entry = listing_find(listing, name);
    /* A guess does not prove it: some servers have names that they do not list (automounted ones). */
    if (!entry)
        return !listing->ahead &&
                       cache_is_fresh(mount, LY_MAX(listing->complete_us, listing->ours_us), CACHE_ABSENT_US)
                   ? CACHE_ABSENT
                   : CACHE_UNKNOWN;
    if (!entry->has_attrs || !cache_is_fresh(mount, listing->complete_us, mount->options.attr_cache_us))
        return CACHE_UNKNOWN;
    /* A listing does not follow links. */
    if (mount->options.follow_symlinks && attributes_type(&entry->attrs) == S_IFLNK)
        return CACHE_UNKNOWN;
    *attrs = entry->attrs;
    return CACHE_PRESENT;
}

int cache_stat(Mount *mount, const Inode *inode, const LySftpAttrs *attrs, struct stat *st)
{
    int error = attributes_to_stat(&mount->remote.owners, attrs, inode->st_ino, st);
    if (!error && inode->open) {
        st->st_size = (off_t)open_files_size(inode, (uint64_t)st->st_size);
        st->st_blocks = (blkcnt_t)(((uint64_t)st->st_size + 511) / 512);
    }
    if (inode == mount->inodes.root && !(attrs->flags & SSH_FILEXFER_ATTR_PERMISSIONS))
        st->st_mode = S_IFDIR | 0755;
    return error;
}

int cache_entry(Mount *mount, Inode *inode, const LySftpAttrs *attrs, struct fuse_entry_param *entry)
{
    *entry = (struct fuse_entry_param){
        .ino = mount_ino(mount, inode),
        .attr_timeout = cache_seconds(mount->options.attr_timeout_us),
        .entry_timeout = cache_seconds(mount->options.entry_timeout_us),
    };
    return cache_stat(mount, inode, attrs, &entry->attr);
}

void cache_reply_entry(Operation *operation, Inode *inode, const LySftpAttrs *attrs)
{
    Mount *mount = operation->mount;
    struct fuse_entry_param entry;
    if (!operation->req) {
        inode_settle(&mount->inodes, inode);
        operation_end(operation);
        return;
    }
    int error = cache_entry(mount, inode, attrs, &entry);
    if (error) {
        inode_settle(&mount->inodes, inode);
        operation_fail(operation, error);
        return;
    }
    inode->lookups++;
    if (fuse_reply_entry(operation->req, &entry) != 0)
        inode_forget(&mount->inodes, inode, 1); /* the kernel did not take it */
    operation->req = NULL;
    operation_end(operation);
}

void cache_reply_attrs(Operation *operation, const LySftpAttrs *attrs)
{
    Mount *mount = operation->mount;
    struct stat st;
    int error = cache_stat(mount, operation->inode, attrs, &st);
    if (error) {
        operation_fail(operation, error);
        return;
    }
    if (operation->req)
        fuse_reply_attr(operation->req, &st, cache_seconds(mount->options.attr_timeout_us));
    operation->req = NULL;
    operation_end(operation);
}
