/* generate: new key pairs. */
#include "commands.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "describe.h"
#include "encryption.h"
#include "key/fingerprint.h"
#include "loop/loop.h"
#include "output.h"

#define DOT_US 250000

typedef struct Values {
    const char *type, *comment, *file, *format;
    uint64_t bits;
    bool weak, force;
    EncryptionValues encryption;
} Values;

typedef struct Kind {
    const char *name, *file;
    LyPkType pk;
    unsigned bits; /* by default */
} Kind;

static const Kind kinds[] = {
    {"ed25519", "id_ed25519", LY_PK_ED25519, 256},
    {"ecdsa", "id_ecdsa", LY_PK_ECDSA, 256},
    {"rsa", "id_rsa", LY_PK_RSA, 3072},
    {"ed448", "id_ed448", LY_PK_ED448, 456},
};

static Status choose_kind(Tool *tool, const Values *values, const Kind **kind, unsigned *bits)
{
    const char *name = values->type ? values->type : kinds[0].name;
    size_t i = 0;
    while (i < LY_COUNT(kinds) && strcasecmp(name, kinds[i].name) != 0)
        i++;
    if (i == LY_COUNT(kinds))
        return tool_fail(tool, STATUS_USAGE,
                         "the type \"%s\" is not made here: -t takes ed25519, ecdsa, rsa or ed448",
                         LY_PRINTABLE(ly_bytes_str(name)));
    *kind = &kinds[i];
    *bits = values->bits ? (unsigned)values->bits : kinds[i].bits;
    if (kinds[i].pk == LY_PK_ECDSA && *bits != 256 && *bits != 384 && *bits != 521)
        return tool_fail(tool, STATUS_USAGE, "ecdsa keys have 256, 384 or 521 bits, and not %u", *bits);
    if (kinds[i].pk == LY_PK_RSA && (*bits < 1024 || *bits > 16384))
        return tool_fail(tool, STATUS_USAGE, "rsa keys have 1024 to 16384 bits, and not %u", *bits);
    if (kinds[i].pk == LY_PK_RSA && *bits < 2048 && !values->weak)
        return tool_fail(tool, STATUS_USAGE,
                         "an rsa key of %u bits is weak: use 3072, or say --weak where nothing else will do",
                         *bits);
    if ((kinds[i].pk == LY_PK_ED25519 || kinds[i].pk == LY_PK_ED448) && *bits != kinds[i].bits)
        return tool_fail(tool, STATUS_USAGE, "%s keys have %u bits always", name, kinds[i].bits);
    return STATUS_OK;
}

static Status choose_format(Tool *tool, const char *name, LyKeyFormat *format)
{
    *format = LY_KEY_OPENSSH;
    if (name && (!ly_key_format_find(ly_bytes_str(name), format) || !format_encrypts(*format)))
        return tool_fail(tool, STATUS_USAGE,
                         "--format takes openssh, pem, pkcs8, ppk or ppk2, and not \"%s\"",
                         LY_PRINTABLE(ly_bytes_str(name)));
    return STATUS_OK;
}

static char *default_comment(void)
{
    char host[256] = "localhost";
    const struct passwd *user = getpwuid(getuid());
    gethostname(host, sizeof host - 1);
    return user ? ly_format("%s@%s", user->pw_name, host) : ly_format("%u@%s", (unsigned)getuid(), host);
}

static Status choose_file(Tool *tool, const Values *values, const Kind *kind, char **file)
{
    if (values->file) {
        *file = ly_strdup(values->file);
        return STATUS_OK;
    }
    LY_AUTO_FREE char *folder = file_home_path("~/.ssh");
    LyError error;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        ly_error_set_errno(&error, errno, "cannot make the folder");
        return tool_error(tool, folder, &error);
    }
    *file = ly_format("%s/%s", folder, kind->file);
    return STATUS_OK;
}

/* Making the key; what takes seconds shows that it goes on. */
typedef struct Making {
    LyCrypto *crypto;
    LyPkType pk;
    unsigned bits;
    LyBytes comment;
    LyLoop *loop;
    LyTimer *timer;
    bool done;
    LyKey *key;
    LyError error;
} Making;

