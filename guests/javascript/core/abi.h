/* The canonical ABI of world `oacp:agent/language`, written by hand: the layouts of what crosses
   the boundary, and the functions on the host's side of it. */
#ifndef OACP_ABI_H
#define OACP_ABI_H

#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef struct {
    char *data;
    size_t len;
} abi_string;

typedef struct {
    abi_string path;
    abi_string content;
} abi_file;

typedef struct {
    abi_string code;
    abi_string message;
    uint8_t has_detail;
    abi_string detail;
} abi_failure;

/* option<completion> */
typedef struct {
    uint8_t is_some;
    uint64_t call;
    uint8_t is_failure;
    union {
        abi_string value;
        abi_failure failure;
    };
} abi_completion;

/* result<_, failure> */
typedef struct {
    uint8_t is_failure;
    abi_failure failure;
} abi_done;

/* result<list<u8>, failure> */
typedef struct {
    uint8_t is_failure;
    union {
        abi_string value;
        abi_failure failure;
    };
} abi_read;

/* files.entry */
typedef struct {
    abi_string name;
    uint8_t kind;
} abi_entry;

/* result<list<entry>, failure> */
typedef struct {
    uint8_t is_failure;
    union {
        struct {
            abi_entry *data;
            size_t len;
        } entries;
        abi_failure failure;
    };
} abi_listed;

/* result<option<attributes>, failure> */
typedef struct {
    uint8_t is_failure;
    union {
        struct {
            uint8_t is_some;
            uint8_t kind __attribute__((aligned(8)));
            uint64_t size;
        } found;
        abi_failure failure;
    } __attribute__((aligned(8)));
} abi_status;

/* tuple<string, string> */
typedef struct {
    abi_string name;
    abi_string value;
} abi_pair;

/* list<tuple<string, string>> */
typedef struct {
    abi_pair *data;
    size_t len;
} abi_pairs;

/* result<option<string>, failure> */
typedef struct {
    uint8_t is_failure;
    union {
        struct {
            uint8_t is_some;
            abi_string value;
        } variable;
        abi_failure failure;
    };
} abi_variable;

/* option<tuple<call-id, string>> */
typedef struct {
    uint8_t is_some;
    uint64_t call;
    abi_string denial;
} abi_latest;

/* result<string, run-error> */
typedef struct {
    uint8_t is_error;
    union {
        abi_string result;
        struct {
            abi_string message;
            abi_string trace;
            uint8_t has_location;
            abi_string file;
            uint32_t line;
            uint8_t has_denied;
            uint64_t denied;
        } error;
    } __attribute__((aligned(8)));
} abi_outcome;

_Static_assert(sizeof(abi_file) == 16, "list element");
_Static_assert(sizeof(abi_failure) == 28, "record failure");
_Static_assert(sizeof(abi_completion) == 48 && offsetof(abi_completion, value) == 20, "option<completion>");
_Static_assert(sizeof(abi_done) == 32 && offsetof(abi_done, failure) == 4, "result<_, failure>");
_Static_assert(sizeof(abi_read) == 32 && offsetof(abi_read, value) == 4, "result<list<u8>, failure>");
_Static_assert(sizeof(abi_entry) == 12 && offsetof(abi_entry, kind) == 8, "record entry");
_Static_assert(sizeof(abi_listed) == 32 && offsetof(abi_listed, entries) == 4, "result<list<entry>, failure>");
_Static_assert(sizeof(abi_status) == 40 && offsetof(abi_status, found.kind) == 16 && offsetof(abi_status, found.size) == 24,
               "result<option<attributes>, failure>");
_Static_assert(offsetof(abi_status, failure) == 8, "result<option<attributes>, failure>");
_Static_assert(sizeof(abi_pair) == 16, "tuple<string, string>");
_Static_assert(sizeof(abi_variable) == 32 && offsetof(abi_variable, variable.value) == 8, "result<option<string>, failure>");
_Static_assert(sizeof(abi_latest) == 24 && offsetof(abi_latest, call) == 8, "option<tuple<call-id, string>>");
_Static_assert(sizeof(abi_outcome) == 56 && offsetof(abi_outcome, error.denied) == 48, "result<string, run-error>");

IMPORT("oacp:agent/port@0.1.0", "wait")
void host_wait(const uint64_t *calls, size_t count, int32_t has_deadline, uint64_t deadline, abi_completion *out);

IMPORT("oacp:agent/tools@0.1.0", "start")
uint64_t host_start(const char *name, size_t name_len, const char *arguments, size_t arguments_len);

IMPORT("oacp:agent/http@0.1.0", "start")
uint64_t host_http_start(const char *method, size_t method_len, const char *url, size_t url_len, const abi_pair *headers,
                         size_t headers_count, const uint8_t *body, size_t body_len);

#define FILES "oacp:agent/files@0.1.0"

IMPORT(FILES, "working-directory")
void host_working_directory(abi_string *out);

IMPORT(FILES, "read")
void host_read(const char *path, size_t len, abi_read *out);

IMPORT(FILES, "write")
void host_write(const char *path, size_t len, const uint8_t *content, size_t content_len, int32_t mode, abi_done *out);

IMPORT(FILES, "list")
void host_list(const char *path, size_t len, abi_listed *out);

IMPORT(FILES, "status")
void host_status(const char *path, size_t len, abi_status *out);

IMPORT(FILES, "make-directory")
void host_make_directory(const char *path, size_t len, abi_done *out);

IMPORT(FILES, "remove")
void host_remove(const char *path, size_t len, abi_done *out);

IMPORT(FILES, "rename")
void host_rename(const char *old, size_t old_len, const char *new, size_t new_len, abi_done *out);

IMPORT("oacp:agent/environment@0.1.0", "variables")
void host_variables(abi_pairs *out);

IMPORT("oacp:agent/environment@0.1.0", "get")
void host_variable(const char *name, size_t len, abi_variable *out);

IMPORT("oacp:agent/denials@0.1.0", "latest")
void host_latest_denial(abi_latest *out);

IMPORT("oacp:agent/log@0.1.0", "log")
void host_log(int32_t level, const char *message, size_t len, abi_done *out);

IMPORT("wasi:clocks/monotonic-clock@0.2.12", "now")
uint64_t host_monotonic_now(void);

struct host_datetime {
    uint64_t seconds;
    uint32_t nanoseconds;
};

IMPORT("wasi:clocks/wall-clock@0.2.12", "now")
void host_wall_now(struct host_datetime *out);

struct host_bytes {
    uint8_t *data;
    size_t len;
};

IMPORT("wasi:random/random@0.2.12", "get-random-bytes")
void host_random_bytes(uint64_t len, struct host_bytes *out);

#endif
