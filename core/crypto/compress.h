/* RFC 4253 6.2 compression: zlib with a partial flush after each packet. */
#ifndef LY_CRYPTO_COMPRESS_H
#define LY_CRYPTO_COMPRESS_H

#include "base/buf.h"
#include "base/error.h"

typedef struct LyCompressor LyCompressor;

/* One direction's stream. */
LyCompressor *ly_compressor_new(bool inflate);
void ly_compressor_free(LyCompressor *compressor);
/* Appends the compressed parts to `out`. */
bool ly_compressor_deflate(LyCompressor *compressor, const LyBytes *parts, size_t count, LyBuf *out);
/* Appends the inflated bytes; `out->limit` bounds what a packet may inflate to. LY_ERROR_PROTOCOL: damaged
 * stream; LY_ERROR_LIMIT: over the limit. */
bool ly_compressor_inflate(LyCompressor *compressor, LyBytes in, LyBuf *out, LyError *error);

#endif
