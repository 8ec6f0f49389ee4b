// The upstream of the body and stream rows: gives and takes bytes of any number, and holds event streams open.
//
//   origin PORT
//
//   GET /…/bytes/N    N bytes, by reference from memory
//   GET /…/events     an event stream: one event, then silence
//   POST …            takes the body and answers when it has all of it
#include "loopback.h"
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#define PIECE_BYTES (1 << 20)
#define HEAD_BYTES_MAX 8192

struct connection {
  int descriptor;
  // Of the response body, still to be sent.
  int64_t to_send;
  // Of the request body, still to come; the answer follows.
  int64_t to_take;
};

static int source;
static char head[HEAD_BYTES_MAX + 1];

static void finish_upload(struct connection *connection) {
  static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  send_all(connection->descriptor, done, sizeof done - 1);
}

static void give(struct connection *connection) {
  while (connection->to_send > 0) {
    off_t from = 0;
    ssize_t sent = sendfile(connection->descriptor, source, &from, connection->to_send < PIECE_BYTES ? (size_t)connection->to_send : PIECE_BYTES);
    // A connection that broke is found out by its next reception.
    if (sent < 0) return;
    connection->to_send -= sent;
  }
}

// Begins the answer to the request whose head begins `head`. On loopback a head comes in one piece.
static void answer(struct connection *connection, size_t received) {
  static const char stream[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "Transfer-Encoding: chunked\r\n\r\n8\r\n: open\n\n\r\n";
  char *end = end_of_head(head, received);
  if (!end) fail("a head in pieces", NULL);
  if (strncmp(head, "POST ", 5) == 0) {
    connection->to_take = content_length(head, end) - (head + received - end);
    if (connection->to_take < 0) fail("an upload without Content-Length", NULL);
    if (connection->to_take == 0) finish_upload(connection);
    return;
  }
  char *number = strstr(head, "/bytes/");
  if (!number || number > strchr(head, '\r')) return send_all(connection->descriptor, stream, sizeof stream - 1);
  connection->to_send = strtoll(number + 7, NULL, 10);
  char response[256];
  int count = snprintf(response, sizeof response, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %lld\r\n\r\n",
                       (long long)connection->to_send);
  send_all(connection->descriptor, response, (size_t)count);
  give(connection);
}

// Takes what is there. Returns 0 when the connection has ended.
static int take(struct connection *connection) {
  while (1) {
    int is_body = connection->to_take > 0;
    ssize_t count = is_body
        ? recv(connection->descriptor, NULL, connection->to_take < PIECE_BYTES ? (size_t)connection->to_take : PIECE_BYTES, MSG_TRUNC)
        : recv(connection->descriptor, head, HEAD_BYTES_MAX, 0);
    if (count < 0 && errno == EAGAIN) return 1;
    if (count <= 0) return 0;
    if (is_body) {
      connection->to_take -= count;
      if (connection->to_take == 0) finish_upload(connection);
    } else {
      head[count] = 0;
      answer(connection, (size_t)count);
    }
  }
}

int main(int count, char **words) {
  if (count < 2) fail("usage: origin PORT", NULL);
  source = memfd_create("body", MFD_CLOEXEC);
  if (ftruncate(source, PIECE_BYTES) < 0) fail("ftruncate", strerror(errno));
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)atoi(words[1]))};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen", strerror(errno));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  struct epoll_event events[512];
  while (1) {
    int ready = epoll_wait(epoll, events, 512, -1);
    for (int position = 0; position < ready; position++) {
      struct connection *connection = events[position].data.ptr;
      if (!connection) {
        int descriptor;
        while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
          connection = grown(NULL, sizeof *connection);
          *connection = (struct connection){.descriptor = descriptor};
          struct epoll_event watched = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
          epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &watched);
        }
        continue;
      }
      if (connection->to_send > 0) give(connection);
      if (!take(connection)) {
        close(connection->descriptor);
        free(connection);
      }
    }
  }
}
