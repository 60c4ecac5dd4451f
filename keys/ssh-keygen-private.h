/* What the subjects of ssh-keygen's face share. Every subject's function returns the exit status. */
#ifndef KEYS_SSH_KEYGEN_PRIVATE_H
#define KEYS_SSH_KEYGEN_PRIVATE_H

#include "key/fingerprint.h"
#include "key/krl.h"
#include "options.h"
#include "tool.h"

enum { KEYGEN_OK = 0, KEYGEN_NO = 1, KEYGEN_FATAL = 255 };

/* All that the command line says. Texts point into argv. */
typedef struct Keygen {
    Tool *tool;
    LyCrypto *crypto;
    /* What to do. */
    bool all_host_keys, show_certificate, show_fingerprint, bubblebabble, change_passphrase, change_comment;
    bool export_key, import_key, print_public, download, make_krl, update_krl, check_krl;
    bool find_host, delete_host, hash_hosts;
    const char *moduli, *operation; /* -M, -Y */
    /* How. */
    bool quiet, verbose, generic, for_host, use_agent, serial_steps;
    const char *file, *host, *authority, *id, *names, *comment, *type, *provider, *security_key;
    const char *passphrase, *new_passphrase, *cipher;
    StringList options;
    uint32_t bits, rounds;
    uint64_t serial, valid_after, valid_before;
    LyHash hash;
    LyKeyFormat convert_format; /* -m of -e and -i: RFC4716, PKCS8 or PEM */
    LyKeyFormat private_format; /* -m of what is written: OPENSSH, PKCS8 or PEM */
    char *asked_file;           /* behind `file` when it was asked for */
} Keygen;

/* A line to stderr that ends as ssh-keygen's do, in CR LF. */
void keygen_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same; returns KEYGEN_FATAL. */
int keygen_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An error of the library in ssh-keygen's words where it has some ("incorrect passphrase supplied to decrypt
 * private key", errno's texts), else "invalid format: SENTENCE". `text` has room for 600 bytes. */
const char *keygen_error_text(const LyError *error, char text[600]);
#define KEYGEN_ERROR(error) keygen_error_text((error), (char[600]){0})
/* Bytes for the screen: control bytes and what is not UTF-8 as \ooo. Into `out`, which is emptied first. */
const char *keygen_visible(LyBytes bytes, LyBuf *out);
/* Comments are one line: line ends and NUL become blanks. Malloced. */
char *keygen_comment(LyBytes comment);

/* `file`, or asked for ("PROMPT (/home/u/.ssh/id_rsa): "). False: end of input, or a type without a name. */
bool keygen_need_file(Keygen *keygen, const char *prompt, int *status);
/* A line of standard input, without its end. False at its end. The rest stays there. */
bool keygen_read_line(LyBuf *line);
/* By the terminal or SSH_ASKPASS; without either from standard input. Never NULL: who gives up says "".
 * Secret memory. */
char *keygen_ask_passphrase(Keygen *keygen, const char *prompt);
char *keygen_secret_copy(const char *text);
/* Asks before an existing file is replaced. */
bool keygen_may_overwrite(const char *path);
/* A path with "~/" by the user's home. Malloced. */
char *keygen_path(const char *path);
/* "user@host". Malloced. */
char *keygen_user_at_host(void);
const char *keygen_home(void);

typedef struct PrivateKey {
    LyKey *key;
    char *passphrase; /* that opened it; "" when none was needed. Secret memory */
    LyKeyFormat format;
    bool has_comment; /* the format has room for one */
} PrivateKey;
/* Reads a private key, asking with `prompt` where -P does not say (`second`, too, may be NULL); failures are
 * printed as "WHAT: why", where `what` is a format with the path as %s. */
int keygen_load_private(Keygen *keygen, const char *path, const char *prompt, const char *what,
                        const char *second, PrivateKey *private_key);
void keygen_private_clear(PrivateKey *private_key);
/* The public key of a path: of the file itself, of its own public half, or of PATH.pub. *comment (malloced,
 * may be NULL: none known) as ssh-keygen names it. The error is for KEYGEN_ERROR. */
LyKey *keygen_load_public(Keygen *keygen, const char *path, char **comment, LyError *error);
/* "RSA", "ED25519-CERT"; returns `text`. */
const char *keygen_blob_label(LyBytes blob, char *text, size_t room);
/* The type that -t names, in any case or in full ("ecdsa-sha2-nistp384"); NULL: unknown. */
const LyKeyType *keygen_type_find(const char *name);
/* Its fingerprint as -E and -B want it. Appends. */
void keygen_put_fingerprint(Keygen *keygen, const LyKey *key, LyHash hash, bool bubblebabble, LyBuf *out);
void keygen_put_art(Keygen *keygen, const LyKey *key, LyBuf *out);

/* "Saving key FILE failed: why" is printed when it cannot. */
bool keygen_save_private(Keygen *keygen, LyKey *key, const char *path, const char *passphrase);
/* As one line. False with an error. */
bool keygen_save_public(const LyKey *key, const char *path, LyError *error);

/* "forever", "from 2026-01-01T00:00:00 to ..." in local time. Appends. */
void keygen_put_validity(uint64_t after, uint64_t before, LyBuf *out);

/* The subjects. */
int keygen_generate(Keygen *keygen);
int keygen_all_host_keys(Keygen *keygen);
int keygen_change_passphrase(Keygen *keygen);
int keygen_change_comment(Keygen *keygen);
int keygen_fingerprint(Keygen *keygen);
int keygen_resource_records(Keygen *keygen);
int keygen_show_certificate(Keygen *keygen);
int keygen_public(Keygen *keygen);
int keygen_export(Keygen *keygen);
int keygen_import(Keygen *keygen);
int keygen_hosts(Keygen *keygen);
int keygen_certify(Keygen *keygen, int argc, char **argv);
int keygen_make_krl(Keygen *keygen, int argc, char **argv);
int keygen_check_krl(Keygen *keygen, int argc, char **argv);
LyKrl *keygen_load_krl(Keygen *keygen, const char *path, LyError *error);
int keygen_sign(Keygen *keygen, int argc, char **argv);
int keygen_verify(Keygen *keygen, bool check_signer);
int keygen_find_principals(Keygen *keygen);
int keygen_match_principals(Keygen *keygen);

#endif