static void make(void *data)
{
    Making *making = data;
    making->key = ly_key_generate(making->crypto, making->pk, making->bits, making->comment, &making->error);
}

static void made(void *data, bool cancelled)
{
    Making *making = data;
    making->done = true;
    ly_loop_quit(making->loop);
}

static void show_dot(void *data)
{
    Making *making = data;
    fputc('.', stderr);
    ly_timer_set(making->timer, ly_loop_now_us(making->loop) + DOT_US);
}

static LyKey *make_key(Tool *tool, const Kind *kind, unsigned bits, const char *comment, LyError *error)
{
    Making making = {.crypto = tool->crypto, .pk = kind->pk, .bits = bits, .comment = ly_bytes_str(comment)};
    if (kind->pk == LY_PK_RSA && !tool->quiet && isatty(STDERR_FILENO) && (making.loop = tool_loop(tool))) {
        making.timer = ly_timer_new(making.loop, show_dot, &making);
        ly_timer_set(making.timer, ly_loop_now_us(making.loop) + DOT_US);
        ly_loop_work(making.loop, make, made, &making);
        while (!making.done)
            ly_loop_run(making.loop);
        ly_timer_free(making.timer);
        fputs("\r\033[K", stderr);
    } else {
        make(&making);
    }
    if (!making.key)
        *error = making.error;
    return making.key;
}

static Status print_report(Tool *tool, const char *file, const char *public_file, LyKeyFormat format,
                           const LyKey *key)
{
    LY_AUTO(ly_buf_free) LyBuf out = {0};
    if (tool->json) {
        LyJson json = {.out = &out};
        ly_json_begin(&json, '{');
        ly_json_name(&json, "file");
        ly_json_cstring(&json, file);
        ly_json_name(&json, "public_file");
        ly_json_cstring(&json, public_file);
        ly_json_name(&json, "format");
        ly_json_cstring(&json, ly_key_format_name(format));
        ly_json_name(&json, "type");
        ly_json_cstring(&json, ly_key_type_name(key));
        ly_json_name(&json, "bits");
        ly_json_unsigned(&json, ly_key_bits(key));
        json_fingerprint(tool, &json, "fingerprint", ly_key_plain_blob(key));
        json_comment(&json, ly_key_comment(key));
        ly_json_end(&json, '}');
        return tool_print(tool, ly_buf_bytes(&out));
    }
    if (tool->quiet)
        return STATUS_OK;
    ly_buf_add_str(&out, "Your identification has been saved in ");
    put_printable(&out, ly_bytes_str(file));
    ly_buf_add_str(&out, "\nYour public key has been saved in ");
    put_printable(&out, ly_bytes_str(public_file));
    ly_buf_add_str(&out, "\nThe key fingerprint is:\n");
    ly_key_put_fingerprint(tool->crypto, ly_key_plain_blob(key), LY_SHA256, &out);
    ly_buf_add_str(&out, " ");
    put_printable(&out, ly_key_comment(key));
    ly_buf_add_str(&out, "\nThe key's randomart image is:\n");
    put_key_randomart(tool, key, LY_SHA256, "", &out);
    return tool_print(tool, ly_buf_bytes(&out));
}

typedef struct Places {
    char *file, *public_file;
    FileMode mode, public_mode;
    bool standard; /* the private half goes to stdout, and nothing else goes anywhere */
} Places;

static Status find_places(Tool *tool, const Values *values, const Kind *kind, Places *places)
{
    Status status = choose_file(tool, values, kind, &places->file);
    if (status)
        return status;
    places->standard = strcmp(places->file, "-") == 0;
    if (places->standard)
        return tool->json
                   ? tool_fail(tool, STATUS_USAGE, "--json and a key on standard output exclude each other")
                   : STATUS_OK;
    places->public_file = ly_format("%s.pub", places->file);
    status = output_allowed(tool, places->file, values->force, FILE_OVERWRITE, &places->mode);
    /* Who gives up the private half gives up the public one too. */
    if (!status)
        status = output_allowed(tool, places->public_file, values->force || places->mode != FILE_NEW,
                                FILE_REPLACE, &places->public_mode);
    return status;
}

