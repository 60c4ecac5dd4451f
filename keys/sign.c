/* sign, verify, find-principals: SSHSIG signatures over files. */
#include <time.h>

#include "base/auto.h"
#include "base/names.h"
#include "commands.h"
#include "describe.h"
#include "key/fingerprint.h"
#include "key/krl.h"
#include "key/sshsig.h"
#include "output.h"
#include "signer.h"

#define SIGNATURE_LIMIT ((size_t)1 << 20)
#define SIGNERS_LIMIT ((size_t)64 << 20)

typedef struct SignValues {
    const char *key, *name_space, *hash;
    bool agent, force;
} SignValues;

#define SIGN(name) offsetof(SignValues, name)

static const Option sign_options[] = {
    {"key", 'k', "FILE", OPTION_STRING, SIGN(key), 0,
     "the key: a private one, or a public one or certificate whose private half the agent holds or lies "
     "beside"},
    {"agent", 'U', NULL, OPTION_FLAG, SIGN(agent), 0, "the agent signs, whatever FILE holds"},
    {"namespace", 'n', "NAME", OPTION_STRING, SIGN(name_space), 0,
     "what the signature is for (file); git's is git, mail's is email"},
    {"hash", 0, "NAME", OPTION_STRING, SIGN(hash), 0, "sha512 (default) or sha256"},
    {"force", 0, NULL, OPTION_FLAG, SIGN(force), 0, "replace FILE.sig without asking"},
    {NULL},
};

/* The two that SSHSIG knows. */
static bool find_signature_hash(const char *name, LyHash *hash)
{
    *hash = LY_SHA512;
    return !name || (find_hash(name, hash) && (*hash == LY_SHA256 || *hash == LY_SHA512));
}

static Status sign_one(Tool *tool, const SignValues *values, Signer *signer, LyHash hash, const char *path,
                       LyJson *json)
{
    LY_AUTO(ly_buf_free) LyBuf data = {0}, signature = {0}, armour = {0};
    uint8_t digest[LY_HASH_MAX];
    bool standard = strcmp(path, "-") == 0;
    LY_AUTO_FREE char *out = standard ? ly_strdup("-") : ly_format("%s.sig", path);
    LyBytes name_space = ly_bytes_str(values->name_space ? values->name_space : "file");
    LyError error;
    FileMode mode = FILE_REPLACE;
    Status status = standard ? STATUS_OK : output_allowed(tool, out, values->force, FILE_REPLACE, &mode);
    if (status != STATUS_OK)
        return status;
    if (!file_digest(tool, path, hash, digest, &error))
        return tool_error(tool, path, &error);
    if (!ly_sshsig_put_signed_data(name_space, hash, ly_bytes(digest, ly_hash_len(hash)), &data, &error))
        return tool_error(tool, NULL, &error);
    status = signer_sign(tool, signer, (LyBytes){0}, ly_buf_bytes(&data), &signature);
    if (status != STATUS_OK)
        return status;
    ly_sshsig_write(ly_key_blob(signer->key), name_space, hash, ly_buf_bytes(&signature), &armour);
    if (standard && !tool->json)
        return tool_print(tool, ly_buf_bytes(&armour));
    if (!standard &&
        (status = output_write(tool, out, mode, MODE_PUBLIC, ly_buf_bytes(&armour))) != STATUS_OK)
        return status;
    ly_json_begin(json, '{');
    ly_json_name(json, "file"), ly_json_cstring(json, path);
    ly_json_name(json, "signature_file"), ly_json_cstring(json, standard ? NULL : out);
    ly_json_name(json, "namespace"), ly_json_string(json, name_space);
    ly_json_name(json, "hash"), ly_json_cstring(json, ly_hash_name(hash));
    ly_json_name(json, "signature"), ly_json_string(json, ly_buf_bytes(&armour));
    ly_json_end(json, '}');
    return STATUS_OK;
}

