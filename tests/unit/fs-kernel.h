/* The kernel's side of a mount, played by the test over a socket: requests by hand, answers collected by
 * their unique id, and the account of lookups that the kernel would keep. */
#ifndef LY_TEST_FS_KERNEL_H
#define LY_TEST_FS_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs-server.h"
#include "mount.h"

typedef struct Call {
    uint64_t unique;
    uint32_t opcode;
    bool answered;
    int error; /* an errno, positive */
    GByteArray *payload;
} Call;

typedef struct Rig {
    Server server;
    LyLoop *loop;
    Mount *mount;
    int fd; /* the kernel's end */
    bool ready, ended;
    LyError error;
    GHashTable *calls;   /* unique: Call */
    GHashTable *lookups; /* nodeid: count */
    uint64_t unique;
    uint32_t pid;     /* of whoever asks; one that is not there is taken for being killed */
    unsigned notices; /* answers to nobody */
} Rig;

enum { NOBODY = 0x7ffffff0, REPLY_ROOM = 160 * 1024, WAIT_US = 5 * 1000 * 1000 };

static inline void call_free(gpointer data)
{
    Call *call = data;
    g_byte_array_unref(call->payload);
    g_free(call);
}

static inline void count_lookup(Rig *rig, uint64_t node)
{
    if (!node)
        return;
    uint64_t *count = g_hash_table_lookup(rig->lookups, &node);
    if (!count) {
        uint64_t *key = g_new(uint64_t, 1);
        *key = node;
        count = g_new0(uint64_t, 1);
        g_hash_table_insert(rig->lookups, key, count);
    }
    ++*count;
}

static inline void count_lookups(Rig *rig, const Call *call)
{
    const uint8_t *data = call->payload->data;
    size_t len = call->payload->len;
    switch (call->opcode) {
    case FUSE_LOOKUP:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_LINK:
    case FUSE_CREATE:
        g_assert_cmpuint(len, >=, sizeof(struct fuse_entry_out));
        count_lookup(rig, ((const struct fuse_entry_out *)(const void *)data)->nodeid);
        break;
    case FUSE_READDIRPLUS:
        for (size_t at = 0; at < len;) {
            const struct fuse_direntplus *entry = (const void *)(data + at);
            g_assert_cmpuint(len - at, >=, FUSE_NAME_OFFSET_DIRENTPLUS);
            count_lookup(rig, entry->entry_out.nodeid);
            at += FUSE_DIRENTPLUS_SIZE(entry);
        }
        break;
    default:
        break;
    }
}

/* Takes the answers that are there. Each belongs to a request that has none yet. */
static inline void collect(Rig *rig)
{
    static uint8_t bytes[REPLY_ROOM] __attribute__((aligned(16)));
    for (ssize_t len; (len = read(rig->fd, bytes, sizeof bytes)) > 0;) {
        struct fuse_out_header header;
        g_assert_cmpint(len, >=, sizeof header);
        memcpy(&header, bytes, sizeof header);
        g_assert_cmpuint(header.len, ==, len);
        rig->server.moves++;
        if (header.unique == 0) {
            rig->notices++;
            continue;
        }
        if (header.unique & 1) { /* an INTERRUPT whose request is not there: to be sent again */
            g_assert_cmpint(header.error, ==, -EAGAIN);
            continue;
        }
        Call *call = g_hash_table_lookup(rig->calls, &header.unique);
        g_assert_nonnull(call);
        g_assert_false(call->answered);
        call->answered = true;
        call->error = -header.error;
        g_byte_array_append(call->payload, bytes + sizeof header, (guint)(len - (ssize_t)sizeof header));
        if (call->error)
            g_assert_cmpuint(call->payload->len, ==, 0);
        else
            count_lookups(rig, call);
    }
}

/* Lets everything happen that needs no time to pass. */
static inline void settle(Rig *rig)
{
    for (int quiet = 0; quiet < 4; quiet++) {
        unsigned moves = rig->server.moves;
        ly_loop_run_once(rig->loop, 0);
        collect(rig);
        if (rig->server.moves != moves)
            quiet = -1;
    }
}

static inline void submit(Rig *rig, uint32_t opcode, uint64_t unique, uint64_t node,
                          const struct iovec *parts, int count)
{
    struct fuse_in_header header = {
        .opcode = opcode, .unique = unique, .nodeid = node, .uid = 1000, .gid = 1000, .pid = rig->pid};
    struct iovec all[5] = {{&header, sizeof header}};
    size_t len = sizeof header;
    for (int i = 0; i < count; i++) {
        all[i + 1] = parts[i];
        len += parts[i].iov_len;
    }
    header.len = (uint32_t)len;
    g_assert_cmpint(writev(rig->fd, all, count + 1), ==, len);
}

