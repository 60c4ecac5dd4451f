/* certify: certificates for users and hosts, issued by a CA's key from a file or in the agent. */
#include <inttypes.h>
#include <time.h>

#include "base/auto.h"
#include "base/names.h"
#include "certificate-options.h"
#include "commands.h"
#include "describe.h"
#include "output.h"
#include "signer.h"

typedef struct Values {
    const char *ca, *id, *principals, *validity, *serial;
    StringList options;
    bool host, any_principal, agent;
} Values;

#define FIELD(name) offsetof(Values, name)

static const Option options[] = {
    {"ca", 0, "FILE", OPTION_STRING, FIELD(ca), 0,
     "the CA's key: a private key file, or a public one whose private half the agent holds"},
    {"agent", 'U', NULL, OPTION_FLAG, FIELD(agent), 0, "the CA's key is in the agent, whatever FILE holds"},
    {"id", 'I', "TEXT", OPTION_STRING, FIELD(id), 0, "the key id, which servers write to their logs"},
    {"host", 0, NULL, OPTION_FLAG, FIELD(host), 0, "certify host keys; else user keys"},
    {"principals", 'n', "NAME,...", OPTION_STRING, FIELD(principals), 0,
     "the users or hosts that it is good for"},
    {"any-principal", 0, NULL, OPTION_FLAG, FIELD(any_principal), 0,
     "issue without principals, which OpenSSH before 10.3 takes as any user or host"},
    {"validity", 'V', "FROM:TO", OPTION_STRING, FIELD(validity), 0,
     "+52w, -1d:+1w, YYYYMMDD[HHMM[SS]][Z], 0xHEX, always, forever; else always valid"},
    {"serial", 'z', "N", OPTION_STRING, FIELD(serial), 0,
     "the serial number (0); +N: one more for each further key"},
    {"option", 'O', "OPTION", OPTION_LIST, FIELD(options), 0,
     "clear, no-pty, permit-pty, force-command=COMMAND, source-address=LIST, extension:NAME[=VALUE] ..."},
    {NULL},
};

static void put_validity(const LyCertificateRequest *request, LyBuf *out)
{
    if (request->valid_after == 0 && request->valid_before == UINT64_MAX)
        ly_buf_add_str(out, "forever");
    if (request->valid_after) {
        ly_buf_add_str(out, "from ");
        put_time(out, request->valid_after);
    }
    if (request->valid_before != UINT64_MAX) {
        ly_buf_add_str(out, request->valid_after ? " to " : "before ");
        put_time(out, request->valid_before);
    }
}

/* KEY-cert.pub for KEY.pub and for KEY. */
static char *certificate_path(const char *path)
{
    LyBytes name = ly_bytes_str(path);
    if (ly_bytes_is(name, "-"))
        return ly_strdup(path);
    if (name.len > 4 && strcmp(path + name.len - 4, ".pub") == 0)
        name.len -= 4;
    return ly_format("%.*s-cert.pub", (int)name.len, path);
}

static void put_json(Tool *tool, const char *file, const LyCertificateRequest *request, const LyKey *key,
                     const LyKey *ca, LyBytes line, LyJson *json)
{
    LyBytes names = request->principals, name;
    ly_json_begin(json, '{');
    ly_json_name(json, "file"), ly_json_cstring(json, file);
    ly_json_name(json, "kind"), ly_json_cstring(json, request->kind == LY_CERTIFICATE_HOST ? "host" : "user");
    ly_json_name(json, "serial"), ly_json_unsigned(json, request->serial);
    ly_json_name(json, "id"), ly_json_string(json, request->id);
    ly_json_name(json, "principals"), ly_json_begin(json, '[');
    while (ly_names_next(&names, &name))
        ly_json_string(json, name);
    ly_json_end(json, ']');
    ly_json_name(json, "valid_after"), ly_json_unsigned(json, request->valid_after);
    ly_json_name(json, "valid_before"), ly_json_unsigned(json, request->valid_before);
    json_fingerprint(tool, json, "fingerprint", ly_key_plain_blob(key));
    json_fingerprint(tool, json, "ca", ly_key_plain_blob(ca));
    ly_json_name(json, "certificate"), ly_json_string(json, ly_bytes_trim(line));
    ly_json_end(json, '}');
}

static void put_sentence(const char *file, const LyCertificateRequest *request, LyBuf *out)
{
    ly_buf_add_format(out, "Signed %s key %s: id \"%s\" serial %" PRIu64,
                      request->kind == LY_CERTIFICATE_HOST ? "host" : "user",
                      LY_PRINTABLE(ly_bytes_str(file)), LY_PRINTABLE(request->id), request->serial);
    if (request->principals.len)
        ly_buf_add_format(out, " for %s", LY_PRINTABLE(request->principals));
    ly_buf_add_str(out, " valid ");
    put_validity(request, out);
    ly_buf_add_str(out, "\n");
}

typedef struct Issue {
    Tool *tool;
    const Values *values;
    Signer ca;
    LyCertificateRequest request;
    LyBuf said;
    LyJson json;
} Issue;

