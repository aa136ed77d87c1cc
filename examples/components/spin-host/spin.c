/* Spin's own triggers, from before WASI had HTTP: a request and a response that are plain records, and a message. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* Answers PUT and POST with the URI in a header and the body itself; anything else with 405 and no body. */
void exports_fermyon_spin_inbound_http_handle_request(fermyon_spin_http_types_request_t *req, fermyon_spin_http_types_response_t *ret) {
  memset(ret, 0, sizeof *ret);
  if (req->method != FERMYON_SPIN_HTTP_TYPES_METHOD_PUT && req->method != FERMYON_SPIN_HTTP_TYPES_METHOD_POST) {
    ret->status = 405;
    return;
  }
  ret->status = 200;
  ret->headers.is_some = true;
  ret->headers.val.len = 1;
  ret->headers.val.ptr = calloc(1, sizeof *ret->headers.val.ptr);
  host_string_dup(&ret->headers.val.ptr[0].f0, "x-uri");
  ret->headers.val.ptr[0].f1 = req->uri;
  ret->body = req->body;
}

/* Takes any message but an empty one. */
bool exports_fermyon_spin_inbound_redis_handle_message(fermyon_spin_redis_types_payload_t *message, fermyon_spin_redis_types_error_t *err) {
  *err = FERMYON_SPIN_REDIS_TYPES_ERROR_ERROR;
  return message->len > 0;
}
