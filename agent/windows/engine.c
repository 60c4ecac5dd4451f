#include "engine.h"

#include <time.h>

#include "ask.h"
#include "base/auto.h"
#include "base/list.h"
#include "base/memory.h"
#include "detail.h"
#include "peer.h"
#include "work.h"

enum {
    PIECE = 16384,
    LONGEST_WAIT_MS = 60000, /* a wait does not count the time in suspend, which lifetimes do */
};
#define DATE_US ((uint64_t)60 * 1000000) /* how often the date is looked at */

struct Engine {
    SRWLOCK lock;
    LyCrypto *crypto;
    LyAgent *agent;
    Asker *asker;
    const Journal *journal;
    LyLog log;
    uint64_t deadline_us, dated_us;
    HANDLE sooner; /* set when there is a deadline before the one that is waited for */
};

/* A client, in the thread that serves it. All but `data` is guarded by the lock. */
typedef struct Conversation {
    Engine *engine;
    LyAgentClient *client;
    HANDLE ready; /* an event: there is output, or work, or input is taken again */
    LyList work;
} Conversation;

/* --- Under the lock --- */

/* It goes on in suspend. */
static uint64_t now_us(void)
{
    return GetTickCount64() * 1000;
}

static void tick(Engine *engine)
{
    uint64_t now = now_us();
    if (engine->dated_us == 0 || now - engine->dated_us > DATE_US) {
        ly_agent_set_date(engine->agent, (uint64_t)time(NULL));
        engine->dated_us = now;
    }
    ly_agent_tick(engine->agent, now);
}

static void handle(Engine *engine, const LyAgentEvent *event)
{
    switch (event->type) {
    case LY_AGENT_CONFIRM:
    case LY_AGENT_PASSPHRASE:
        asker_event(engine->asker, event);
        break;
    case LY_AGENT_SIGN:
    case LY_AGENT_DECRYPT: {
        if (event->type == LY_AGENT_SIGN && event->provider.len) { /* a security key: listed, not used */
            ly_agent_answer_sign(engine->agent, event->id, (LyBytes){0});
            break;
        }
        Conversation *conversation = ly_agent_client_peer(event->client)->user;
        ly_list_append(&conversation->work, &work_new(engine->crypto, event)->link);
        SetEvent(conversation->ready);
        break;
    }
    case LY_AGENT_EXTENSION:
        detail_answer(engine->agent, engine->journal, event, now_us());
        break;
    case LY_AGENT_RESOLVE:
        ly_agent_answer_resolve(engine->agent, event->id, NULL);
        break;
    case LY_AGENT_PROVIDER:
        ly_log(&engine->log, LY_LOG_WARNING,
               "a PKCS#11 module was asked for, which this program is built without: %s",
               LY_PRINTABLE(event->provider));
        ly_agent_answer_provider(engine->agent, event->id, false, NULL, 0);
        break;
    case LY_AGENT_WITHDRAWN:
        asker_withdraw(engine->asker, event->id);
        break;
    case LY_AGENT_USED:
    case LY_AGENT_REFUSED:
    case LY_AGENT_CHANGED:
        break; /* the log has them */
    }
}

static void settle(Engine *engine)
{
    LyAgentEvent event;
    LyAgentClient *client;
    while (ly_agent_next(engine->agent, &event))
        handle(engine, &event);
    while ((client = ly_agent_next_ready(engine->agent)))
        SetEvent(((Conversation *)ly_agent_client_peer(client)->user)->ready);
    uint64_t deadline_us = ly_agent_deadline(engine->agent);
    if (deadline_us < engine->deadline_us)
        SetEvent(engine->sooner);
    engine->deadline_us = deadline_us;
}

static void enter(Engine *engine)
{
    AcquireSRWLockExclusive(&engine->lock);
    tick(engine);
}

static void leave(Engine *engine)
{
    settle(engine);
    ReleaseSRWLockExclusive(&engine->lock);
}

/* --- One client --- */

