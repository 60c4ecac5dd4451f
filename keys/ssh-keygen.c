/* ssh-keygen's command line, and which of its subjects that asks for. */
#include "ssh-keygen.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"
#include "certificate-options.h"
#include "ssh-keygen-private.h"

/* The usual text, which scripts and people know. */
static const char usage_text[] =
    "usage: ssh-keygen [-q] [-a rounds] [-b bits] [-C comment] [-f output_keyfile]\n"
    "                  [-m format] [-N new_passphrase] [-t ecdsa | ed25519 | rsa]\n"
    "                  [-Z cipher]\n"
    "       ssh-keygen -p [-a rounds] [-f keyfile] [-m format] [-N new_passphrase]\n"
    "                   [-P old_passphrase] [-Z cipher]\n"
    "       ssh-keygen -i [-f input_keyfile] [-m key_format]\n"
    "       ssh-keygen -e [-f input_keyfile] [-m key_format]\n"
    "       ssh-keygen -y [-f input_keyfile]\n"
    "       ssh-keygen -c [-a rounds] [-C comment] [-f keyfile] [-P passphrase]\n"
    "       ssh-keygen -l [-v] [-E fingerprint_hash] [-f input_keyfile]\n"
    "       ssh-keygen -B [-f input_keyfile]\n"
    "       ssh-keygen -F hostname [-lv] [-f known_hosts_file]\n"
    "       ssh-keygen -H [-f known_hosts_file]\n"
    "       ssh-keygen -R hostname [-f known_hosts_file]\n"
    "       ssh-keygen -r hostname [-g] [-f input_keyfile]\n"
    "       ssh-keygen -I certificate_identity -s ca_key [-hU] [-n principals]\n"
    "                  [-O option] [-V validity_interval] [-z serial_number] file ...\n"
    "       ssh-keygen -L [-f input_keyfile]\n"
    "       ssh-keygen -A [-a rounds] [-f prefix_path]\n"
    "       ssh-keygen -k -f krl_file [-u] [-s ca_public] [-z version_number]\n"
    "                  file ...\n"
    "       ssh-keygen -Q [-l] -f krl_file [file ...]\n"
    "       ssh-keygen -Y find-principals -s signature_file -f allowed_signers_file\n"
    "       ssh-keygen -Y match-principals -I signer_identity -f allowed_signers_file\n"
    "       ssh-keygen -Y check-novalidate -n namespace -s signature_file\n"
    "       ssh-keygen -Y sign -f key_file -n namespace file [-O option] ...\n"
    "       ssh-keygen -Y verify -f allowed_signers_file -I signer_identity\n"
    "                  -n namespace -s signature_file [-r krl_file] [-O option]\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return KEYGEN_NO;
}

/* As OpenSSH says it of numbers out of range; NULL: fine. */
static const char *read_number(const char *text, uint64_t most, uint32_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end)
        return "invalid";
    if (errno == ERANGE || value < 1 || (unsigned long long)value > most)
        return value < 1 ? "too small" : "too large";
    *number = (uint32_t)value;
    return NULL;
}

static int take_bits(Keygen *keygen, const char *text)
{
    const char *wrong = read_number(text, UINT32_MAX, &keygen->bits);
    return wrong ? keygen_fatal("Bits has bad value %s (%s)", text, wrong) : KEYGEN_OK;
}

static int take_rounds(Keygen *keygen, const char *text)
{
    const char *wrong = read_number(text, INT32_MAX, &keygen->rounds);
    return wrong ? keygen_fatal("Invalid number: %s (%s)", text, wrong) : KEYGEN_OK;
}

static int take_hash(Keygen *keygen, const char *text)
{
    for (int hash = 0; hash < LY_HASH_COUNT; hash++) {
        if (strcasecmp(ly_hash_name((LyHash)hash), text) == 0) {
            keygen->hash = (LyHash)hash;
            return KEYGEN_OK;
        }
    }
    return keygen_fatal("Invalid hash algorithm \"%s\"", text);
}

