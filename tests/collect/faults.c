/*
 * Faults at the boundary to the kernel: fails, or kills the process, at the Nth call that a change of a file makes.
 *
 * Armed by opening /REROOT-ARM/N/ERRNO (0: SIGKILL before the call, -1: SIGKILL after it); calls are counted from then on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

static int armed, count, at, how, after;

static int trip(void) {
  if (!armed) return 0;
  if (++count != at) return 0;
  if (how == 0) kill(getpid(), SIGKILL);
  if (how == -1) { after = 1; return 0; }
  errno = how;
  return 1;
}

static void done(void) {
  if (after) kill(getpid(), SIGKILL);
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = dlsym(RTLD_NEXT, name)

#define CALL(name, type, parameters, arguments, ...) \
  type name parameters { \
    REAL(type, #name, __VA_ARGS__); \
    if (trip()) return -1; \
    type result = real arguments; \
    int kept = errno; \
    done(); \
    errno = kept; \
    return result; \
  }

static int arming(const char *path) {
  if (strncmp(path, "/REROOT-ARM/", 12)) return 0;
  char *rest;
  at = strtol(path + 12, &rest, 10);
  how = strtol(rest + 1, NULL, 10);
  armed = 1;
  count = after = 0;
  errno = ENOENT;
  return 1;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(int, #name, const char *, int, ...); \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = va_arg(list, mode_t); \
    va_end(list); \
    if (arming(path) || trip()) return -1; \
    int result = real(path, flags, mode); \
    int kept = errno; \
    done(); \
    errno = kept; \
    return result; \
  }

#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    REAL(int, #name, int, const char *, int, ...); \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = va_arg(list, mode_t); \
    va_end(list); \
    if (trip()) return -1; \
    int result = real(folder, path, flags, mode); \
    int kept = errno; \
    done(); \
    errno = kept; \
    return result; \
  }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
CALL(write, ssize_t, (int fd, const void *data, size_t size), (fd, data, size), int, const void *, size_t)
CALL(read, ssize_t, (int fd, void *data, size_t size), (fd, data, size), int, void *, size_t)
CALL(pread64, ssize_t, (int fd, void *data, size_t size, off64_t offset), (fd, data, size, offset), int, void *, size_t, off64_t)
CALL(fsync, int, (int fd), (fd), int)
CALL(fdatasync, int, (int fd), (fd), int)
CALL(fchmod, int, (int fd, mode_t mode), (fd, mode), int, mode_t)
CALL(fchown, int, (int fd, uid_t user, gid_t group), (fd, user, group), int, uid_t, gid_t)
CALL(ftruncate64, int, (int fd, off64_t size), (fd, size), int, off64_t)
CALL(renameat, int, (int a, const char *from, int b, const char *to), (a, from, b, to), int, const char *, int, const char *)
CALL(unlinkat, int, (int folder, const char *path, int flags), (folder, path, flags), int, const char *, int)
CALL(linkat, int, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), int, const char *, int, const char *, int)
CALL(symlinkat, int, (const char *target, int folder, const char *path), (target, folder, path), const char *, int, const char *)
CALL(readlinkat, ssize_t, (int folder, const char *path, char *target, size_t size), (folder, path, target, size), int, const char *, char *, size_t)
CALL(flistxattr, ssize_t, (int fd, char *list, size_t size), (fd, list, size), int, char *, size_t)
CALL(fgetxattr, ssize_t, (int fd, const char *name, void *value, size_t size), (fd, name, value, size), int, const char *, void *, size_t)
CALL(fsetxattr, int, (int fd, const char *name, const void *value, size_t size, int flags), (fd, name, value, size, flags), int, const char *,
     const void *, size_t, int)
CALL(fremovexattr, int, (int fd, const char *name), (fd, name), int, const char *)
CALL(flock, int, (int fd, int what), (fd, what), int, int)