/* A request: its struct, then names with their NULs or data. */
static inline Call *begin(Rig *rig, uint32_t opcode, uint64_t node, const void *arg, size_t arg_len,
                          const void *tail, size_t tail_len, const char *name)
{
    struct iovec parts[] = {{(void *)(uintptr_t)arg, arg_len},
                            {(void *)(uintptr_t)tail, tail_len},
                            {(void *)(uintptr_t)name, name ? strlen(name) + 1 : 0}};
    Call *call = g_new0(Call, 1);
    call->unique = rig->unique += 2;
    call->opcode = opcode;
    call->payload = g_byte_array_new();
    g_hash_table_insert(rig->calls, &call->unique, call);
    submit(rig, opcode, call->unique, node, parts, LY_COUNT(parts));
    return call;
}
static inline Call *begin_names(Rig *rig, uint32_t opcode, uint64_t node, const void *arg, size_t arg_len,
                                const char *name, const char *name2)
{
    return begin(rig, opcode, node, arg, arg_len, name, strlen(name) + 1, name2);
}
#define BEGIN(rig, opcode, node, ...)                                                                        \
    begin(rig, opcode, node, &(__VA_ARGS__), sizeof(__VA_ARGS__), NULL, 0, NULL)
#define BEGIN_NAME(rig, opcode, node, name, ...)                                                             \
    begin_names(rig, opcode, node, &(__VA_ARGS__), sizeof(__VA_ARGS__), name, NULL)

/* Its errno. */
static inline int finish(Rig *rig, Call *call)
{
    uint64_t end_us = ly_loop_now_us(rig->loop) + WAIT_US;
    settle(rig);
    while (!call->answered && ly_loop_now_us(rig->loop) < end_us) {
        ly_loop_run_once(rig->loop, 20 * 1000);
        collect(rig);
    }
    if (!call->answered)
        g_error("request %u was not answered", call->opcode);
    return call->error;
}

static inline const void *payload(const Call *call, size_t len)
{
    g_assert_true(call->answered);
    g_assert_cmpint(call->error, ==, 0);
    g_assert_cmpuint(call->payload->len, >=, len);
    return call->payload->data;
}
#define OUT(call, type) ((const struct type *)payload(call, sizeof(struct type)))

/* ---- requests ---- */

