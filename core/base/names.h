/* RFC 4251 name-lists ("a,b,c") and the wildcard patterns of ssh_config(5). */
#ifndef LY_BASE_NAMES_H
#define LY_BASE_NAMES_H

#include "base/buf.h"

/* Takes the next name off *list; false when it is empty. */
bool ly_names_next(LyBytes *list, LyBytes *name);
bool ly_names_contain(LyBytes list, LyBytes name);
/* The first name of `ours` that `theirs` contains too (RFC 4253 7.1 with ours = client's); false when none.
 */
bool ly_names_first_common(LyBytes ours, LyBytes theirs, LyBytes *name);
/* Only printable US-ASCII without blanks, no empty name, no name over 64 bytes (RFC 4251 section 6); an empty
 * list is fine. */
bool ly_names_valid(LyBytes list);

/* `*` and `?` wildcards, linear time, case-sensitive. */
bool ly_pattern_match(LyBytes pattern, LyBytes text);
/* A comma-separated pattern list with `!` negation: 1 matched, 0 no match, -1 matched a negated pattern.
 * `fold_case`: compare as lower case. */
int ly_pattern_list_match(LyBytes patterns, LyBytes text, bool fold_case);

/* Changes a name-list as ssh_config's `+x` (append) `-x` (remove) `^x` (prepend) do; without a sign, sets it
 * exactly. `change` may hold patterns when it appends, prepends (they pick from `all`) or removes. Writes the
 * result to `out` (emptied first). */
typedef enum LyNamesError { LY_NAMES_OK, LY_NAMES_UNKNOWN, LY_NAMES_EMPTY } LyNamesError;
LyNamesError ly_names_change(LyBytes current, LyBytes change, LyBytes all, LyBuf *out, LyBytes *unknown);

#endif
