#include "serve.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "base/auto.h"
#include "base/list.h"
#include "detail.h"
#include "providers.h"
#include "question.h"
#include "signer.h"
#include "work.h"

#define CLIENTS_MAX 10000
#define SIGNATURES_AT_ONCE 16            /* then others are looked at */
#define DATE_US ((uint64_t)60 * 1000000) /* how often the date is looked at */

/* A client's connection. */
typedef struct Stream {
    LyLink link, changed; /* in serve->streams; in serve->changed until it is flushed */
    Serve *serve;
    int fd;
    LyWatch *watch;
    LyAgentClient *client;
    bool ended; /* no more input comes */
} Stream;

struct Serve {
    LyLoop *loop;
    LyCrypto *crypto;
    LyAgent *agent;
    Ask *ask;
    Providers *providers;
    Signer *signer;
    const struct Journal *journal;
    LyLog log;
    void (*used)(void *user, const char *text);
    void *user;
    int timer;
    LyWatch *timer_watch;
    uint64_t timer_at, dated_us;
    LyList streams, changed;
    LyTask settle; /* when all that is readable was read: so that it is known how much there is to sign */
    size_t count;
    bool settling;
};

/* Lifetimes go on while the machine sleeps, which the loop's clock does not. */
static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void serve_tick(Serve *serve)
{
    uint64_t now = now_us();
    if (now - serve->dated_us > DATE_US) {
        ly_agent_set_date(serve->agent, (uint64_t)time(NULL));
        serve->dated_us = now;
    }
    ly_agent_tick(serve->agent, now);
}

/* --- Streams --- */

static void stream_close(Stream *stream)
{
    ly_watch_free(stream->watch);
    close(stream->fd);
    ly_link_remove(&stream->link);
    ly_link_remove(&stream->changed);
    stream->serve->count--;
    ly_agent_client_free(stream->client);
    ly_free(stream);
}

static void stream_changed(Stream *stream)
{
    if (!stream->changed.next)
        ly_list_append(&stream->serve->changed, &stream->changed);
}

/* Writes what there is, and asks the loop for what is wanted next. */
static void stream_flush(Stream *stream)
{
    LyBytes output;
    while ((output = ly_agent_client_output(stream->client)).len) {
        ssize_t count = write(stream->fd, output.data, output.len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0) {
            stream_close(stream);
            return;
        }
        ly_agent_client_sent(stream->client, (size_t)count);
    }
    bool closed = ly_agent_client_is_closed(stream->client);
    bool over = closed || (stream->ended && ly_agent_client_pending(stream->client) == 0);
    if (over && output.len == 0) {
        stream_close(stream);
        return;
    }
    bool receiving = !stream->ended && ly_agent_client_is_receiving(stream->client);
    ly_watch_set(stream->watch, (receiving ? LY_READABLE : 0) | (output.len ? LY_WRITABLE : 0));
}

