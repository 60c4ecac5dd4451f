#include "prefetch.h"
#include "cache.h"

enum {
    BESIDE_MAX = 16,     /* unread listings of one directory's children */
    TOTAL_MAX = 96,      /* unread listings */
    HANDLES_SHARE = 8,   /* of the handles that the server has, if it says */
    SIBLINGS_NEEDED = 2, /* of a directory opened before the others are guessed */
    WASTE_JUDGED = 16
};

static bool is_complete(const Mount *mount, const Listing *listing)
{
    return listing && listing->state == LISTING_COMPLETE &&
           cache_is_fresh(mount, listing->complete_us, listing_fresh_us(listing));
}

static bool room_for_more(const Mount *mount)
{
    uint64_t handles = ly_sftp_client_limits(mount_client(mount))->max_handles;
    uint64_t most = handles ? LY_MIN(handles / HANDLES_SHARE, (uint64_t)TOTAL_MAX) : TOTAL_MAX;
    return mount->ahead_listings < most;
}

/* False: nothing more can be asked now. */
static bool ask_ahead(Mount *mount, Inode *directory, uint8_t level)
{
    if (!room_for_more(mount))
        return false;
    listing_drop(directory);
    Listing *listing = listing_new(mount, directory);
    if (listing->state == LISTING_FAILED) {
        listing_unref(listing);
        return false;
    }
    directory->listing = listing;
    listing_keep(listing, directory);
    listing_set_ahead(listing, level);
    mount->statistics.listings_ahead++;
    return true;
}

/* Goes once around the children of a directory, from behind the one that was opened last. */
static void ask_children(Mount *mount, Inode *parent, uint8_t level)
{
    Listing *around = parent->listing;
    for (; around->guessed < around->count && around->ahead_unread < BESIDE_MAX; around->guessed++) {
        ListingEntry *entry = &around->entries[(around->guess_from + around->guessed) % around->count];
        if (entry->removed || !entry->has_attrs || attributes_type(&entry->attrs) != S_IFDIR)
            continue;
        Inode *child = cache_inode(mount, parent, listing_name(around, entry), &entry->attrs);
        bool known = child->listing &&
                     (child->listing->state == LISTING_LOADING || is_complete(mount, child->listing));
        inode_ref(child);
        bool asked = known || ask_ahead(mount, child, level);
        inode_unref(&mount->inodes, child);
        if (!asked)
            return;
        if (!known) {
            around->ahead_unread++;
            around->ahead_asked++;
        }
    }
}

void prefetch_opened(Mount *mount, Inode *directory)
{
    Inode *parent = directory->parent;
    Listing *around = parent ? parent->listing : NULL;
    if (directory->listing->ahead) {
        listing_set_read(directory->listing);
        mount->statistics.listings_ahead_read++;
        if (around)
            around->ahead_read++;
    }
    if (!mount_client(mount) || !is_complete(mount, around))
        return;
    const ListingEntry *entry = listing_find(around, ly_bytes(directory->name, directory->name_len));
    /* Who came here through a guess walks the tree. */
    uint32_t needed = around->was_ahead ? 1 : SIBLINGS_NEEDED;
    bool wasted = around->ahead_asked > WASTE_JUDGED + around->ahead_unread &&
                  around->ahead_read < (around->ahead_asked - around->ahead_unread) / 4;
    if (!entry || ++around->children_opened < needed || wasted)
        return;
    if (around->guessed == 0)
        around->guess_from = (size_t)(entry - around->entries) + 1;
    ask_children(mount, parent, 1);
}

void prefetch_listed(Mount *mount, Inode *directory)
{
    const Listing *around = directory->parent ? directory->parent->listing : NULL;
    if (directory->listing->ahead == 1 && around && around->was_ahead && mount_client(mount))
        ask_children(mount, directory, 2);
}

void prefetch_missed(Mount *mount, Inode *directory)
{
    /* Names asked about before their directory is listed, and again when that did not help. */
    static const uint8_t due_at[] = {2, 16, 64, 250};
    bool due = false;
    if (directory->misses == INODE_MISSES_MAX)
        return;
    directory->misses++;
    for (size_t i = 0; i < LY_COUNT(due_at); i++)
        due |= directory->misses == due_at[i];
    bool loading = directory->listing && directory->listing->state == LISTING_LOADING;
    if (due && !loading && mount_client(mount) && !mount->options.no_readahead)
        ask_ahead(mount, directory, 1);
}