static Status sign_run(Tool *tool, void *data, int argc, char **argv)
{
    static char *standard_input[] = {(char *)"-"};
    LY_AUTO(ly_buf_free) LyBuf said = {0};
    const SignValues *values = data;
    LyJson json = {.out = &said};
    Signer signer = {0};
    LyHash hash;
    if (!values->key)
        return tool_fail(tool, STATUS_USAGE, "sign needs -k KEY, the key to sign with");
    if (!find_signature_hash(values->hash, &hash))
        return tool_fail(tool, STATUS_USAGE, "--hash is sha512 or sha256, and not \"%s\"",
                         LY_PRINTABLE(ly_bytes_str(values->hash)));
    if (values->name_space && !*values->name_space)
        return tool_fail(tool, STATUS_USAGE, "--namespace cannot be empty");
    if (argc == 0)
        argc = 1, argv = standard_input;
    Status status = signer_open(tool, values->key, values->agent, &signer);
    ly_json_begin(&json, '[');
    for (int i = 0; i < argc && status == STATUS_OK; i++)
        status = sign_one(tool, values, &signer, hash, argv[i], &json);
    ly_json_end(&json, ']');
    signer_close(&signer);
    if (tool->json && status == STATUS_OK)
        status = tool_print(tool, ly_buf_bytes(&said));
    return status;
}

const Command sign_command = {
    .name = "sign",
    .arguments = "[FILE]...",
    .summary = "Sign files into FILE.sig, or standard input to standard output (SSHSIG)",
    .options = sign_options,
    .values_size = sizeof(SignValues),
    .least = 0,
    .most = -1,
    .run = sign_run,
};

typedef struct VerifyValues {
    const char *allowed_signers, *principal, *name_space, *revoked, *time, *signature;
} VerifyValues;

#define VERIFY(name) offsetof(VerifyValues, name)

#define SIGNATURE_OPTION                                                                                     \
    {                                                                                                        \
        "signature", 's', "FILE", OPTION_STRING, VERIFY(signature), 0, "the signature's file"                \
    }
#define TIME_OPTION                                                                                          \
    {                                                                                                        \
        "time", 0, "TIME", OPTION_STRING, VERIFY(time), 0,                                                   \
            "YYYYMMDD[HHMM[SS]][Z] at which the signer must have been allowed; else now"                     \
    }

static const Option verify_options[] = {
    {"allowed-signers", 'f', "FILE", OPTION_STRING, VERIFY(allowed_signers), 0,
     "whose keys are whose (ssh-keygen(1)); without it the signature alone is checked"},
    {"principal", 'I', "NAME", OPTION_STRING, VERIFY(principal), 0, "who must have signed"},
    {"namespace", 'n', "NAME", OPTION_STRING, VERIFY(name_space), 0, "what the signature must be for (file)"},
    {"revoked", 'r', "FILE", OPTION_STRING, VERIFY(revoked), 0,
     "a key revocation list, or a file of public keys: those that are not good any more"},
    SIGNATURE_OPTION,
    TIME_OPTION,
    {NULL},
};

static const Option find_options[] = {
    {"allowed-signers", 'f', "FILE", OPTION_STRING, VERIFY(allowed_signers), 0, "whose keys are whose"},
    SIGNATURE_OPTION,
    TIME_OPTION,
    {NULL},
};

typedef struct Check {
    LySshsig *sshsig;
    LyBuf signers; /* allowed_signers' text */
    uint64_t when;
} Check;

static void check_close(Check *check)
{
    ly_sshsig_free(check->sshsig);
    ly_buf_free(&check->signers);
}

/* The files and the time; everything but the message. */
static Status check_open(Tool *tool, const VerifyValues *values, Check *check)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(SIGNATURE_LIMIT + 1);
    LyError error;
    if (!values->signature)
        return tool_fail(tool, STATUS_USAGE, "-s FILE is needed, the signature");
    check->when = (uint64_t)time(NULL);
    if (values->time && !ly_time_read(ly_bytes_str(values->time), &check->when, &error))
        return tool_fail(tool, STATUS_USAGE, "%s", error.message);
    if (!file_read(values->signature, SIGNATURE_LIMIT, &text, &error))
        return tool_error(tool, values->signature, &error);
    check->sshsig = ly_sshsig_read(tool->crypto, ly_buf_bytes(&text), &error);
    if (!check->sshsig)
        return tool_error(tool, values->signature, &error);
    check->signers = LY_BUF(SIGNERS_LIMIT + 1);
    if (values->allowed_signers &&
        !file_read(values->allowed_signers, SIGNERS_LIMIT, &check->signers, &error))
        return tool_error(tool, values->allowed_signers, &error);
    return STATUS_OK;
}

