/* Changes to known_hosts and authorized_keys as text: text in, text out. Comments, blank lines, order and
 * lines that are not understood are kept byte for byte. */
#ifndef LY_KEY_EDIT_H
#define LY_KEY_EDIT_H

#include "key/key.h"

typedef struct LyHostLine { /* views of the text */
    unsigned number;        /* from 1 */
    LyBytes line;           /* with its line end */
    LyBytes marker;         /* "@cert-authority", "@revoked" or empty */
    LyBytes hosts, type, base64, comment;
    LyBytes key; /* from the type to the end of the comment: what ly_key_read_line reads */
    bool hashed;
    bool understood; /* false: blank, comment or malformed; only number and line are set. The type may be one
                        that we do not know, and whether the key is one is not asked. */
    bool malformed;  /* neither understood nor blank nor a comment, or over 64 KiB: ssh-keygen -R and -H
                        refuse to change such a file */
} LyHostLine;

/* The next line off *text; false at the end. *number counts: 0 at the beginning of the text, where a BOM is
 * passed over. */
bool ly_host_line_next(LyBytes *text, unsigned *number, LyHostLine *line);
/* Does the line name the host ("name", "[name]:port"; in any case)? Hashed names, patterns and negation as
 * ly_known_hosts_check. */
bool ly_host_line_matches(LyCrypto *crypto, const LyHostLine *line, LyBytes name);
/* Appends a host's name in its hashed form, "|1|salt|hash"; `name` is made lower case first. False only if
 * libcrypto fails. */
bool ly_host_name_hash(LyCrypto *crypto, LyBytes name, LyBuf *out);

typedef void LyHostLineFound(void *user, const LyHostLine *line);
/* ssh-keygen -R: appends the text without the lines of the host; marker lines stay. `found` (may be NULL)
 * sees each line that goes. A last line without its line end gets one. Returns how many went. */
size_t ly_known_hosts_remove(LyCrypto *crypto, LyBytes text, LyBytes name, LyBuf *out, LyHostLineFound *found,
                             void *user);
/* ssh-keygen -H: appends the text with all plain names hashed, one line a name; lines with a pattern, a
 * negation or a marker stay. `kept` (may be NULL) sees those, and malformed ones, but not what was hashed
 * before. A last line without its line end gets one. Returns how many lines were hashed. */
size_t ly_known_hosts_hash(LyCrypto *crypto, LyBytes text, LyBuf *out, LyHostLineFound *kept, void *user);

/* Appends `text`, which is an authorized_keys file, with a line for the key behind it, unless a line
 * (whatever its options) has the key already: *present tells. `options` as they shall stand in front, or
 * empty; they are checked as ly_authorized_keys_check_options. A line end is put behind an unfinished last
 * line first. LY_ERROR_INVALID: such options; a certificate, which authorized_keys does not hold (its CA's
 * key stands there with cert-authority). */
bool ly_authorized_keys_add(LyCrypto *crypto, LyBytes text, const LyKey *key, LyBytes options, LyBuf *out,
                            bool *present, LyError *error);

#endif
