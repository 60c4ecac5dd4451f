/* Certificates: -s. */
#include <string.h>

#include "base/auto.h"
#include "certificate-options.h"
#include "files.h"
#include "signer.h"
#include "ssh-keygen-private.h"

#define PRINCIPALS_MAX 256

/* The CA: a private key's file, or a key that the agent holds. */
typedef struct Authority {
    PrivateKey private_key;
    Signer signer;
    bool agent;
    LyKey *key; /* borrowed */
} Authority;

static void authority_close(Authority *authority)
{
    if (authority->agent)
        signer_close(&authority->signer);
    keygen_private_clear(&authority->private_key);
}

static int authority_open(Keygen *keygen, const char *path, Authority *authority)
{
    *authority = (Authority){.agent = keygen->use_agent};
    if (!keygen->use_agent) {
        int status = keygen_load_private(keygen, path, "Enter passphrase: ", "Load key \"%s\"", NULL,
                                         &authority->private_key);
        authority->key = authority->private_key.key;
        return status;
    }
    /* signer_open says what is wrong. */
    if (signer_open(keygen->tool, path, true, &authority->signer) != STATUS_OK)
        return KEYGEN_FATAL;
    authority->key = authority->signer.key;
    return KEYGEN_OK;
}

static bool principals_valid(const char *names)
{
    LyBytes rest = ly_bytes_str(names), name;
    size_t count = 0;
    for (bool more = names != NULL; more; count++) {
        more = ly_bytes_split(rest, ',', &name, &rest);
        if (!name.len) {
            keygen_say("Empty principal name");
            return false;
        }
    }
    if (count > PRINCIPALS_MAX) {
        keygen_say("Too many certificate principals specified");
        return false;
    }
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* FILE-cert.pub for FILE and FILE.pub. */
static char *certificate_file(const char *path)
{
    size_t len = strlen(path) - (ends_with(path, ".pub") ? 4 : 0);
    return ly_format("%.*s-cert.pub", (int)len, path);
}

static void report(const Keygen *keygen, const LyCertificateRequest *request, const char *file)
{
    LY_AUTO(ly_buf_free) LyBuf validity = {0};
    LY_AUTO(ly_buf_free) LyBuf id = {0};
    LY_AUTO(ly_buf_free) LyBuf names = {0};
    keygen_put_validity(request->valid_after, request->valid_before, &validity);
    keygen_say("Signed %s key %s: id \"%s\" serial %llu%s%s valid %s",
               request->kind == LY_CERTIFICATE_HOST ? "host" : "user", file, keygen_visible(request->id, &id),
               (unsigned long long)request->serial, keygen->names ? " for " : "",
               keygen_visible(request->principals, &names), ly_buf_str(&validity));
}

static int certify_one(Keygen *keygen, Authority *authority, const LyCertificateRequest *request,
                       const char *argument)
{
    LyError error = {0};
    LY_AUTO_FREE char *path = keygen_path(argument);
    LY_AUTO_FREE char *file = certificate_file(path);
    char *comment = NULL, label[64];
    int status = KEYGEN_OK;
    LyKey *key = keygen_load_public(keygen, path, &comment, &error), *certificate = NULL;
    LyBytes algorithm = {0};
    if (keygen->type && ly_key_type(authority->key)->pk == LY_PK_RSA && strncmp(keygen->type, "rsa-", 4) == 0)
        algorithm = ly_bytes_str(keygen->type); /* -t rsa-sha2-256 */
    if (!key) {
        status = keygen_fatal("load pubkey \"%s\": %s", path, KEYGEN_ERROR(&error));
    } else if (ly_key_is_certificate(key)) {
        status = keygen_fatal("do_ca_sign: key \"%s\" type %s cannot be certified", path,
                              keygen_blob_label(ly_key_blob(key), label, sizeof label));
    } else if (authority->agent) {
        Status said;
        certificate = signer_certify(keygen->tool, &authority->signer, key, request, true, algorithm, &said);
        status = certificate ? KEYGEN_OK : KEYGEN_FATAL;
    } else {
        certificate =
            ly_certificate_issue(keygen->crypto, key, request, true, authority->key, algorithm, &error);
        if (!certificate)
            status = keygen_fatal("Couldn't certify key %s: %s", path, error.message);
    }
    if (certificate) {
        LyKey *commented = ly_key_new_commented(certificate, ly_bytes_str(comment));
        if (!keygen_save_public(commented, file, &error))
            status = keygen_fatal("Unable to save public key to %s: %s", file, KEYGEN_ERROR(&error));
        else if (!keygen->quiet)
            report(keygen, request, file);
        ly_key_unref(commented);
    }
    ly_key_unref(certificate);
    ly_key_unref(key);
    ly_free(comment);
    return status;
}

static bool read_options(const Keygen *keygen, CertificateOptions *options)
{
    LyError error;
    certificate_options_default(options, keygen->for_host ? LY_CERTIFICATE_HOST : LY_CERTIFICATE_USER);
    for (size_t i = 0; i < keygen->options.count; i++) {
        if (!certificate_options_add(options, keygen->options.items[i], &error)) {
            keygen_say("Unsupported certificate option \"%s\": %s", keygen->options.items[i], error.message);
            return false;
        }
    }
    return true;
}

/* -t with -s says what the CA's type must be. */
static bool type_fits(const Keygen *keygen, const LyKey *authority)
{
    if (!keygen->type || keygen_type_find(keygen->type) == ly_key_type(authority))
        return true;
    keygen_say("CA key type %s doesn't match specified %s", ly_key_type_name(authority), keygen->type);
    return false;
}

static int certify_all(Keygen *keygen, Authority *authority, const CertificateOptions *options, int argc,
                       char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf critical = {0};
    LY_AUTO(ly_buf_free) LyBuf extensions = {0};
    certificate_options_put(options, &critical, &extensions);
    LyCertificateRequest request = {
        .kind = keygen->for_host ? LY_CERTIFICATE_HOST : LY_CERTIFICATE_USER,
        .serial = keygen->serial,
        .id = ly_bytes_str(keygen->id),
        .principals = ly_bytes_str(keygen->names),
        .valid_after = keygen->valid_after,
        .valid_before = keygen->valid_before,
        .critical = ly_buf_bytes(&critical),
        .extensions = ly_buf_bytes(&extensions),
    };
    int status = KEYGEN_OK;
    for (int i = 0; i < argc && !status; i++) {
        status = certify_one(keygen, authority, &request, argv[i]);
        if (keygen->serial_steps)
            request.serial++;
    }
    return status;
}

int keygen_certify(Keygen *keygen, int argc, char **argv)
{
    if (!keygen->id)
        return keygen_fatal("Must specify key id (-I) when certifying");
    CertificateOptions options = {0};
    Authority authority = {0};
    int status = KEYGEN_FATAL;
    LY_AUTO_FREE char *path = keygen_path(keygen->authority);
    if (read_options(keygen, &options)) {
        status = authority_open(keygen, path, &authority);
        if (!status)
            status = type_fits(keygen, authority.key) && principals_valid(keygen->names)
                         ? certify_all(keygen, &authority, &options, argc, argv)
                         : KEYGEN_FATAL;
    }
    authority_close(&authority);
    certificate_options_clear(&options);
    return status;
}