static int take_format(Keygen *keygen, const char *text)
{
    static const struct {
        const char *name;
        LyKeyFormat convert, private_format;
    } formats[] = {
        {"RFC4716", LY_KEY_RFC4716, LY_KEY_OPENSSH},
        {"ssh2", LY_KEY_RFC4716, LY_KEY_OPENSSH},
        {"PKCS8", LY_KEY_PKCS8, LY_KEY_PKCS8},
        {"PEM", LY_KEY_PEM, LY_KEY_PEM},
    };
    for (size_t i = 0; i < LY_COUNT(formats); i++) {
        if (strcasecmp(formats[i].name, text) == 0) {
            keygen->convert_format = formats[i].convert;
            if (formats[i].private_format != LY_KEY_OPENSSH)
                keygen->private_format = formats[i].private_format;
            return KEYGEN_OK;
        }
    }
    return keygen_fatal("Unsupported conversion format \"%s\"", text);
}

static int take_cipher(Keygen *keygen, const char *text)
{
    static const char *const ciphers[] = {
        "3des-cbc",
        "aes128-cbc",
        "aes192-cbc",
        "aes256-cbc",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "aes128-gcm@openssh.com",
        "none",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    };
    keygen->cipher = text;
    for (size_t i = 0; i < LY_COUNT(ciphers); i++)
        if (strcmp(ciphers[i], text) == 0)
            return KEYGEN_OK;
    return keygen_fatal("Invalid OpenSSH-format cipher '%s'", text);
}

static int take_serial(Keygen *keygen, const char *text)
{
    keygen->serial_steps = keygen->serial_steps || *text == '+';
    text += *text == '+';
    if (!ly_bytes_number(ly_bytes_str(text), UINT64_MAX, &keygen->serial))
        return keygen_fatal("Invalid serial number \"%s\"", text);
    return KEYGEN_OK;
}

static int take_validity(Keygen *keygen, const char *text)
{
    LyError error;
    if (certificate_validity_read(ly_bytes_str(text), (uint64_t)time(NULL), &keygen->valid_after,
                                  &keygen->valid_before, &error))
        return KEYGEN_OK;
    return keygen_fatal("Invalid certificate life specification %s: %s", text, error.message);
}

static int take_moduli(Keygen *keygen, const char *text)
{
    keygen->moduli = text;
    if (strcmp(text, "generate") != 0 && strcmp(text, "screen") != 0)
        return keygen_fatal("Unsupported moduli option %s", text);
    return KEYGEN_OK;
}

static int take_host_to_find(Keygen *keygen, const char *text)
{
    keygen->find_host = true;
    keygen->host = text;
    return KEYGEN_OK;
}

static int take_host_to_delete(Keygen *keygen, const char *text)
{
    keygen->delete_host = true;
    keygen->host = text;
    return KEYGEN_OK;
}

typedef struct Letter {
    char letter;
    enum { FLAG, TEXT, LIST, TAKE, NOTHING } kind;
    size_t offset;
    int (*take)(Keygen *keygen, const char *text);
} Letter;

#define AT(field) offsetof(Keygen, field), NULL
static const Letter letters[] = {
    {'A', FLAG, AT(all_host_keys)},
    {'B', FLAG, AT(bubblebabble)},
    {'C', TEXT, AT(comment)},
    {'D', TEXT, AT(provider)},
    {'E', TAKE, 0, take_hash},
    {'F', TAKE, 0, take_host_to_find},
    {'H', FLAG, AT(hash_hosts)},
    {'I', TEXT, AT(id)},
    {'K', FLAG, AT(download)},
    {'L', FLAG, AT(show_certificate)},
    {'M', TAKE, 0, take_moduli},
    {'N', TEXT, AT(new_passphrase)},
    {'O', LIST, AT(options)},
    {'P', TEXT, AT(passphrase)},
    {'Q', FLAG, AT(check_krl)},
    {'R', TAKE, 0, take_host_to_delete},
    {'U', FLAG, AT(use_agent)},
    {'V', TAKE, 0, take_validity},
    {'X', FLAG, AT(import_key)},
    {'Y', TEXT, AT(operation)},
    {'Z', TAKE, 0, take_cipher},
    {'a', TAKE, 0, take_rounds},
    {'b', TAKE, 0, take_bits},
    {'c', FLAG, AT(change_comment)},
    {'e', FLAG, AT(export_key)},
    {'f', TEXT, AT(file)},
    {'g', FLAG, AT(generic)},
    {'h', FLAG, AT(for_host)},
    {'i', FLAG, AT(import_key)},
    {'k', FLAG, AT(make_krl)},
    {'l', FLAG, AT(show_fingerprint)},
    {'m', TAKE, 0, take_format},
    {'n', TEXT, AT(names)},
    {'o', NOTHING, 0, NULL}, /* the format that it asked for is the default */
    {'p', FLAG, AT(change_passphrase)},
    {'q', FLAG, AT(quiet)},
    {'r', TEXT, AT(host)},
    {'s', TEXT, AT(authority)},
    {'t', TEXT, AT(type)},
    {'u', FLAG, AT(update_krl)},
    {'v', FLAG, AT(verbose)},
    {'w', TEXT, AT(security_key)},
    {'y', FLAG, AT(print_public)},
    {'z', TAKE, 0, take_serial},
};

