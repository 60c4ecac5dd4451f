/* The agent with three clients: requests whole and as raw bytes, questions answered late and in any way, time,
 * clients that go away. The input is a row of actions: a byte (client, action), then what the action needs. */
#include "fuzz.h"

#include "agent/agent.h"
#include "base/auto.h"

enum { CLIENTS = 3, HELD_MAX = 64 };

typedef struct Fuzz {
    LyAgent *agent;
    LyAgentClient *client[CLIENTS];
    size_t asked[CLIENTS], replied[CLIENTS]; /* whole requests sent; replies that came */
    bool raw[CLIENTS];                       /* it got bytes that are not whole requests */
    struct {
        uint64_t id;
        LyAgentEventType type;
    } held[HELD_MAX];
    size_t held_count;
    uint64_t now_us;
} Fuzz;

static void take_replies(Fuzz *fuzz, size_t i)
{
    LyBytes output;
    while ((output = ly_agent_client_output(fuzz->client[i])).len) {
        FUZZ_ASSERT(output.len >= 5);
        size_t len = ly_load_u32(output.data);
        FUZZ_ASSERT(len > 0 && len <= LY_AGENT_MESSAGE_MAX && 4 + len <= output.len);
        fuzz->replied[i]++;
        ly_agent_client_sent(fuzz->client[i], 4 + len);
    }
    FUZZ_ASSERT(fuzz->raw[i] || fuzz->replied[i] <= fuzz->asked[i]);
}

static void pull(Fuzz *fuzz)
{
    LyAgentEvent event;
    while (ly_agent_next(fuzz->agent, &event)) {
        if (event.why)
            FUZZ_ASSERT(strlen(event.why) > 0);
        if (event.key)
            FUZZ_ASSERT(ly_key_blob(event.key).len > 0);
        if (event.type > LY_AGENT_PROVIDER || fuzz->held_count == HELD_MAX)
            continue;
        FUZZ_ASSERT(event.id != 0);
        fuzz->held[fuzz->held_count].id = event.id;
        fuzz->held[fuzz->held_count++].type = event.type;
    }
    LyAgentIdentityInfo info;
    FUZZ_ASSERT(ly_agent_count(fuzz->agent) <= LY_AGENT_IDENTITIES_MAX);
    for (size_t i = 0; ly_agent_get(fuzz->agent, i, &info); i++)
        FUZZ_ASSERT(info.key && info.expires_us > 0);
}

static void feed(Fuzz *fuzz, size_t i, LyBytes bytes, size_t chunk)
{
    while (bytes.len) {
        size_t room;
        uint8_t *input = ly_agent_client_input(fuzz->client[i], &room);
        size_t len = LY_MIN(LY_MIN(bytes.len, room), chunk);
        if (len == 0)
            break; /* it waits for answers: the rest is lost, as is the framing */
        memcpy(input, bytes.data, len);
        ly_agent_client_received(fuzz->client[i], len);
        pull(fuzz);
        take_replies(fuzz, i);
        bytes = ly_bytes_slice(bytes, len, bytes.len);
    }
    fuzz->raw[i] = fuzz->raw[i] || bytes.len;
}

static void answer(Fuzz *fuzz, uint8_t how)
{
    if (fuzz->held_count == 0)
        return;
    size_t which = how % fuzz->held_count;
    uint64_t id = fuzz->held[which].id;
    LyAgentIdentityInfo info = {0};
    ly_agent_get(fuzz->agent, 0, &info);
    switch (how & 0x80 ? (LyAgentEventType)(how & 7) : fuzz->held[which].type) {
    case LY_AGENT_CONFIRM:
        ly_agent_answer_confirm(fuzz->agent, id, how & 0x40);
        break;
    case LY_AGENT_PASSPHRASE:
        ly_agent_answer_passphrase(fuzz->agent, id, how & 0x40 ? LY_BYTES("secret") : (LyBytes){0});
        break;
    case LY_AGENT_SIGN:
        ly_agent_answer_sign(fuzz->agent, id, how & 0x40 ? LY_BYTES("signature") : (LyBytes){0});
        break;
    case LY_AGENT_DECRYPT:
        ly_agent_answer_decrypt(fuzz->agent, id, how & 0x40 ? info.key : NULL, how & 0x20);
        break;
    case LY_AGENT_RESOLVE:
        ly_agent_answer_resolve(fuzz->agent, id, how & 0x40 ? "/usr/lib/a.so" : NULL);
        break;
    case LY_AGENT_PROVIDER:
        ly_agent_answer_provider(fuzz->agent, id, how & 0x40, &info.key, info.key ? 1 : 0);
        break;
    default:
        break;
    }
    pull(fuzz);
}

static void renew(Fuzz *fuzz, size_t i)
{
    static const LyAgentPeer peers[CLIENTS] = {
        {"unix", 1, 1, "/usr/bin/git < zsh", false, NULL}, {"cygwin", 2, 1, "x", true, NULL}, {0}};
    ly_agent_client_free(fuzz->client[i]);
    fuzz->client[i] = ly_agent_client_new(fuzz->agent, &peers[i]);
    fuzz->asked[i] = fuzz->replied[i] = 0;
    fuzz->raw[i] = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const providers[] = {"/usr/lib/*", NULL};
    static const LyAgentOptions options = {.providers = providers, .restrict_websafe = true, .max_queued = 4};
    LyReader input = ly_reader(ly_bytes(data, len));
    Fuzz fuzz = {.agent = ly_agent_new(fuzz_crypto(), &options)};
    size_t chunk = fuzz_chunk(ly_get_u8(&input));
    for (size_t i = 0; i < CLIENTS; i++)
        renew(&fuzz, i);
    for (size_t actions = 0; input.len && actions < 200; actions++) {
        uint8_t action = ly_get_u8(&input);
        size_t i = action % CLIENTS;
        switch (action / CLIENTS % 8) {
        case 0:
        case 1: {
            LyBytes message = fuzz_part(&input);
            LY_AUTO(ly_buf_free) LyBuf framed = {0};
            ly_put_string(&framed, message);
            fuzz.asked[i]++;
            feed(&fuzz, i, ly_buf_bytes(&framed), chunk);
            fuzz_free(message);
            break;
        }
        case 2: {
            LyBytes bytes = fuzz_part(&input);
            fuzz.raw[i] = true;
            feed(&fuzz, i, bytes, chunk);
            fuzz_free(bytes);
            break;
        }
        case 3:
        case 4:
            answer(&fuzz, ly_get_u8(&input));
            break;
        case 5:
            fuzz.now_us += (uint64_t)ly_get_u8(&input) * 100000;
            ly_agent_tick(fuzz.agent, fuzz.now_us);
            pull(&fuzz);
            break;
        case 6:
            renew(&fuzz, i);
            pull(&fuzz);
            break;
        default:
            ly_agent_suspend(fuzz.agent, ly_get_u8(&input) & 1);
            pull(&fuzz);
            break;
        }
        for (size_t n = 0; n < CLIENTS; n++)
            take_replies(&fuzz, n);
        pull(&fuzz);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        ly_agent_client_free(fuzz.client[i]);
    ly_agent_free(fuzz.agent);
    return 0;
}
