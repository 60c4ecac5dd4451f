/* What a side offers in its KEXINIT: one name-list a kind, changed by the rules of ssh_config(5). */
#ifndef LY_TRANSPORT_ALGORITHMS_H
#define LY_TRANSPORT_ALGORITHMS_H

#include "base/names.h"
#include "key/algorithm.h"

typedef enum LyAlgorithmKind {
    LY_ALGORITHMS_KEX,
    LY_ALGORITHMS_HOST_KEY,
    LY_ALGORITHMS_CIPHER,
    LY_ALGORITHMS_MAC,
    LY_ALGORITHMS_COMPRESSION,
    LY_ALGORITHMS_USER_KEY, /* not in KEXINIT: PubkeyAcceptedAlgorithms */
    LY_ALGORITHMS_COUNT,
} LyAlgorithmKind;

typedef struct LyAlgorithms {
    char *list[LY_ALGORITHMS_COUNT]; /* NUL-terminated name-lists, owned */
} LyAlgorithms;

/* The default lists of what `crypto` can do. */
void ly_algorithms_init(const LyCrypto *crypto, LyAlgorithms *algorithms);
void ly_algorithms_clear(LyAlgorithms *algorithms);
void ly_algorithms_copy(const LyAlgorithms *from, LyAlgorithms *to);
/* `change` as in ssh_config: "a,b" sets, "+a" appends, "-a" removes, "^a" prepends; patterns where names pick
 * from what is known. "+" and "^" pick from all known names, those that are off by default too.
 * LY_ERROR_INVALID names what is unknown, or says that nothing would be left. */
bool ly_algorithms_change(const LyCrypto *crypto, LyAlgorithms *algorithms, LyAlgorithmKind kind,
                          LyBytes change, LyError *error);
/* All names that can be chosen, in the order of preference. */
void ly_algorithms_all(const LyCrypto *crypto, LyAlgorithmKind kind, LyBuf *out);

#endif
