/* A dialog for a question: yes or no, or a passphrase. */
#include <stdlib.h>

#include "ask.h"
#include "base/secret.h"
#include "dialog.h"

enum { ANSWER_MAX = 1024 };

typedef struct Dialog {
    const char *text;
    bool confirm, done, yes;
    char *answer; /* ANSWER_MAX bytes */
} Dialog;

/* What was typed is overwritten in the field too. */
static void take_answer(HWND window, Dialog *dialog, bool yes)
{
    dialog->done = true;
    dialog->yes = yes;
    if (dialog->confirm)
        return;
    if (yes)
        GetDlgItemTextA(window, DIALOG_ANSWER, dialog->answer, ANSWER_MAX);
    SetDlgItemTextA(window, DIALOG_ANSWER, "********************************");
}

static INT_PTR CALLBACK procedure(HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
    Dialog *dialog = (Dialog *)GetWindowLongPtrA(window, DWLP_USER);
    if (message == WM_INITDIALOG) {
        dialog = (Dialog *)lparam;
        SetWindowLongPtrA(window, DWLP_USER, lparam);
        SetDlgItemTextA(window, DIALOG_TEXT, dialog->text);
        if (!dialog->confirm)
            SendDlgItemMessageA(window, DIALOG_ANSWER, EM_LIMITTEXT, ANSWER_MAX - 1, 0);
        SetForegroundWindow(window);
        return TRUE;
    }
    if (message == WM_COMMAND && dialog && (LOWORD(wparam) == IDOK || LOWORD(wparam) == IDCANCEL)) {
        take_answer(window, dialog, LOWORD(wparam) == IDOK);
        return TRUE;
    }
    return FALSE;
}

/* Messages of this thread until it is answered or cancelled. */
static void run(HWND window, Dialog *dialog, HANDLE cancel)
{
    while (!dialog->done) {
        DWORD woken = MsgWaitForMultipleObjects(cancel ? 1 : 0, &cancel, FALSE, INFINITE, QS_ALLINPUT);
        if (cancel && woken == WAIT_OBJECT_0)
            return;
        MSG message;
        while (!dialog->done && PeekMessageA(&message, NULL, 0, 0, PM_REMOVE))
            if (!IsDialogMessageA(window, &message)) {
                TranslateMessage(&message);
                DispatchMessageA(&message);
            }
    }
}

char *dialog(const char *text, bool confirm, HANDLE cancel, const char **why)
{
    char *lines = ly_secret_alloc(2 * strlen(text) + 1), *to = lines;
    for (; *text; text++) { /* static texts break at CR LF */
        if (*text == '\n')
            *to++ = '\r';
        *to++ = *text;
    }
    Dialog state = {.text = lines, .confirm = confirm, .answer = ly_secret_alloc(ANSWER_MAX)};
    HWND window =
        CreateDialogParamA(GetModuleHandleA(NULL), MAKEINTRESOURCEA(confirm ? DIALOG_CONFIRM : DIALOG_ASK),
                           NULL, procedure, (LPARAM)&state);
    *why = window ? NULL : "there is no desktop to show a dialog on";
    if (window) {
        run(window, &state, cancel);
        DestroyWindow(window);
    }
    ly_secret_free(lines);
    if (confirm)
        strcpy(state.answer, state.yes ? "yes" : "no");
    if (window && state.done && (confirm || state.yes))
        return state.answer;
    ly_secret_free(state.answer);
    return NULL;
}
