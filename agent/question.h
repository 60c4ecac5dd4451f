/* The engine's questions in words. */
#ifndef AGENT_QUESTION_H
#define AGENT_QUESTION_H

#include "agent/agent.h"

/* What a person is asked at LY_AGENT_CONFIRM or LY_AGENT_PASSPHRASE: the key, who asks, what for. ly_free. */
char *question_text(LyCrypto *crypto, LyHash fingerprint_hash, const LyAgentEvent *event);
/* The lines of it that say which key, and who asks for what; ly_free. */
char *question_describe_request(LyCrypto *crypto, LyHash fingerprint_hash, const LyAgentEvent *event);
/* "git < zsh (process 12) signed with KEY for user@host" for notifications; ly_free. */
char *question_describe_use(const LyAgentEvent *event);
/* The key's comment, fit to be printed, or "without a comment". */
const char *question_comment(LyKey *key, char *text, size_t room);
#define QUESTION_COMMENT(key) question_comment((key), (char[200]){0}, 200)

#endif
