// Load that wrk cannot make: fixed rates, many tokens, thousands of connections, bodies thrown away in the kernel.
//
//   load closed PORT PATH TOKENS CONNECTIONS SECONDS        each connection asks again when it has its answer
//   load paced  PORT PATH TOKENS CONNECTIONS SECONDS RATE   requests at fixed times, whether or not the earlier ones were answered
//   load hold   PORT PATH TOKENS CONNECTIONS [stream]       one answer for each, or its beginning; idle until standard input ends
//   load down   PORT PATH TOKENS                            one response
//   load up     PORT PATH TOKENS BYTES                      one request body
//
// TOKENS: a file with one bearer token a line, used in turn. Prints one line of JSON. Any answer but 200 ends it.
#include "loopback.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>

static int port;
static const char *path;

// One request per token, written once.
static char **requests;
static size_t *request_bytes;
static size_t request_count;

static void add_request(const char *method, const char *token, int64_t body_bytes) {
  char length[64] = "";
  if (body_bytes >= 0) snprintf(length, sizeof length, "Content-Length: %lld\r\n", (long long)body_bytes);
  char *text = NULL;
  int count = asprintf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n%s\r\n", method, path, port, token, length);
  if (count < 0) fail("out of memory", NULL);
  requests = grown(requests, (request_count + 1) * sizeof *requests);
  request_bytes = grown(request_bytes, (request_count + 1) * sizeof *request_bytes);
  requests[request_count] = text;
  request_bytes[request_count++] = (size_t)count;
}

static void read_tokens(const char *file, const char *method, int64_t body_bytes) {
  FILE *tokens = fopen(file, "r");
  if (!tokens) fail(file, strerror(errno));
  char *line = NULL;
  size_t capacity = 0;
  ssize_t count;
  while ((count = getline(&line, &capacity, tokens)) > 0) {
    if (line[count - 1] == '\n') line[count - 1] = 0;
    if (*line) add_request(method, line, body_bytes);
  }
  free(line);
  fclose(tokens);
  if (request_count == 0) fail(file, "no tokens");
}

// Answers of many connections

struct connection {
  int descriptor;
  int64_t due;
  size_t received;
  int64_t body_left;
  char head[2048];
};

static struct connection *connections;
static int connection_count;
static size_t next_request;

// Connections without a request, longest idle first.
static int *idle;
static int idle_first, idle_count;

static void ask(struct connection *connection, int64_t due) {
  connection->due = due;
  connection->received = 0;
  connection->body_left = -1;
  size_t index = next_request++ % request_count;
  // Requests are small and the connection is empty: the socket takes them at once.
  if (send(connection->descriptor, requests[index], request_bytes[index], MSG_NOSIGNAL) != (ssize_t)request_bytes[index]) fail("send", strerror(errno));
}

// Reads what is there. Returns whether the answer is complete.
static int answered(struct connection *connection) {
  while (1) {
    ssize_t count = recv(connection->descriptor, connection->head + connection->received, sizeof connection->head - 1 - connection->received, 0);
    if (count == 0) fail("a connection was ended", NULL);
    if (count < 0 && errno == EAGAIN) return 0;
    if (count < 0) fail("recv", strerror(errno));
    if (connection->body_left < 0) {
      connection->received += (size_t)count;
      connection->head[connection->received] = 0;
      char *end = end_of_head(connection->head, connection->received);
      if (!end) continue;
      require_success(connection->head);
      int64_t length = content_length(connection->head, end);
      if (length < 0) fail("an answer without Content-Length", NULL);
      connection->body_left = length - (connection->head + connection->received - end);
      connection->received = 0;
    } else {
      connection->body_left -= count;
    }
    if (connection->body_left <= 0) return 1;
  }
}

static uint32_t *latencies;
static size_t latency_count, latency_capacity;