static void list_add(StringList *list, const char *text)
{
    list->items = ly_realloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = text;
}

static int take_letter(Keygen *keygen, const Letter *letter, const char *text)
{
    char *at = (char *)keygen + letter->offset;
    switch (letter->kind) {
    case FLAG:
        *(bool *)(void *)at = true;
        return KEYGEN_OK;
    case TEXT:
        *(const char **)(void *)at = text;
        return KEYGEN_OK;
    case LIST:
        list_add((StringList *)(void *)at, text);
        return KEYGEN_OK;
    case TAKE:
        return letter->take(keygen, text);
    default:
        return KEYGEN_OK;
    }
}

static int read_options(Keygen *keygen, int argc, char **argv)
{
    /* "+": options end at the first argument; ":": we say ourselves what is wrong. */
    char known[2 * LY_COUNT(letters) + 3] = "+:";
    size_t len = 2;
    for (size_t i = 0; i < LY_COUNT(letters); i++) {
        known[len++] = letters[i].letter;
        if (letters[i].kind != FLAG && letters[i].kind != NOTHING)
            known[len++] = ':';
    }
    optind = 0;
    for (int letter; (letter = getopt(argc, argv, known)) != -1;) {
        if (letter == '?' || letter == ':') {
            keygen_say(letter == ':' ? "option requires an argument -- %c" : "unknown option -- %c", optopt);
            return usage();
        }
        for (size_t i = 0; i < LY_COUNT(letters); i++) {
            int status = letters[i].letter == letter ? take_letter(keygen, &letters[i], optarg) : KEYGEN_OK;
            if (status)
                return status;
        }
    }
    return KEYGEN_OK;
}

/* What an operation of -Y needs, in the order in which it is missed, and with the words that it is missed
 * with. */
typedef struct Operation {
    const char *name;
    struct {
        size_t offset; /* into Keygen; of the names that -n gives, "" is missing too */
        const char *missing;
    } needs[4];
} Operation;

#define NEEDS(field, missing)                                                                                \
    {                                                                                                        \
        offsetof(Keygen, field), missing                                                                     \
    }
static const Operation operations[] = {
    {"find-principals",
     {NEEDS(authority, "find-principals:missing signature file"),
      NEEDS(file, "find-principals:missing allowed keys file")}},
    {"match-principals",
     {NEEDS(file, "match-principals:missing allowed keys file"),
      NEEDS(id, "match-principals: missing principal ID")}},
    {"sign", {NEEDS(names, "sign: missing namespace"), NEEDS(file, "sign: missing key")}},
    {"check-novalidate",
     {NEEDS(names, "check-novalidate: missing namespace"),
      NEEDS(authority, "check-novalidate: missing signature file")}},
    {"verify",
     {NEEDS(names, "verify: missing namespace"), NEEDS(authority, "verify: missing signature file"),
      NEEDS(file, "sign: missing allowed keys file"), NEEDS(id, "verify: missing principal identity")}},
};

