/* What the files of a destination share with each other and with the client that uses it. */
#ifndef LY_LOOP_DESTINATION_PRIVATE_H
#define LY_LOOP_DESTINATION_PRIVATE_H

#include <sys/stat.h>

#include "key/krl.h"
#include "loop/destination.h"

/* A file named by IdentityFile or CertificateFile, a default one, or a *-cert.pub beside one. */
typedef struct LyIdentity {
    char *path;
    LyKey *key;            /* the public half or the certificate; NULL: hidden in an encrypted file */
    LyKey *private_key;    /* NULL: not decrypted yet, or none */
    LyBytes text;          /* the encrypted file's text in secret memory; empty: nothing to decrypt */
    bool certificate_file; /* named by CertificateFile */
} LyIdentity;

typedef struct LyIdentities {
    LyIdentity **item;
    size_t count;
} LyIdentities;

/* A file of RevokedHostKeys. */
typedef struct LyRevokedFile {
    char *path;
    LyKrl *krl;
} LyRevokedFile;

struct LyDestination {
    unsigned refs;
    LyCrypto *crypto;
    LyConfig *config;
    LyLog log;
    LyAgentTransport agent; /* request NULL: as configured */
    char *host, *user;      /* HostName and User in force */
    uint16_t port;
    char *name;    /* "user@host port 22" */
    char *account; /* "user@host" */
    char *local_user, *local_host, *home, *shell;
    LyAlgorithms algorithms; /* as configured */
    bool prefer_known;       /* HostKeyAlgorithms is not set: ask for what is known first */
    LyKnownHosts *known_hosts;
    char *known_hosts_file; /* where new keys go; NULL: nowhere */
    LyRevokedFile *revoked;
    size_t revoked_count;
    LyIdentities identities;
    LyIdentities host_keys; /* for hostbased, when it is enabled and they can be read */
    LyDestination *jump;
    char *proxy_command;                                          /* expanded; NULL: none */
    char *ident;                                                  /* NULL: LY_IDENT */
    uint16_t bind_port;                                           /* 0: any */
    uint64_t connect_timeout_us, kex_timeout_us, auth_timeout_us; /* 0: as configured */
    uint64_t keepalive_us;                                        /* 0: ServerAliveInterval */
    bool any_vendor;
    LyBytes password; /* that worked, in secret memory; empty: none */
    LyBytes response; /* that worked for a single hidden prompt of keyboard-interactive */
    char *response_prompt;
};

/* A file's text, at most `limit` bytes. `status` may be NULL. */
bool ly_destination_read_file(const char *path, size_t limit, LyBuf *text, struct stat *status,
                              LyError *error);
/* Reads ssh_config(5) files and `settings`, twice where Match final asks for it. */
bool ly_destination_read_config(LyDestination *destination, const LyDestinationOptions *options,
                                LyError *error);
void ly_destination_read_known_hosts(LyDestination *destination);
/* One that cannot be read is an error: what it forbids is not known then. */
bool ly_destination_read_revoked(LyDestination *destination, LyError *error);
void ly_destination_read_identities(LyDestination *destination);
void ly_identities_clear(LyIdentities *identities);
/* Replaces a remembered secret by a copy; the empty view forgets it. */
void ly_destination_remember(LyBytes *secret, LyBytes value);

#endif
