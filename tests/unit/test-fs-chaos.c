/* The mount engine when things come in the wrong order or not at all: processes that give up, sessions that
 * die, servers that never answer or answer in any order. Every request is answered exactly once (fs-kernel.h
 * asserts that in each of these tests). */
#include "fs-kernel.h"

#define RIG(name, options)                                                                                   \
    Rig *name = rig_new(options);                                                                            \
    if (!name)                                                                                               \
        return;

/* ---- interrupts ---- */

static void test_interrupt(void)
{
    MountOptions options = plain_options();
    RIG(rig, &options);
    Node *file = server_add(&rig->server, "/srv/file", S_IFREG | 0644, "hello", 5);
    uint64_t node = lookup(rig, 1, "file"), fh = open_file(rig, node, O_RDONLY);
    rig->server.hold = true;
    /* A process that lives on is not disturbed yet; one that is gone, or of which nothing can be learnt, is
     * let go at once. */
    bool has_proc = access("/proc/self/status", R_OK) == 0;
    Call *patient = begin_read(rig, node, fh, 0, 100);
    settle(rig);
    if (has_proc)
        interrupt(rig, patient);
    rig->pid = NOBODY;
    Call *calls[] = {
        begin_read(rig, node, fh, 2, 100),
        begin_getattr(rig, node),
        begin_lookup(rig, 1, "other"),
        begin_open(rig, node, O_RDONLY),
        BEGIN(rig, FUSE_OPENDIR, 1, (struct fuse_open_in){0}),
        begin_create(rig, 1, "new", O_CREAT | O_RDWR, 0644),
        begin_fsync(rig, node, fh),
    };
    settle(rig);
    for (size_t i = 0; i < LY_COUNT(calls); i++) {
        g_assert_false(calls[i]->answered);
        interrupt(rig, calls[i]);
    }
    settle(rig);
    for (size_t i = 0; i < LY_COUNT(calls); i++) {
        g_assert_true(calls[i]->answered);
        g_assert_cmpint(calls[i]->error, ==, EINTR);
    }
    g_assert_false(patient->answered);
    /* The answers that come too late are dropped, and the handles that they bring are given back. */
    release_answers(rig, true);
    g_assert_cmpint(finish(rig, patient), ==, 0);
    g_assert_cmpmem(patient->payload->data, patient->payload->len, "hello", 5);
    g_assert_cmpuint(rig->server.seen[SSH_FXP_OPEN], ==, 3);
    rig->server.hold = false;
    settle(rig);
    g_assert_cmpuint(rig->server.seen[SSH_FXP_CLOSE], ==, 3); /* both OPENs and the OPENDIR */

    /* An INTERRUPT that comes before its request, and one for what is answered. */
    rig->unique += 2;
    Call early = {.unique = rig->unique + 2};
    interrupt(rig, &early);
    settle(rig);
    g_assert_cmpint(finish(rig, begin_read(rig, node, fh, 0, 100)), ==, EINTR);
    interrupt(rig, patient);
    rig->pid = (uint32_t)getpid();
    g_assert_cmpint(finish(rig, begin_read(rig, node, fh, 0, 100)), ==, 0);
    g_assert_cmpint(file->refs, ==, 2);
    release(rig, FUSE_RELEASE, node, fh);
    settle(rig);
    g_assert_cmpint(file->refs, ==, 1);
    rig_free(rig);
}

/* ---- the session dies ---- */

typedef struct Flight {
    uint64_t file, directory, link, fh[3], dh;
    uint8_t big[100000];
    Call *calls[32];
    size_t count;
} Flight;

static void flight_prepare(Rig *rig, Flight *flight)
{
    server_add(&rig->server, "/srv/file", S_IFREG | 0644, "hello", 5);
    server_add(&rig->server, "/srv/dir", S_IFDIR | 0755, "", 0);
    server_add(&rig->server, "/srv/empty", S_IFDIR | 0755, "", 0);
    server_add(&rig->server, "/srv/victim", S_IFREG | 0644, "", 0);
    server_add_link(&rig->server, "/srv/link", "file");
    flight->file = lookup(rig, 1, "file");
    flight->directory = lookup(rig, 1, "dir");
    flight->link = lookup(rig, 1, "link");
    for (size_t i = 0; i < LY_COUNT(flight->fh); i++)
        flight->fh[i] = open_file(rig, flight->file, O_RDWR);
}

