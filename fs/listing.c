#include <errno.h>

#include "listing.h"
#include "prefetch.h"

enum {
    WINDOW_FIRST = 2,
    WINDOW_MAX = 32,
    TABLE_FIRST = 64,
    NAME_MAX_LEN = 255,
    SPARSE = 64, /* names of a first reply that is likely to be all */
    ENTRIES_MAX = 4 << 20,
    KEPT_ENTRIES_MAX = 256 * 1024,
    AHEAD_ENTRIES_MAX = 2000,
    AHEAD_US = 3 * 1000 * 1000
};

/* A READDIR: the end of the directory is reached when those before the one that said so have come. */
typedef struct NamesRequest {
    LyLink link;
    Listing *listing; /* counted */
} NamesRequest;

static void send_requests(Listing *listing);

bool listing_name_valid(LyBytes name)
{
    return name.len > 0 && name.len <= NAME_MAX_LEN && !memchr(name.data, '/', name.len) &&
           !ly_bytes_has_nul(name) && !ly_bytes_is(name, ".") && !ly_bytes_is(name, "..");
}

LyBytes listing_name(const Listing *listing, const ListingEntry *entry)
{
    return ly_bytes(listing->names + entry->name_at, entry->name_len);
}

static size_t hash_of(LyBytes name)
{
    return (size_t)inode_natural_number(0, name);
}

/* The table's place of a name: that of its entry, or the free one where it would go. */
static size_t place_of(const Listing *listing, LyBytes name)
{
    size_t mask = listing->table_room - 1, at = hash_of(name) & mask;
    while (listing->table[at] &&
           !ly_bytes_equal(listing_name(listing, &listing->entries[listing->table[at] - 1]), name))
        at = (at + 1) & mask;
    return at;
}

static void grow_table(Listing *listing)
{
    ly_free(listing->table);
    listing->table_room = listing->table_room ? 2 * listing->table_room : TABLE_FIRST;
    listing->table = ly_new_array(uint32_t, listing->table_room);
    for (size_t i = 0; i < listing->count; i++)
        listing->table[place_of(listing, listing_name(listing, &listing->entries[i]))] = (uint32_t)i + 1;
}

ListingEntry *listing_find(const Listing *listing, LyBytes name)
{
    if (!listing->table_room)
        return NULL;
    uint32_t index = listing->table[place_of(listing, name)];
    ListingEntry *entry = index ? &listing->entries[index - 1] : NULL;
    return entry && !entry->removed ? entry : NULL;
}

static void add(Listing *listing, LyBytes name, const LySftpAttrs *attrs)
{
    if (2 * listing->count >= listing->table_room)
        grow_table(listing);
    size_t at = place_of(listing, name);
    ListingEntry *entry = listing->table[at] ? &listing->entries[listing->table[at] - 1] : NULL;
    if (!entry) {
        if (listing->count == listing->room) {
            listing->room = listing->room ? 2 * listing->room : 32;
            listing->entries = ly_realloc(listing->entries, listing->room * sizeof *listing->entries);
        }
        if (listing->names_room - listing->names_len < name.len) {
            listing->names_room =
                LY_MAX(2 * listing->names_room, listing->names_len + LY_MAX(name.len, 512u));
            listing->names = ly_realloc(listing->names, listing->names_room);
        }
        memcpy(listing->names + listing->names_len, name.data, name.len);
        entry = &listing->entries[listing->count++];
        *entry = (ListingEntry){.name_at = listing->names_len, .name_len = (uint16_t)name.len};
        listing->names_len += name.len;
        listing->table[at] = (uint32_t)listing->count;
    } else if (attrs && entry->removed) {
        return; /* we removed it while the listing was on its way */
    }
    entry->removed = false;
    entry->has_attrs = attrs != NULL;
    listing->bare_count += attrs == NULL;
    if (attrs)
        entry->attrs = *attrs;
}

void listing_add_name(Listing *listing, LyBytes name)
{
    add(listing, name, NULL);
    listing->changed |= listing->state == LISTING_LOADING;
}

void listing_remove_name(Listing *listing, LyBytes name)
{
    ListingEntry *entry = listing_find(listing, name);
    if (entry) {
        entry->removed = true;
        listing->bare_count -= !entry->has_attrs;
    }
    listing->changed |= listing->state == LISTING_LOADING;
}

void listing_forget_attrs(Listing *listing, LyBytes name)
{
    ListingEntry *entry = listing_find(listing, name);
    if (entry && entry->has_attrs) {
        entry->has_attrs = false;
        listing->bare_count++;
    }
    listing->changed |= listing->state == LISTING_LOADING;
}

