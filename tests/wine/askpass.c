/* What SSH_ASKPASS names in the tests: says what $LANYARD_ASKPASS_ANSWER holds, and appends what it was asked
 * to $LANYARD_ASKPASS_ASKED. "yes" and "no" answer by the status too; "wait" never answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

int main(int argc, char **argv)
{
    char answer[200] = "no";
    const char *kind = getenv("SSH_ASKPASS_PROMPT");
    FILE *asked = fopen(getenv("LANYARD_ASKPASS_ASKED"), "ab");
    FILE *answers = fopen(getenv("LANYARD_ASKPASS_ANSWER"), "rb");
    if (!asked || !answers || argc != 2)
        return 2;
    fprintf(asked, "%s: %s\n", kind ? kind : "passphrase", argv[1]);
    fclose(asked);
    if (fgets(answer, sizeof answer, answers))
        answer[strcspn(answer, "\r\n")] = 0;
    fclose(answers);
    if (strcmp(answer, "wait") == 0)
        Sleep(INFINITE);
    printf("%s\n", answer);
    return strcmp(answer, "no") == 0;
}
