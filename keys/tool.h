/* What every subcommand of lanyard-key stands on: messages and exit statuses, passphrases, keys from files.
 */
#ifndef KEYS_TOOL_H
#define KEYS_TOOL_H

#include <stdio.h>

#include "base/json.h"
#include "key/read.h"
#include "key/write.h"

/* loop/loop.h and loop/prompt.h; Windows has neither. */
typedef struct LyLoop LyLoop;
typedef struct LyPrompter LyPrompter;

/* Exit statuses. The ssh-keygen face has its own (1 and 255). */
typedef enum Status {
    STATUS_OK = 0,
    STATUS_NO = 1,    /* a negative answer: no match, not signed, no to a question */
    STATUS_USAGE = 2, /* the command line; a passphrase that nobody can be asked for */
    STATUS_INPUT = 3, /* what was read is not what it should be */
    STATUS_IO = 4,    /* a file or the network */
} Status;

/* Where a passphrase comes from without asking: a file's or a descriptor's first line, or (ssh-keygen's -N
 * and -P) a text. */
typedef struct PassphraseSource {
    const char *file; /* "-": standard input */
    int fd;           /* -1: none */
    const char *text;
    bool none;  /* --no-passphrase: write without */
    char *read; /* what the file or the descriptor gave, in secret memory */
} PassphraseSource;

typedef struct Tool {
    const char *program; /* in front of messages: "lanyard-key" */
    LyCrypto *crypto;
    LyLoop *loop;         /* made at first use: see tool_loop */
    LyPrompter *prompter; /* likewise */
    bool json, quiet;
    PassphraseSource passphrase;     /* for what is read */
    PassphraseSource new_passphrase; /* for what is written */
    LyKeyReadOptions limits;         /* KDF costs that are allowed */
    bool printed;                    /* something went to stdout */
    LyBuf failure, failure_file;     /* the last message of tool_fail or tool_error, for --json */
} Tool;

/* Before anything else, and after everything: no core dumps, a full disk is an error and not a signal, the
 * crypto library. False after a message. `program` stays the caller's. */
bool tool_open(Tool *tool, const char *program);
void tool_close(Tool *tool);

/* Prints "lanyard-key: sentence" to stderr and returns `status`. */
Status tool_fail(Tool *tool, Status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for an error of the library, with the status that fits its code: "lanyard-key: FILE: sentence". */
Status tool_error(Tool *tool, const char *file /* NULL: none */, const LyError *error);
/* "lanyard-key: warning: sentence" to stderr. */
void tool_warn(Tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes all of stdout's bytes; STATUS_IO when it cannot (a full disk behind a pipe is an error too). */
Status tool_print(Tool *tool, LyBytes text);

LyLoop *tool_loop(Tool *tool);
/* Reads what --passphrase-file and its like name, once; a descriptor that both name gives a line to each.
 * STATUS_IO with a message. */
Status tool_read_sources(Tool *tool);
/* Asks on the terminal or by SSH_ASKPASS; the answer is in secret memory, ly_secret_free. NULL: nobody can be
 * asked, or gave up. */
char *tool_ask(Tool *tool, const char *prompt, bool echo);
/* A yes/no question as ssh-keygen asks: false for everything but y or yes. */
bool tool_confirm(Tool *tool, const char *prompt);

/* The passphrase for what is read: the source's, else asked with `prompt`. STATUS_USAGE with a message when
 * nobody can be asked. *passphrase is in secret memory. */
Status tool_old_passphrase(Tool *tool, const char *prompt, char **passphrase);
/* The same with a prompt and a message that name the file. */
Status tool_file_passphrase(Tool *tool, const char *file, char **passphrase);
/* A passphrase for what is read was given on the command line. */
bool tool_has_passphrase(const Tool *tool);
/* For what is written: the source's, "" with `none`, else asked twice ("Enter passphrase for "FILE" (empty
 * for no passphrase): ", "Enter same passphrase again: "), until both are the same. */
Status tool_new_passphrase(Tool *tool, const char *file, char **passphrase);

typedef struct LoadedKey {
    LyBuf text; /* the file */
    LyKeyFile file;
    LyKeyEntry *entry; /* the one asked for, in `file` */
    char *passphrase;  /* that opened it, secret memory; NULL: it is not encrypted */
} LoadedKey;

typedef enum Need {
    NEED_PUBLIC,     /* never asks where the public half is shown, here or in PATH.pub */
    NEED_OWN_PUBLIC, /* the same, but PATH.pub is not believed: it may be another key's */
    NEED_PRIVATE,
    NEED_ANY /* the private half where there is one */
} Need;
/* Reads the first key of the file ("-": stdin), asking for the passphrase ("Enter passphrase for FILE: ",
 * three times at most, a wrong one from a source is final) when needed, and compares the halves.
 * NEED_PRIVATE: a public key only is STATUS_INPUT. A PATH whose file is private and hides its public half may
 * be helped by PATH.pub with NEED_PUBLIC. Everything is freed by loaded_key_clear, also after a failure. */
Status tool_load_key(Tool *tool, const char *path, Need need, LoadedKey *loaded);
void loaded_key_clear(LoadedKey *loaded);

#endif
