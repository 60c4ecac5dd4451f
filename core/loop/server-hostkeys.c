/* hostkeys-00@openssh.com and hostkeys-prove-00@openssh.com (OpenSSH's PROTOCOL, section 2.5): the client
 * learns all host keys, and may ask for a proof that the server has their private halves. */
#include "loop/server-private.h"

#include "base/memory.h"

#define PROOFS_MAX 32

void ly_server_announce_host_keys(LyServer *server)
{
    const LyTransportOptions *options = &server->options->session.transport;
    LyBuf data = {0};
    for (size_t i = 0; i < options->host_key_count; i++)
        if (!ly_key_is_certificate(options->host_keys[i]))
            ly_put_string(&data, ly_key_blob(options->host_keys[i]));
    ly_global_request(ly_session_connection(ly_drive_session(server->drive)),
                      LY_BYTES("hostkeys-00@openssh.com"), false, 0, ly_buf_bytes(&data));
    ly_buf_free(&data);
}

static LyKey *find_key(const LyTransportOptions *options, LyBytes blob)
{
    for (size_t i = 0; i < options->host_key_count; i++)
        if (ly_bytes_equal(ly_key_blob(options->host_keys[i]), blob))
            return options->host_keys[i];
    return NULL;
}

/* RSA keys sign by the algorithm of the key exchange, if that was RSA's, because the client takes that one.
 */
static LyBytes proof_algorithm(const LyTransport *transport, const LyKey *key)
{
    LyBytes negotiated = ly_transport_negotiated(transport)->host_key;
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(negotiated);
    if (algorithm && strcmp(algorithm->key_type, ly_key_type_name(key)) == 0)
        return negotiated;
    return (LyBytes){0};
}

bool ly_server_prove_host_keys(LyServer *server, LyBytes data, LyBuf *proofs)
{
    const LyTransportOptions *options = &server->options->session.transport;
    LyTransport *transport = ly_session_transport(ly_drive_session(server->drive));
    LyReader reader = ly_reader(data);
    bool proven = reader.len > 0;
    for (unsigned count = 0; proven && reader.len; count++) {
        LyBytes blob = ly_get_string(&reader);
        LyKey *key = reader.failed || count == PROOFS_MAX ? NULL : find_key(options, blob);
        LyBuf message = {0}, signature = {0};
        ly_put_cstring(&message, "hostkeys-prove-00@openssh.com");
        ly_put_string(&message, ly_transport_session_id(transport));
        ly_put_string(&message, blob);
        proven = key &&
                 ly_key_sign(key, proof_algorithm(transport, key), ly_buf_bytes(&message), &signature, NULL);
        ly_put_string(proofs, ly_buf_bytes(&signature));
        ly_buf_free(&message);
        ly_buf_free(&signature);
    }
    return proven;
}