static int run_operation(Keygen *keygen, int argc, char **argv)
{
    size_t which = 0;
    while (which < LY_COUNT(operations) && strcmp(operations[which].name, keygen->operation) != 0)
        which++;
    if (which == LY_COUNT(operations)) {
        keygen_say("Unsupported operation for -Y: \"%s\"", keygen->operation);
        return usage();
    }
    const Operation *operation = &operations[which];
    for (size_t i = 0; i < LY_COUNT(operation->needs) && operation->needs[i].missing; i++) {
        const char *text = *(const char **)(void *)((char *)keygen + operation->needs[i].offset);
        if (!text || (operation->needs[i].offset == offsetof(Keygen, names) && !*text)) {
            keygen_say("Too few arguments for %s", operation->needs[i].missing);
            return KEYGEN_NO;
        }
    }
    switch (which) {
    case 0:
        return keygen_find_principals(keygen);
    case 1:
        return keygen_match_principals(keygen);
    case 2:
        return keygen_sign(keygen, argc, argv);
    default:
        return keygen_verify(keygen, which == 4);
    }
}

static int run(Keygen *keygen, int argc, char **argv)
{
    if (keygen->security_key || keygen->download)
        return keygen_fatal(
            "Security keys (-w, -K) are not supported: make and download their keys with OpenSSH's "
            "ssh-keygen; their files can be read and converted here");
    if (keygen->provider)
        return keygen_fatal("PKCS#11 tokens (-D) are not supported: use OpenSSH's ssh-keygen for them");
    if (keygen->moduli)
        return keygen_fatal("Moduli (-M) are not supported: use OpenSSH's ssh-keygen for them");
    if (keygen->operation)
        return run_operation(keygen, argc, argv);
    const char *wrong = NULL;
    if (keygen->authority && argc < 1 && !keygen->make_krl)
        wrong = "Too few arguments.";
    else if (!keygen->authority && argc > 0 && !keygen->make_krl && !keygen->check_krl)
        wrong = "Too many arguments.";
    else if (keygen->change_passphrase && keygen->change_comment)
        wrong = "Can only have one of -p and -c.";
    else if (keygen->show_fingerprint && (keygen->delete_host || keygen->hash_hosts))
        wrong = "Cannot use -l with -H or -R.";
    if (wrong) {
        keygen_say("%s", wrong);
        return usage();
    }
    if (keygen->make_krl)
        return keygen_make_krl(keygen, argc, argv);
    if (keygen->check_krl)
        return keygen_check_krl(keygen, argc, argv);
    if (keygen->authority)
        return keygen_certify(keygen, argc, argv);
    if (keygen->find_host || keygen->delete_host || keygen->hash_hosts)
        return keygen->show_certificate ? keygen_show_certificate(keygen) : keygen_hosts(keygen);
    /* The first one that was asked for, in ssh-keygen's order. */
    const struct {
        bool asked;
        int (*subject)(Keygen *keygen);
    } subjects[] = {
        {keygen->show_certificate, keygen_show_certificate},
        {keygen->show_fingerprint || keygen->bubblebabble, keygen_fingerprint},
        {keygen->change_passphrase, keygen_change_passphrase},
        {keygen->change_comment, keygen_change_comment},
        {keygen->export_key, keygen_export},
        {keygen->import_key, keygen_import},
        {keygen->print_public, keygen_public},
        {keygen->host != NULL, keygen_resource_records},
        {keygen->all_host_keys, keygen_all_host_keys},
    };
    for (size_t i = 0; i < LY_COUNT(subjects); i++)
        if (subjects[i].asked)
            return subjects[i].subject(keygen);
    return keygen_generate(keygen);
}

int ssh_keygen_main(int argc, char **argv)
{
    Tool tool;
    int status = KEYGEN_FATAL;
    if (tool_open(&tool, "ssh-keygen")) {
        Keygen keygen = {
            .tool = &tool,
            .crypto = tool.crypto,
            .hash = LY_SHA256,
            .valid_before = UINT64_MAX,
            .convert_format = LY_KEY_RFC4716,
            .private_format = LY_KEY_OPENSSH,
        };
        status = read_options(&keygen, argc, argv);
        if (keygen.rounds > 1000) /* whoever asks for so many may have such a key already */
            tool.limits.max_bcrypt_rounds = keygen.rounds;
        if (!status)
            status = run(&keygen, argc - optind, argv + optind);
        ly_free(keygen.options.items);
        ly_free(keygen.asked_file);
        if (fflush(stdout) != 0 && status == KEYGEN_OK)
            status = keygen_fatal("cannot write to standard output: %s", strerror(errno));
    }
    tool_close(&tool);
    return status;
}
