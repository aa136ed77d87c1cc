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
} abi_logged;

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
_Static_assert(sizeof(abi_logged) == 32 && offsetof(abi_logged, failure) == 4, "result<_, failure>");
_Static_assert(sizeof(abi_outcome) == 56 && offsetof(abi_outcome, error.denied) == 48, "result<string, run-error>");

IMPORT("oacp:agent/port@0.1.0", "wait")
void host_wait(const uint64_t *calls, size_t count, int32_t has_deadline, uint64_t deadline, abi_completion *out);

IMPORT("oacp:agent/tools@0.1.0", "start")
uint64_t host_start(const char *name, size_t name_len, const char *arguments, size_t arguments_len);

IMPORT("oacp:agent/log@0.1.0", "log")
void host_log(int32_t level, const char *message, size_t len, abi_logged *out);

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
