/* opendir, readdir, readdirplus: all from one listing, which the inode keeps for lookups and for the next
 * reader. */
#include <errno.h>

#include "cache.h"
#include "prefetch.h"

enum { BARE_MAX = 4 };

typedef struct DirectoryHandle {
    LyLink link; /* among the mount's */
    Mount *mount;
    Listing *listing; /* counted */
    bool begun;       /* read from: at offset 0 again, a stale listing is made anew */
} DirectoryHandle;

static void handle_free(DirectoryHandle *directory)
{
    ly_link_remove(&directory->link);
    listing_unref(directory->listing);
    ly_free(directory);
}

void directories_free(Mount *mount)
{
    DirectoryHandle *directory;
    while ((directory = ly_list_first(&mount->directories, DirectoryHandle, link)))
        handle_free(directory);
}

static bool listing_usable(const Mount *mount, const Listing *listing)
{
    /* Taken as empty because we made it: only while nobody else can have put much into it. */
    if (listing && listing->ours_us && !cache_is_fresh(mount, listing->ours_us, CACHE_ABSENT_US))
        return false;
    return listing && (listing->state == LISTING_LOADING
                           ? !listing->changed && !listing->error
                           : listing->state == LISTING_COMPLETE &&
                                 cache_is_fresh(mount, listing->complete_us, listing_fresh_us(listing)));
}

/* The inode's listing, made when there is none to be used. Counted for the caller. */
static Listing *current_listing(Mount *mount, Inode *inode)
{
    /* With many attributes missing, asking for all at once is cheaper than for each. */
    bool bare = inode->listing && inode->listing->bare_count > BARE_MAX;
    if (listing_usable(mount, inode->listing) && !bare) {
        mount->statistics.listings_from_cache++;
    } else {
        listing_drop(inode);
        inode->listing = listing_new(mount, inode);
        listing_keep(inode->listing, inode);
    }
    listing_ref(inode->listing);
    if (!mount->options.no_readahead)
        prefetch_opened(mount, inode);
    return inode->listing;
}

static void opendir_start(Operation *operation)
{
    Mount *mount = operation->mount;
    DirectoryHandle *directory = operation->directory;
    if (!directory->listing)
        directory->listing = current_listing(mount, operation->inode);
    Listing *listing = directory->listing;
    if (!listing->opened) {
        ly_list_append(&listing->waiters, &operation->queue);
        return;
    }
    bool failed = listing->state == LISTING_FAILED && listing->count == 0;
    int error = listing->error;
    operation->fi.fh = (uintptr_t)directory;
    if (operation->req && !failed && fuse_reply_open(operation->req, &operation->fi) == 0)
        directory = NULL; /* the kernel has it now */
    else if (operation->req && failed)
        fuse_reply_err(operation->req, error);
    operation->req = NULL;
    if (directory)
        handle_free(directory);
    operation_end(operation);
}

static void opendir_given_up(Operation *operation)
{
    fuse_reply_err(operation->req, EINTR);
    operation->req = NULL;
    handle_free(operation->directory);
    operation_end(operation);
}

/* Fails for want of a session: the handle goes too. */
static void opendir_refused(Operation *operation, int error)
{
    handle_free(operation->directory);
    operation_fail(operation, error);
}

static void opendir_go(RemoteWaiter *waiter, int error)
{
    Operation *operation = ly_container_of(waiter, Operation, waiter);
    if (error)
        opendir_refused(operation, error);
    else
        opendir_start(operation);
}

void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Mount *mount = fuse_req_userdata(req);
    Inode *inode = mount_inode(mount, ino);
    Operation *operation = operation_new(req, inode, opendir_start);
    if (!operation)
        return;
    operation->fi = *fi;
    operation->directory = ly_new(DirectoryHandle);
    operation->directory->mount = mount;
    ly_list_append(&mount->directories, &operation->directory->link);
    operation->interrupt = opendir_given_up;
    operation->waiter.go = opendir_go;
    if (listing_usable(mount, inode->listing)) /* also while the session is down */
        opendir_start(operation);
    else
        operation_begin(operation);
}

void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    handle_free((DirectoryHandle *)(uintptr_t)fi->fh);
    fuse_reply_err(req, 0);
}

/* ---- readdir: offset 1 is behind ".", 2 behind "..", 2 + n behind the listing's entry n - 1. ---- */

typedef struct Filling {
    Operation *operation;
    bool plus;
    char *data;
    size_t len;
} Filling;

static bool fill(Filling *filling, const char *name, struct fuse_entry_param *entry, uint64_t next)
{
    Operation *operation = filling->operation;
    char *at = filling->data + filling->len;
    size_t room = operation->size - filling->len;
    size_t len = filling->plus ? fuse_add_direntry_plus(operation->req, at, room, name, entry, (off_t)next)
                               : fuse_add_direntry(operation->req, at, room, name, &entry->attr, (off_t)next);
    if (len > room)
        return false;
    filling->len += len;
    return true;
}

static bool fill_dots(Filling *filling, uint64_t *offset)
{
    Inode *inode = filling->operation->inode;
    while (*offset < 2) {
        Inode *shown = *offset == 1 && inode->parent ? inode->parent : inode;
        /* No lookup is counted for these: nodeid 0. */
        struct fuse_entry_param entry = {.attr = {.st_ino = shown->st_ino, .st_mode = S_IFDIR}};
        if (!fill(filling, *offset ? ".." : ".", &entry, *offset + 1))
            return false;
        ++*offset;
    }
    return true;
}

