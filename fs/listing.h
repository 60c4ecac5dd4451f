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
    /* Asked for before anybody did (prefetch.c), and not read since: 1, or 2 for what is below such a one. Its
     * keeper is counted meanwhile. */
    uint8_t ahead;
    bool was_ahead;
    uint32_t children_opened, ahead_asked, ahead_unread, ahead_read; /* of the listings of its directories */
    size_t guess_from, guessed;
    bool changed; /* by us, while it was loading: does not prove that a name is or is not there */
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
    LyList requests; /* READDIRs on their way, in the order in which they were sent */
    uint32_t in_flight, window;
    uint32_t replies; /* with names */
} Listing;

/* Starts a listing of the directory; the session is up. Counted once for the caller. */
Listing *listing_new(Mount *mount, const Inode *directory);
/* The inode keeps it (its `listing`, counted) until listings_expire drops what is too old or too much, or the
 * inode goes. */
void listing_keep(Listing *listing, Inode *inode);
/* At the end: what the kernel did not close. */
void directories_free(Mount *mount);
void listing_drop(Inode *inode);
/* A kept listing that nobody asked for yet; and when somebody did. */
void listing_set_ahead(Listing *listing, uint8_t level);
void listing_set_read(Listing *listing);
/* How long it counts: one that was asked for ahead of time shorter. */
uint64_t listing_fresh_us(const Listing *listing);
/* At the end, before the inodes go. */
void listings_drop_ahead(Mount *mount);
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