static void record(int64_t latency) {
  if (latency_count == latency_capacity) {
    latency_capacity = latency_capacity ? 2 * latency_capacity : 1 << 16;
    latencies = grown(latencies, latency_capacity * sizeof *latencies);
  }
  latencies[latency_count++] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t)latency;
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static double percentile_microseconds(double share) {
  return latency_count ? latencies[(size_t)((double)(latency_count - 1) * share)] / 1000.0 : 0;
}

static void open_connections(int epoll) {
  connections = calloc((size_t)connection_count, sizeof *connections);
  idle = calloc((size_t)connection_count, sizeof *idle);
  if (!connections || !idle) fail("out of memory", NULL);
  for (int index = 0; index < connection_count; index++) {
    connections[index].descriptor = connect_to(port, index);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)index};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[index].descriptor, &event) < 0) fail("epoll_ctl", strerror(errno));
    if (fcntl(connections[index].descriptor, F_SETFL, O_NONBLOCK) < 0) fail("fcntl", strerror(errno));
    idle[index] = index;
  }
  idle_count = connection_count;
}

static void become_idle(int index) {
  idle[(idle_first + idle_count) % connection_count] = index;
  idle_count++;
}

static struct connection *longest_idle(void) {
  struct connection *connection = &connections[idle[idle_first]];
  idle_first = (idle_first + 1) % connection_count;
  idle_count--;
  return connection;
}

// Every connection asks once and gets its answer.
static void warm_up(int epoll) {
  struct epoll_event events[512];
  while (idle_count > 0) ask(longest_idle(), 0);
  int64_t deadline = nanoseconds() + 20000000000;
  while (idle_count < connection_count) {
    int count = epoll_wait(epoll, events, 512, 1000);
    for (int position = 0; position < count; position++)
      if (answered(&connections[events[position].data.u32])) become_idle((int)events[position].data.u32);
    if (nanoseconds() > deadline) fail("no answer in 20 s", NULL);
  }
}

// What the first requests cost is not measured. In a closed loop the connections join one after the other: thousands that
// a proxy makes in one moment overflow its upstream's queue, and wait for a second then. At a fixed rate, latencies count
// from the moment a request was due, not from when a connection was free for it: a server that stalls would otherwise keep
// the very requests from being sent that show it.
static void drive(double seconds, double rate) {
  const int64_t join_every = 100000, settle = 200000000;
  // Wake-ups to the microsecond.
  prctl(PR_SET_TIMERSLACK, 1);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  open_connections(epoll);
  if (rate > 0) warm_up(epoll);
  struct epoll_event events[512];
  int64_t start = nanoseconds(), now = start;
  int64_t begin = rate > 0 ? start : start + connection_count * join_every + settle, end = begin + (int64_t)(seconds * 1e9);
  uint64_t issued = 0, answers = rate > 0 ? (uint64_t)connection_count : 0;
  while (now < end) {
    int64_t joined = rate > 0 ? connection_count : 1 + (now - start) / join_every;
    while (idle_count > 0 && connection_count - idle_count < joined) {
      int64_t due = rate > 0 ? begin + (int64_t)((double)issued * 1e9 / rate) : now;
      if (due > now) break;
      issued++;
      ask(longest_idle(), due);
    }
    struct timespec wait = {.tv_nsec = now < begin ? 1000000 : 100000000};
    if (rate > 0 && idle_count > 0) {
      int64_t until = begin + (int64_t)((double)issued * 1e9 / rate) - nanoseconds();
      wait.tv_nsec = until < 0 ? 0 : until < 100000000 ? until : 100000000;
    }
    int count = epoll_pwait2(epoll, events, 512, &wait, NULL);
    now = nanoseconds();
    for (int position = 0; position < count; position++) {
      int index = (int)events[position].data.u32;
      if (!answered(&connections[index])) continue;
      now = nanoseconds();
      answers++;
      if (now >= begin) record(now - connections[index].due);
      become_idle(index);
    }
  }
  qsort(latencies, latency_count, sizeof *latencies, ascending);
  // `requests` are all that the server's CPU time was spent on.
  printf("{\"requests\": %llu, \"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", (unsigned long long)answers,
         (double)latency_count / ((double)(now - begin) / 1e9), percentile_microseconds(0.5), percentile_microseconds(0.99));
}

