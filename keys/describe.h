/* How keys are shown. */
#ifndef KEYS_DESCRIBE_H
#define KEYS_DESCRIBE_H

#include "tool.h"

/* Appends all of a text that somebody else wrote, with what is not printable escaped. */
void put_printable(LyBuf *out, LyBytes text);
/* "RSA", "ED25519-CERT" as ssh-keygen names them. */
void put_short_type(LyBuf *out, const LyKey *key);
/* The picture of the key with `hash`, each line behind `indent`, with a LF at its end. */
void put_key_randomart(Tool *tool, const LyKey *key, LyHash hash, const char *indent, LyBuf *out);
/* The key's bubble babble, of its SHA-1. */
void put_key_bubblebabble(Tool *tool, const LyKey *key, LyBuf *out);
/* "2026-11-22T10:00:00" in the local zone; "forever" for what has no end, "always" for 0. */
void put_time(LyBuf *out, uint64_t seconds);
/* A hash by the name that people give -E: md5, sha1, sha256, sha384, sha512. */
bool find_hash(const char *name, LyHash *hash);
/* "comment" and, where it is not UTF-8, "comment_base64". */
void json_comment(LyJson *json, LyBytes comment);
void json_fingerprint(Tool *tool, LyJson *json, const char *name, LyBytes plain_blob);

#endif
