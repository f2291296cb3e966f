/* Makes one chosen system call on one chosen file fail; loaded before libc (LD_PRELOAD), armed from Python by ctypes.

   Counted are the calls that change a file or make it durable, on files whose path contains the armed text. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, NO_SPACE, IO_ERROR, SHORT_WRITE, KILL, NO_SPACE_FROM_HERE_ON };

static char target[256];
static long wanted, seen;
static int how;

void arm(const char *path, long call, int manner) {
    strncpy(target, path, sizeof target - 1);
    wanted = call;
    seen = 0;
    how = manner;
}

long calls_seen(void) { return seen; }

/* What is to happen to this call on this file. */
static int fate(int fd) {
    char link[64], path[512];
    ssize_t length;
    if (!target[0]) return NOTHING;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NOTHING;
    path[length] = 0;
    if (!strstr(path, target)) return NOTHING;
    seen++;
    if (how == NO_SPACE_FROM_HERE_ON) return seen >= wanted ? NO_SPACE : NOTHING;
    return seen == wanted ? how : NOTHING;
}

static int refused(int manner) {
    if (manner == KILL) raise(SIGKILL);
    errno = manner == NO_SPACE ? ENOSPC : EIO;
    return manner == NO_SPACE || manner == IO_ERROR;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRITER(name, offset_type)                                                     \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) {         \
        REAL(name);                                                                   \
        int manner = fate(fd);                                                        \
        if (refused(manner)) return -1;                                               \
        return real(fd, data, manner == SHORT_WRITE ? size / 2 : size, offset);       \
    }
WRITER(pwrite, off_t)
WRITER(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    int manner = fate(fd);
    if (refused(manner)) return -1;
    return real(fd, data, manner == SHORT_WRITE ? size / 2 : size);
}

#define SIMPLE(name, parameters, arguments)      \
    int name parameters {                        \
        REAL(name);                              \
        return refused(fate(fd)) ? -1 : real arguments; \
    }
SIMPLE(fsync, (int fd), (fd))
SIMPLE(fdatasync, (int fd), (fd))
SIMPLE(ftruncate, (int fd, off_t size), (fd, size))
SIMPLE(ftruncate64, (int fd, off64_t size), (fd, size))
