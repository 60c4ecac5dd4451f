#include "transports.h"

#include <aclapi.h>
#include <sddl.h>

#include "base/auto.h"
#include "base/memory.h"

static void *token_part(HANDLE token, TOKEN_INFORMATION_CLASS part)
{
    DWORD len = 0;
    GetTokenInformation(token, part, NULL, 0, &len);
    void *information = ly_alloc(len);
    if (GetTokenInformation(token, part, information, len, &len))
        return information;
    ly_free(information);
    return NULL;
}

static bool only_user(const char *format, const char *sid, SECURITY_ATTRIBUTES *attributes)
{
    LY_AUTO_FREE char *text = ly_format(format, sid, sid);
    *attributes = (SECURITY_ATTRIBUTES){.nLength = sizeof *attributes};
    return ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1,
                                                                &attributes->lpSecurityDescriptor, NULL);
}

bool user_get(User *user, LyError *error)
{
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return windows_error(error, GetLastError(), "cannot tell which user runs this program");
    TOKEN_USER *of_user = token_part(token, TokenUser);
    TOKEN_OWNER *of_owner = token_part(token, TokenOwner);
    DWORD code = GetLastError();
    CloseHandle(token);
    if (!of_user || !of_owner || !ConvertSidToStringSidA(of_user->User.Sid, &user->sid_text))
        return windows_error(error, code, "cannot tell which user runs this program");
    user->sid = of_user->User.Sid; /* they live as long as the program */
    user->owner = of_owner->Owner;
    /* P: nothing is inherited. NU: whoever comes over the network. */
    if (!only_user("O:%sD:P(A;;FA;;;%s)", user->sid_text, &user->only_user_file) ||
        !only_user("O:%sD:P(D;;GA;;;NU)(A;;GRGW;;;%s)", user->sid_text, &user->only_user_pipe))
        return windows_error(error, GetLastError(), "cannot make a security descriptor");
    return true;
}

bool user_owns(const User *user, HANDLE object, LyError *error)
{
    PSID owner = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    DWORD code = GetSecurityInfo(object, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL,
                                 NULL, &descriptor);
    if (code != ERROR_SUCCESS)
        return windows_error(error, code, "cannot tell whose it is");
    bool ours = owner ? EqualSid(owner, user->sid) || EqualSid(owner, user->owner) : null_owner_is_ours();
    if (!ours)
        ly_error_set(error, LY_ERROR_INVALID, owner ? "it belongs to another user" : "it has no owner");
    LocalFree(descriptor);
    return ours;
}