// One connection at a time

// Reads a head and what came with it. Returns the bytes of the body that are still to come.
static int64_t read_head(int descriptor, int may_stream) {
  char head[8192];
  size_t received = 0;
  while (1) {
    ssize_t count = recv(descriptor, head + received, sizeof head - 1 - received, 0);
    if (count <= 0) fail("no answer", count < 0 ? strerror(errno) : "the connection was ended");
    received += (size_t)count;
    head[received] = 0;
    char *end = end_of_head(head, received);
    if (!end) continue;
    require_success(head);
    int64_t length = content_length(head, end);
    if (length < 0 && !may_stream) fail("an answer without Content-Length", NULL);
    return length < 0 ? 0 : length - (head + received - end);
  }
}

// MSG_TRUNC throws bytes away without copying them: the client shall not be what is measured. Source: tcp(7).
static void discard(int descriptor, int64_t count) {
  while (count > 0) {
    ssize_t taken = recv(descriptor, NULL, count < 1 << 20 ? (size_t)count : 1 << 20, MSG_TRUNC);
    if (taken <= 0) fail("the body broke off", NULL);
    count -= taken;
  }
}

static void hold(int streams) {
  for (int index = 0; index < connection_count; index++) {
    int descriptor = connect_to(port, index);
    size_t request = (size_t)index % request_count;
    send_all(descriptor, requests[request], request_bytes[request]);
    int64_t left = read_head(descriptor, streams);
    if (!streams) discard(descriptor, left);
  }
  printf("{\"connections\": %d}\n", connection_count);
  fflush(stdout);
  while (getchar() != EOF) {}
}

static void transfer(int64_t upload_bytes) {
  int descriptor = connect_to(port, 0);
  int64_t begin = nanoseconds();
  send_all(descriptor, requests[0], request_bytes[0]);
  int64_t left = upload_bytes;
  // From memory by reference, so that the sender costs little.
  int source = memfd_create("body", MFD_CLOEXEC);
  if (ftruncate(source, 1 << 20) < 0) fail("ftruncate", strerror(errno));
  while (left > 0) {
    off_t from = 0;
    ssize_t sent = sendfile(descriptor, source, &from, left < 1 << 20 ? (size_t)left : 1 << 20);
    if (sent <= 0) fail("sendfile", strerror(errno));
    left -= sent;
  }
  int64_t answer_bytes = read_head(descriptor, 0);
  discard(descriptor, answer_bytes);
  printf("{\"seconds\": %.6f}\n", (double)(nanoseconds() - begin) / 1e9);
}

int main(int count, char **words) {
  if (count < 5) fail("usage: load closed|paced|hold|down|up PORT PATH TOKENS …", NULL);
  const char *mode = words[1];
  port = atoi(words[2]);
  path = words[3];
  int is_up = strcmp(mode, "up") == 0;
  int64_t upload_bytes = is_up && count > 5 ? atoll(words[5]) : 0;
  read_tokens(words[4], is_up ? "POST" : "GET", is_up ? upload_bytes : -1);
  connection_count = !is_up && count > 5 ? atoi(words[5]) : 1;
  if (strcmp(mode, "closed") == 0 && count > 6) drive(atof(words[6]), 0);
  else if (strcmp(mode, "paced") == 0 && count > 7) drive(atof(words[6]), atof(words[7]));
  else if (strcmp(mode, "hold") == 0) hold(count > 6);
  else if (strcmp(mode, "down") == 0 || is_up) transfer(upload_bytes);
  else fail("unknown mode, or too few words", mode);
}