/* Operations of all kinds, none of them answered. */
static void flight_begin(Rig *rig, Flight *flight)
{
    uint64_t file = flight->file, *fh = flight->fh;
    rig->server.hold = true;
    /* Accepted, so answered; flush and fsync then wait for what the server says. */
    g_assert_cmpint(finish(rig, begin_write(rig, file, fh[0], 0, ly_bytes(flight->big, 100000))), ==, 0);
    g_assert_cmpint(finish(rig, begin_write(rig, file, fh[1], 0, ly_bytes(flight->big, 100000))), ==, 0);
    Call *calls[] = {
        begin_flush(rig, file, fh[0]),
        begin_fsync(rig, file, fh[1]),
        begin_read(rig, file, fh[2], 0, 100),
        begin_read(rig, file, fh[2], 200000, 100),
        begin_getattr(rig, file),
        begin_getattr(rig, 1),
        begin_lookup(rig, 1, "victim"),
        begin_lookup(rig, 1, "none"),
        begin_open(rig, file, O_RDWR),
        begin_create(rig, 1, "created", O_CREAT | O_EXCL | O_RDWR, 0644),
        begin_rename(rig, 1, "victim", flight->directory, "moved", 0),
        begin_rename(rig, 1, "dir", 1, "dir2", 1),
        begin_names(rig, FUSE_UNLINK, 1, NULL, 0, "link", NULL),
        begin_names(rig, FUSE_RMDIR, 1, NULL, 0, "empty", NULL),
        begin_names(rig, FUSE_SYMLINK, 1, NULL, 0, "sym", "target"),
        begin(rig, FUSE_READLINK, flight->link, NULL, 0, NULL, 0, NULL),
        begin(rig, FUSE_STATFS, 1, NULL, 0, NULL, 0, NULL),
        BEGIN_NAME(rig, FUSE_MKDIR, 1, "made", (struct fuse_mkdir_in){.mode = 0755}),
        BEGIN_NAME(rig, FUSE_MKNOD, 1, "node", (struct fuse_mknod_in){.mode = S_IFREG | 0644}),
        BEGIN_NAME(rig, FUSE_LINK, 1, "hard", (struct fuse_link_in){.oldnodeid = file}),
        BEGIN(rig, FUSE_OPENDIR, flight->directory, (struct fuse_open_in){0}),
        BEGIN(rig, FUSE_SETATTR, file, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0600}),
        BEGIN(rig, FUSE_SETATTR, file,
              (struct fuse_setattr_in){.valid = FATTR_SIZE | FATTR_FH, .fh = fh[2], .size = 1}),
    };
    g_assert_cmpuint(LY_COUNT(calls), <=, LY_COUNT(flight->calls));
    memcpy(flight->calls, calls, sizeof calls);
    flight->count = LY_COUNT(calls);
    settle(rig);
    for (size_t i = 0; i < flight->count; i++)
        g_assert_false(flight->calls[i]->answered);
}

static void flight_release(Rig *rig, Flight *flight)
{
    for (size_t i = 0; i < LY_COUNT(flight->fh); i++)
        release(rig, FUSE_RELEASE, flight->file, flight->fh[i]);
}

static void assert_fail(Flight *flight, int error)
{
    for (size_t i = 0; i < flight->count; i++) {
        if (!flight->calls[i]->answered || flight->calls[i]->error != error)
            g_test_message("operation %zu, opcode %u", i, flight->calls[i]->opcode);
        g_assert_true(flight->calls[i]->answered);
        g_assert_cmpint(flight->calls[i]->error, ==, error);
    }
}

