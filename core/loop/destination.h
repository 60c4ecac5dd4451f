/* Everything about a host that is read from files before a connection is made, and kept for later ones:
 * settings, host keys, identities, and in secret memory the password or passphrase that worked. A mount reads
 * it before it is mounted, because later the files may lie under the mount point. */
#ifndef LY_LOOP_DESTINATION_H
#define LY_LOOP_DESTINATION_H

#include "key/known_hosts.h"
#include "key/read.h"
#include "loop/agent.h"
#include "loop/loop.h"
#include "session/config.h"

typedef struct LyDestination LyDestination;

typedef struct LyDestinationOptions {
    LyCrypto *crypto;
    const char *host;            /* as the user wrote it: an alias of ssh_config, a name, an address */
    const char *user;            /* NULL: as configured */
    uint16_t port;               /* 0: as configured */
    const char *config_file;     /* -F; NULL: ~/.ssh/config and /etc/ssh/ssh_config; "none": no file */
    const char *const *settings; /* "name=value" of -o, in order, NULL-terminated; NULL: none */
    LyLog log;
    const LyAgentTransport *agent; /* asked in place of IdentityAgent's and SSH_AUTH_SOCK's, by hops too;
                                      copied. NULL: as configured */
    const char *ident;             /* after "SSH-2.0-"; NULL: LY_IDENT. Hops say it too */
    uint16_t bind_port;            /* the local port; 0: any. (BindAddress is a setting.) */
    /* Limits of connecting, the key exchange and the sign-in, each named in its error; the clock stands while
     * a question is open. The sign-in's counts the time that the server thinks. They hold for each hop, too.
     * 0: ConnectTimeout covers the first two together, and the third is that or 60 s if that is more; without
     * ConnectTimeout the system's, 120 s and 120 s. */
    uint64_t connect_timeout_us, kex_timeout_us, auth_timeout_us;
    uint64_t keepalive_us; /* 0: ServerAliveInterval; hops too */
    bool any_vendor;       /* ly_client_speaks_openssh is true for every server */
} LyDestinationOptions;

/* Reads the files (blocking: before mounting). With ProxyJump the hops are read too; each has its own config,
 * known_hosts and identities, and `settings` are not theirs (-F is). Missing default files are fine, a
 * missing -F file is an error. */
LyDestination *ly_destination_new(const LyDestinationOptions *options, LyError *error);
LyDestination *ly_destination_ref(LyDestination *destination);
void ly_destination_unref(LyDestination *destination);
const LyConfig *ly_destination_config(const LyDestination *destination);
LyCrypto *ly_destination_crypto(const LyDestination *destination);
/* The hop that carries this one; NULL: none. */
LyDestination *ly_destination_jump(const LyDestination *destination);

/* How talkative its log and its hops' are, once the program knows what LogLevel says. */
void ly_destination_set_log_level(LyDestination *destination, LyLogLevel level);

/* "user@host port 22" for messages. */
const char *ly_destination_name(const LyDestination *destination);

#endif