static inline Call *begin_lookup(Rig *rig, uint64_t parent, const char *name)
{
    return begin_names(rig, FUSE_LOOKUP, parent, NULL, 0, name, NULL);
}
static inline uint64_t lookup(Rig *rig, uint64_t parent, const char *name)
{
    Call *call = begin_lookup(rig, parent, name);
    g_assert_cmpint(finish(rig, call), ==, 0);
    return OUT(call, fuse_entry_out)->nodeid;
}
static inline Call *begin_getattr(Rig *rig, uint64_t node)
{
    return BEGIN(rig, FUSE_GETATTR, node, (struct fuse_getattr_in){0});
}
static inline Call *begin_open(Rig *rig, uint64_t node, uint32_t flags)
{
    return BEGIN(rig, FUSE_OPEN, node, (struct fuse_open_in){.flags = flags});
}
static inline uint64_t open_file(Rig *rig, uint64_t node, uint32_t flags)
{
    Call *call = begin_open(rig, node, flags);
    g_assert_cmpint(finish(rig, call), ==, 0);
    return OUT(call, fuse_open_out)->fh;
}
static inline Call *begin_read(Rig *rig, uint64_t node, uint64_t fh, uint64_t offset, uint32_t size)
{
    return BEGIN(rig, FUSE_READ, node, (struct fuse_read_in){.fh = fh, .offset = offset, .size = size});
}
static inline Call *begin_write(Rig *rig, uint64_t node, uint64_t fh, uint64_t offset, LyBytes data)
{
    struct fuse_write_in in = {.fh = fh, .offset = offset, .size = (uint32_t)data.len};
    return begin(rig, FUSE_WRITE, node, &in, sizeof in, data.data, data.len, NULL);
}
static inline Call *begin_flush(Rig *rig, uint64_t node, uint64_t fh)
{
    return BEGIN(rig, FUSE_FLUSH, node, (struct fuse_flush_in){.fh = fh});
}
static inline Call *begin_fsync(Rig *rig, uint64_t node, uint64_t fh)
{
    return BEGIN(rig, FUSE_FSYNC, node, (struct fuse_fsync_in){.fh = fh});
}
static inline Call *begin_create(Rig *rig, uint64_t parent, const char *name, uint32_t flags, uint32_t mode)
{
    struct fuse_create_in in = {.flags = flags, .mode = S_IFREG | mode};
    return begin_names(rig, FUSE_CREATE, parent, &in, sizeof in, name, NULL);
}
static inline uint64_t created_handle(const Call *call)
{
    size_t len = sizeof(struct fuse_entry_out);
    const uint8_t *data = payload(call, len + sizeof(struct fuse_open_out));
    return ((const struct fuse_open_out *)(const void *)(data + len))->fh;
}
static inline Call *begin_rename(Rig *rig, uint64_t parent, const char *name, uint64_t parent2,
                                 const char *name2, uint32_t flags)
{
    struct fuse_rename2_in in = {.newdir = parent2, .flags = flags};
    return begin_names(rig, FUSE_RENAME2, parent, &in, sizeof in, name, name2);
}
static inline void release(Rig *rig, uint32_t opcode, uint64_t node, uint64_t fh)
{
    Call *call = BEGIN(rig, opcode, node, (struct fuse_release_in){.fh = fh});
    g_assert_cmpint(finish(rig, call), ==, 0);
}
static inline void interrupt(Rig *rig, const Call *call)
{
    struct fuse_interrupt_in in = {.unique = call->unique};
    submit(rig, FUSE_INTERRUPT, call->unique | 1, 0, &(struct iovec){&in, sizeof in}, 1);
}
static inline void forget(Rig *rig, uint64_t node, uint64_t count)
{
    uint64_t *counted = g_hash_table_lookup(rig->lookups, &node);
    g_assert_true(counted && *counted >= count);
    struct fuse_forget_in in = {.nlookup = count};
    submit(rig, FUSE_FORGET, rig->unique += 2, node, &(struct iovec){&in, sizeof in}, 1);
    if ((*counted -= count) == 0)
        g_hash_table_remove(rig->lookups, &node);
}
static inline void forget_all(Rig *rig)
{
    guint count = g_hash_table_size(rig->lookups);
    if (count == 0)
        return;
    g_autofree struct fuse_forget_one *each = g_new0(struct fuse_forget_one, count);
    struct fuse_batch_forget_in in = {.count = count};
    GHashTableIter iter;
    gpointer node, lookups;
    g_hash_table_iter_init(&iter, rig->lookups);
    for (guint i = 0; g_hash_table_iter_next(&iter, &node, &lookups); i++)
        each[i] = (struct fuse_forget_one){*(uint64_t *)node, *(uint64_t *)lookups};
    struct iovec parts[] = {{&in, sizeof in}, {each, count * sizeof *each}};
    submit(rig, FUSE_BATCH_FORGET, rig->unique += 2, 0, parts, 2);
    g_hash_table_remove_all(rig->lookups);
}
static inline int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of a directory, sorted, each behind a '|'. */
static inline char *list(Rig *rig, uint64_t directory, bool plus, uint32_t size)
{
    Call *call = BEGIN(rig, FUSE_OPENDIR, directory, (struct fuse_open_in){0});
    g_assert_cmpint(finish(rig, call), ==, 0);
    uint64_t fh = OUT(call, fuse_open_out)->fh, offset = 0;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    do {
        struct fuse_read_in in = {.fh = fh, .offset = offset, .size = size};
        call = BEGIN(rig, plus ? FUSE_READDIRPLUS : FUSE_READDIR, directory, in);
        g_assert_cmpint(finish(rig, call), ==, 0);
        g_assert_cmpuint(call->payload->len, <=, size);
        for (size_t at = 0; at < call->payload->len;) {
            const struct fuse_direntplus *entry = (const void *)(call->payload->data + at);
            const struct fuse_dirent *dirent =
                plus ? &entry->dirent : (const void *)(call->payload->data + at);
            at += plus ? FUSE_DIRENTPLUS_SIZE(entry) : FUSE_DIRENT_SIZE(dirent);
            g_assert_cmpuint(at, <=, call->payload->len);
            g_assert_cmpuint(dirent->ino, !=, 0);
            offset = dirent->off;
            g_ptr_array_add(names, g_strndup(dirent->name, dirent->namelen));
        }
    } while (call->payload->len);
    release(rig, FUSE_RELEASEDIR, directory, fh);
    g_ptr_array_sort(names, by_name);
    GString *all = g_string_new("");
    for (guint i = 0; i < names->len; i++)
        g_string_append_printf(all, "|%s", (char *)names->pdata[i]);
    return g_string_free(all, FALSE);
}