static void test_death(void)
{
    MountOptions options = plain_options();
    RIG(rig, &options);
    Flight flight = {0};
    flight_prepare(rig, &flight);
    flight_begin(rig, &flight);
    g_assert_cmpuint(rig->server.links, ==, 1);
    server_kill(&rig->server, LY_ERROR_DISCONNECT, false);
    settle(rig);
    assert_fail(&flight, EIO);
    g_assert_cmpuint(rig->server.answers->len, ==, 0);
    rig->server.hold = false;
    /* Nobody asks, so nobody connects; handles are dead at once. */
    uint64_t file = flight.file;
    for (int session = 1; session <= 2; session++) {
        g_assert_cmpuint(rig->server.links, ==, session);
        g_assert_cmpint(finish(rig, begin_read(rig, file, flight.fh[2], 0, 100)), ==, EIO);
        g_assert_cmpint(finish(rig, begin_write(rig, file, flight.fh[2], 0, LY_BYTES("x"))), ==, EIO);
        g_assert_cmpint(finish(rig, begin_fsync(rig, file, flight.fh[2])), ==, EIO);
        if (session == 2)
            break;
        uint64_t node = lookup(rig, 1, "file"); /* a new link */
        g_assert_cmpuint(node, ==, file);
    }
    uint64_t fh = open_file(rig, file, O_RDWR);
    Call *call = begin_write(rig, file, fh, 0, LY_BYTES("again"));
    g_assert_cmpint(finish(rig, call), ==, 0);
    call = begin_read(rig, file, fh, 0, 5);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpmem(call->payload->data, call->payload->len, "again", 5);
    g_assert_cmpint(finish(rig, begin_flush(rig, file, fh)), ==, 0);
    g_assert_cmpint(finish(rig, begin_getattr(rig, 1)), ==, 0);
    release(rig, FUSE_RELEASE, file, fh);
    flight_release(rig, &flight);
    rig_free(rig);
}

typedef struct Death {
    Rig *rig;
    int pipe[2];
} Death;

static void link_ends(void *user, unsigned events)
{
    Death *death = user;
    LinkEvents link = death->rig->server.link->link.events;
    LyError error;
    char byte;
    ly_error_set(&error, LY_ERROR_DISCONNECT, "as the test wants it");
    g_assert_cmpint(read(death->pipe[0], &byte, 1), ==, 1);
    link.down(link.user, &error, false);
}

/* The end of the session and a request are found in one iteration, the request first (as on a busy machine,
 * where a forgotten file's release had woken the mount before the session ended): it goes to the next
 * session. */
static void test_death_is_known_first(void)
{
    MountOptions options = plain_options();
    RIG(rig, &options);
    Death death = {.rig = rig};
    server_add(&rig->server, "/srv/file", S_IFREG | 0644, "hello", 5);
    settle(rig);
    for (int round = 1; round <= 2; round++) {
        g_assert_cmpint(pipe(death.pipe), ==, 0);
        LyWatch *watch = ly_watch_new(rig->loop, death.pipe[0], LY_READABLE, link_ends, &death);
        Call *call = round == 1 ? begin_lookup(rig, 1, "file")
                                : begin_create(rig, 1, "new", O_CREAT | O_TRUNC | O_RDWR, 0644);
        g_assert_cmpint(write(death.pipe[1], "", 1), ==, 1);
        g_assert_cmpint(finish(rig, call), ==, 0);
        g_assert_cmpuint(rig->server.links, ==, (unsigned)round + 1);
        if (round == 2)
            release(rig, FUSE_RELEASE, OUT(call, fuse_entry_out)->nodeid, created_handle(call));
        ly_watch_free(watch);
        close(death.pipe[0]);
        close(death.pipe[1]);
    }
    rig_free(rig);
}

/* Released at the moment of death, in each order: what is answered is not answered again. */
static void test_death_amid_answers(void)
{
    for (int last_first = 0; last_first < 2; last_first++) {
        MountOptions options = plain_options();
        RIG(rig, &options);
        Flight flight = {0};
        flight_prepare(rig, &flight);
        flight_begin(rig, &flight);
        for (int i = 0; i < 12; i++)
            server_release(&rig->server, last_first ? rig->server.answers->len - 1 : 0);
        settle(rig);
        server_kill(&rig->server, LY_ERROR_DISCONNECT, false);
        settle(rig);
        for (size_t i = 0; i < flight.count; i++) {
            Call *call = flight.calls[i];
            g_assert_true(call->answered);
            if (!call->error && (call->opcode == FUSE_OPEN || call->opcode == FUSE_CREATE))
                release(rig, FUSE_RELEASE, flight.file,
                        call->opcode == FUSE_OPEN ? OUT(call, fuse_open_out)->fh : created_handle(call));
            if (!call->error && call->opcode == FUSE_OPENDIR)
                release(rig, FUSE_RELEASEDIR, flight.directory, OUT(call, fuse_open_out)->fh);
        }
        flight_release(rig, &flight);
        rig_free(rig);
    }
}