static bool key_of(const LyKeyFile *file, const LyKey *key)
{
    for (size_t i = 0; i < file->count; i++)
        if (file->entries[i].key && ly_key_equal_public(file->entries[i].key, key))
            return true;
    return false;
}

/* In a revocation list, or in a file of keys. A file that cannot be read revokes everything. */
static Status check_revoked(Tool *tool, const char *path, const LyKey *key, bool *revoked)
{
    LY_AUTO(ly_buf_free) LyBuf text = LY_BUF(SIGNERS_LIMIT + 1);
    LyKeyReadOptions public_only = tool->limits;
    LyKeyFile file = {0};
    LyError error;
    if (!file_read(path, SIGNERS_LIMIT, &text, &error))
        return tool_error(tool, path, &error);
    if (ly_bytes_starts_with(ly_buf_bytes(&text), "SSHKRL\n")) {
        LyKrl *krl = ly_krl_read(tool->crypto, ly_buf_bytes(&text), &error);
        if (!krl)
            return tool_error(tool, path, &error);
        *revoked = ly_krl_revokes(krl, key);
        ly_krl_free(krl);
        return STATUS_OK;
    }
    *revoked = false;
    if (ly_bytes_trim(ly_buf_bytes(&text)).len == 0)
        return STATUS_OK;
    public_only.public_only = true;
    if (!ly_key_file_read(tool->crypto, ly_buf_bytes(&text), &public_only, &file, &error))
        return tool_error(tool, path, &error);
    *revoked = key_of(&file, key);
    ly_key_file_clear(&file);
    return STATUS_OK;
}

/* All questions about a signature; STATUS_NO with *error when one is answered with no. */
static Status judge(Tool *tool, const VerifyValues *values, Check *check, const char *path, uint8_t *sk_flags,
                    LyError *error)
{
    uint8_t digest[LY_HASH_MAX];
    LyHash hash = ly_sshsig_hash(check->sshsig);
    LyKey *key = ly_sshsig_key(check->sshsig);
    LyBytes name_space = ly_bytes_str(values->name_space ? values->name_space : "file");
    bool revoked = false;
    if (!file_digest(tool, path, hash, digest, error))
        return tool_error(tool, path, error);
    if (!ly_sshsig_verify(check->sshsig, name_space, ly_bytes(digest, ly_hash_len(hash)), sk_flags, error))
        return STATUS_NO;
    if (values->revoked) {
        Status status = check_revoked(tool, values->revoked, key, &revoked);
        if (status != STATUS_OK)
            return status;
        if (revoked) {
            ly_error_set(error, LY_ERROR_VERIFY, "the key was revoked in %s", values->revoked);
            return STATUS_NO;
        }
    }
    if (values->allowed_signers &&
        !ly_allowed_signers_check(tool->crypto, ly_buf_bytes(&check->signers),
                                  ly_bytes_str(values->principal), name_space, key, check->when, error))
        return STATUS_NO;
    return STATUS_OK;
}

static void verify_json(Tool *tool, const VerifyValues *values, const Check *check, const LyError *error,
                        uint8_t sk_flags, LyBuf *out)
{
    LyJson json = {.out = out};
    const LyKey *key = ly_sshsig_key(check->sshsig);
    bool valid = error->code == LY_OK;
    ly_json_begin(&json, '{');
    ly_json_name(&json, "valid"), ly_json_bool(&json, valid);
    ly_json_name(&json, "principal"),
        ly_json_cstring(&json, values->allowed_signers ? values->principal : NULL);
    ly_json_name(&json, "signer_checked"), ly_json_bool(&json, valid && values->allowed_signers);
    ly_json_name(&json, "namespace"), ly_json_string(&json, ly_sshsig_namespace(check->sshsig));
    ly_json_name(&json, "hash"), ly_json_cstring(&json, ly_hash_name(ly_sshsig_hash(check->sshsig)));
    ly_json_name(&json, "type"), ly_json_cstring(&json, ly_key_type_name(key));
    json_fingerprint(tool, &json, "fingerprint", ly_key_plain_blob(key));
    if (ly_key_type(key)->sk && valid) {
        ly_json_name(&json, "touched"), ly_json_bool(&json, sk_flags & 1);
        ly_json_name(&json, "user_verified"), ly_json_bool(&json, sk_flags & 4);
    }
    ly_json_name(&json, "error"), ly_json_cstring(&json, valid ? NULL : error->message);
    ly_json_end(&json, '}');
}

