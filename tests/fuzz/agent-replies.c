/* What an agent answers: the input is one reply, read as each of the three kinds. */
#include "fuzz.h"

#include "agent/client.h"
#include "key/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyBytes reply = fuzz_copy(ly_bytes(data, len));
    LyAgentIdentity *identities;
    size_t count, sum = 0;
    LyError error = {0};
    if (ly_get_agent_identities(reply, &identities, &count, &error)) {
        for (size_t i = 0; i < count; i++) {
            sum += identities[i].key_blob.len + identities[i].comment.len;
            ly_key_unref(ly_key_new_public(fuzz_crypto(), identities[i].key_blob, NULL));
        }
        FUZZ_ASSERT(sum + 8 * count + 5 == reply.len);
        ly_free(identities);
    } else {
        FUZZ_ASSERT(error.code != LY_OK);
    }
    LyBytes signature;
    error = (LyError){0};
    if (ly_get_agent_signature(reply, &signature, &error))
        FUZZ_ASSERT(signature.data >= reply.data && signature.len <= reply.len);
    ly_get_agent_success(reply, &error);
    fuzz_free(reply);
    return 0;
}
