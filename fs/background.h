/* Going to the background: fork first, before any thread; the parent waits for the child's verdict, while the
 * terminal is still the child's to ask at. */
#ifndef LY_FS_BACKGROUND_H
#define LY_FS_BACKGROUND_H

#include <stdbool.h>

typedef struct Background {
    bool wanted; /* this is the forked child */
    bool there;  /* and it has left the terminal */
    int report;  /* the pipe to the parent */
} Background;

/* Forks. In the parent: waits for the child's verdict, prints its sentence if there is one, and returns the
 * exit status. In the child: -1. */
int background_begin(Background *background);
/* The child is done with the terminal: a session of its own, / as its directory, and the parent told that all
 * is well. Without background_begin (foreground) nothing happens. */
void background_enter(Background *background);
/* It came to nothing: the parent prints the sentence (in the foreground it is printed here). */
void background_failed(Background *background, const char *sentence);
bool background_is_there(const Background *background);

#endif
