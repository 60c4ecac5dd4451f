/* Protection of SSH binary packets in one direction: cipher and MAC together, because they are joined in four
 * ways (RFC 4253 section 6 encrypt-and-MAC, *-etm@openssh.com, RFC 5647 AES-GCM,
 * chacha20-poly1305@openssh.com). A packet is
 *
 *     uint32 packet_length | byte padding_length | payload | padding | tag
 *
 * The layout and the checks on lengths are the transport's; only bytes are protected here. */
#ifndef LY_CRYPTO_PROTECTION_H
#define LY_CRYPTO_PROTECTION_H

#include "crypto/cipher.h"

typedef struct LyProtection LyProtection;

/* No keys yet: packets go in the clear, without a tag. */
LyProtection *ly_protection_new_none(void);
/* `mac` is NULL for AEAD ciphers. key, iv and mac_key have the lengths that the infos ask for (they are
 * copied into the contexts). LY_ERROR_CRYPTO when libcrypto refuses. */
LyProtection *ly_protection_new(LyCrypto *crypto, const LyCipherInfo *cipher, const LyMacInfo *mac,
                                LyBytes key, LyBytes iv, LyBytes mac_key, bool encrypt, LyError *error);
void ly_protection_free(LyProtection *protection);

/* Bytes of tag behind a packet. */
size_t ly_protection_tag_len(const LyProtection *protection);
/* What packet_length (+ 4 when ly_protection_aligns_length) must be a multiple of: 8 at least. */
size_t ly_protection_block_len(const LyProtection *protection);
/* The four length bytes count for the alignment (plain and encrypt-and-MAC; not ETM, GCM, ChaCha). */
bool ly_protection_aligns_length(const LyProtection *protection);
/* How many bytes of a packet must be there before its length can be read: 4, or a block. */
size_t ly_protection_head_len(const LyProtection *protection);

/* Reads packet_length from the head of the packet with sequence number `seq`. Encrypt-and-MAC ciphers decrypt
 * the first block in place: call it exactly once a packet. False if libcrypto fails. */
LY_MUST_CHECK bool ly_protection_length(LyProtection *protection, uint32_t seq, uint8_t *head,
                                        uint32_t *packet_length);
/* Checks and decrypts in place a whole packet (4 + packet_length + tag bytes), whose length was read before.
 * Afterwards packet + 4 is padding_length, in the clear (with chacha20-poly1305 the four length bytes stay
 * encrypted). False: the tag does not match, packet_length is not a multiple of the block, or libcrypto
 * failed; the bytes must not be used. For ETM and ChaCha the tag is checked before anything is decrypted; GCM
 * decrypts as it checks, and wipes what does not match. */
LY_MUST_CHECK bool ly_protection_open(LyProtection *protection, uint32_t seq, uint8_t *packet,
                                      uint32_t packet_length);
/* Writes the whole packet to `out` (4 + 1 + payload + padding + tag bytes) from the gathered parts of the
 * payload: the encryption is the copy. `parts` must not overlap `out`. False: the padding does not fill a
 * block, or libcrypto failed. */
LY_MUST_CHECK bool ly_protection_seal(LyProtection *protection, uint32_t seq, const LyBytes *parts,
                                      size_t count, LyBytes padding, uint8_t *out);

#endif
