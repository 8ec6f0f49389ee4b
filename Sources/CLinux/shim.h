#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Declared here because <sys/socket.h> hides it without _GNU_SOURCE, which would change types that the Glibc module also has.
extern int accept4(int, struct sockaddr *, socklen_t *, int);

// Swift does not import these macros with casts, packed unions and thread-local errno; nothing else belongs here.

static inline int postern_errno(void) { return errno; }

static inline int postern_epoll_add(int epoll, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data = {.u64 = data}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline int postern_epoll_modify(int epoll, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data = {.u64 = data}};
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static inline uint64_t postern_epoll_data(const struct epoll_event *event) { return event->data.u64; }

static inline int postern_accept(int listener, struct sockaddr_storage *address, socklen_t *length) {
  return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

extern long syscall(long, ...);

// send(2) and recv(2) as bare system calls: no thread is ever cancelled, and the C library's wrappers pay for that twice
// a call in a process with threads.
static inline ssize_t postern_send(int fd, const void *bytes, size_t count) {
  return syscall(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL, (void *)0, 0);
}

static inline ssize_t postern_recv(int fd, void *bytes, size_t count) {
  return syscall(SYS_recvfrom, fd, bytes, count, 0, (void *)0, (void *)0);
}

static inline int postern_socket(int family) {
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// Processors that the calling thread may run on; 0 when the kernel does not say. CPU_COUNT(3) wants _GNU_SOURCE.
static inline int postern_processor_count(void) {
  unsigned long mask[128];
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  int count = 0;
  for (long word = 0; word < bytes / (long)sizeof *mask; word++) count += __builtin_popcountl(mask[word]);
  return count;
}

// Gives the calling thread a copy of the process's descriptor table for its own. close_range(2) of nothing, because
// containers commonly forbid unshare(2). Source: close_range(2), CLOSE_RANGE_UNSHARE.
static inline int postern_separate_descriptors(void) { return (int)syscall(436 /* close_range */, ~0U, ~0U, 2); }

static inline int postern_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

static inline int postern_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int64_t postern_monotonic_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t postern_unix_microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
