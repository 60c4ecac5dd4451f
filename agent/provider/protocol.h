/* Between lanyard-agent and lanyard-agent-provider, which loads one PKCS#11 module or one security key
 * library and holds no key. A process for each: a module that crashes, hangs or writes over its memory costs
 * its own keys, and neither the agent's nor another module's; ending the process logs out of its tokens.
 *
 * Command line: lanyard-agent-provider KIND PATH, KIND pkcs11 or sk; PATH absolute, of sk also "internal"
 * (libfido2). A socket is stdin and stdout: each message a uint32 length and so many bytes, RFC 4251's types
 * within. The agent asks, the helper answers, one at a time; it ends with its stdin.
 *
 * Requests: byte, then
 *   PROVIDER_LIST     string pin
 *   PROVIDER_SIGN     string key blob (plain), string algorithm, string data, string pin
 *   PROVIDER_SK_SIGN  string key type, string application, byte flags, string key handle, string data,
 *                     string pin
 * An empty pin is none.
 *
 * Replies: byte, string note (a sentence for the log and the person; may be empty), then
 *   PROVIDER_DONE     for LIST: uint32 count, each: string key blob, string comment;
 *                     else: string signature blob
 *   PROVIDER_FAILED   nothing: the note says why
 *   PROVIDER_PIN      string whose PIN it is: nothing was signed, ask the person and try again
 *
 * Security key libraries: the interface of OpenSSH's PROTOCOL.u2f and sk-api.h, version 10. */
#ifndef AGENT_PROVIDER_PROTOCOL_H
#define AGENT_PROVIDER_PROTOCOL_H

enum { PROVIDER_LIST = 1, PROVIDER_SIGN = 2, PROVIDER_SK_SIGN = 3 };
enum { PROVIDER_DONE = 0, PROVIDER_FAILED = 1, PROVIDER_PIN = 2 };
enum { PROVIDER_SK_TOUCH = 1 /* in the flags of an sk-* key: it wants a touch */ };
enum {
    PROVIDER_MESSAGE_MAX = 1 << 20, /* bytes */
    PROVIDER_KEYS_MAX = 512,        /* of a module */
    PROVIDER_PIN_MAX = 255,         /* bytes */
};

#define PROVIDER_PROGRAM "lanyard-agent-provider"
#define PROVIDER_PKCS11 "pkcs11"
#define PROVIDER_SK "sk"
#define PROVIDER_INTERNAL "internal"

#endif
