#include "question.h"

#include "base/auto.h"
#include "key/fingerprint.h"
#include "peer.h"

static void put_asker(const LyAgentEvent *event, LyBuf *out)
{
    const LyAgentPeer *peer = event->client ? ly_agent_client_peer(event->client) : NULL;
    LY_AUTO_FREE char *chain = peer && !peer->claimed ? peer_chain(peer->pid) : NULL;
    const char *program = chain ? chain : peer ? peer->program : NULL;
    ly_buf_add_str(out, program ? LY_PRINTABLE(ly_bytes_str(program)) : "a program that is not known");
    if (peer && peer->pid > 0)
        ly_buf_add_format(out, " (process %lld%s)", (long long)peer->pid,
                          peer->claimed ? ", as it says itself" : "");
}

const char *question_comment(LyKey *key, char *text, size_t room)
{
    LyBytes comment = ly_key_comment(key);
    return comment.len ? ly_printable(comment, text, room) : "without a comment";
}

char *question_describe_request(LyCrypto *crypto, LyHash fingerprint_hash, const LyAgentEvent *event)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    ly_buf_add_str(&text, "Key fingerprint ");
    ly_key_put_fingerprint(crypto, ly_key_plain_blob(event->key), fingerprint_hash, &text);
    ly_buf_add_str(&text, ".\nAsked for by ");
    put_asker(event, &text);
    if (event->target)
        ly_buf_add_format(&text, "\nto sign in as %s", LY_PRINTABLE(ly_bytes_str(event->target)));
    ly_buf_add_str(&text, event->forwarded ? ".\nThe request came through agent forwarding." : ".");
    return ly_strdup(ly_buf_str(&text));
}

char *question_text(LyCrypto *crypto, LyHash fingerprint_hash, const LyAgentEvent *event)
{
    LY_AUTO_FREE char *request = question_describe_request(crypto, fingerprint_hash, event);
    if (event->type == LY_AGENT_CONFIRM)
        return ly_format("Allow use of key %s?\n%s", QUESTION_COMMENT(event->key), request);
    return ly_format("%sEnter passphrase for key %s\n%s\nPassphrase: ",
                     event->attempt > 1 ? "Bad passphrase, try again.\n" : "", QUESTION_COMMENT(event->key),
                     request);
}

char *question_describe_use(const LyAgentEvent *event)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    put_asker(event, &text);
    ly_buf_add_format(&text, " signed with the key %s", QUESTION_COMMENT(event->key));
    if (event->target)
        ly_buf_add_format(&text, " to sign in as %s", LY_PRINTABLE(ly_bytes_str(event->target)));
    if (event->forwarded)
        ly_buf_add_str(&text, ", through agent forwarding");
    return ly_strdup(ly_buf_str(&text));
}
