/* A whole LyServer that forwards everything, and a client that signed in and then sends what the input says.
 * A byte of flags, then steps. A step is a byte: with the top bit set a message follows as a part (the bits 4
 * to 6: for which channel); else something happens on the server's side: somebody connects to a listener (0),
 * one of the sockets is played (1 to 4), a child ends (5), the client hangs up (6), the server disconnects
 * (7). */
#include "stranger.h"

#include "loop/server.h"
#include "net-fakes.h"

enum { ANNOUNCE = 1, FORCED = 2, STEPS_MAX = 1024 };

typedef struct State {
    Stranger stranger;
    LyServer *server;
    uint8_t flags;
    unsigned ended;
} State;

static bool let_in(void *user, LyServer *server, const LyUserauthRequest *request)
{
    ly_userauth_server_accept(ly_server_userauth(server));
    return true;
}

/* Never the directory backend: its root would be this machine's. */
static void sftp_request(LySftpRequest *request)
{
    static int handle;
    if (request->type == SSH_FXP_OPEN || request->type == SSH_FXP_OPENDIR)
        ly_sftp_reply_handle(request, &handle, request->type == SSH_FXP_OPENDIR);
    else
        ly_sftp_reply_status(request, SSH_FX_OP_UNSUPPORTED, NULL);
}

static void sftp_close(void *backend, void *handle, LySftpRequest *request)
{
    if (request)
        ly_sftp_reply_status(request, SSH_FX_OK, NULL);
}

static bool sftp(void *user, LyServer *server, LyServerChannel *channel, LySftpServerOptions *options)
{
    options->backend = (LySftpBackend){.request = sftp_request, .close = sftp_close, .answers_now = true};
    options->max_handles = 4;
    return true;
}

static void ended(void *user, LyServer *server)
{
    State *state = user;
    FUZZ_ASSERT(state->ended++ == 0 && server == state->server);
    ly_server_free(server);
    state->server = NULL;
}

static void happen(State *state, uint8_t byte)
{
    unsigned action = byte & 7, which = byte >> 3 & 15;
    switch (action) {
    case 0:
        fakes_visit(which);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
        fakes_play(which, action - 1);
        break;
    case 5:
        fakes_end_child(which & 3, which & 4 ? 9 : 256);
        break;
    case 6:
        if (which == 15)
            stranger_hang_up(&state->stranger);
        break;
    case 7:
        if (which == 15)
            ly_server_disconnect(state->server, SSH_DISCONNECT_BY_APPLICATION, "enough");
        break;
    }
}

static void run(State *state, LyReader *input)
{
    for (unsigned i = 0; i < STEPS_MAX && input->len && state->server; i++) {
        uint8_t byte = ly_get_u8(input);
        if (byte & 0x80) {
            LyBytes payload = fuzz_part(input);
            stranger_say(&state->stranger, payload, byte >> 4 & 7);
            fuzz_free(payload);
            if (byte & 1) /* together with the next */
                continue;
        } else {
            happen(state, byte);
        }
        stranger_settle(&state->stranger);
    }
    stranger_settle(&state->stranger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyLoop *loop;
    if (!loop) {
        setenv("HOME", "/", 1);
        setenv("SHELL", "/bin/sh", 1);
        loop = ly_loop_new(NULL);
        FUZZ_ASSERT(loop);
    }
    LyReader input = ly_reader(ly_bytes(data, len));
    State state = {.flags = ly_get_u8(&input)};
    uint8_t counter = 100;
    LyServerOptions options = {
        .session = {.transport = stranger_transport(LY_SERVER, &counter)},
        .force_command = state.flags & FORCED ? "internal-sftp" : NULL,
        .max_sessions = 4,
        .forwards = LY_FORWARD_LOCAL | LY_FORWARD_REMOTE | LY_FORWARD_STREAMLOCAL | LY_FORWARD_AGENT |
                    LY_FORWARD_X11 | LY_FORWARD_GATEWAY | LY_FORWARD_UNLINK,
        .max_forwarded = 12,
        .max_listeners = 4,
        .announce_host_keys = state.flags & ANNOUNCE,
        .handlers = {.authenticate = let_in, .sftp = sftp, .user = &state},
    };
    LyServerPeer peer = {.address = "192.0.2.1", .port = 1, .local_address = "192.0.2.2", .local_port = 22};
    LyCarrier *carrier = stranger_init(&state.stranger, loop, LY_CLIENT);
    state.server = ly_server_new(loop, &options, carrier, &peer, ended, &state, NULL);
    FUZZ_ASSERT(state.server);
    stranger_settle(&state.stranger);
    FUZZ_ASSERT(state.server && state.stranger.ready && ly_server_is_signed_in(state.server));
    run(&state, &input);
    ly_server_free(state.server);
    stranger_clear(&state.stranger);
    fakes_clear();
    ly_loop_run_once(loop, 0); /* what was freed within it is released */
    return 0;
}
