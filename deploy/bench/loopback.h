// What the programs of this folder share: connections over loopback, requests, the clock. C11 and Linux; 64 bits.
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Kernels know it; older headers do not.
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

// Connections from one source address: servers limit them, and so do the ports of one address.
#define CONNECTIONS_PER_SOURCE 2500

static inline void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
  exit(1);
}

static inline void *grown(void *memory, size_t bytes) {
  memory = realloc(memory, bytes);
  if (!memory) fail("out of memory", NULL);
  return memory;
}

static inline int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// A blocking connection to 127.0.0.1, the `index`th of its program.
static inline int connect_to(int port, int index) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket", strerror(errno));
  int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct timeval patience = {.tv_sec = 20};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(index / CONNECTIONS_PER_SOURCE))};
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u), .sin_port = htons((uint16_t)port)};
  if (bind(descriptor, (struct sockaddr *)&source, sizeof source) < 0) fail("bind", strerror(errno));
  if (connect(descriptor, (struct sockaddr *)&server, sizeof server) < 0) fail("connect", strerror(errno));
  return descriptor;
}

static inline void send_all(int descriptor, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
    if (sent < 0) fail("send", strerror(errno));
    bytes += sent;
    count -= (size_t)sent;
  }
}

// Where the head of a message ends, or NULL.
static inline char *end_of_head(char *bytes, size_t count) {
  char *end = memmem(bytes, count, "\r\n\r\n", 4);
  return end ? end + 4 : NULL;
}

// The value of Content-Length in a head that ends at `end`; -1 without one.
static inline int64_t content_length(char *head, char *end) {
  char saved = *(end - 1);
  *(end - 1) = 0;
  char *field = strcasestr(head, "\r\ncontent-length:");
  int64_t length = field ? strtoll(field + 17, NULL, 10) : -1;
  *(end - 1) = saved;
  return length;
}

static inline void require_success(const char *head) {
  if (strncmp(head, "HTTP/1.1 200", 12) == 0) return;
  fprintf(stderr, "the answer is not 200: %.*s\n", (int)strcspn(head, "\r"), head);
  exit(1);
}
