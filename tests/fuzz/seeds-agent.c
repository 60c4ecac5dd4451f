/* Seeds of the target `agent`: rows of actions, as agent.c reads them. */
#include "seeds.h"

#include "agent/client.h"
#include "key/write.h"

enum { AGENT_ASK = 0, AGENT_RAW = 6, AGENT_ANSWER = 9, AGENT_TICK = 15, AGENT_RENEW = 18 }; /* actions of client 0 */

static void put_request(LyBuf *input, unsigned client, LyBuf *message)
{
    ly_put_u8(input, (uint8_t)(AGENT_ASK + client));
    fuzz_put_part(input, ly_buf_bytes(message));
    ly_buf_clear(message);
}

static void put_text_request(LyBuf *input, unsigned client, uint8_t type, const char *text)
{
    LyBuf message = {0};
    ly_put_u8(&message, type);
    ly_put_cstring(&message, text);
    put_request(input, client, &message);
    ly_buf_free(&message);
}

static void put_type(LyBuf *input, unsigned client, uint8_t type)
{
    LyBuf message = {0};
    ly_put_u8(&message, type);
    put_request(input, client, &message);
    ly_buf_free(&message);
}

static void put_answer(LyBuf *input, uint8_t how)
{
    ly_put_u8(input, AGENT_ANSWER);
    ly_put_u8(input, how);
}

static void put_addition(LyBuf *input, unsigned client, const LyKey *key, LyBytes constraints)
{
    LyBuf message = {0};
    ly_put_u8(&message, SSH_AGENTC_ADD_ID_CONSTRAINED);
    ly_key_put_private(key, &message);
    ly_put_cstring(&message, "comment");
    ly_buf_add(&message, constraints);
    put_request(input, client, &message);
    ly_buf_free(&message);
}

static void put_signing(LyBuf *input, unsigned client, const LyKey *key)
{
    LyBuf message = {0};
    ly_put_agent_sign_request(&message, ly_key_blob(key), LY_BYTES("data"), 0);
    put_request(input, client, &message);
    ly_buf_free(&message);
}

static void put_destination(LyBuf *constraints, const LyKey *host)
{
    ly_put_u8(constraints, SSH_AGENT_CONSTRAIN_EXTENSION);
    ly_put_cstring(constraints, "restrict-destination-v00@openssh.com");
    size_t list = ly_put_string_begin(constraints), one = ly_put_string_begin(constraints);
    size_t hop = ly_put_string_begin(constraints);
    for (int i = 0; i < 3; i++)
        ly_put_cstring(constraints, "");
    ly_put_string_end(constraints, hop);
    hop = ly_put_string_begin(constraints);
    ly_put_cstring(constraints, "us*");
    ly_put_cstring(constraints, "host");
    ly_put_cstring(constraints, "");
    ly_put_string(constraints, ly_key_blob(host));
    ly_put_bool(constraints, false);
    ly_put_string_end(constraints, hop);
    ly_put_cstring(constraints, "");
    ly_put_string_end(constraints, one);
    ly_put_string_end(constraints, list);
}

