#include <endian.h>

#include "base/memory.h"
#include "inode.h"

enum { FIRST_ROOM = 256 };

/* SipHash-1-3 with a key that is part of the program: inode numbers have to be the same at every mount, and
 * what a hostile server could gain from collisions is two files with one number. */
#define ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = ROTATE(v[1], 13), v[1] ^= v[0], v[0] = ROTATE(v[0], 32);
    v[2] += v[3], v[3] = ROTATE(v[3], 16), v[3] ^= v[2];
    v[0] += v[3], v[3] = ROTATE(v[3], 21), v[3] ^= v[0];
    v[2] += v[1], v[1] = ROTATE(v[1], 17), v[1] ^= v[2], v[2] = ROTATE(v[2], 32);
}

static uint64_t siphash(uint64_t key, LyBytes bytes)
{
    static const uint64_t fixed = 0x4c616e7961726466; /* "Lanyardf" */
    uint64_t v[4] = {fixed ^ 0x736f6d6570736575, key ^ 0x646f72616e646f6d, fixed ^ 0x6c7967656e657261,
                     key ^ 0x7465646279746573};
    uint64_t last = (uint64_t)bytes.len << 56;
    while (bytes.len >= 8) {
        uint64_t word;
        memcpy(&word, bytes.data, 8);
        word = le64toh(word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        bytes = ly_bytes_slice(bytes, 8, SIZE_MAX);
    }
    for (size_t i = 0; i < bytes.len; i++)
        last |= (uint64_t)bytes.data[i] << 8 * i;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t inode_natural_number(uint64_t parent_st_ino, LyBytes name)
{
    uint64_t number = siphash(parent_st_ino, name);
    return number > INODE_ROOT_NUMBER ? number
                                      : number + 2; /* 0 means "none" to many programs, 1 is the root */
}

static size_t bucket_of(const Inodes *inodes, const Inode *parent, LyBytes name)
{
    return (size_t)siphash((uintptr_t)parent, name) & (inodes->room - 1);
}

static void insert(Inodes *inodes, Inode *inode)
{
    size_t at = bucket_of(inodes, inode->parent, ly_bytes(inode->name, inode->name_len));
    inode->chain = inodes->bucket[at];
    inodes->bucket[at] = inode;
}

static void grow(Inodes *inodes)
{
    Inode **old = inodes->bucket;
    size_t old_room = inodes->room;
    inodes->room *= 2;
    inodes->bucket = ly_new_array(Inode *, inodes->room);
    for (size_t i = 0; i < old_room; i++)
        for (Inode *inode = old[i], *next; inode; inode = next) {
            next = inode->chain;
            insert(inodes, inode);
        }
    ly_free(old);
}

static void take_out(Inodes *inodes, Inode *inode)
{
    Inode **at = &inodes->bucket[bucket_of(inodes, inode->parent, ly_bytes(inode->name, inode->name_len))];
    while (*at && *at != inode)
        at = &(*at)->chain;
    if (*at)
        *at = inode->chain;
    inode->chain = NULL;
}

/* The moved: their numbers are in use although no path gives them, so a newcomer whose path does must get
 * another. */
static void moved_insert(Inodes *inodes, Inode *inode)
{
    if (inodes->moved_count >= inodes->moved_room) {
        Inode **old = inodes->moved_bucket;
        size_t old_room = inodes->moved_room;
        inodes->moved_room = old_room ? 2 * old_room : FIRST_ROOM;
        inodes->moved_bucket = ly_new_array(Inode *, inodes->moved_room);
        inodes->moved_count = 0;
        for (size_t i = 0; i < old_room; i++)
            for (Inode *each = old[i], *next; each; each = next) {
                next = each->moved_chain;
                moved_insert(inodes, each);
            }
        ly_free(old);
    }
    Inode **at = &inodes->moved_bucket[inode->st_ino & (inodes->moved_room - 1)];
    inode->moved_chain = *at;
    *at = inode;
    inode->moved = true;
    inodes->moved_count++;
}

static void moved_take_out(Inodes *inodes, Inode *inode)
{
    if (!inode->moved)
        return;
    Inode **at = &inodes->moved_bucket[inode->st_ino & (inodes->moved_room - 1)];
    while (*at && *at != inode)
        at = &(*at)->moved_chain;
    if (*at) {
        *at = inode->moved_chain;
        inodes->moved_count--;
    }
    inode->moved = false;
}

static bool moved_has(const Inodes *inodes, uint64_t st_ino)
{
    if (!inodes->moved_room)
        return false;
    for (Inode *each = inodes->moved_bucket[st_ino & (inodes->moved_room - 1)]; each;
         each = each->moved_chain)
        if (each->st_ino == st_ino)
            return true;
    return false;
}

void inodes_init(Inodes *inodes, void (*released)(void *user, Inode *inode), void *user)
{
    *inodes = (Inodes){.room = FIRST_ROOM, .released = released, .user = user};
    inodes->bucket = ly_new_array(Inode *, inodes->room);
    inodes->root = ly_new(Inode);
    inodes->root->st_ino = INODE_ROOT_NUMBER;
    inodes->root->refs = 1;
    inodes->root->lookups = 1;
    inodes->count = 1;
}

/* Lets go of what hangs on it, and of its memory; not of its parent. */
static void release(Inodes *inodes, Inode *inode)
{
    if (inodes->released)
        inodes->released(inodes->user, inode);
    moved_take_out(inodes, inode);
    inodes->count--;
    ly_free((void *)(uintptr_t)inode->target.data);
    ly_free(inode->name);
    ly_free(inode);
}

void inodes_each(Inodes *inodes, void (*func)(void *user, Inode *inode), void *user)
{
    Inode **all = ly_new_array(Inode *, inodes->count);
    size_t count = 0;
    for (size_t i = 0; i < inodes->room; i++)
        for (Inode *inode = inodes->bucket[i]; inode; inode = inode->chain)
            all[count++] = inode;
    for (size_t i = 0; i < inodes->moved_room; i++) /* where those without a name are */
        for (Inode *inode = inodes->moved_bucket[i]; inode; inode = inode->moved_chain)
            if (inode->gone)
                all[count++] = inode;
    for (size_t i = 0; i < count; i++)
        inode_ref(all[i]); /* so that none goes with another */
    for (size_t i = 0; i < count; i++)
        func(user, all[i]);
    for (size_t i = 0; i < count; i++)
        inode_unref(inodes, all[i]);
    ly_free(all);
}

static void forget_one(void *user, Inode *inode)
{
    inode->lookups = 0; /* it goes when the reference of inodes_each does, or with its last child */
}

void inodes_free(Inodes *inodes)
{
    inodes_each(inodes, forget_one, NULL);
    for (size_t i = 0; i < inodes->room; i++)
        for (Inode *inode = inodes->bucket[i], *next; inode;
             inode = next) { /* counted on by somebody who forgot to say */
            next = inode->chain;
            release(inodes, inode);
        }
    release(inodes, inodes->root);
    ly_free(inodes->bucket);
    ly_free(inodes->moved_bucket);
    *inodes = (Inodes){0};
}

Inode *inode_find(const Inodes *inodes, const Inode *parent, LyBytes name)
{
    for (Inode *inode = inodes->bucket[bucket_of(inodes, parent, name)]; inode; inode = inode->chain)
        if (inode->parent == parent && ly_bytes_equal(ly_bytes(inode->name, inode->name_len), name))
            return inode;
    return NULL;
}

static char *copy_name(LyBytes name)
{
    char *copy = ly_alloc(name.len ? name.len : 1);
    memcpy(copy, name.data, name.len);
    return copy;
}

Inode *inode_get(Inodes *inodes, Inode *parent, LyBytes name)
{
    Inode *inode = inode_find(inodes, parent, name);
    if (inode)
        return inode;
    if (inodes->count >= inodes->room)
        grow(inodes);
    inode = ly_new(Inode);
    inode->parent = parent;
    inode_ref(parent);
    inode->name = copy_name(name);
    inode->name_len = (uint16_t)name.len;
    uint64_t natural = inode_natural_number(parent->st_ino, name);
    inode->st_ino = natural;
    while (moved_has(inodes, inode->st_ino))
        inode->st_ino = inode_natural_number(inode->st_ino, name);
    insert(inodes, inode);
    inodes->count++;
    if (inode->st_ino != natural)
        moved_insert(inodes, inode);
    return inode;
}

void inode_ref(Inode *inode)
{
    inode->refs++;
}

void inode_settle(Inodes *inodes, Inode *inode)
{
    /* Up the tree in a loop: each freed child was a reference to its parent. */
    while (inode && inode->refs == 0 && inode->lookups == 0) {
        Inode *parent = inode->parent;
        if (!inode->gone)
            take_out(inodes, inode);
        release(inodes, inode);
        if (parent)
            parent->refs--;
        inode = parent;
    }
}

void inode_unref(Inodes *inodes, Inode *inode)
{
    if (!inode)
        return;
    inode->refs--;
    inode_settle(inodes, inode);
}

void inode_forget(Inodes *inodes, Inode *inode, uint64_t lookups)
{
    inode->lookups -= LY_MIN(lookups, inode->lookups);
    inode_settle(inodes, inode);
}

void inode_detach(Inodes *inodes, Inode *inode)
{
    if (inode->gone || !inode->parent)
        return;
    take_out(inodes, inode);
    inode->gone = true;
    /* While it lives its number is in use, though its path is free for another. */
    if (!inode->moved)
        moved_insert(inodes, inode);
    Inode *parent = inode->parent;
    inode->parent = NULL;
    inode_unref(inodes, parent);
    inode_settle(inodes, inode);
}

void inode_move(Inodes *inodes, Inode *inode, Inode *parent, LyBytes name)
{
    if (inode->gone || !inode->parent)
        return;
    Inode *there = inode_find(inodes, parent, name);
    if (there == inode)
        return;
    if (there)
        inode_detach(inodes, there);
    take_out(inodes, inode);
    Inode *old_parent = inode->parent;
    inode->parent = parent;
    inode_ref(parent);
    inode_unref(inodes, old_parent);
    ly_free(inode->name);
    inode->name = copy_name(name);
    inode->name_len = (uint16_t)name.len;
    insert(inodes, inode);
    moved_take_out(inodes, inode);
    if (inode->linked || inode->st_ino != inode_natural_number(parent->st_ino, name))
        moved_insert(inodes, inode);
}

void inode_share_number(Inodes *inodes, Inode *inode, Inode *source)
{
    moved_take_out(inodes, inode);
    inode->st_ino = source->st_ino;
    moved_insert(inodes, inode);
    if (!source->moved) /* so that each finds the other by the number */
        moved_insert(inodes, source);
    inode->linked = source->linked = true;
}

void inode_each_link(const Inodes *inodes, const Inode *inode, void (*func)(void *user, Inode *link),
                     void *user)
{
    if (!inode->linked)
        return;
    for (Inode *each = inodes->moved_bucket[inode->st_ino & (inodes->moved_room - 1)]; each;
         each = each->moved_chain)
        if (each != inode && each->st_ino == inode->st_ino)
            func(user, each);
}

bool inode_path(const Inode *inode, LyBytes base, LyBytes name, LyBuf *out)
{
    const Inode *chain[2048]; /* PATH_MAX is 4096 bytes, a component at least two */
    size_t depth = 0;
    ly_buf_clear(out);
    for (; inode->parent; inode = inode->parent) {
        if (depth == LY_COUNT(chain))
            return false;
        chain[depth++] = inode;
    }
    if (inode->gone)
        return false;
    while (base.len > 1 && base.data[base.len - 1] == '/')
        base.len--;
    bool bare = depth == 0 && name.len == 0;
    if (bare) {
        ly_buf_add(out, base.len ? base : LY_BYTES("."));
        return !out->failed;
    }
    ly_buf_add(out, base);
    if (base.len && base.data[base.len - 1] != '/')
        ly_buf_add(out, LY_BYTES("/"));
    while (depth > 0) {
        const Inode *each = chain[--depth];
        ly_buf_add(out, ly_bytes(each->name, each->name_len));
        if (depth || name.len)
            ly_buf_add(out, LY_BYTES("/"));
    }
    ly_buf_add(out, name);
    return !out->failed && out->len <= LY_SFTP_PATH_MAX;
}

size_t inode_depth(const Inode *inode)
{
    size_t depth = 0;
    for (; inode->parent; inode = inode->parent)
        depth++;
    return depth;
}