static Status write_certificate(Issue *issue, const char *path, const LyKey *certificate)
{
    LY_AUTO(ly_buf_free) LyBuf line = {0};
    LY_AUTO_FREE char *out = certificate_path(path);
    ly_key_write_line(certificate, &line);
    bool standard = strcmp(out, "-") == 0;
    if (standard && !issue->tool->json)
        return tool_print(issue->tool, ly_buf_bytes(&line));
    Status status = STATUS_OK;
    if (!standard)
        status = output_write(issue->tool, out, FILE_REPLACE, MODE_PUBLIC, ly_buf_bytes(&line));
    if (status != STATUS_OK)
        return status;
    if (issue->tool->json)
        put_json(issue->tool, out, &issue->request, certificate, issue->ca.key, ly_buf_bytes(&line),
                 &issue->json);
    else if (!issue->tool->quiet)
        put_sentence(out, &issue->request, &issue->said);
    return STATUS_OK;
}

static Status certify_one(Issue *issue, const char *path)
{
    LoadedKey loaded = {0};
    Status status = tool_load_key(issue->tool, path, NEED_PUBLIC, &loaded);
    if (status == STATUS_OK && ly_key_is_certificate(loaded.entry->key)) {
        status = tool_fail(issue->tool, STATUS_INPUT,
                           "%s: a certificate cannot be certified; give the key's own file", path);
    } else if (status == STATUS_OK) {
        LyKey *certificate = signer_certify(issue->tool, &issue->ca, loaded.entry->key, &issue->request,
                                            issue->values->any_principal, (LyBytes){0}, &status);
        if (certificate)
            status = write_certificate(issue, path, certificate);
        ly_key_unref(certificate);
    }
    loaded_key_clear(&loaded);
    return status;
}

/* Everything of the request that the command line says. *step is added to the serial from key to key. */
static Status read_request(Tool *tool, const Values *values, CertificateOptions *chosen, LyBuf *critical,
                           LyBuf *extensions, LyCertificateRequest *request, uint64_t *step)
{
    LyError error;
    LyBytes serial = ly_bytes_str(values->serial ? values->serial : "0");
    bool rising = ly_bytes_starts_with(serial, "+");
    *request = (LyCertificateRequest){.kind = values->host ? LY_CERTIFICATE_HOST : LY_CERTIFICATE_USER,
                                      .id = ly_bytes_str(values->id),
                                      .principals = ly_bytes_str(values->principals),
                                      .valid_before = UINT64_MAX};
    if (!values->ca || !values->id)
        return tool_fail(tool, STATUS_USAGE, "certify needs --ca and --id");
    if (!values->principals && !values->any_principal)
        return tool_fail(tool, STATUS_USAGE,
                         "certify needs --principals, the names that the certificate is good for");
    if (!ly_bytes_number(ly_bytes_slice(serial, rising, serial.len), UINT64_MAX, &request->serial))
        return tool_fail(tool, STATUS_USAGE, "--serial takes a number, and not \"%s\"", LY_PRINTABLE(serial));
    *step = rising;
    if (values->validity && !certificate_validity_read(ly_bytes_str(values->validity), (uint64_t)time(NULL),
                                                       &request->valid_after, &request->valid_before, &error))
        return tool_fail(tool, STATUS_USAGE, "%s", error.message);
    certificate_options_default(chosen, request->kind);
    for (size_t i = 0; i < values->options.count; i++)
        if (!certificate_options_add(chosen, values->options.items[i], &error))
            return tool_fail(tool, STATUS_USAGE, "%s", error.message);
    certificate_options_put(chosen, critical, extensions);
    request->critical = ly_buf_bytes(critical);
    request->extensions = ly_buf_bytes(extensions);
    return STATUS_OK;
}

static Status certify_run(Tool *tool, void *data, int argc, char **argv)
{
    LY_AUTO(ly_buf_free) LyBuf critical = {0}, extensions = {0};
    LY_AUTO(certificate_options_clear) CertificateOptions chosen = {0};
    Issue issue = {.tool = tool, .values = data, .json.out = &issue.said};
    uint64_t step = 0;
    Status status = read_request(tool, data, &chosen, &critical, &extensions, &issue.request, &step);
    if (status != STATUS_OK)
        return status;
    status = signer_open(tool, issue.values->ca, issue.values->agent, &issue.ca);
    bool ready = status == STATUS_OK;
    if (ready && tool->json)
        ly_json_begin(&issue.json, '[');
    for (int i = 0; i < argc && status == STATUS_OK; i++) {
        status = certify_one(&issue, argv[i]);
        issue.request.serial += step;
    }
    if (ready && tool->json)
        ly_json_end(&issue.json, ']');
    if (issue.said.len && (status == STATUS_OK || !tool->json)) {
        Status printed = tool_print(tool, ly_buf_bytes(&issue.said));
        status = status ? status : printed;
    }
    ly_buf_free(&issue.said);
    signer_close(&issue.ca);
    return status;
}

const Command certify_command = {
    .name = "certify",
    .arguments = "KEY.pub...",
    .summary = "Issue certificates for user or host keys, into KEY-cert.pub",
    .options = options,
    .values_size = sizeof(Values),
    .least = 1,
    .most = -1,
    .run = certify_run,
};