void seeds_agent(void)
{
    LyBuf input = {0}, message = {0}, more = {0};
    LyKey *key = ly_key_generate(fuzz_crypto(), LY_PK_ED25519, 0, LY_BYTES("key"), NULL);
    LyKey *host = ly_key_generate(fuzz_crypto(), LY_PK_ED25519, 0, LY_BYTES("host"), NULL);
    FUZZ_ASSERT(key && host);

    ly_put_u8(&input, 0);
    put_addition(&input, 0, key, LY_BYTES("\x02\x01\0\0\0\x05"));
    put_type(&input, 1, SSH_AGENTC_REQUEST_IDENTITIES);
    put_signing(&input, 0, key);
    put_answer(&input, 0x40); /* yes */
    put_answer(&input, 0x41); /* the signature */
    put_signing(&input, 1, key);
    ly_put_u8(&input, AGENT_TICK);
    ly_put_u8(&input, 60);
    put_type(&input, 1, SSH_AGENTC_REMOVE_ALL_IDENTITIES);
    put_seed("agent", "sign", &input);

    ly_put_u8(&input, 1);
    put_addition(&input, 0, key, LY_BYTES(""));
    put_text_request(&input, 0, SSH_AGENTC_LOCK, "pass");
    put_text_request(&input, 1, SSH_AGENTC_UNLOCK, "word");
    put_type(&input, 2, SSH_AGENTC_REQUEST_IDENTITIES);
    ly_put_u8(&input, AGENT_TICK);
    ly_put_u8(&input, 2);
    put_text_request(&input, 1, SSH_AGENTC_UNLOCK, "pass");
    put_signing(&input, 1, key);
    ly_put_u8(&input, AGENT_RENEW + 1);
    put_seed("agent", "lock", &input);

    ly_put_u8(&input, 2);
    put_destination(&more, host);
    put_addition(&input, 0, key, ly_buf_bytes(&more));
    ly_buf_clear(&more);
    FUZZ_ASSERT(ly_key_sign(host, (LyBytes){0}, LY_BYTES("session"), &more, NULL));
    ly_put_agent_session_bind(&message, ly_key_blob(host), LY_BYTES("session"), ly_buf_bytes(&more), false);
    put_request(&input, 1, &message);
    put_type(&input, 1, SSH_AGENTC_REQUEST_IDENTITIES);
    ly_buf_clear(&more);
    ly_put_cstring(&more, "session");
    ly_put_u8(&more, 50);
    ly_put_cstring(&more, "user");
    ly_put_cstring(&more, "ssh-connection");
    ly_put_cstring(&more, "publickey-hostbound-v00@openssh.com");
    ly_put_bool(&more, true);
    ly_put_cstring(&more, "ssh-ed25519");
    ly_put_string(&more, ly_key_blob(key));
    ly_put_string(&more, ly_key_blob(host));
    ly_put_agent_sign_request(&message, ly_key_blob(key), ly_buf_bytes(&more), 0);
    put_request(&input, 1, &message);
    put_answer(&input, 0x40);
    put_seed("agent", "destination", &input);

    ly_put_u8(&input, 3);
    LyKeyWriteOptions options = {.passphrase = LY_BYTES("secret"),
                                 .kdf = {"argon2id", .memory_kib = 8, .passes = 1, .lanes = 1}};
    ly_buf_clear(&more);
    FUZZ_ASSERT(ly_key_write_private(fuzz_crypto(), key, LY_KEY_PPK3, &options, &more, NULL));
    ly_put_u8(&message, SSH_AGENTC_EXTENSION);
    ly_put_cstring(&message, "add-ppk@putty.projects.tartarus.org");
    ly_put_string(&message, ly_buf_bytes(&more));
    put_request(&input, 0, &message);
    put_text_request(&input, 0, SSH_AGENTC_EXTENSION, "list-extended@putty.projects.tartarus.org");
    put_signing(&input, 0, key);
    put_signing(&input, 1, key);
    put_answer(&input, 0x40); /* the passphrase */
    put_answer(&input, 0x61); /* which is wrong */
    put_answer(&input, 0x00); /* given up */
    put_text_request(&input, 0, SSH_AGENTC_EXTENSION, "reencrypt-all@putty.projects.tartarus.org");
    put_text_request(&input, 0, SSH_AGENTC_EXTENSION, "query");
    put_seed("agent", "ppk", &input);

    ly_put_u8(&input, 0);
    put_addition(&input, 2, key, LY_BYTES(""));
    ly_put_u8(&message, SSH_AGENTC_ADD_SMARTCARD_KEY_CONSTRAINED);
    ly_put_cstring(&message, "/usr/lib/p11.so");
    ly_put_cstring(&message, "1234");
    ly_buf_add(&message, LY_BYTES("\x02"));
    put_request(&input, 0, &message);
    put_answer(&input, 0x40);
    put_signing(&input, 1, key);
    put_answer(&input, 0x41);
    ly_put_u8(&input, AGENT_RAW);
    fuzz_put_part(&input, LY_BYTES("\0\0\0\x01\x0b\0\0\0\0\0\x04\0\x01"));
    put_seed("agent", "provider", &input);

    ly_buf_free(&message);
    ly_buf_free(&more);
    ly_key_unref(key);
    ly_key_unref(host);
}