static Status write_pair(Tool *tool, const Places *places, LyBytes text, const LyKey *key)
{
    Status status = output_write(tool, places->file, places->mode, MODE_PRIVATE, text);
    if (status || places->standard)
        return status;
    LY_AUTO(ly_buf_free) LyBuf line = {0};
    ly_key_write_line(key, &line);
    status = output_write(tool, places->public_file, places->public_mode, MODE_PUBLIC, ly_buf_bytes(&line));
    if (status && places->mode == FILE_NEW)
        unlink(places->file); /* both, or nothing */
    return status;
}

static Status generate(Tool *tool, const Values *values, const Kind *kind, unsigned bits, LyKeyFormat format,
                       Places *places, LyKeyWriteOptions *options, char **passphrase)
{
    LyError error;
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LY_AUTO_FREE char *comment = values->comment ? ly_strdup(values->comment) : default_comment();
    Status status = find_places(tool, values, kind, places);
    if (!status)
        status = tool_new_passphrase(tool, places->file, passphrase);
    if (status)
        return status;
    options->passphrase = ly_bytes_str(*passphrase);
    if (!tool->quiet && !tool->json && !places->standard)
        fprintf(stderr, "Generating public/private %s key pair.\n", kind->name);
    LyKey *key = make_key(tool, kind, bits, comment, &error);
    if (!key)
        return tool_error(tool, NULL, &error);
    status = output_private(tool, places->file, key, format, options, &text);
    if (!status)
        status = write_pair(tool, places, ly_buf_bytes(&text), key);
    if (!status && !places->standard)
        status = print_report(tool, places->file, places->public_file, format, key);
    ly_key_unref(key);
    return status;
}

static Status generate_run(Tool *tool, void *data, int argc, char **argv)
{
    const Values *values = data;
    const Kind *kind = NULL;
    unsigned bits = 0;
    LyKeyFormat format;
    LyKeyWriteOptions options = {0};
    Places places = {0};
    char *passphrase = NULL;
    Status status = choose_kind(tool, values, &kind, &bits);
    if (!status)
        status = choose_format(tool, values->format, &format);
    if (!status)
        status = encryption_choose(tool, &values->encryption, format, NULL, &options);
    if (!status)
        status = generate(tool, values, kind, bits, format, &places, &options, &passphrase);
    ly_free(places.file);
    ly_free(places.public_file);
    ly_secret_free(passphrase);
    return status;
}

static const Option generate_options[] = {
    {"type", 't', "TYPE", OPTION_STRING, offsetof(Values, type), 0, "ed25519 (default), ecdsa, rsa or ed448"},
    {"bits", 'b', "BITS", OPTION_NUMBER, offsetof(Values, bits), 0,
     "rsa: 2048 to 16384 (3072); ecdsa: 256, 384 or 521"},
    {"comment", 'C', "TEXT", OPTION_STRING, offsetof(Values, comment), 0, "the key's comment (user@host)"},
    {"file", 'f', "FILE", OPTION_STRING, offsetof(Values, file), 0,
     "write FILE and FILE.pub (~/.ssh/id_TYPE); -: the private half to standard output"},
    {"format", 'm', "FORMAT", OPTION_STRING, offsetof(Values, format), 0,
     "openssh (default), pem, pkcs8, ppk (PPK 3) or ppk2"},
    ENCRYPTION_OPTIONS(Values),
    {"weak", 0, NULL, OPTION_FLAG, offsetof(Values, weak), 0, "allow rsa below 2048 bits"},
    {"force", 0, NULL, OPTION_FLAG, offsetof(Values, force), 0, "overwrite without asking"},
    {NULL},
};

const Command generate_command = {
    .name = "generate",
    .arguments = "",
    .summary = "Make a new key pair",
    .options = generate_options,
    .values_size = sizeof(Values),
    .run = generate_run,
};