/* The mount ends with everything in flight: all are answered, nothing is leaked. */
static void test_end_in_flight(void)
{
    MountOptions options = plain_options();
    RIG(rig, &options);
    Flight flight = {0};
    flight_prepare(rig, &flight);
    flight_begin(rig, &flight);
    mount_free(rig->mount);
    rig->mount = NULL;
    collect(rig);
    assert_fail(&flight, EIO);
    rig->ended = true;
    rig_free(rig);
}

/* ---- no session to be had ---- */

static void test_refused(void)
{
    static const struct {
        LyErrorCode code;
        int error;
    } rows[] = {{LY_ERROR_AUTH, EACCES}, {LY_ERROR_HOST_KEY, EACCES}, {LY_ERROR_IO, EIO}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        MountOptions options = plain_options();
        RIG(rig, &options);
        Flight flight = {0};
        flight_prepare(rig, &flight);
        if (i == 0) { /* the session dies, and the next one is refused */
            server_kill(&rig->server, LY_ERROR_DISCONNECT, false);
            settle(rig);
            rig->server.fault = rows[i].code;
            rig->server.final = true;
        } else {
            server_kill(&rig->server, rows[i].code, true);
            settle(rig);
        }
        g_assert_cmpint(finish(rig, begin_lookup(rig, 1, "file")), ==, rows[i].error);
        unsigned links = rig->server.links;
        Call *calls[] = {begin_lookup(rig, 1, "file"), begin_getattr(rig, flight.file),
                         begin_open(rig, flight.file, O_RDONLY),
                         BEGIN(rig, FUSE_OPENDIR, 1, (struct fuse_open_in){0}),
                         begin_create(rig, 1, "new", O_CREAT | O_RDWR, 0644)};
        settle(rig);
        for (size_t j = 0; j < LY_COUNT(calls); j++)
            g_assert_cmpint(finish(rig, calls[j]), ==, rows[i].error);
        g_assert_cmpuint(rig->server.links, ==, links);
        flight_release(rig, &flight);
        rig_free(rig);
    }
}

static void test_timeout(void)
{
    MountOptions options = plain_options();
    options.timeout_us = 50 * 1000;
    RIG(rig, &options);
    Flight flight = {0};
    flight_prepare(rig, &flight);
    server_kill(&rig->server, LY_ERROR_DISCONNECT, false);
    rig->server.silent = true;
    settle(rig);
    rig->server.silent = true;
    uint64_t start_us = ly_loop_now_us(rig->loop);
    Call *calls[] = {begin_lookup(rig, 1, "file"), begin_getattr(rig, flight.file),
                     begin_open(rig, flight.file, O_RDONLY),
                     BEGIN(rig, FUSE_OPENDIR, 1, (struct fuse_open_in){0}),
                     begin_create(rig, 1, "new", O_CREAT | O_RDWR, 0644)};
    /* Whoever is killed while it waits need not wait on. */
    rig->pid = NOBODY;
    Call *killed[] = {begin_lookup(rig, 1, "file"), BEGIN(rig, FUSE_OPENDIR, 1, (struct fuse_open_in){0})};
    settle(rig);
    for (size_t i = 0; i < LY_COUNT(killed); i++) {
        interrupt(rig, killed[i]);
        g_assert_cmpint(finish(rig, killed[i]), ==, EINTR);
    }
    for (size_t i = 0; i < LY_COUNT(calls); i++)
        g_assert_cmpint(finish(rig, calls[i]), ==, ETIMEDOUT);
    g_assert_cmpuint(ly_loop_now_us(rig->loop) - start_us, >=, 50 * 1000);
    flight_release(rig, &flight);
    rig_free(rig);
}

/* ---- what was asked before a write and answered behind it ---- */

static uint64_t size_of(Rig *rig, Call *call)
{
    g_assert_cmpint(finish(rig, call), ==, 0);
    return OUT(call, fuse_attr_out)->attr.size;
}

