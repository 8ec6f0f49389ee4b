#pragma once
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

// Swift cannot call variadic functions: one shim per type of argument. Nothing else belongs here, except what needs casts
// between C structures.

static inline CURLcode postern_curl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode postern_curl_set_text(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode postern_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode postern_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}

// The size first: otherwise libcurl copies up to the first NUL.
static inline CURLcode postern_curl_set_body(CURL *easy, const void *bytes, curl_off_t count) {
  CURLcode status = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, count);
  return status != CURLE_OK ? status : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes);
}

// CURLOPT_PROTOCOLS_STR came with 7.85 and deprecated its predecessor.
static inline CURLcode postern_curl_restrict_schemes(CURL *easy, int allow_http) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, allow_http ? "http,https" : "https");
#else
  return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(allow_http ? CURLPROTO_HTTP | CURLPROTO_HTTPS : CURLPROTO_HTTPS));
#endif
}

typedef size_t (*postern_curl_bytes_callback)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode postern_curl_set_body_callback(CURL *easy, postern_curl_bytes_callback callback, void *context) {
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
  return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, callback);
}

static inline CURLcode postern_curl_set_header_callback(CURL *easy, postern_curl_bytes_callback callback, void *context) {
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
  return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, callback);
}

static inline CURLcode postern_curl_set_open_callback(CURL *easy, curl_opensocket_callback callback, void *context) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, context);
  return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline CURLcode postern_curl_set_close_callback(CURL *easy, curl_closesocket_callback callback, void *context) {
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, context);
  return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, callback);
}

static inline long postern_curl_status(CURL *easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

static inline CURLMcode postern_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode postern_curl_multi_set_socket_callback(CURLM *multi, curl_socket_callback callback, void *context) {
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
  return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}

static inline CURLMcode postern_curl_multi_set_timer_callback(CURLM *multi, curl_multi_timer_callback callback, void *context) {
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
  return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}

// The next finished transfer, or NULL; a union that Swift sees as bytes.
static inline CURL *postern_curl_multi_next_done(CURLM *multi, CURLcode *result) {
  int remaining;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &remaining)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return NULL;
}

// Copies the address that libcurl is about to connect to; returns its length, 4 or 16, or 0 for another family.
static inline int postern_curl_address(const struct curl_sockaddr *address, uint8_t bytes[16]) {
  if (address->family == AF_INET) {
    memcpy(bytes, &((const struct sockaddr_in *)(const void *)&address->addr)->sin_addr, 4);
    return 4;
  }
  if (address->family == AF_INET6) {
    memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr, 16);
    return 16;
  }
  return 0;
}
