/* A directory's entries as READDIR brings them, several requests at a time; read by directory handles while
 * they come, and asked by lookups once complete. */
#ifndef LY_FS_LISTING_H
#define LY_FS_LISTING_H

#include "operation.h"

typedef enum ListingState { LISTING_LOADING, LISTING_COMPLETE, LISTING_FAILED } ListingState;

typedef struct ListingEntry {
    LySftpAttrs attrs;
    size_t name_at; /* in names */
    uint16_t name_len;
    bool has_attrs;
    bool removed; /* by us, since */
} ListingEntry;

typedef struct Listing {
    Mount *mount;
    LyLink link;   /* among the mount's listings, while an inode keeps it */
    Inode *keeper; /* that inode */
    uint32_t refs;
    ListingState state;
    int error; /* when failed */
    uint64_t complete_us;
    uint64_t ours_us; /* of a directory that we made: when, or when we last added to it; else 0 */
    bool changed;     /* by us, while it was loading: does not prove that a name is or is not there */
    ListingEntry *entries;
    size_t count, room;
    size_t bare_count; /* entries that came without attributes, or lost them */
    char *names;
    size_t names_len, names_room;
    uint32_t *table; /* index + 1 of an entry, open addressing; 0: free */
    size_t table_room;
    LyList waiters; /* operations (queue) to be tried again when something came */
    bool opened;    /* the OPENDIR was answered */
    bool at_end;
    uint8_t handle[LY_SFTP_HANDLE_MAX];
    size_t handle_len;
    uint32_t in_flight, window; /* READDIR requests */
} Listing;

/* Starts a listing of the directory; the session is up. Counted once for the caller. */
Listing *listing_new(Mount *mount, const Inode *directory);
/* The inode keeps it (its `listing`, counted) until listings_expire drops what is too old or too much, or the
 * inode goes. */
void listing_keep(Listing *listing, Inode *inode);
/* At the end: what the kernel did not close. */
void directories_free(Mount *mount);
void listing_drop(Inode *inode);
/* True while there are any left. */
bool listings_expire(Mount *mount);
/* The listing of a directory that we just made: complete and empty. */
Listing *listing_new_empty(Mount *mount);
void listing_ref(Listing *listing);
void listing_unref(Listing *listing); /* NULL is fine */
/* NULL when there is no such entry (any more). */
ListingEntry *listing_find(const Listing *listing, LyBytes name);
LyBytes listing_name(const Listing *listing, const ListingEntry *entry);
void listing_add_name(Listing *listing, LyBytes name);
void listing_remove_name(Listing *listing, LyBytes name);
void listing_forget_attrs(Listing *listing, LyBytes name);
/* A name as a server may send it: not empty, "." or "..", no '/' or NUL, at most 255 bytes. */
bool listing_name_valid(LyBytes name);

#endif
