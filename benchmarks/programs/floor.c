/* The least that a supervisor can do: start COUNT programs, and start another one whenever one ends. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static pid_t start(char **argv, const posix_spawnattr_t *attributes)
{
    pid_t pid;
    if (posix_spawn(&pid, argv[0], NULL, attributes, argv, environ) != 0)
        exit(1);
    return pid;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    for (int left = atoi(argv[1]); left > 0; left--)
        start(argv + 2, &attributes);
    while (waitpid(-1, NULL, 0) > 0)
        start(argv + 2, &attributes);
    return 0;
}
