/* A key that signs: read from a private file, or held by the agent. For certify, sign and the ssh-keygen
 * face. */
#ifndef KEYS_SIGNER_H
#define KEYS_SIGNER_H

#include "key/issue.h"
#include "tool.h"

typedef struct Signer {
    LoadedKey loaded;
    LyKey *key; /* borrowed from `loaded`: what is told to others, the certificate where the file holds one */
    bool agent; /* the agent signs */
} Signer;

/* `agent`: the private half stays in the agent even where the file has it. A file with a public key only is
 * signed for by the agent anyway. Free with signer_close, also after a failure. */
Status signer_open(Tool *tool, const char *path, bool agent, Signer *signer);
void signer_close(Signer *signer);
/* Appends the signature blob over `message`; `algorithm` empty: the type's best. Messages were printed. */
Status signer_sign(Tool *tool, Signer *signer, LyBytes algorithm, LyBytes message, LyBuf *signature);
/* A certificate for `key` by this CA; NULL after a message and with *status. */
LyKey *signer_certify(Tool *tool, Signer *ca, const LyKey *key, const LyCertificateRequest *request,
                      bool any_principal, LyBytes algorithm, Status *status);
/* The keys that the agent holds, as public keys with comments; those that cannot be read are left out. Free
 * each with ly_key_unref, and the array with ly_free. LY_ERROR_IO: no agent. */
bool agent_keys(Tool *tool, LyKey ***keys, size_t *count, LyError *error);

/* The digest of a file of any length ("-": standard input). `digest` has room for ly_hash_len(hash). */
bool file_digest(Tool *tool, const char *path, LyHash hash, uint8_t *digest, LyError *error);

#endif
