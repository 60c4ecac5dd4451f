/* A whole LyClient with programs, forwards and X11 on top, and a server that let it in and then sends what
 * the input says: a byte of flags, then steps. A step is a byte: with the top bit set a message follows as a
 * part (the bits 4 to 6: for which channel); else something happens on the client's side (`happen`). */
#include "stranger.h"

#include "loop/client.h"
#include "loop/forward.h"
#include "loop/program.h"
#include "loop/tunnel.h"
#include "loop/x11.h"
#include "net-fakes.h"

enum { PROGRAMS = 4, FORWARDS = 4, STEPS_MAX = 1024, FREE_CLIENT_FIRST = 1, WITH_X11 = 2, REMOTE_SOCKS = 4 };

typedef struct State {
    Stranger stranger;
    LyClient *client;
    LyX11 *x11;
    LyTunnel *tunnel;
    uint8_t flags;
    bool ready, closed;
    struct Running {
        struct State *state;
        LyProgram *program;
        size_t held; /* bytes not given back */
        unsigned started, closed;
    } programs[PROGRAMS];
    LyForward *forwards[FORWARDS];
    size_t sum;
    unsigned asked, answered, tunnels, sockets;
} State;

static void look_at(State *state, LyBytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        state->sum += bytes.data[i];
}

/* ---- the client's events ---- */

static void ready(void *user)
{
    State *state = user;
    FUZZ_ASSERT(!state->ready && !state->closed);
    state->ready = true;
}

static void closed(void *user, const LyError *error, bool final)
{
    State *state = user;
    FUZZ_ASSERT(!state->closed);
    state->closed = true;
}

static void host_key(void *user, LyKey *key)
{
    State *state = user;
    ly_client_host_key(state->client, true);
}

static void host_keys(void *user, LyKey *const *keys, size_t count)
{
    State *state = user;
    for (size_t i = 0; i < count; i++)
        look_at(state, ly_key_blob(keys[i]));
}

static void answered(void *user, bool success, LyBytes data)
{
    State *state = user;
    look_at(state, data);
    FUZZ_ASSERT(++state->answered <= state->asked);
}

/* ---- programs ---- */

static void program_started(void *user)
{
    struct Running *running = user;
    FUZZ_ASSERT(running->started++ == 0 && !running->closed);
}

static void program_data(void *user, LyBytes data)
{
    struct Running *running = user;
    FUZZ_ASSERT(!running->closed && data.len);
    look_at(running->state, data);
    running->held += data.len;
    FUZZ_ASSERT(running->held <= 1 << 16);
}

static void program_closed(void *user, const LyProgramEnd *end, const LyError *error)
{
    struct Running *running = user;
    FUZZ_ASSERT(running->closed++ == 0);
    look_at(running->state, end->signal);
    look_at(running->state, end->message);
    if (running->state->sum & 1) {
        ly_program_free(running->program);
        running->program = NULL;
    }
}

static void program_new(State *state, struct Running *running)
{
    static const LyBytes env[] = {{(const uint8_t *)"LANG", 4}, {(const uint8_t *)"C", 1}};
    static const LyPtyRequest pty = {.columns = 80, .rows = 24};
    LyProgramOptions options = {
        .kind = running == state->programs ? LY_PROGRAM_SUBSYSTEM : LY_PROGRAM_COMMAND,
        .command = LY_BYTES("true"),
        .env = env,
        .env_count = 1,
        .pty = &pty,
        .x11 = state->x11 ? ly_x11_request(state->x11) : NULL,
        .agent = true,
        .window = 4096,
        .max_window = 1 << 16,
    };
    LyProgramEvents events = {.started = program_started,
                              .data = program_data,
                              .stderr_data = program_data,
                              .closed = program_closed,
                              .user = running};
    LyError error = {0};
    *running = (struct Running){.state = state};
    running->program = ly_program_new(state->client, &options, &events, &error);
    FUZZ_ASSERT(running->program || error.code);
}

static void play_program(State *state, struct Running *running, unsigned action)
{
    LyBytes text = LY_BYTES("input");
    if (!running->program && action == 0)
        program_new(state, running);
    if (!running->program)
        return;
    switch (action) {
    case 1:
        ly_program_write(running->program, &text, 1);
        break;
    case 2:
        ly_program_eof(running->program);
        ly_program_signal(running->program, "TERM");
        break;
    case 3:
        ly_program_consumed(running->program, running->held);
        running->held = 0;
        break;
    case 4:
        ly_program_free(running->program);
        running->program = NULL;
        break;
    }
}

/* ---- forwards ---- */

static void listening(void *user, LyForward *forward, uint16_t port)
{
    State *state = user;
    state->sum += port;
}

