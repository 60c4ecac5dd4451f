/* A client's and a server's session, each driven in one loop, over a socketpair: for what stands on channels
 * (joins). Included once by each test. */
#ifndef TESTS_JOIN_RIG_H
#define TESTS_JOIN_RIG_H

#include "session-pair.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <string.h>
#include <unistd.h>

#include "loop-run.h"
#include "loop/drive.h"
#include "loop/join.h"

typedef struct End {
    LyDrive *drive;
    LyJoin *join;
    LyChannel *channel; /* established, before it is joined */
    int near, far;      /* the joined socket, and the test's */
    bool ready, closed, join_ended;
    LyError error; /* of the join */
    LyBuf got;     /* by the test from `far` */
    bool got_eof;
    int got_error;
} End;

typedef struct Rig {
    LyLoop *loop;
    End end[2]; /* [LY_CLIENT], [LY_SERVER] */
    uint32_t window;
} Rig;

typedef struct Side {
    Rig *rig;
    LyRole role;
} Side;

static inline void rig_event(Side *side, const LySessionEvent *event)
{
    End *end = &side->rig->end[side->role];
    LySession *session = ly_drive_session(end->drive);
    LyChannelOptions options = {.window = side->rig->window};
    const LyConnectionEvent *got = &event->connection;
    switch (event->type) {
    case LY_SESSION_TRANSPORT:
        if (event->transport.type == LY_TRANSPORT_HOST_KEY)
            ly_transport_host_key_accept(ly_session_transport(session));
        break;
    case LY_SESSION_USERAUTH_CLIENT:
        if (event->userauth.type == LY_USERAUTH_NEXT)
            ly_userauth_none(ly_session_userauth_client(session));
        break;
    case LY_SESSION_USERAUTH_SERVER:
        ly_userauth_server_accept(ly_session_userauth_server(session));
        break;
    case LY_SESSION_READY:
        end->ready = true;
        if (side->role == LY_CLIENT)
            ly_channel_open(ly_session_connection(session), LY_BYTES("direct-tcpip"), LY_BYTES("x"),
                            &options);
        break;
    case LY_SESSION_CONNECTION:
        if (got->channel && ly_channel_func(got->channel)) {
            ly_channel_func(got->channel)(ly_channel_user(got->channel), got);
        } else if (got->type == LY_CHANNEL_OPEN_REQUEST) {
            ly_channel_accept(got->channel, &options, (LyBytes){0});
            end->channel = got->channel;
        } else if (got->type == LY_CHANNEL_OPENED) {
            end->channel = got->channel;
        }
        break;
    default:
        break;
    }
}

static inline void rig_drive_event(void *user, const LySessionEvent *event)
{
    rig_event(user, event);
}

static inline void rig_closed(void *user, const LyError *error)
{
    Side *side = user;
    side->rig->end[side->role].closed = true;
}

static inline void rig_wake(void *owner)
{
    End *end = owner;
    ly_drive_wake(end->drive);
}

static inline void rig_join_ended(void *user, LyJoin *join, const LyError *error)
{
    End *end = user;
    g_assert_true(join == end->join);
    end->join = NULL;
    end->join_ended = true;
    if (error)
        end->error = *error;
}

/* Two connected TCP sockets, which can be reset as Unix sockets cannot. */
static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &len), ==, 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fds[0], (struct sockaddr *)&address, len), ==, 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    g_assert_cmpint(fds[1], >=, 0);
    close(listener);
}

/* Up to both channels being established and unjoined. */
static inline void rig_open(Rig *rig, Side sides[2], uint32_t window)
{
    int fds[2];
    LyError error = {0};
    *rig = (Rig){.loop = ly_loop_new(&error), .window = window};
    socket_pair(fds);
    for (int i = 0; i < 2; i++) {
        LySessionOptions options = pair_options(i);
        sides[i] = (Side){rig, i};
        rig->end[i].near = rig->end[i].far = -1;
        LySession *session = ly_session_new(&options, ly_loop_now_us(rig->loop), &error);
        LyDriveEvents events = {.event = rig_drive_event, .closed = rig_closed, .user = &sides[i]};
        rig->end[i].drive =
            ly_drive_new(rig->loop, session, ly_carrier_new_fds(rig->loop, fds[i], fds[i], NULL), &events);
    }
    RUN_UNTIL(rig->loop, rig->end[0].channel && rig->end[1].channel);
}

static inline void rig_join(Rig *rig, LyRole role, bool tcp, const LyJoinOptions *with)
{
    End *end = &rig->end[role];
    int fds[2];
    if (tcp) {
        tcp_pair(fds);
        int nonblock = 1;
        g_assert_cmpint(ioctl(fds[0], FIONBIO, &nonblock), ==, 0);
    } else {
        socket_pair(fds);
    }
    end->near = fds[0];
    end->far = fds[1];
    LyJoinOptions options = with ? *with : (LyJoinOptions){0};
    options.wake = rig_wake;
    options.owner = end;
    options.ended = rig_join_ended;
    options.user = end;
    end->join = ly_join_new_fd(rig->loop, end->channel, end->near, &options);
}

static inline void rig_close(Rig *rig)
{
    for (int i = 0; i < 2; i++) {
        End *end = &rig->end[i];
        ly_join_free(end->join);
        ly_drive_free(end->drive);
        if (end->far >= 0)
            close(end->far);
        ly_buf_free(&end->got);
    }
    ly_loop_free(rig->loop);
}

/* Reads what is there, at most `max` bytes. */
static inline void rig_read(End *end, size_t max)
{
    while (max && !end->got_eof && !end->got_error) {
        size_t room = MIN(max, (size_t)65536);
        ssize_t len = read(end->far, ly_buf_room(&end->got, room), room);
        if (len < 0 && errno == EAGAIN)
            return;
        if (len > 0) {
            ly_buf_added(&end->got, (size_t)len);
            max -= (size_t)len;
        } else if (len == 0) {
            end->got_eof = true;
        } else {
            end->got_error = errno;
        }
    }
}

#endif
