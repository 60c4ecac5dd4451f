/* Key revocation lists (OpenSSH's PROTOCOL.krl). Built, written, read and asked. */
#ifndef LY_KEY_KRL_H
#define LY_KEY_KRL_H

#include "key/key.h"

typedef struct LyKrl LyKrl;

LyKrl *ly_krl_new(LyCrypto *crypto);
void ly_krl_free(LyKrl *krl); /* NULL is fine */
/* Bytes that start with "SSHKRL\n\0". Limits (LY_ERROR_LIMIT): 64 MiB, bitmaps of 2^24 bits, 4096 CAs, 2^22
 * entries (ranges and unbroken runs of serials are one each). Signature sections, and extensions that are
 * critical, are refused with LY_ERROR_UNSUPPORTED as OpenSSH since 9.4 does not check signatures either;
 * other extensions are passed over; unknown sections and damage are LY_ERROR_INVALID. */
LyKrl *ly_krl_read(LyCrypto *crypto, LyBytes binary, LyError *error);
/* Appends the KRL, generated now. Bitmaps have at most 16384 bits: OpenSSH 9.2 reads no longer ones. */
void ly_krl_write(LyKrl *krl, uint64_t now_seconds, LyBuf *out);
/* What RevokedHostKeys and RevokedKeys name: a KRL, or a text of public keys, one a line, with blank lines
 * and # comments; lines of key types that are not known here are passed over. LY_ERROR_INVALID names the
 * line. */
LyKrl *ly_revoked_keys_read(LyCrypto *crypto, LyBytes file, LyError *error);

void ly_krl_set_version(LyKrl *krl, uint64_t version);
bool ly_krl_set_comment(LyKrl *krl, LyBytes comment, LyError *error);
uint64_t ly_krl_version(const LyKrl *krl);
uint64_t ly_krl_generated(const LyKrl *krl); /* seconds since 1970 */
LyBytes ly_krl_comment(const LyKrl *krl);

/* `ca_blob` empty: of any CA. lowest <= highest, lowest > 0: LY_ERROR_INVALID otherwise, and for a malformed
 * CA. */
bool ly_krl_revoke_serials(LyKrl *krl, LyBytes ca_blob, uint64_t lowest, uint64_t highest, LyError *error);
void ly_krl_revoke_id(LyKrl *krl, LyBytes ca_blob, LyBytes id); /* an id ends at its first NUL */
void ly_krl_revoke_key(LyKrl *krl, const LyKey *key); /* certificates: by serial, or by id when serial is 0 */
/* Of a key's plain blob; a digest of another length revokes nothing. */
void ly_krl_revoke_digest(LyKrl *krl, LyHash hash /* SHA1 or SHA256 */, LyBytes digest);
/* The text language of ssh-keygen -k: lines of "serial: N[-N]" (0x and a leading 0 as in C), "id: TEXT",
 * "key: LINE", "sha1: LINE", "sha256: LINE", "hash: SHA256:..." (base64 or hexadecimal) and bare keys; #
 * starts a comment anywhere. The error names the line; what stands before it is revoked then. */
bool ly_krl_add_text(LyKrl *krl, LyBytes text, LyBytes ca_blob, LyError *error);

/* Is the key, its certificate, or the CA that signed it revoked? A certificate whose CA is malformed is. */
bool ly_krl_revokes(const LyKrl *krl, const LyKey *key);
/* Appends what it holds as text, in the language above, as ssh-keygen -Q -l shows it (the time is local;
 * bytes of ids and of the comment that are not printable become \ooo). */
void ly_krl_describe(const LyKrl *krl, LyBuf *out);

#endif