static void play_forward(State *state, LyForward **forward, unsigned kind)
{
    LyForwardEnd listen = {.host = "127.0.0.1", .port = 1080}, to = {.host = "inner", .port = 80};
    LyForwardOptions options = {.max_connections = 4, .listening = listening, .user = state};
    LyForwardEnd to_path = {.path = "/run/inner"};
    LyError error = {0};
    if (*forward) {
        ly_forward_free(*forward);
        *forward = NULL;
        return;
    }
    switch (kind) {
    case 0:
        *forward = ly_forward_local(state->client, &listen, &to, &options, &error);
        break;
    case 1:
        *forward = ly_forward_dynamic(state->client, &listen, &options, &error);
        break;
    case 2:
        listen.port = 0; /* the server tells */
        *forward = ly_forward_remote(state->client, &listen, &to, &options, &error);
        break;
    default:
        *forward = ly_forward_remote(state->client, &to_path, state->flags & REMOTE_SOCKS ? NULL : &to_path,
                                     &options, &error);
    }
    FUZZ_ASSERT(*forward || error.code);
}

static void tunnel_opened(void *user, LyTunnelId id, int fd, bool reused, const LyError *error)
{
    State *state = user;
    FUZZ_ASSERT((fd < 0) == (error != NULL));
    state->sockets++;
    if (fd >= 0)
        ly_tunnel_release(state->tunnel, id, state->sockets & 1);
}

/* ---- */

static void happen(State *state, uint8_t byte)
{
    unsigned action = byte & 31, which = byte >> 5 & 3;
    if (action < 5) {
        play_program(state, &state->programs[which], action);
    } else if (action < 9) {
        play_forward(state, &state->forwards[which], action - 5);
    } else if (action == 9) {
        fakes_visit(which);
    } else if (action < 14) {
        fakes_play(which, action - 10);
    } else if (action < 18) {
        fakes_play(which + 4, action - 14);
    } else if (action == 18) {
        state->asked++;
        ly_client_global_request(state->client, LY_BYTES("x@y"), (LyBytes){0}, answered, state);
    } else if (action == 19) {
        state->tunnels++;
        ly_tunnel_open(state->tunnel, "inner", 80, tunnel_opened, state);
    } else if (action == 20) {
        ly_client_no_more_sessions(state->client);
    } else if (action == 21 && which == 3) {
        stranger_hang_up(&state->stranger);
    } else if (action == 22 && which == 3) {
        ly_client_free(state->client);
        state->client = NULL;
    }
    if (state->client)
        ly_client_flush(state->client);
}

static void run(State *state, LyReader *input)
{
    for (unsigned i = 0; i < STEPS_MAX && input->len && !state->closed && state->client; i++) {
        uint8_t byte = ly_get_u8(input);
        if (byte & 0x80) {
            LyBytes payload = fuzz_part(input);
            stranger_say(&state->stranger, payload, byte >> 4 & 7);
            fuzz_free(payload);
            if (byte & 1)
                continue;
        } else {
            happen(state, byte);
        }
        stranger_settle(&state->stranger);
    }
    stranger_settle(&state->stranger);
}

static void clear(State *state)
{
    if (state->flags & FREE_CLIENT_FIRST) {
        ly_client_free(state->client);
        FUZZ_ASSERT(state->answered == state->asked);
    }
    for (size_t i = 0; i < PROGRAMS; i++)
        ly_program_free(state->programs[i].program);
    for (size_t i = 0; i < FORWARDS; i++)
        ly_forward_free(state->forwards[i]);
    ly_x11_free(state->x11);
    ly_tunnel_free(state->tunnel);
    FUZZ_ASSERT(state->sockets <= state->tunnels);
    if (!(state->flags & FREE_CLIENT_FIRST))
        ly_client_free(state->client);
    stranger_clear(&state->stranger);
    fakes_clear();
}

static LyDestination *new_destination(void)
{
    static const char *const settings[] = {
        "UserKnownHostsFile=none", "GlobalKnownHostsFile=none",       "IdentityFile=none",
        "IdentityAgent=none",      "KexAlgorithms=curve25519-sha256", NULL};
    LyDestinationOptions options = {.crypto = fuzz_crypto(),
                                    .host = "example.test",
                                    .user = "alice",
                                    .config_file = "none",
                                    .settings = settings};
    LyDestination *destination = ly_destination_new(&options, NULL);
    FUZZ_ASSERT(destination);
    return destination;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyLoop *loop;
    static LyDestination *destination;
    LyError error = {0};
    if (!loop) {
        loop = ly_loop_new(NULL);
        destination = new_destination();
    }
    LyReader input = ly_reader(ly_bytes(data, len));
    State state = {.flags = ly_get_u8(&input)};
    LyClientEvents events = {
        .ready = ready, .closed = closed, .host_key = host_key, .host_keys = host_keys, .user = &state};
    LyCarrier *carrier = stranger_init(&state.stranger, loop, LY_SERVER);
    state.client = ly_client_new_over(loop, destination, carrier, &events);
    stranger_settle(&state.stranger);
    FUZZ_ASSERT(state.ready && state.stranger.ready);
    if (state.flags & WITH_X11) {
        LyX11Options x11 = {.display = "desk:0", .xauthority = "/dev/null"};
        state.x11 = ly_x11_new(state.client, &x11, &error);
        FUZZ_ASSERT(state.x11);
    }
    state.tunnel = ly_tunnel_new(state.client, &(LyTunnelOptions){.max_sockets = 2, .keep_alive = true});
    run(&state, &input);
    clear(&state);
    ly_loop_run_once(loop, 0);
    return 0;
}
