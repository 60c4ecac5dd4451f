#include "detail.h"

#include "base/auto.h"
#include "peer.h"
#include "request.h"

#define LINES_MAX 1000

const char *const detail_extensions[] = {AGENT_DETAILS, AGENT_LOG, NULL};

static uint64_t seconds_between(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (to_us - from_us) / 1000000 : 0;
}

static void put_details(const LyAgent *agent, uint64_t now_us, LyBuf *out)
{
    size_t count = ly_agent_count(agent);
    ly_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        LyAgentIdentityInfo info;
        if (!ly_agent_get(agent, i, &info))
            break;
        ly_put_string(out, ly_key_blob(info.key));
        ly_put_string(out, info.comment);
        ly_put_u32(out, (info.confirm ? AGENT_CONFIRM : 0) | (info.encrypted ? AGENT_ENCRYPTED : 0) |
                            (info.destination_constrained ? AGENT_DESTINATION : 0) |
                            (info.provider && !ly_key_type(info.key)->sk ? AGENT_PROVIDER_KEY : 0));
        ly_put_u64(out,
                   info.expires_us == UINT64_MAX ? AGENT_NEVER : seconds_between(now_us, info.expires_us));
        ly_put_u64(out, info.last_used_us ? seconds_between(info.last_used_us, now_us) : AGENT_NEVER);
        ly_put_u64(out, info.uses);
    }
}

void detail_answer(LyAgent *agent, const Journal *journal, const LyAgentEvent *event, uint64_t now_us)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    LY_AUTO(ly_buf_free) LyBuf lines = {0};
    LyReader contents = ly_reader(event->contents);
    if (!peer_is_self(ly_agent_client_peer(event->client)) || ly_agent_client_is_forwarded(event->client)) {
        ly_agent_answer_extension(agent, event->id, (LyBytes){0});
        return;
    }
    bool wants_log = ly_bytes_is(event->extension, AGENT_LOG);
    uint32_t most = wants_log ? ly_get_u32(&contents) : 0;
    if (!ly_reader_done(&contents)) {
        ly_agent_answer_extension(agent, event->id, (LyBytes){0});
        return;
    }
    if (wants_log) {
        journal_put(journal, most && most < LINES_MAX ? most : LINES_MAX, &lines);
        if (lines.len > LY_AGENT_MESSAGE_MAX / 4) /* the oldest go; a cut line goes too */
            ly_buf_drop(&lines, lines.len - LY_AGENT_MESSAGE_MAX / 4);
        ly_put_string(&out, ly_buf_bytes(&lines));
    } else {
        put_details(agent, now_us, &out);
    }
    ly_agent_answer_extension(agent, event->id, ly_buf_bytes(&out));
}
