/* PKCS#11 in pieces: tokens and sessions; objects and the SSH keys that they are. */
#ifndef AGENT_PROVIDER_TOKENS_H
#define AGENT_PROVIDER_TOKENS_H

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include "key/key.h"
#include "module.h"

enum { TOKENS_MAX = 64, OBJECTS_MAX = 4096, ATTRIBUTE_MAX = 64 << 10 /* bytes */ };

typedef struct Token {
    CK_FUNCTION_LIST *functions;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session; /* CK_INVALID_HANDLE: none */
    CK_FLAGS flags;
    char label[33], serial[17]; /* printable */
    bool logged_in;
} Token;

/* A key of a token that signs. */
typedef struct TokenKey {
    Token *token;
    LyKey *key; /* public, with its comment */
    LyBuf id;   /* CKA_ID, which its private half has too */
} TokenKey;

/* Looks at the slot and opens a session. False with *error: no token that is set up, or it does not open. */
bool token_open(Token *token, CK_FUNCTION_LIST *functions, CK_SLOT_ID slot, LyError *error);
void token_close(Token *token);
/* Opens the session anew after the card was taken out and put back; *error when another card is there. */
bool token_reopen(Token *token, LyError *error);
/* The error says that the session is over: the card was taken out, or a reader reset. */
bool token_is_lost(CK_RV rv);

typedef enum Login {
    LOGIN_DONE,
    LOGIN_NEEDS_PIN, /* none was given */
    LOGIN_WRONG,     /* the note says so, and how many tries are left */
    LOGIN_FAILED     /* the note says why */
} Login;
/* As the user; `for_one` for a single signature with a key that always authenticates. A token with a pad of
 * its own takes the PIN there. */
Login token_login(Token *token, LyBytes pin, bool for_one, char note[300]);

/* Appends the attribute's bytes; false when the object has none, or it is over ATTRIBUTE_MAX. */
bool object_get(const Token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, LyBuf *out);
bool object_get_number(const Token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG *number);
/* At most `most` objects that are so. */
size_t objects_find(const Token *token, CK_ATTRIBUTE *like, CK_ULONG count, CK_OBJECT_HANDLE *found,
                    size_t most);
/* The private half of the key; CK_INVALID_HANDLE: it is not there, or not seen without a PIN. */
CK_OBJECT_HANDLE object_find_private(const Token *token, const LyKey *key, LyBytes id);
/* The SSH key that a public key or a certificate object is; NULL: of a kind that SSH has not. */
LyKey *object_read_key(LyCrypto *crypto, const Token *token, CK_OBJECT_HANDLE object);
LyKey *object_read_certificate(LyCrypto *crypto, const Token *token, CK_OBJECT_HANDLE object);

#endif