static bool fill_entry(Filling *filling, const ListingEntry *listed, LyBytes name, uint64_t next)
{
    Operation *operation = filling->operation;
    Mount *mount = operation->mount;
    Inode *directory = operation->inode, *inode = NULL;
    struct fuse_entry_param entry = {0};
    char text[256];
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';

    const Listing *listing = operation->directory->listing;
    /* Our own changes since are marked in the inode's listing only. */
    bool usable = listed->has_attrs && listing == directory->listing && listing_usable(mount, listing);
    const LySftpAttrs *attrs = &listed->attrs;
    if (mount->options.follow_symlinks && listed->has_attrs && attributes_type(attrs) == S_IFLNK)
        usable = false;
    if (filling->plus && usable && !directory->gone) {
        inode = cache_inode(mount, directory, name, attrs);
        /* An open file, or one that we changed since, is known better. */
        if (cache_has_attrs(mount, inode) && inode->attrs_us > listing->complete_us)
            attrs = &inode->attrs;
        else if (!inode->open)
            cache_store(mount, inode, attrs, inode->changes);
        if (listing->complete_us && inode->attrs_us > listing->complete_us && attrs == &listed->attrs)
            inode->attrs_us = listing->complete_us; /* no younger than that */
        if (inode->open || cache_entry(mount, inode, attrs, &entry) != 0) {
            inode_settle(&mount->inodes, inode);
            inode = NULL;
            entry.ino = 0;
        }
    }
    if (!inode) {
        Inode *known = inode_find(&mount->inodes, directory, name);
        entry.attr.st_ino = known ? known->st_ino : inode_natural_number(directory->st_ino, name);
        entry.attr.st_mode = listed->has_attrs ? attributes_type(&listed->attrs) : 0;
        if (mount->options.follow_symlinks && S_ISLNK(entry.attr.st_mode))
            entry.attr.st_mode = 0;
    }
    bool fits = fill(filling, text, &entry, next);
    if (inode && fits)
        inode->lookups++;
    else if (inode)
        inode_settle(&mount->inodes, inode);
    return fits;
}

static void readdir_reply(Filling *filling)
{
    Operation *operation = filling->operation;
    fuse_reply_buf(operation->req, filling->data, filling->len);
    operation->req = NULL;
    operation_end(operation);
}

static void readdir_run(Operation *operation, bool plus)
{
    Mount *mount = operation->mount;
    Listing *listing = operation->directory->listing;
    if (!operation->req) {
        operation_end(operation);
        return;
    }
    uint64_t offset = operation->offset;
    bool more = offset < 2 || offset - 2 < listing->count;
    if (!more && listing->state == LISTING_LOADING) {
        ly_list_append(&listing->waiters, &operation->queue);
        return;
    }
    if (!more && listing->state == LISTING_FAILED) {
        operation_fail(operation, listing->error);
        return;
    }
    char *data = operation->size <= BUFFER_LEN ? buffer_take(&mount->buffers) : ly_alloc(operation->size);
    Filling filling = {operation, plus, data, 0};
    size_t size = operation->size;
    if (fill_dots(&filling, &offset))
        for (; offset - 2 < listing->count; offset++) {
            const ListingEntry *entry = &listing->entries[offset - 2];
            if (!entry->removed && !fill_entry(&filling, entry, listing_name(listing, entry), offset + 1))
                break;
        }
    /* Only removed ones were left of what came so far: an empty answer would be the end. */
    if (filling.len == 0 && offset - 2 >= listing->count && listing->state == LISTING_LOADING) {
        operation->offset = offset;
        ly_list_append(&listing->waiters, &operation->queue);
    } else {
        readdir_reply(&filling);
    }
    if (size <= BUFFER_LEN) {
        buffer_give(&mount->buffers, data);
        mount_trim_later(mount);
    } else {
        ly_free(data);
    }
}

static void readdir_start(Operation *operation)
{
    readdir_run(operation, false);
}

static void readdirplus_start(Operation *operation)
{
    readdir_run(operation, true);
}

/* From the start again: POSIX wants the directory as it is now. */
static void rewind_start(Operation *operation)
{
    DirectoryHandle *directory = operation->directory;
    listing_unref(directory->listing);
    directory->listing = current_listing(operation->mount, operation->inode);
    operation->start = operation->flags ? readdirplus_start : readdir_start;
    operation->start(operation);
}

static void readdir_begin(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                          struct fuse_file_info *fi, bool plus)
{
    Mount *mount = fuse_req_userdata(req);
    DirectoryHandle *directory = (DirectoryHandle *)(uintptr_t)fi->fh;
    Operation *operation =
        operation_new(req, mount_inode(mount, ino), plus ? readdirplus_start : readdir_start);
    if (!operation)
        return;
    operation->directory = directory;
    operation->offset = (uint64_t)offset;
    operation->size = LY_MIN(size, (size_t)1 << 20);
    operation->flags = plus;
    bool again = offset == 0 && directory->begun && !listing_usable(mount, directory->listing);
    directory->begun |= offset != 0;
    if (again) {
        directory->begun = false;
        operation->start = rewind_start;
        operation_begin(operation);
    } else {
        operation->start(operation);
    }
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    readdir_begin(req, ino, size, offset, fi, false);
}

void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    readdir_begin(req, ino, size, offset, fi, true);
}
