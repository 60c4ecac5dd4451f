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
    bool hashed;
    bool understood; /* false: blank, comment or malformed; only number and line are set */
} LyHostLine;

/* The next line off *text; false at the end. *number counts. */
bool ly_host_line_next(LyBytes *text, unsigned *number, LyHostLine *line);
/* Does the line name the host ("name", "[name]:port")? Hashed names, patterns and negation as
 * ly_known_hosts_check. */
bool ly_host_line_matches(LyCrypto *crypto, const LyHostLine *line, LyBytes name);

typedef void LyHostLineFound(void *user, const LyHostLine *line);
/* ssh-keygen -R: appends the text without the lines of the host; marker lines stay. `found` (may be NULL)
 * sees each line that goes. Returns how many went. */
size_t ly_known_hosts_remove(LyCrypto *crypto, LyBytes text, LyBytes name, LyBuf *out, LyHostLineFound *found,
                             void *user);
/* ssh-keygen -H: appends the text with all plain names hashed, one line a name; patterns, negations and
 * marker lines stay. `kept` (may be NULL) sees each line that could not be hashed. Returns how many lines
 * were hashed. */
size_t ly_known_hosts_hash(LyCrypto *crypto, LyBytes text, LyBuf *out, LyHostLineFound *kept, void *user);

/* Appends to authorized_keys text a line for the key unless a line (whatever its options) has the key
 * already; `options` as they shall stand in front, or empty; they are checked to be well-formed. Puts a line
 * end behind an unfinished last line first. *present tells whether it was there. */
bool ly_authorized_keys_add(LyCrypto *crypto, LyBytes text, const LyKey *key, LyBytes options, LyBuf *out,
                            bool *present, LyError *error);

#endif
