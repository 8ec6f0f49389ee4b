// TLS handshakes: each connection is made, asks once, and is ended by the server.
//
//   handshakes PORT PATH TOKENS THREADS SECONDS full|resumed
//
// `resumed`: every connection but the first of each thread goes on with the newest ticket. Prints one line of JSON.
#include "loopback.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>

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

// Returns whether the handshake went on with an earlier session.
static int connect_once(SSL_CTX *context) {
  int descriptor = connect_to(port, 0);
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, descriptor);
  if (ticket) {
    SSL_set_session(ssl, ticket);
    SSL_SESSION_free(ticket);
    ticket = NULL;
  }
  if (SSL_connect(ssl) != 1) {
    ERR_print_errors_fp(stderr);
    fail("no handshake", NULL);
  }
  int is_resumed = SSL_session_reused(ssl);
  if (SSL_write(ssl, request, (int)strlen(request)) <= 0) fail("SSL_write", NULL);
  char answer[16384];
  int received = 0, count;
  while (received < (int)sizeof answer - 1 && (count = SSL_read(ssl, answer + received, (int)sizeof answer - 1 - received)) > 0) received += count;
  answer[received] = 0;
  require_success(answer);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(descriptor);
  return is_resumed;
}

static void *run(void *result) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
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

int main(int count, char **words) {
  signal(SIGPIPE, SIG_IGN);
  if (count < 7) fail("usage: handshakes PORT PATH TOKENS THREADS SECONDS full|resumed", NULL);
  port = atoi(words[1]);
  is_resuming = strcmp(words[6], "resumed") == 0;
  char token[8192] = "";
  FILE *tokens = fopen(words[3], "r");
  if (!tokens || fscanf(tokens, "%8191s", token) != 1) fail(words[3], "no token");
  fclose(tokens);
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", words[2], port, token);
  int thread_count = atoi(words[4]);
  int64_t begin = nanoseconds();
  end = begin + (int64_t)(atof(words[5]) * 1e9);
  pthread_t threads[64];
  long made[64] = {0}, sum = 0;
  for (int index = 0; index < thread_count && index < 64; index++) pthread_create(&threads[index], NULL, run, &made[index]);
  for (int index = 0; index < thread_count && index < 64; index++) {
    pthread_join(threads[index], NULL);
    sum += made[index];
  }
  printf("{\"handshakes\": %ld, \"rate\": %.1f}\n", sum, (double)sum / ((double)(nanoseconds() - begin) / 1e9));
}