static void verify_sentence(Tool *tool, const VerifyValues *values, const Check *check, LyBuf *out)
{
    LY_AUTO(ly_buf_free) LyBuf fingerprint = {0};
    const LyKey *key = ly_sshsig_key(check->sshsig);
    ly_key_put_fingerprint(tool->crypto, ly_key_plain_blob(key), LY_SHA256, &fingerprint);
    ly_buf_add_format(out, "Good \"%s\" signature ", LY_PRINTABLE(ly_sshsig_namespace(check->sshsig)));
    if (values->allowed_signers)
        ly_buf_add_format(out, "for %s ", LY_PRINTABLE(ly_bytes_str(values->principal)));
    ly_buf_add_format(out, "with %s key %s\n", ly_key_type(key)->short_name, ly_buf_str(&fingerprint));
    if (!values->allowed_signers)
        ly_buf_add_str(out, "Whose key it is was not checked: no --allowed-signers\n");
}

static Status verify_run(Tool *tool, void *data, int argc, char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf said = {0};
    LY_AUTO(check_close) Check check = {0};
    const VerifyValues *values = data;
    LyError error = {0};
    uint8_t sk_flags = 0;
    const char *path = argc ? argv[0] : "-";
    if (!values->allowed_signers != !values->principal)
        return tool_fail(tool, STATUS_USAGE, "--allowed-signers and --principal go together");
    Status status = check_open(tool, values, &check);
    if (status == STATUS_OK)
        status = judge(tool, values, &check, path, &sk_flags, &error);
    if (status != STATUS_OK && status != STATUS_NO)
        return status;
    if (status == STATUS_NO)
        tool_fail(tool, STATUS_NO, "%s: the signature is not good: %s", path, error.message);
    if (tool->json)
        verify_json(tool, values, &check, &error, sk_flags, &said);
    else if (status == STATUS_OK && !tool->quiet)
        verify_sentence(tool, values, &check, &said);
    Status printed = tool_print(tool, ly_buf_bytes(&said));
    return printed ? printed : status;
}

const Command verify_command = {
    .name = "verify",
    .arguments = "[FILE]",
    .summary = "Verify a signature over a file or standard input, and whose it is",
    .options = verify_options,
    .values_size = sizeof(VerifyValues),
    .least = 0,
    .most = 1,
    .run = verify_run,
};

static Status find_run(Tool *tool, void *data, int argc, char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf principals = {0}, said = {0};
    LY_AUTO(check_close) Check check = {0};
    const VerifyValues *values = data;
    LyJson json = {.out = &said};
    LyError error;
    LyBytes line;
    if (!values->allowed_signers)
        return tool_fail(tool, STATUS_USAGE, "find-principals needs --allowed-signers FILE");
    Status status = check_open(tool, values, &check);
    if (status != STATUS_OK)
        return status;
    if (!ly_allowed_signers_find(tool->crypto, ly_buf_bytes(&check.signers),
                                 ly_sshsig_namespace(check.sshsig), ly_sshsig_key(check.sshsig), check.when,
                                 &principals, &error))
        status = tool_fail(tool, STATUS_NO, "%s: %s", values->allowed_signers, error.message);
    LyBytes rest = ly_buf_bytes(&principals);
    ly_json_begin(&json, '[');
    while (ly_bytes_line(&rest, &line))
        ly_json_string(&json, line);
    ly_json_end(&json, ']');
    Status printed = tool_print(tool, ly_buf_bytes(tool->json ? &said : &principals));
    return printed ? printed : status;
}

const Command find_principals_command = {
    .name = "find-principals",
    .arguments = "",
    .summary = "Say who may have made a signature, by the allowed signers",
    .options = find_options,
    .values_size = sizeof(VerifyValues),
    .least = 0,
    .most = 0,
    .run = find_run,
};
