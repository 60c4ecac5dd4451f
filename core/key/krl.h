/* Key revocation lists (OpenSSH's PROTOCOL.krl). Built, written, read and asked. */
#ifndef LY_KEY_KRL_H
#define LY_KEY_KRL_H

#include "key/key.h"

typedef struct LyKrl LyKrl;

LyKrl *ly_krl_new(LyCrypto *crypto);
void ly_krl_free(LyKrl *krl); /* NULL is fine */
/* Bytes that start with "SSHKRL\n\0". Limits: 64 MiB, bitmaps of 2^24 bits, ranges kept as ranges. Signature
 * sections are refused with LY_ERROR_UNSUPPORTED as OpenSSH since 9.4 does not check them either; unknown
 * sections and damage are LY_ERROR_INVALID. */
LyKrl *ly_krl_read(LyCrypto *crypto, LyBytes binary, LyError *error);
void ly_krl_write(LyKrl *krl, uint64_t now_seconds, LyBuf *out);

void ly_krl_set_version(LyKrl *krl, uint64_t version);
bool ly_krl_set_comment(LyKrl *krl, LyBytes comment, LyError *error);
uint64_t ly_krl_version(const LyKrl *krl);
uint64_t ly_krl_generated(const LyKrl *krl); /* seconds since 1970 */
LyBytes ly_krl_comment(const LyKrl *krl);

/* `ca_blob` empty: of any CA. lowest <= highest, lowest > 0: LY_ERROR_INVALID otherwise. */
bool ly_krl_revoke_serials(LyKrl *krl, LyBytes ca_blob, uint64_t lowest, uint64_t highest, LyError *error);
void ly_krl_revoke_id(LyKrl *krl, LyBytes ca_blob, LyBytes id);
void ly_krl_revoke_key(LyKrl *krl, const LyKey *key); /* certificates: by serial, or by id when serial is 0 */
void ly_krl_revoke_digest(LyKrl *krl, LyHash hash /* SHA1 or SHA256 */, LyBytes digest);
/* The text language of ssh-keygen -k: lines of "serial: N[-N]", "id: TEXT", "key: LINE", "sha1: LINE",
 * "sha256: LINE", "hash: SHA256:..." and bare keys; # comments. The error names the line. */
bool ly_krl_add_text(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error);

/* Is the key, its certificate, or the CA that signed it revoked? */
bool ly_krl_revokes(const LyKrl *krl, const LyKey *key);
/* Appends what it holds as text, in the language above, as ssh-keygen -Q -l shows it. */
void ly_krl_describe(const LyKrl *krl, LyBuf *out);

#endif