/* False at the end of the input. */
static bool stream_read(Stream *stream)
{
    size_t room;
    uint8_t *input = ly_agent_client_input(stream->client, &room);
    if (room == 0)
        return true;
    ssize_t count = read(stream->fd, input, room);
    if (count > 0)
        ly_agent_client_received(stream->client, (size_t)count);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static void stream_ready(void *user, unsigned events)
{
    Stream *stream = user;
    Serve *serve = stream->serve;
    serve_tick(serve);
    if (events & LY_READABLE && !stream->ended)
        stream->ended = !stream_read(stream);
    if (events & LY_HANGUP && (stream->ended || !(events & LY_READABLE)))
        stream_close(stream); /* what it asked for has no one to go to */
    else
        stream_changed(stream);
    ly_loop_defer(serve->loop, &serve->settle);
}

void serve_client(Serve *serve, int fd, const LyAgentPeer *peer, LyBytes first)
{
    if (serve->count >= CLIENTS_MAX) {
        ly_log(&serve->log, LY_LOG_WARNING, "a connection was refused: there are %d already", CLIENTS_MAX);
        close(fd);
        return;
    }
    Stream *stream = ly_new(Stream);
    LyAgentPeer copy = *peer;
    copy.user = stream;
    *stream = (Stream){.serve = serve, .fd = fd};
    stream->client = ly_agent_client_new(serve->agent, &copy);
    stream->watch = ly_watch_new(serve->loop, fd, LY_READABLE, stream_ready, stream);
    ly_list_append(&serve->streams, &stream->link);
    serve->count++;
    while (first.len) {
        size_t room;
        uint8_t *input = ly_agent_client_input(stream->client, &room);
        size_t len = LY_MIN(room, first.len);
        if (len == 0) { /* nobody reads so much ahead */
            stream->ended = true;
            break;
        }
        memcpy(input, first.data, len);
        ly_agent_client_received(stream->client, len);
        first = ly_bytes_slice(first, len, SIZE_MAX);
    }
    if (ly_agent_client_output(stream->client).len || stream->ended)
        stream_changed(stream);
    serve_settle(serve);
}

/* --- Work for the engine --- */

static void work_done(void *data, bool cancelled)
{
    Work *work = data;
    Serve *serve = work->user;
    if (!cancelled) {
        work_answer(work, serve->agent, &serve->log);
        serve_settle(serve);
    }
    work_free(work);
}

static void start_work(Serve *serve, const LyAgentEvent *event)
{
    Work *work = work_new(serve->crypto, event);
    work->user = serve;
    ly_loop_work(serve->loop, work_run, work_done, work);
}

/* RSA takes as long as fifty others: it shall not hold them up, and has more than one processor. */
static void sign(Serve *serve, const LyAgentEvent *event)
{
    if (providers_has(event)) {
        providers_event(serve->providers, event);
        return;
    }
    if (ly_key_type(event->key)->pk == LY_PK_RSA) {
        start_work(serve, event);
        return;
    }
    signer_add(serve->signer, event);
}

static void was_signed(void *user, uint64_t id, LyBytes signature, const LyError *error)
{
    Serve *serve = user;
    work_tell_failure(&serve->log, "no signature could be made", error);
    ly_agent_answer_sign(serve->agent, id, signature);
    if (!serve->settling) /* from the other thread */
        ly_loop_defer(serve->loop, &serve->settle);
}

static void tell_used(Serve *serve, const LyAgentEvent *event)
{
    if (!serve->used || !event->key)
        return;
    LY_AUTO_FREE char *text = question_describe_use(event);
    serve->used(serve->user, text);
}

static void handle(Serve *serve, const LyAgentEvent *event)
{
    switch (event->type) {
    case LY_AGENT_CONFIRM:
    case LY_AGENT_PASSPHRASE:
        ask_event(serve->ask, event);
        break;
    case LY_AGENT_SIGN:
        sign(serve, event);
        break;
    case LY_AGENT_DECRYPT:
        start_work(serve, event);
        break;
    case LY_AGENT_EXTENSION:
        detail_answer(serve->agent, serve->journal, event, now_us());
        break;
    case LY_AGENT_RESOLVE:
    case LY_AGENT_PROVIDER:
        providers_event(serve->providers, event);
        break;
    case LY_AGENT_WITHDRAWN:
        ask_withdraw(serve->ask, event->id);
        providers_withdraw(serve->providers, event->id);
        break;
    case LY_AGENT_USED:
        tell_used(serve, event);
        break;
    case LY_AGENT_CHANGED:
        providers_changed(serve->providers);
        break;
    case LY_AGENT_REFUSED:
        break; /* the log has it */
    }
}

/* --- Time --- */

static void set_timer(Serve *serve)
{
    uint64_t at = ly_agent_deadline(serve->agent);
    if (at == serve->timer_at)
        return;
    struct itimerspec when = {0};
    if (at != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(at / 1000000);
        when.it_value.tv_nsec = at ? (long)(at % 1000000 * 1000) : 1;
    }
    timerfd_settime(serve->timer, TFD_TIMER_ABSTIME, &when, NULL);
    serve->timer_at = at;
}

static void timer_ready(void *user, unsigned events)
{
    Serve *serve = user;
    uint64_t count;
    if (read(serve->timer, &count, sizeof count) < 0)
        return;
    serve->timer_at = UINT64_MAX;
    serve_tick(serve);
    serve_settle(serve);
}

void serve_settle(Serve *serve)
{
    LyAgentEvent event;
    LyAgentClient *client;
    Stream *stream;
    unsigned steps = 0;
    bool more;
    if (serve->settling)
        return;
    serve->settling = true;
    do {
        while (ly_agent_next(serve->agent, &event))
            handle(serve, &event);
        while ((client = ly_agent_next_ready(serve->agent)))
            stream_changed(ly_agent_client_peer(client)->user);
        if ((stream = ly_list_first(&serve->changed, Stream, changed))) {
            ly_link_remove(&stream->changed);
            stream_flush(stream); /* which may start requests, or withdraw questions: events again */
            more = true;
        } else {
            more = steps < SIGNATURES_AT_ONCE && signer_step(serve->signer);
            steps++;
        }
    } while (more);
    if (steps > SIGNATURES_AT_ONCE)
        ly_loop_defer(serve->loop, &serve->settle);
    serve->settling = false;
    set_timer(serve);
}

/* --- The whole --- */

static void settle(void *user)
{
    serve_settle(user);
}

static void tell_touch(void *user, const char *text)
{
    const Serve *serve = user;
    serve->used(serve->user, text);
}

Serve *serve_new(LyLoop *loop, LyCrypto *crypto, const ServeOptions *options)
{
    Serve *serve = ly_new(Serve);
    *serve = (Serve){.loop = loop,
                     .crypto = crypto,
                     .journal = options->journal,
                     .log = options->agent.log,
                     .used = options->used,
                     .user = options->user,
                     .settle = {.func = settle, .user = serve},
                     .timer_at = UINT64_MAX};
    ly_list_init(&serve->streams);
    ly_list_init(&serve->changed);
    LyAgentOptions agent = options->agent;
    agent.extensions = detail_extensions;
    agent.security_keys = true;
    serve->agent = ly_agent_new(crypto, &agent);
    serve->ask = ask_new(loop, crypto, serve->agent, options->fingerprint_hash, &serve->log, settle, serve);
    serve->signer = signer_new(loop, was_signed, serve);
    serve->providers = providers_new(&(ProvidersOptions){.loop = loop,
                                                         .crypto = crypto,
                                                         .agent = serve->agent,
                                                         .ask = serve->ask,
                                                         .log = &serve->log,
                                                         .timeout_us = options->provider_timeout_us,
                                                         .answered = settle,
                                                         .touch = options->used ? tell_touch : NULL,
                                                         .user = serve});
    serve->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    serve->timer_watch = ly_watch_new(loop, serve->timer, LY_READABLE, timer_ready, serve);
    serve_tick(serve);
    return serve;
}

void serve_free(Serve *serve)
{
    if (!serve)
        return;
    serve->settling = true;
    ly_list_each(&serve->streams, Stream, link, stream) stream_close(stream);
    providers_free(serve->providers);
    ly_loop_undefer(serve->loop, &serve->settle);
    signer_free(serve->signer);
    ask_free(serve->ask);
    ly_watch_free(serve->timer_watch);
    close(serve->timer);
    ly_agent_free(serve->agent);
    ly_free(serve);
}

LyAgent *serve_agent(Serve *serve)
{
    return serve->agent;
}