static void test_behind_writes(void)
{
    MountOptions options = plain_options();
    options.attr_cache_us = 20 * 1000 * 1000;
    RIG(rig, &options);
    Node *file = server_add(&rig->server, "/srv/file", S_IFREG | 0644, "hello", 5);
    uint64_t node = lookup(rig, 1, "file"), fh = open_file(rig, node, O_RDWR);
    /* Small writes are held back, but nobody who wants to be sure is told so before they are there. */
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 5, LY_BYTES(" world"))), ==, 0);
    g_assert_cmpuint(file->content->len, ==, 5);
    g_assert_cmpint(finish(rig, begin_fsync(rig, node, fh)), ==, 0);
    g_assert_cmpuint(file->content->len, ==, 11);
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 11, LY_BYTES("!"))), ==, 0);
    g_assert_cmpint(finish(rig, begin_flush(rig, node, fh)), ==, 0);
    g_assert_cmpuint(file->content->len, ==, 12);
    /* Attributes of before are not those of now, neither for whoever asked nor for the next one. */
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 0, LY_BYTES("h"))), ==, 0);
    rig->server.hold = true;
    Call *call = begin_getattr(rig, node);
    settle(rig);
    g_assert_false(call->answered);
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 12, LY_BYTES("0123456789"))), ==, 0);
    release_answers(rig, false);
    g_assert_cmpuint(size_of(rig, call), ==, 22);
    rig->server.hold = false;
    g_assert_cmpuint(size_of(rig, begin_getattr(rig, node)), ==, 22);
    /* An OPEN asks for attributes too. */
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 22, LY_BYTES("0123456789"))), ==, 0);
    uint64_t other = open_file(rig, node, O_RDONLY);
    g_assert_cmpuint(size_of(rig, begin_getattr(rig, node)), ==, 32);
    call = begin_read(rig, node, other, 0, 100);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpmem(call->payload->data, call->payload->len, "hello world!01234567890123456789", 32);
    release(rig, FUSE_RELEASE, node, fh);
    release(rig, FUSE_RELEASE, node, other);
    rig_free(rig);
}

/* A READ that waits while what it reads is changed brings more than it was asked for: that is kept for the
 * next one, so it has to be of after the change. */
static void test_read_amid_writes(void)
{
    MountOptions options = plain_options();
    options.no_readahead = false;
    RIG(rig, &options);
    g_autofree uint8_t *content = g_malloc0(300000);
    server_add(&rig->server, "/srv/file", S_IFREG | 0644, content, 300000);
    uint64_t node = lookup(rig, 1, "file"), fh = open_file(rig, node, O_RDWR);
    rig->server.hold = true;
    Call *call = begin_read(rig, node, fh, 0, 65536);
    settle(rig);
    g_assert_false(call->answered);
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 100000, LY_BYTES("new"))), ==, 0);
    release_answers(rig, false);
    g_assert_cmpint(finish(rig, call), ==, 0);
    rig->server.hold = false;
    call = begin_read(rig, node, fh, 65536, 65536);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(call->payload->len, ==, 65536);
    g_assert_cmpmem(call->payload->data + 100000 - 65536, 3, "new", 3);
    release(rig, FUSE_RELEASE, node, fh);
    rig_free(rig);
}

/* A READ behind the end is still on its way when a write puts the end further off. */
static void test_end_moves(void)
{
    MountOptions options = plain_options();
    options.max_read = options.max_write = 4096;
    RIG(rig, &options);
    server_add(&rig->server, "/srv/file", S_IFREG | 0644, "", 0);
    uint64_t node = lookup(rig, 1, "file"), fh = open_file(rig, node, O_RDWR);
    rig->server.hold = true;
    Call *call = begin_read(rig, node, fh, 0, 8192);
    settle(rig);
    g_assert_cmpuint(rig->server.answers->len, ==, 2);
    server_release(&rig->server, 0);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(call->payload->len, ==, 0);
    g_assert_cmpint(finish(rig, begin_write(rig, node, fh, 16000, LY_BYTES("end"))), ==, 0);
    call = begin_read(rig, node, fh, 0, 16003);
    release_answers(rig, false);
    g_assert_cmpint(finish(rig, call), ==, 0);
    g_assert_cmpuint(call->payload->len, ==, 16003);
    release(rig, FUSE_RELEASE, node, fh);
    rig_free(rig);
}

/* ---- answers in any order, against a model ---- */

enum { SLOTS = 8, STEPS = 200, CONTENT_MAX = 60000 };