static bool begin(Conversation *conversation, Engine *engine, const Peer *peer)
{
    *conversation = (Conversation){.engine = engine, .ready = CreateEventA(NULL, TRUE, FALSE, NULL)};
    ly_list_init(&conversation->work);
    if (!conversation->ready)
        return false;
    LY_AUTO_FREE char *program = peer->pid && !peer->claimed ? peer_program(peer->pid) : NULL;
    LyAgentPeer known = {.transport = peer->transport,
                         .pid = peer->pid,
                         .uid = -1,
                         .program = program,
                         .claimed = peer->claimed,
                         .user = conversation};
    enter(engine);
    conversation->client = ly_agent_client_new(engine->agent, &known);
    leave(engine);
    return true;
}

static void end(Conversation *conversation)
{
    enter(conversation->engine);
    ly_agent_client_free(conversation->client);
    ly_list_each(&conversation->work, Work, link, work) work_free(work);
    leave(conversation->engine);
    CloseHandle(conversation->ready);
}

typedef struct Turn {
    LyBytes input; /* what of it was not taken yet stays here */
    LyBuf *output; /* what came out is appended */
    bool receiving, over;
    bool more; /* there is more output, which waits until this is written */
} Turn;

static void feed(LyAgentClient *client, LyBytes *rest)
{
    size_t room;
    uint8_t *input;
    while (rest->len && (input = ly_agent_client_input(client, &room), room > 0)) {
        size_t len = LY_MIN(room, rest->len);
        memcpy(input, rest->data, len);
        ly_agent_client_received(client, len);
        *rest = ly_bytes_slice(*rest, len, SIZE_MAX);
    }
}

static bool drain(Engine *engine, LyAgentClient *client, LyBuf *out)
{
    LyBytes output;
    while ((output = ly_agent_client_output(client)).len && out->len < LY_AGENT_MESSAGE_MAX) {
        ly_buf_add(out, output);
        ly_agent_client_sent(client, output.len);
        settle(engine); /* there may be room for further requests */
    }
    return output.len > 0;
}

/* Gives the engine input and has what it wants computed, until it wants nothing more of this thread. */
static void take_turn(Conversation *conversation, Turn *turn, bool ended)
{
    Engine *engine = conversation->engine;
    LyAgentClient *client = conversation->client;
    Work *work;
    enter(engine);
    ResetEvent(conversation->ready);
    for (;;) {
        feed(client, &turn->input);
        settle(engine);
        turn->more = drain(engine, client, turn->output);
        work = ly_list_first(&conversation->work, Work, link);
        if (!work)
            break;
        ly_link_remove(&work->link);
        ReleaseSRWLockExclusive(&engine->lock);
        work_run(work);
        enter(engine);
        work_answer(work, engine->agent, &engine->log);
        work_free(work);
    }
    turn->receiving = ly_agent_client_is_receiving(client);
    turn->over = !turn->more && (ly_agent_client_is_closed(client) ||
                                 (ended && turn->input.len == 0 && ly_agent_client_pending(client) == 0));
    leave(engine);
}

static void converse(Conversation *conversation, const Stream *stream, Transfer *reading, uint8_t *data)
{
    LY_AUTO(ly_buf_free) LyBuf output = {0};
    Turn turn = {.output = &output};
    HANDLE events[] = {conversation->ready, reading->overlapped.hEvent};
    for (bool ended = false;;) {
        take_turn(conversation, &turn, ended);
        if (turn.over && output.len == 0)
            return;
        if (output.len && !stream_write(stream, ly_buf_bytes(&output), UINT64_MAX))
            return;
        ly_buf_clear(&output);
        if (turn.more || turn.over)
            continue;
        /* A read is under way whenever there is room, so that a client that goes is noticed at once and its
         * questions are withdrawn. */
        bool end = false;
        if (!ended && !reading->pending && turn.input.len == 0 && turn.receiving)
            end = !transfer_begin(reading, data, PIECE);
        if (!end &&
            WaitForMultipleObjects(reading->pending ? 2 : 1, events, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) {
            turn.input = ly_bytes(data, transfer_end(reading, false));
            end = turn.input.len == 0;
        }
        if (end && stream->socket == INVALID_SOCKET)
            return; /* a pipe has no half that stays open: nobody is there */
        ended = ended || end;
    }
}

void engine_serve(Transports *transports, const Stream *client, const Peer *peer)
{
    Conversation conversation;
    uint8_t *data = ly_alloc(PIECE);
    Transfer reading = {.stream = client, .overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)}};
    if (reading.overlapped.hEvent && begin(&conversation, transports->owner, peer)) {
        converse(&conversation, client, &reading, data);
        transfer_end(&reading, true);
        end(&conversation);
    }
    if (reading.overlapped.hEvent)
        CloseHandle(reading.overlapped.hEvent);
    ly_cleanse(data, PIECE);
    ly_free(data);
}