static inline uint64_t statistic(Rig *rig, const char *name)
{
    LyBuf text = {0};
    mount_statistics(rig->mount, &text);
    g_autofree char *start = g_strdup_printf("%s ", name);
    const char *at = g_strrstr(ly_buf_str(&text), start);
    g_assert_nonnull(at);
    uint64_t value = g_ascii_strtoull(at + strlen(start), NULL, 10);
    ly_buf_free(&text);
    return value;
}

/* ---- life ---- */

static inline void rig_ready(void *user, const LyError *error)
{
    Rig *rig = user;
    rig->ready = true;
    if (error)
        rig->error = *error;
}

static inline void rig_ended(void *user)
{
    ((Rig *)user)->ended = true;
}

static inline MountOptions plain_options(void)
{
    return (MountOptions){.base = LY_BYTES("/srv"),
                          .mountpoint = "/nowhere/mnt",
                          .check_root = true,
                          .no_readahead = true,
                          .entry_timeout_us = 1000 * 1000,
                          .attr_timeout_us = 1000 * 1000,
                          .timeout_us = 10 * 1000 * 1000};
}

/* All that a kernel can; what is asked for is the mount's choice. */
enum { KERNEL_FLAGS = 0x0fffffff & ~FUSE_INIT_EXT };

/* NULL when libfuse cannot do this; the test is skipped then. */
static inline Rig *rig_new(const MountOptions *options)
{
    Rig *rig = g_new0(Rig, 1);
    int ends[2];
    rig->loop = ly_loop_new(NULL);
    rig->pid = (uint32_t)getpid();
    rig->calls = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, call_free);
    rig->lookups = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    server_init(&rig->server, rig->loop);
    LinkMaker maker = {.make = test_link_make, .user = &rig->server};
    rig->mount = mount_new(rig->loop, options, &maker, rig_ready, rig);
    for (int i = 0; i < 100 && !rig->ready; i++)
        ly_loop_run_once(rig->loop, 10 * 1000);
    g_assert_true(rig->ready);
    g_assert_cmpstr(rig->error.message, ==, "");
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
    rig->fd = ends[1];
    struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION,
                                .minor = FUSE_KERNEL_MINOR_VERSION,
                                .max_readahead = 128 * 1024,
                                .flags = KERNEL_FLAGS};
    Call *call = BEGIN(rig, FUSE_INIT, 0, init);
    LyError error = {0};
    if (!mount_serve_fd(rig->mount, ends[0], rig_ended, &error)) {
        g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
        g_test_skip("libfuse older than 3.13");
        mount_free(rig->mount);
        g_hash_table_unref(rig->calls);
        g_hash_table_unref(rig->lookups);
        server_clear(&rig->server);
        ly_loop_free(rig->loop);
        close(rig->fd);
        g_free(rig);
        return NULL;
    }
    g_assert_cmpint(finish(rig, call), ==, 0);
    return rig;
}

/* With all handles released: every request has its answer, nothing is left unacknowledged, and when the
 * kernel forgets what it was told no inode but the root is known. */
static inline void rig_free(Rig *rig)
{
    rig->server.hold = false;
    while (rig->server.answers->len)
        server_release(&rig->server, 0);
    settle(rig);
    if (!rig->ended) { /* else there is nobody to tell */
        forget_all(rig);
        settle(rig);
        g_assert_cmpuint(statistic(rig, "inodes"), ==, 1);
        g_assert_cmpuint(statistic(rig, "unacknowledged_bytes"), ==, 0);
    }
    mount_free(rig->mount);
    collect(rig);
    GHashTableIter iter;
    gpointer each;
    g_hash_table_iter_init(&iter, rig->calls);
    while (g_hash_table_iter_next(&iter, NULL, &each))
        if (!((Call *)each)->answered)
            g_error("request %u was never answered", ((Call *)each)->opcode);
    g_hash_table_unref(rig->calls);
    g_hash_table_unref(rig->lookups);
    server_clear(&rig->server);
    ly_loop_free(rig->loop);
    close(rig->fd);
    g_free(rig);
}

/* Releases held answers until none is left, also those that follow. */
static inline void release_answers(Rig *rig, bool last_first)
{
    for (settle(rig); rig->server.answers->len; settle(rig))
        server_release(&rig->server, last_first ? rig->server.answers->len - 1 : 0);
}

#endif