typedef struct Slot {
    bool exists;
    unsigned names; /* counts the names that it had */
    uint64_t node, fh;
    GByteArray *content;
    uint32_t mode;
} Slot;

typedef struct Expected {
    Call *call; /* NULL: free */
    Slot *slot;
    bool exclusive;
    int error;
    GByteArray *bytes; /* of a READ */
    uint64_t size;
    uint32_t mode;
} Expected;

typedef struct Model {
    Rig *rig;
    GRand *random;
    Slot slots[SLOTS];
    Expected expected[64];
} Model;

static char *slot_name(Model *model, const Slot *slot)
{
    return g_strdup_printf("f%d-%u", (int)(slot - model->slots), slot->names);
}

static bool busy(Model *model, const Slot *slot, bool exclusive)
{
    for (size_t i = 0; i < LY_COUNT(model->expected); i++)
        if (model->expected[i].call && model->expected[i].slot == slot &&
            (exclusive || model->expected[i].exclusive))
            return true;
    return false;
}

static Expected *expect_free(Model *model)
{
    for (size_t i = 0; i < LY_COUNT(model->expected); i++)
        if (!model->expected[i].call)
            return &model->expected[i];
    g_assert_not_reached();
}

static Expected *expect(Model *model, Slot *slot, Call *call, bool exclusive, int error)
{
    Expected *expected = expect_free(model);
    *expected = (Expected){.call = call,
                           .slot = slot,
                           .exclusive = exclusive,
                           .error = error,
                           .size = slot->content->len,
                           .mode = slot->mode};
    return expected;
}

static const struct fuse_attr *attr_of(const Call *call)
{
    if (call->opcode == FUSE_GETATTR || call->opcode == FUSE_SETATTR)
        return &OUT(call, fuse_attr_out)->attr;
    return &OUT(call, fuse_entry_out)->attr;
}

/* A listing that begins at any time, for lookups and the next reader to ask. */
static void model_opendir(Model *model)
{
    Call *call = BEGIN(model->rig, FUSE_OPENDIR, 1, (struct fuse_open_in){0});
    *expect_free(model) = (Expected){.call = call};
}

/* Compares what was answered meanwhile. */
static void check(Model *model)
{
    settle(model->rig);
    for (size_t i = 0; i < LY_COUNT(model->expected); i++) {
        Expected *expected = &model->expected[i];
        Call *call = expected->call;
        if (!call || !call->answered)
            continue;
        g_assert_cmpint(call->error, ==, expected->error);
        if (expected->bytes) {
            g_assert_cmpmem(call->payload->data, call->payload->len, expected->bytes->data,
                            expected->bytes->len);
            g_byte_array_unref(expected->bytes);
        } else if (!call->error && call->opcode == FUSE_CREATE) {
            expected->slot->node = OUT(call, fuse_entry_out)->nodeid;
            expected->slot->fh = created_handle(call);
        } else if (!call->error && (call->opcode == FUSE_LOOKUP || call->opcode == FUSE_GETATTR ||
                                    call->opcode == FUSE_SETATTR)) {
            g_assert_cmpuint(attr_of(call)->size, ==, expected->size);
            g_assert_cmpuint(attr_of(call)->mode, ==, S_IFREG | expected->mode);
            if (call->opcode == FUSE_LOOKUP)
                g_assert_cmpuint(OUT(call, fuse_entry_out)->nodeid, ==, expected->slot->node);
        }
        if (call->opcode == FUSE_OPENDIR)
            release(model->rig, FUSE_RELEASEDIR, 1, OUT(call, fuse_open_out)->fh);
        expected->call = NULL;
    }
}

static void write_content(GByteArray *content, uint64_t offset, LyBytes data)
{
    guint old = content->len;
    if (offset + data.len > old) {
        g_byte_array_set_size(content, (guint)(offset + data.len));
        memset(content->data + old, 0, content->len - old);
    }
    memcpy(content->data + offset, data.data, data.len);
}

static void model_write(Model *model, Slot *slot)
{
    uint8_t data[20000];
    size_t len =
        (size_t)g_rand_int_range(model->random, 1, g_rand_boolean(model->random) ? 200 : sizeof data);
    uint64_t offset = (uint64_t)g_rand_int_range(model->random, 0, CONTENT_MAX - (int)len);
    memset(data, g_rand_int_range(model->random, 1, 256), len);
    Call *call = begin_write(model->rig, slot->node, slot->fh, offset, ly_bytes(data, len));
    write_content(slot->content, offset, ly_bytes(data, len));
    expect(model, slot, call, true, 0);
}