bool engine_ask(Transports *transports, LyBytes request, const Peer *peer, LyBuf *reply, Stream *behind,
                LyError *error)
{
    Conversation conversation;
    LY_AUTO(ly_buf_free) LyBuf framed = {0};
    LY_AUTO(ly_buf_free) LyBuf output = {0};
    uint64_t deadline_ms = GetTickCount64() + REPLY_WAIT_MS;
    *behind = STREAM_NONE;
    if (!begin(&conversation, transports->owner, peer))
        return windows_error(error, GetLastError(), "cannot make an event");
    ly_put_string(&framed, request);
    Turn turn = {.input = ly_buf_bytes(&framed), .output = &output};
    LyBytes answer = {0};
    bool answered = false;
    do {
        take_turn(&conversation, &turn, false);
        LyReader reader = ly_reader(ly_buf_bytes(&output));
        answer = ly_get_string(&reader);
        answered = !reader.failed;
    } while (!answered && !turn.over && GetTickCount64() < deadline_ms &&
             WaitForSingleObject(conversation.ready, (DWORD)(deadline_ms - GetTickCount64())) ==
                 WAIT_OBJECT_0);
    ly_buf_add(reply, answer);
    end(&conversation);
    ly_cleanse(framed.data, framed.len);
    return answered || ly_error_set(error, LY_ERROR_TIMEOUT, "a question was not answered in time");
}

/* --- The whole --- */

static void answered(void *user)
{
    settle(user);
}

Engine *engine_new(LyCrypto *crypto, const EngineOptions *options, LyError *error)
{
    Engine *engine = ly_new(Engine);
    *engine = (Engine){.lock = SRWLOCK_INIT,
                       .crypto = crypto,
                       .journal = options->journal,
                       .log = options->agent.log,
                       .deadline_us = UINT64_MAX,
                       .sooner = CreateEventA(NULL, FALSE, FALSE, NULL)};
    LyAgentOptions agent = options->agent;
    agent.extensions = detail_extensions;
    engine->agent = ly_agent_new(crypto, &agent);
    ly_agent_set_rules(engine->agent, options->rules, options->rule_count);
    AskerOptions asker = {.crypto = crypto,
                          .agent = engine->agent,
                          .hash = options->fingerprint_hash,
                          .log = &engine->log,
                          .lock = &engine->lock,
                          .answered = answered,
                          .user = engine};
    engine->asker = engine->sooner ? asker_new(&asker) : NULL;
    if (engine->asker)
        return engine;
    windows_error(error, GetLastError(), "cannot start a thread");
    ly_agent_free(engine->agent);
    ly_free(engine);
    return NULL;
}

void engine_run(Engine *engine, HANDLE stop)
{
    HANDLE events[] = {stop, engine->sooner};
    DWORD wait_ms = 0;
    while (WaitForMultipleObjects(2, events, FALSE, wait_ms) != WAIT_OBJECT_0) {
        enter(engine);
        settle(engine);
        uint64_t now = now_us(), at = engine->deadline_us;
        ReleaseSRWLockExclusive(&engine->lock);
        uint64_t left_ms = at == UINT64_MAX ? LONGEST_WAIT_MS : at > now ? (at - now + 999) / 1000 : 0;
        wait_ms = (DWORD)LY_MIN(left_ms, (uint64_t)LONGEST_WAIT_MS);
    }
    AcquireSRWLockExclusive(&engine->lock); /* and keeps it */
    ly_agent_remove_all(engine->agent);
}
