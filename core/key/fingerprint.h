/* What people compare keys by. Of a certificate: of the key it certifies. */
#ifndef LY_KEY_FINGERPRINT_H
#define LY_KEY_FINGERPRINT_H

#include "key/key.h"

/* Appends "SHA256:base64" without padding; "MD5:aa:bb:..." for MD5; other hashes as SHA-256 ("SHA512:...").
 */
void ly_key_put_fingerprint(LyCrypto *crypto, LyBytes plain_blob, LyHash hash, LyBuf *out);
/* Appends the bubble babble of a digest (ssh-keygen -B takes SHA-1). */
void ly_put_bubblebabble(LyBytes digest, LyBuf *out);
/* Appends ssh-keygen's picture of a digest: 11 lines that end in LF but for the last, which has none;
 * `title` as "ED25519 256" (ssh-keygen's own rule drops the bits, then cuts it, where it is too long). */
void ly_put_randomart(LyBytes digest, const char *short_type, unsigned bits, const char *hash_name,
                      LyBuf *out);
/* Appends the SSHFP resource records (RFC 4255, 6594, 7479, 8709) of a key, one a line: "HOST IN SSHFP 4 2
 * hex"; `hash`: LY_SHA1, LY_SHA256, or LY_HASH_COUNT for both. `generic`: as TYPE44 \# (RFC 3597).
 * LY_ERROR_UNSUPPORTED: the type or the hash has no number there; LY_ERROR_INVALID: a host with blanks or
 * control bytes. Nothing is appended on failure. */
bool ly_key_put_sshfp(LyCrypto *crypto, const LyKey *key, const char *host, LyHash hash, bool generic,
                      LyBuf *out, LyError *error);

#endif
