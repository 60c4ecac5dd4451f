#include "userauth/messages.h"

static const struct {
    const char *name;
    LyUserauthMethod method;
} methods[] = {
    {"none", LY_METHOD_NONE},
    {"publickey", LY_METHOD_PUBLICKEY},
    {LY_METHOD_HOSTBOUND_NAME, LY_METHOD_PUBLICKEY},
    {"password", LY_METHOD_PASSWORD},
    {"keyboard-interactive", LY_METHOD_KEYBOARD_INTERACTIVE},
    {"hostbased", LY_METHOD_HOSTBASED},
};

const char *ly_userauth_method_name(LyUserauthMethod method)
{
    for (size_t i = 0; i < LY_COUNT(methods); i++) {
        if (methods[i].method == method)
            return methods[i].name;
    }
    return "?";
}

void ly_userauth_put_head(LyBuf *buf, LyBytes user, const char *method)
{
    ly_put_u8(buf, SSH_MSG_USERAUTH_REQUEST);
    ly_put_string(buf, user);
    ly_put_cstring(buf, LY_SERVICE_CONNECTION);
    ly_put_cstring(buf, method);
}

void ly_userauth_put_publickey(LyBuf *buf, LyBytes user, bool has_signature, LyBytes algorithm,
                               LyBytes key_blob, LyBytes server_host_key)
{
    ly_userauth_put_head(buf, user, server_host_key.len ? LY_METHOD_HOSTBOUND_NAME : "publickey");
    ly_put_bool(buf, has_signature);
    ly_put_string(buf, algorithm);
    ly_put_string(buf, key_blob);
    if (server_host_key.len)
        ly_put_string(buf, server_host_key);
}

void ly_userauth_put_hostbased(LyBuf *buf, LyBytes user, LyBytes algorithm, LyBytes host_key_blob,
                               LyBytes host, LyBytes local_user)
{
    ly_userauth_put_head(buf, user, "hostbased");
    ly_put_string(buf, algorithm);
    ly_put_string(buf, host_key_blob);
    ly_put_string(buf, host);
    ly_put_string(buf, local_user);
}

static LyBytes before(LyBytes payload, const LyReader *reader)
{
    return ly_bytes(payload.data, payload.len - reader->len);
}

static void get_publickey(LyReader *reader, LyBytes payload, LyUserauthMessage *message)
{
    message->hostbound = ly_bytes_is(message->method_name, LY_METHOD_HOSTBOUND_NAME);
    message->has_signature = ly_get_bool(reader);
    message->algorithm = ly_get_string(reader);
    message->key_blob = ly_get_string(reader);
    if (message->hostbound)
        message->server_host_key = ly_get_string(reader);
    message->signed_part = before(payload, reader);
    if (message->has_signature)
        message->signature = ly_get_string(reader);
}

static void get_hostbased(LyReader *reader, LyBytes payload, LyUserauthMessage *message)
{
    message->algorithm = ly_get_string(reader);
    message->key_blob = ly_get_string(reader);
    message->host = ly_get_string(reader);
    message->local_user = ly_get_string(reader);
    message->signed_part = before(payload, reader);
    message->signature = ly_get_string(reader);
    message->has_signature = true;
}

static void get_password(LyReader *reader, LyUserauthMessage *message)
{
    message->change = ly_get_bool(reader);
    message->password = ly_get_string(reader);
    if (message->change)
        message->new_password = ly_get_string(reader);
}

bool ly_userauth_get_request(LyBytes payload, LyUserauthMessage *message)
{
    LyReader reader = ly_reader(payload);
    LyUserauthMessage read = {0};
    ly_get_u8(&reader);
    read.user = ly_get_string(&reader);
    read.service = ly_get_string(&reader);
    read.method_name = ly_get_string(&reader);
    if (reader.failed)
        return false;
    for (size_t i = 0; i < LY_COUNT(methods) && !read.known; i++) {
        read.known = ly_bytes_is(read.method_name, methods[i].name);
        read.method = methods[i].method;
    }
    if (read.known) {
        switch (read.method) {
        case LY_METHOD_NONE:
            break;
        case LY_METHOD_PUBLICKEY:
            get_publickey(&reader, payload, &read);
            break;
        case LY_METHOD_PASSWORD:
            get_password(&reader, &read);
            break;
        case LY_METHOD_KEYBOARD_INTERACTIVE:
            ly_get_string(&reader); /* language */
            read.submethods = ly_get_string(&reader);
            break;
        case LY_METHOD_HOSTBASED:
            get_hostbased(&reader, payload, &read);
            break;
        }
        if (!ly_reader_done(&reader))
            return false;
    }
    *message = read;
    return true;
}

void ly_userauth_put_info_request(LyBuf *buf, LyBytes name, LyBytes instruction, const LyPrompt *prompts,
                                  size_t count)
{
    ly_put_u8(buf, SSH_MSG_USERAUTH_INFO_REQUEST);
    ly_put_string(buf, name);
    ly_put_string(buf, instruction);
    ly_put_cstring(buf, "");
    ly_put_u32(buf, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        ly_put_string(buf, prompts[i].text);
        ly_put_bool(buf, prompts[i].echo);
    }
}

bool ly_userauth_get_info_request(LyBytes payload, LyBytes *name, LyBytes *instruction, LyPrompt **prompts,
                                  size_t *count)
{
    LyReader reader = ly_reader(payload);
    ly_get_u8(&reader);
    LyBytes read_name = ly_get_string(&reader);
    LyBytes read_instruction = ly_get_string(&reader);
    ly_get_string(&reader); /* language */
    uint32_t read_count = ly_get_u32(&reader);
    if (reader.failed || read_count > LY_PROMPTS_MAX)
        return false;
    LyPrompt *read = read_count ? ly_new_array(LyPrompt, read_count) : NULL;
    for (size_t i = 0; i < read_count; i++) {
        read[i].text = ly_get_string(&reader);
        read[i].echo = ly_get_bool(&reader);
    }
    if (!ly_reader_done(&reader)) {
        ly_free(read);
        return false;
    }
    *name = read_name;
    *instruction = read_instruction;
    *prompts = read;
    *count = read_count;
    return true;
}
