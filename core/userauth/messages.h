/* RFC 4252 and 4256 on the wire, for both roles: what one side puts the other gets, and both build the signed
 * data. */
#ifndef LY_USERAUTH_MESSAGES_H
#define LY_USERAUTH_MESSAGES_H

#include "base/auto.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/wire.h"
#include "userauth/server.h"

#define LY_SERVICE_USERAUTH "ssh-userauth"
#define LY_SERVICE_CONNECTION "ssh-connection"
/* OpenSSH's PROTOCOL 3.1: "publickey" whose signature covers the server's host key too. */
#define LY_METHOD_HOSTBOUND_NAME "publickey-hostbound-v00@openssh.com"

/* A USERAUTH_REQUEST; views into the payload. Which fields count depends on the method. */
typedef struct LyUserauthMessage {
    LyBytes user, service, method_name;
    LyUserauthMethod method;
    bool known;         /* the method's name is one of ours */
    bool hostbound;     /* PUBLICKEY: with `server_host_key` */
    bool has_signature; /* PUBLICKEY; HOSTBASED always */
    LyBytes algorithm, key_blob, server_host_key, signature;
    LyBytes
        signed_part; /* the payload in front of the signature: what is signed behind the session identifier */
    LyBytes host, local_user;
    bool change;
    LyBytes password, new_password;
    LyBytes submethods;
} LyUserauthMessage;

/* Appends message number, user, service and method name. */
void ly_userauth_put_head(LyBuf *buf, LyBytes user, const char *method);
/* Appends a whole publickey request in front of its signature; a `server_host_key` makes it hostbound. */
void ly_userauth_put_publickey(LyBuf *buf, LyBytes user, bool has_signature, LyBytes algorithm,
                               LyBytes key_blob, LyBytes server_host_key);
void ly_userauth_put_hostbased(LyBuf *buf, LyBytes user, LyBytes algorithm, LyBytes host_key_blob,
                               LyBytes host, LyBytes local_user);
/* Reads a whole USERAUTH_REQUEST before anything is decided on it (CVE-2018-15473). False: malformed. */
bool ly_userauth_get_request(LyBytes payload, LyUserauthMessage *message);

/* The name of a method in a list of methods that can continue. */
const char *ly_userauth_method_name(LyUserauthMethod method);

/* The text of an INFO_REQUEST: name, instruction, prompts. */
void ly_userauth_put_info_request(LyBuf *buf, LyBytes name, LyBytes instruction, const LyPrompt *prompts,
                                  size_t count);
/* Reads it; *prompts is allocated (NULL for none), the views point into the payload. False: malformed, or
 * more than LY_PROMPTS_MAX prompts. */
bool ly_userauth_get_info_request(LyBytes payload, LyBytes *name, LyBytes *instruction, LyPrompt **prompts,
                                  size_t *count);

/* The transport that an attempt runs over. */
LyTransport *ly_userauth_client_transport(const LyUserauthClient *auth);

#endif
