/* Answers a request with its method, path, `x-echo` headers and body. 404 for /missing; nothing at all for /silent. */
#include "http_echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP(name) wasi_http_types_##name

static const char *const METHODS[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

static struct {
  uint8_t bytes[1 << 20];
  size_t length;
} reply;

static void add(const void *bytes, size_t length) {
  if (length > sizeof reply.bytes - reply.length) length = sizeof reply.bytes - reply.length;
  memcpy(reply.bytes + reply.length, bytes, length);
  reply.length += length;
}

static void add_text(const char *text) { add(text, strlen(text)); }

static void read_body(HTTP(borrow_incoming_request_t) request) {
  HTTP(own_incoming_body_t) body;
  HTTP(own_input_stream_t) stream;
  http_echo_list_u8_t chunk;
  wasi_io_streams_stream_error_t error;

  if (!HTTP(method_incoming_request_consume)(request, &body)) return;
  if (!HTTP(method_incoming_body_stream)(HTTP(borrow_incoming_body)(body), &stream)) return;
  while (wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(stream), 4096, &chunk, &error)) {
    add(chunk.ptr, chunk.len);
    http_echo_list_u8_free(&chunk);
  }
  wasi_io_streams_input_stream_drop_own(stream);
  HTTP(incoming_body_drop_own)(body);
}

void exports_wasi_http_incoming_handler_handle(HTTP(own_incoming_request_t) request, HTTP(own_response_outparam_t) outparam) {
  HTTP(borrow_incoming_request_t) asked = HTTP(borrow_incoming_request)(request);
  HTTP(method_t) method;
  http_echo_string_t path = {(uint8_t *)"", 0}, name;
  HTTP(field_value_t) plain = {(uint8_t *)"text/plain", 10};
  HTTP(list_field_value_t) values;
  HTTP(header_error_t) refused;
  HTTP(error_code_t) failed;
  wasi_io_streams_stream_error_t broken;

  HTTP(method_incoming_request_method)(asked, &method);
  HTTP(method_incoming_request_path_with_query)(asked, &path);
  if (path.len == 7 && !memcmp(path.ptr, "/silent", 7)) return;

  if (method.tag < sizeof METHODS / sizeof *METHODS) add_text(METHODS[method.tag]);
  else add(method.val.other.ptr, method.val.other.len);
  add_text(" ");
  add(path.ptr, path.len);
  add_text("\n");
  http_echo_string_set(&name, "x-echo");
  HTTP(own_headers_t) headers = HTTP(method_incoming_request_headers)(asked);
  HTTP(method_fields_get)(HTTP(borrow_fields)(headers), &name, &values);
  for (size_t i = 0; i < values.len; i++) {
    add_text("x-echo: ");
    add(values.ptr[i].ptr, values.ptr[i].len);
    add_text("\n");
  }
  HTTP(fields_drop_own)(headers);
  read_body(asked);
  HTTP(incoming_request_drop_own)(request);

  headers = HTTP(constructor_fields)();
  http_echo_string_set(&name, "content-type");
  HTTP(method_fields_append)(HTTP(borrow_fields)(headers), &name, &plain, &refused);
  HTTP(own_outgoing_response_t) response = HTTP(constructor_outgoing_response)(headers);
  if (path.len == 8 && !memcmp(path.ptr, "/missing", 8))
    HTTP(method_outgoing_response_set_status_code)(HTTP(borrow_outgoing_response)(response), 404);

  HTTP(own_outgoing_body_t) body;
  HTTP(own_output_stream_t) stream;
  HTTP(method_outgoing_response_body)(HTTP(borrow_outgoing_response)(response), &body);
  HTTP(result_own_outgoing_response_error_code_t) outcome = {.is_err = false, .val.ok = response};
  HTTP(static_response_outparam_set)(outparam, &outcome);
  HTTP(method_outgoing_body_write)(HTTP(borrow_outgoing_body)(body), &stream);
  for (size_t sent = 0; sent < reply.length;) {
    size_t length = reply.length - sent < 4096 ? reply.length - sent : 4096;
    http_echo_list_u8_t chunk = {reply.bytes + sent, length};
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(stream), &chunk, &broken)) break;
    sent += length;
  }
  wasi_io_streams_output_stream_drop_own(stream);
  HTTP(static_outgoing_body_finish)(body, NULL, &failed);
}
