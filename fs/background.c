#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

/* The verdict: one byte of exit status, then the sentence. */
static int wait_for_verdict(int pipe_in, pid_t child)
{
    char verdict[600];
    size_t len = 0;
    for (ssize_t got;
         len < sizeof verdict && (got = read(pipe_in, verdict + len, sizeof verdict - len)) != 0;) {
        if (got < 0 && errno != EINTR)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    close(pipe_in);
    if (len == 0) { /* it died: as it did, so do we */
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) {
            signal(WTERMSIG(status), SIG_DFL);
            raise(WTERMSIG(status));
        }
        fprintf(stderr, "lanyardfs: ended before it had mounted\n");
        return 1;
    }
    if (len > 1)
        fprintf(stderr, "lanyardfs: %.*s\n", (int)(len - 1), verdict + 1);
    return verdict[0];
}

int background_begin(Background *background)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fprintf(stderr, "lanyardfs: cannot go to the background: %s\n", strerror(errno));
        return 1;
    }
    pid_t child = fork();
    if (child != 0) {
        close(ends[1]);
        /* The terminal's signals come to both: the child puts the terminal right before it ends, and whoever
         * waits for us is to find it so. */
        signal(SIGINT, SIG_IGN);
        signal(SIGQUIT, SIG_IGN);
        if (child > 0)
            return wait_for_verdict(ends[0], child);
        fprintf(stderr, "lanyardfs: cannot go to the background: %s\n", strerror(errno));
        close(ends[0]);
        return 1;
    }
    close(ends[0]);
    *background = (Background){.wanted = true, .report = ends[1]};
    return -1;
}

static void report(Background *background, char status, const char *sentence)
{
    size_t len = strlen(sentence);
    if (write(background->report, &status, 1) != 1 ||
        write(background->report, sentence, len) != (ssize_t)len)
        syslog(LOG_WARNING, "%s", sentence);
    close(background->report);
}

void background_enter(Background *background)
{
    if (!background->wanted)
        return;
    openlog("lanyardfs", LOG_PID, LOG_DAEMON);
    setsid();
    if (chdir("/") != 0)
        syslog(LOG_WARNING, "cannot leave the starting directory: %s", strerror(errno));
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    background->there = true;
    report(background, 0, "");
}

void background_failed(Background *background, const char *sentence)
{
    if (background->wanted)
        report(background, 1, sentence);
    else
        fprintf(stderr, "lanyardfs: %s\n", sentence);
}

bool background_is_there(const Background *background)
{
    return background->there;
}
