#include <stdio.h>

#include "base/auto.h"
#include "tokens.h"

/* PKCS#11 pads texts with blanks, and does not end them. */
static void copy_text(const CK_UTF8CHAR *text, size_t len, char *out, size_t room)
{
    ly_printable(ly_bytes_trim(ly_bytes(text, strnlen((const char *)text, len))), out, room);
}

bool token_open(Token *token, CK_FUNCTION_LIST *functions, CK_SLOT_ID slot, LyError *error)
{
    CK_TOKEN_INFO info = {0};
    *token = (Token){.functions = functions, .slot = slot, .session = CK_INVALID_HANDLE};
    CK_RV rv = functions->C_GetTokenInfo(slot, &info);
    if (rv != CKR_OK)
        return ly_error_set(error, LY_ERROR_IO, "the token in slot %lu cannot be read: %s", slot,
                            p11_kit_strerror(rv));
    copy_text(info.label, sizeof info.label, token->label, sizeof token->label);
    copy_text(info.serialNumber, sizeof info.serialNumber, token->serial, sizeof token->serial);
    token->flags = info.flags;
    if (!(info.flags & CKF_TOKEN_INITIALIZED))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "the token in slot %lu is not set up", slot);
    rv = functions->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session);
    if (rv == CKR_OK)
        return true;
    token->session = CK_INVALID_HANDLE;
    return ly_error_set(error, LY_ERROR_IO, "the token \"%s\" does not open: %s", token->label,
                        p11_kit_strerror(rv));
}

void token_close(Token *token)
{
    if (token->session != CK_INVALID_HANDLE)
        token->functions->C_CloseSession(token->session);
    token->session = CK_INVALID_HANDLE;
    token->logged_in = false;
}

bool token_reopen(Token *token, LyError *error)
{
    Token now;
    token_close(token);
    bool open = token_open(&now, token->functions, token->slot, error);
    /* Its PIN is not to be tried on another card. */
    if (open && (strcmp(now.serial, token->serial) != 0 || strcmp(now.label, token->label) != 0)) {
        token_close(&now);
        return ly_error_set(error, LY_ERROR_INVALID, "another token is in the slot of \"%s\": \"%s\"",
                            token->label, now.label);
    }
    if (open)
        *token = now;
    return open;
}

bool token_is_lost(CK_RV rv)
{
    return rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED || rv == CKR_DEVICE_REMOVED ||
           rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_TOKEN_NOT_RECOGNIZED;
}

/* What the token says of the tries that are left, once one has failed. */
static const char *tries_left(const Token *token)
{
    CK_TOKEN_INFO info = {0};
    if (token->functions->C_GetTokenInfo(token->slot, &info) != CKR_OK)
        return "";
    return info.flags & CKF_USER_PIN_LOCKED      ? ", and it is locked now"
           : info.flags & CKF_USER_PIN_FINAL_TRY ? ", and there is one try left before it is locked"
           : info.flags & CKF_USER_PIN_COUNT_LOW ? ", and there are few tries left"
                                                 : "";
}

Login token_login(Token *token, LyBytes pin, bool for_one, char note[300])
{
    bool has_pad = token->flags & CKF_PROTECTED_AUTHENTICATION_PATH;
    note[0] = 0;
    if (!has_pad && pin.len == 0)
        return LOGIN_NEEDS_PIN;
    CK_RV rv = token->functions->C_Login(token->session, for_one ? CKU_CONTEXT_SPECIFIC : CKU_USER,
                                         has_pad ? NULL : (CK_UTF8CHAR *)(uintptr_t)pin.data,
                                         has_pad ? 0 : (CK_ULONG)pin.len);
    switch (rv) {
    case CKR_OK:
    case CKR_USER_ALREADY_LOGGED_IN:
        token->logged_in = true;
        return LOGIN_DONE;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
        snprintf(note, 300, "the PIN of the token \"%s\" is wrong%s", token->label, tries_left(token));
        return LOGIN_WRONG;
    case CKR_PIN_LOCKED:
        snprintf(note, 300, "the PIN of the token \"%s\" is locked: unlock it with the token's own program",
                 token->label);
        return LOGIN_FAILED;
    default:
        snprintf(note, 300, "cannot log in to the token \"%s\": %s", token->label, p11_kit_strerror(rv));
        return LOGIN_FAILED;
    }
}