static void wake(Listing *listing)
{
    LyList woken;
    ly_list_init(&woken);
    ly_list_each(&listing->waiters, Operation, queue, each)
    {
        ly_link_remove(&each->queue);
        ly_list_append(&woken, &each->queue);
    }
    Operation *operation;
    listing_ref(listing);
    while ((operation = ly_list_first(&woken, Operation, queue))) {
        ly_link_remove(&operation->queue);
        operation->start(operation);
    }
    listing_unref(listing);
}

static void ignore_done(void *user, LySftpReply *reply)
{
}

static void end(Listing *listing, ListingState state, int error)
{
    LySftpClient *client = mount_client(listing->mount);
    if (listing->handle_len && client)
        ly_sftp_close(client, ly_bytes(listing->handle, listing->handle_len), ignore_done, NULL);
    listing->handle_len = 0;
    listing->state = state;
    listing->error = error;
    listing->opened = true;
    /* Changed underway: its handles read it to the end, lookups do not ask it. */
    listing->complete_us = listing->changed ? 0 : mount_now_us(listing->mount);
}

static void take_names(Listing *listing, LySftpReply *reply)
{
    const LyLog *log = &listing->mount->options.log;
    LySftpName name;
    while (ly_sftp_reply_name(reply, &name)) {
        if (ly_bytes_is(name.filename, ".") || ly_bytes_is(name.filename, ".."))
            continue;
        if (!listing_name_valid(name.filename))
            ly_log(log, LY_LOG_WARNING, "the server sent an impossible file name, which is left out: %s",
                   LY_PRINTABLE(name.filename));
        else if (listing->count >= ENTRIES_MAX)
            listing->error = EOVERFLOW;
        else
            add(listing, name.filename,
                name.attrs.flags & SSH_FILEXFER_ATTR_PERMISSIONS ? &name.attrs : NULL);
    }
}

/* A guess that came out well may lead to others, one that did not is forgotten. */
static void ended(Listing *listing)
{
    if (!listing->ahead)
        return;
    if (listing->state == LISTING_FAILED)
        listing_drop(listing->keeper);
    else
        prefetch_listed(listing->mount, listing->keeper);
}

/* Whatever was asked behind the end needs no waiting for. */
static void end_if_all_came(Listing *listing)
{
    bool all = listing->in_flight == 0 || (listing->at_end && ly_list_empty(&listing->requests));
    if (!all || listing->state != LISTING_LOADING)
        return;
    end(listing, listing->error ? LISTING_FAILED : LISTING_COMPLETE, listing->error);
    if (listing->state == LISTING_COMPLETE && listing->keeper && !listing->changed)
        listing->keeper->misses = 0;
    ended(listing);
}

static void names_came(Listing *listing, LySftpReply *reply)
{
    uint32_t count = reply->name_count;
    take_names(listing, reply);
    if (listing->ahead && listing->count > AHEAD_ENTRIES_MAX) {
        listing->error = E2BIG; /* nobody sees it: it is dropped */
        listing->keeper->misses = INODE_MISSES_MAX;
    }
    listing->at_end |= listing->error != 0;
    listing->window = LY_MIN(2 * listing->window, (uint32_t)WINDOW_MAX);
    /* Of a small directory the next reply is the end: more requests would only be answered in vain. */
    bool wait = ++listing->replies == 1 && count < SPARSE && listing->in_flight;
    if (!listing->at_end && !wait)
        send_requests(listing);
}

static void names_done(void *user, LySftpReply *reply)
{
    NamesRequest *request = user;
    Listing *listing = request->listing;
    bool behind = request->link.next == NULL; /* the end of the directory */
    listing->in_flight--;
    if (behind) {
        /* nothing is expected of it */
    } else if (reply->status == SSH_FX_OK && reply->type == LY_SFTP_REPLY_NAME) {
        ly_link_remove(&request->link);
        names_came(listing, reply);
    } else {
        int error = failure_plain_errno(FAILED_OTHER, reply->status);
        if (reply->status != SSH_FX_EOF && !listing->error)
            listing->error = error > 0 ? error : EIO;
        listing->at_end = true;
        while (request->link.next != &listing->requests.head)
            ly_link_remove(request->link.next);
        ly_link_remove(&request->link);
    }
    ly_free(request);
    if (!behind) {
        end_if_all_came(listing);
        wake(listing);
    }
    listing_unref(listing);
}

static void send_requests(Listing *listing)
{
    LySftpClient *client = mount_client(listing->mount);
    while (client && listing->in_flight < listing->window) {
        NamesRequest *request = ly_new(NamesRequest);
        request->listing = listing;
        if (!ly_sftp_readdir(client, ly_bytes(listing->handle, listing->handle_len), names_done, request)) {
            ly_free(request);
            break;
        }
        ly_list_append(&listing->requests, &request->link);
        listing->in_flight++;
        listing_ref(listing);
    }
    if (listing->in_flight == 0)
        listing->error = EIO;
}

