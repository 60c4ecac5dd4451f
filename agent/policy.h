/* The policy file: rules for each key, in the format of GKeyFile. */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H

#include "agent/agent.h"

typedef struct Policy {
    LyAgentRule *rules;
    size_t count;
} Policy;

/* $XDG_CONFIG_HOME/lanyard/agent.ini, else ~/.config/lanyard/agent.ini; NULL: no home. ly_free. */
char *policy_default_path(void);
/* Reads the file; one that is not there is fine with `may_lack`, and gives no rules. A word that is not known
 * is an error with its line: a rule that is silently not applied would protect nothing. */
bool policy_read(const char *path, bool may_lack, Policy *policy, LyError *error);
/* The same from text. */
bool policy_parse(LyBytes text, Policy *policy, LyError *error);
void policy_clear(Policy *policy);

#endif
