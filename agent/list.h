/* The agent's identities as subcommands see them. */
#ifndef AGENT_LIST_H
#define AGENT_LIST_H

#include "request.h"

typedef struct ListedIdentity {
    LyKey *key;            /* NULL: of a type that is not known here */
    LyBytes blob, comment; /* views of the reply */
    bool detailed;         /* what follows is known */
    bool confirm, encrypted, destination, provider;
    uint64_t seconds_left, seconds_unused; /* AGENT_NEVER: without end; not used yet */
    uint64_t uses;
} ListedIdentity;

typedef struct IdentityList {
    LyBuf reply;
    ListedIdentity *items;
    size_t count;
} IdentityList;

/* With what our own agent says beyond the protocol, and what PuTTY's does. */
Status identity_list_get(AgentClient *client, IdentityList *list);
void identity_list_clear(IdentityList *list);
/* Appends "SHA256:..." of the plain key, or of the blob where it is not known. */
void identity_put_fingerprint(Tool *tool, const ListedIdentity *identity, LyBuf *out);

#endif