static void model_read(Model *model, Slot *slot)
{
    uint64_t offset = (uint64_t)g_rand_int_range(model->random, 0, CONTENT_MAX);
    uint32_t size = (uint32_t)g_rand_int_range(model->random, 1, 30000);
    LyBytes data = ly_bytes_slice(ly_bytes(slot->content->data, slot->content->len), offset, size);
    Expected *expected =
        expect(model, slot, begin_read(model->rig, slot->node, slot->fh, offset, size), false, 0);
    expected->bytes = g_byte_array_new();
    g_byte_array_append(expected->bytes, data.data, (guint)data.len);
}

static void model_setattr(Model *model, Slot *slot)
{
    struct fuse_setattr_in in = {.valid = FATTR_MODE,
                                 .mode = 0600 | (uint32_t)g_rand_int_range(model->random, 0, 64)};
    if (g_rand_boolean(model->random)) {
        in = (struct fuse_setattr_in){.valid = FATTR_SIZE, .fh = slot->fh};
        in.size = (uint64_t)g_rand_int_range(model->random, 0, CONTENT_MAX);
        if (g_rand_boolean(model->random))
            in.valid |= FATTR_FH;
        guint old = slot->content->len;
        g_byte_array_set_size(slot->content, (guint)in.size);
        if (in.size > old)
            memset(slot->content->data + old, 0, (size_t)in.size - old);
    } else {
        slot->mode = in.mode;
    }
    expect(model, slot, BEGIN(model->rig, FUSE_SETATTR, slot->node, in), true, 0);
}

/* Its last operations: the name goes, the handle is closed, the kernel forgets it. */
static void model_unlink(Model *model, Slot *slot, const char *name)
{
    Rig *rig = model->rig;
    expect(model, slot, begin_names(rig, FUSE_UNLINK, 1, NULL, 0, name, NULL), true, 0);
    release_answers(rig, g_rand_boolean(model->random));
    check(model);
    model_read(model, slot); /* the handle still works */
    release_answers(rig, false);
    check(model);
    release(rig, FUSE_RELEASE, slot->node, slot->fh);
    forget(rig, slot->node, *(uint64_t *)g_hash_table_lookup(rig->lookups, &slot->node));
    slot->exists = false;
    g_byte_array_set_size(slot->content, 0);
}

static bool model_step(Model *model)
{
    Slot *slot = &model->slots[g_rand_int_range(model->random, 0, SLOTS)];
    Rig *rig = model->rig;
    int kind = g_rand_int_range(model->random, 0, 17);
    if (kind == 16) {
        model_opendir(model);
        return true;
    }
    bool exclusive = !slot->exists || kind < 9;
    if (busy(model, slot, exclusive))
        return false;
    g_autofree char *name = slot_name(model, slot);
    if (!slot->exists && kind < 4) {
        expect(model, slot, begin_lookup(rig, 1, name), true, ENOENT);
    } else if (!slot->exists) {
        slot->exists = true;
        slot->mode = 0640;
        expect(model, slot, begin_create(rig, 1, name, O_CREAT | O_EXCL | O_RDWR, slot->mode), true, 0);
    } else if (kind < 5) {
        model_write(model, slot);
    } else if (kind < 7) {
        model_setattr(model, slot);
    } else if (kind < 8) {
        slot->names++;
        g_autofree char *name2 = slot_name(model, slot);
        expect(model, slot, begin_rename(rig, 1, name, 1, name2, g_rand_boolean(model->random)), true, 0);
    } else if (kind < 9) {
        model_unlink(model, slot, name);
    } else if (kind < 10) {
        expect(model, slot, begin_create(rig, 1, name, O_CREAT | O_EXCL | O_RDWR, 0600), false, EEXIST);
    } else if (kind < 12) {
        expect(model, slot, begin_lookup(rig, 1, name), false, 0);
    } else if (kind < 13) {
        expect(model, slot, begin_getattr(rig, slot->node), false, 0);
    } else {
        model_read(model, slot);
    }
    return true;
}