static void open_done(void *user, LySftpReply *reply)
{
    Listing *listing = user;
    if (reply->status != SSH_FX_OK) {
        int error = failure_plain_errno(FAILED_OTHER, reply->status);
        end(listing, LISTING_FAILED, error > 0 ? error : ENOTDIR);
        ended(listing);
    } else {
        listing->opened = true;
        listing->handle_len = reply->handle.len;
        memcpy(listing->handle, reply->handle.data, reply->handle.len);
        listing->window = WINDOW_FIRST;
        send_requests(listing);
        if (listing->in_flight == 0) {
            end(listing, LISTING_FAILED, EIO);
            ended(listing);
        }
    }
    wake(listing);
    listing_unref(listing);
}

Listing *listing_new(Mount *mount, const Inode *directory)
{
    Listing *listing = ly_new(Listing);
    LySftpClient *client = mount_client(mount);
    LyBytes path;
    listing->mount = mount;
    listing->refs = 1;
    ly_list_init(&listing->waiters);
    ly_list_init(&listing->requests);
    mount->statistics.listings++;
    if (!mount_path(mount, directory, (LyBytes){0}, &path))
        end(listing, LISTING_FAILED, directory->gone ? ENOENT : ENAMETOOLONG);
    else if (!client || !ly_sftp_opendir(client, path, open_done, listing))
        end(listing, LISTING_FAILED, EIO);
    else
        listing_ref(listing);
    return listing;
}

Listing *listing_new_empty(Mount *mount)
{
    Listing *listing = ly_new(Listing);
    listing->mount = mount;
    listing->refs = 1;
    ly_list_init(&listing->waiters);
    ly_list_init(&listing->requests);
    end(listing, LISTING_COMPLETE, 0);
    listing->ours_us = listing->complete_us;
    return listing;
}

void listing_ref(Listing *listing)
{
    listing->refs++;
}

void listing_unref(Listing *listing)
{
    if (!listing || --listing->refs)
        return;
    ly_link_remove(&listing->link);
    ly_free(listing->entries);
    ly_free(listing->names);
    ly_free(listing->table);
    ly_free(listing);
}

void listing_keep(Listing *listing, Inode *inode)
{
    listing->keeper = inode;
    ly_list_append(&listing->mount->listings, &listing->link);
    mount_trim_later(listing->mount);
}

void listing_set_ahead(Listing *listing, uint8_t level)
{
    listing->ahead = level;
    listing->was_ahead = true;
    listing->mount->ahead_listings++;
    inode_ref(listing->keeper);
}

/* The listing of the directory that holds its keeper counts it, if it is still the one that did. */
void listing_set_read(Listing *listing)
{
    Mount *mount = listing->mount;
    Inode *keeper = listing->keeper;
    if (!listing->ahead)
        return;
    Listing *around = keeper->parent ? keeper->parent->listing : NULL;
    if (around && around->ahead_unread)
        around->ahead_unread--;
    listing->ahead = 0;
    mount->ahead_listings--;
    inode_unref(&mount->inodes, keeper);
}

uint64_t listing_fresh_us(const Listing *listing)
{
    uint64_t fresh_us = listing->mount->options.dir_cache_us;
    return listing->ahead ? LY_MIN(fresh_us, (uint64_t)AHEAD_US) : fresh_us;
}

void listing_drop(Inode *inode)
{
    Listing *listing = inode->listing;
    if (!listing)
        return;
    bool held = listing->ahead;
    if (held)
        inode_ref(inode);
    listing_set_read(listing);
    inode->listing = NULL;
    listing->keeper = NULL;
    ly_link_remove(&listing->link);
    Inodes *inodes = &listing->mount->inodes;
    listing_unref(listing);
    if (held)
        inode_unref(inodes, inode);
}

static Listing *first_ahead(Mount *mount)
{
    ly_list_each(&mount->listings, Listing, link, each) if (each->ahead) return each;
    return NULL;
}

void listings_drop_ahead(Mount *mount)
{
    Listing *listing;
    while ((listing = first_ahead(mount))) /* with one its directory may go, and with that another */
        listing_drop(listing->keeper);
}

/* One that counts no more. With it, and what it counts on, others may go. */
static Listing *first_expired(Mount *mount, size_t total)
{
    uint64_t now_us = mount_now_us(mount);
    ly_list_each(&mount->listings, Listing, link, each)
    {
        bool fresh = each->complete_us && now_us - each->complete_us < listing_fresh_us(each);
        if (each->state != LISTING_LOADING && (!fresh || total > KEPT_ENTRIES_MAX))
            return each;
    }
    return NULL;
}

bool listings_expire(Mount *mount)
{
    size_t total = 0;
    Listing *expired;
    ly_list_each(&mount->listings, Listing, link, each) total += each->count;
    while ((expired = first_expired(mount, total))) {
        total -= LY_MIN(total, expired->count);
        listing_drop(expired->keeper);
    }
    return !ly_list_empty(&mount->listings);
}
