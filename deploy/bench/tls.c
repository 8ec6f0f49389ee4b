// TLS 1.3 connections: how many can be made in a second, and thousands to hold.
//
//   tls full|resumed PORT PATH TOKENS THREADS SECONDS   each connection is made, asks once, and is ended by the server
//   tls hold         PORT PATH TOKENS CONNECTIONS       one answer for each; idle until standard input ends
//
// `resumed`: every connection but the first of each thread goes on with the newest ticket. Prints one line of JSON.
#include "loopback.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>

#define THREADS_MAX 64

static int port, is_resuming;
static char request[16384];
static int64_t end;

static _Thread_local SSL_SESSION *ticket;

static int keep_ticket(SSL *ssl, SSL_SESSION *session) {
  (void)ssl;
  SSL_SESSION_free(ticket);
  ticket = session;
  return 1;
}

static SSL *connect_and_ask(SSL_CTX *context, int index) {
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, connect_to(port, index));
  if (ticket) {
    SSL_set_session(ssl, ticket);
    SSL_SESSION_free(ticket);
    ticket = NULL;
  }
  if (SSL_connect(ssl) != 1) {
    ERR_print_errors_fp(stderr);
    fail("no handshake", NULL);
  }
  if (SSL_write(ssl, request, (int)strlen(request)) <= 0) fail("SSL_write", NULL);
  return ssl;
}

// Reads until the server ends the connection, or to the end of the answer.
static void read_answer(SSL *ssl, int is_last) {
  char answer[16384];
  int received = 0, count;
  while (received < (int)sizeof answer - 1 && (count = SSL_read(ssl, answer + received, (int)sizeof answer - 1 - received)) > 0) {
    received += count;
    answer[received] = 0;
    char *end = end_of_head(answer, (size_t)received);
    if (!is_last && end && answer + received - end >= content_length(answer, end)) break;
  }
  answer[received] = 0;
  require_success(answer);
}

// Returns whether the handshake went on with an earlier session.
static int connect_once(SSL_CTX *context) {
  SSL *ssl = connect_and_ask(context, 0);
  int is_resumed = SSL_session_reused(ssl);
  read_answer(ssl, 1);
  int descriptor = SSL_get_fd(ssl);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(descriptor);
  return is_resumed;
}

static SSL_CTX *make_context(void) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  return context;
}

static void hold(int connection_count) {
  SSL_CTX *context = make_context();
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  for (int index = 0; index < connection_count; index++) read_answer(connect_and_ask(context, index), 0);
  printf("{\"connections\": %d}\n", connection_count);
  fflush(stdout);
  while (getchar() != EOF) {}
}

static void *run(void *result) {
  SSL_CTX *context = make_context();
  if (is_resuming) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
  }
  long made = 0, resumed = 0;
  while (nanoseconds() < end) {
    resumed += connect_once(context);
    made++;
  }
  if (is_resuming ? resumed < made - 1 : resumed > 0) fail("sessions were not resumed as they should be", NULL);
  *(long *)result = made;
  return NULL;
}

static void measure(int thread_count, double seconds) {
  int64_t begin = nanoseconds();
  end = begin + (int64_t)(seconds * 1e9);
  pthread_t threads[THREADS_MAX];
  long made[THREADS_MAX] = {0}, sum = 0;
  if (thread_count > THREADS_MAX) fail("too many threads", NULL);
  for (int index = 0; index < thread_count; index++) pthread_create(&threads[index], NULL, run, &made[index]);
  for (int index = 0; index < thread_count; index++) {
    pthread_join(threads[index], NULL);
    sum += made[index];
  }
  printf("{\"handshakes\": %ld, \"rate\": %.1f}\n", sum, (double)sum / ((double)(nanoseconds() - begin) / 1e9));
}

int main(int count, char **words) {
  if (count < 6) fail("usage: tls full|resumed|hold PORT PATH TOKENS …", NULL);
  signal(SIGPIPE, SIG_IGN);
  int is_holding = strcmp(words[1], "hold") == 0;
  is_resuming = strcmp(words[1], "resumed") == 0;
  port = atoi(words[2]);
  char token[8192] = "";
  FILE *tokens = fopen(words[4], "r");
  if (!tokens || fscanf(tokens, "%8191s", token) != 1) fail(words[4], "no token");
  fclose(tokens);
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n%s\r\n", words[3], port, token,
           is_holding ? "" : "Connection: close\r\n");
  if (is_holding) hold(atoi(words[5]));
  else if (count > 6) measure(atoi(words[5]), atof(words[6]));
  else fail("too few words", NULL);
}