/* With nothing on its way: what is listed is what is there. */
static void model_rest(Model *model)
{
    Rig *rig = model->rig;
    release_answers(rig, g_rand_boolean(model->random));
    check(model);
    for (size_t i = 0; i < LY_COUNT(model->expected); i++)
        g_assert_null(model->expected[i].call);
    rig->server.hold = false;
    GString *expected = g_string_new("|.|..");
    for (size_t i = 0; i < SLOTS; i++) {
        g_autofree char *name = slot_name(model, &model->slots[i]);
        if (model->slots[i].exists)
            g_string_append_printf(expected, "|%s", name);
    }
    g_autofree char *listed = list(rig, 1, g_rand_boolean(model->random), 1000);
    g_assert_cmpstr(listed, ==, expected->str);
    g_string_free(expected, TRUE);
    rig->server.hold = true;
}

static void model_finish(Model *model)
{
    Rig *rig = model->rig;
    model_rest(model);
    rig->server.hold = false;
    unsigned count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        Slot *slot = &model->slots[i];
        if (slot->exists) {
            g_assert_cmpint(finish(rig, begin_flush(rig, slot->node, slot->fh)), ==, 0);
            release(rig, FUSE_RELEASE, slot->node, slot->fh);
            g_autofree char *name = slot_name(model, slot);
            g_autofree char *path = g_strconcat("/srv/", name, NULL);
            Node *node = server_find(&rig->server, path);
            g_assert_nonnull(node);
            g_assert_cmpmem(node->content->data, node->content->len, slot->content->data, slot->content->len);
            g_assert_cmphex(node->attrs.permissions, ==, S_IFREG | slot->mode);
            count++;
        }
        g_byte_array_unref(slot->content);
    }
    g_assert_cmpuint(g_hash_table_size(rig->server.tree), ==, count + 2);
    rig_free(rig);
}

static void run_model(uint32_t seed, const MountOptions *options)
{
    Model model = {.random = g_rand_new_with_seed(seed)};
    if (!(model.rig = rig_new(options)))
        return;
    for (size_t i = 0; i < SLOTS; i++)
        model.slots[i].content = g_byte_array_new();
    model.rig->server.hold = true;
    for (int steps = 0, tries = 0; steps < STEPS && tries < 100 * STEPS; tries++) {
        guint held = model.rig->server.answers->len;
        if (held && g_rand_int_range(model.random, 0, 3) > 0)
            server_release(&model.rig->server, (guint)g_rand_int_range(model.random, 0, (gint32)held));
        else
            steps += model_step(&model);
        if (g_rand_int_range(model.random, 0, 80) == 0)
            model_rest(&model);
        check(&model);
    }
    model_finish(&model);
    g_rand_free(model.random);
}

static void test_model(void)
{
    MountOptions bare = plain_options(), caching = plain_options(), ahead = plain_options();
    caching.attr_cache_us = caching.dir_cache_us = caching.link_cache_us = 20 * 1000 * 1000;
    caching.max_read = caching.max_write = 4096;
    ahead.no_readahead = false;
    ahead.attr_cache_us = 1000 * 1000;
    /* 115 once found an end of file that was none any more. */
    static const uint32_t seeds[] = {1, 2, 115};
    for (size_t i = 0; i < LY_COUNT(seeds); i++) {
        uint32_t seed = seeds[i];
        run_model(seed, &bare);
        run_model(seed, &caching);
        run_model(seed, &ahead);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fs-chaos/interrupt", test_interrupt);
    g_test_add_func("/fs-chaos/death", test_death);
    g_test_add_func("/fs-chaos/death-is-known-first", test_death_is_known_first);
    g_test_add_func("/fs-chaos/death-amid-answers", test_death_amid_answers);
    g_test_add_func("/fs-chaos/end-in-flight", test_end_in_flight);
    g_test_add_func("/fs-chaos/refused", test_refused);
    g_test_add_func("/fs-chaos/timeout", test_timeout);
    g_test_add_func("/fs-chaos/behind-writes", test_behind_writes);
    g_test_add_func("/fs-chaos/read-amid-writes", test_read_amid_writes);
    g_test_add_func("/fs-chaos/end-moves", test_end_moves);
    g_test_add_func("/fs-chaos/model", test_model);
    return g_test_run();
}
