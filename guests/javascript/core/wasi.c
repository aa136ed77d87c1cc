/* What wasi-libc asks of WASI preview 1, answered here from the two clocks and the randomness of
   the component, so that no adapter is needed and nothing else of WASI is imported.
   Output to a file descriptor goes nowhere: the engine writes there only from its debugging aids. */
#include <stdint.h>
#include <string.h>

#include "abi.h"
#include "core.h"

enum { WASI_OK = 0, WASI_BADF = 8 };

/* These definitions take the place of the imports that wasi-libc declares. */
#define PREVIEW1(name) __imported_wasi_snapshot_preview1_##name

int32_t PREVIEW1(clock_time_get)(int32_t clock, int64_t precision, int32_t out)
{
    uint64_t now = 0;
    (void)precision;
    if (oacp_initialized) {
        if (clock == 0) {
            struct host_datetime wall;
            host_wall_now(&wall);
            now = wall.seconds * 1000000000u + wall.nanoseconds;
        } else {
            now = host_monotonic_now();
        }
    }
    memcpy((void *)(uintptr_t)out, &now, sizeof now);
    return WASI_OK;
}

int32_t PREVIEW1(clock_res_get)(int32_t clock, int32_t out)
{
    uint64_t one = 1;
    (void)clock;
    memcpy((void *)(uintptr_t)out, &one, sizeof one);
    return WASI_OK;
}

int32_t PREVIEW1(fd_write)(int32_t fd, int32_t vectors, int32_t count, int32_t out)
{
    const uint32_t *vector = (const uint32_t *)(uintptr_t)vectors;
    uint32_t written = 0;
    (void)fd;
    for (int32_t i = 0; i < count; i++)
        written += vector[2 * i + 1];
    memcpy((void *)(uintptr_t)out, &written, sizeof written);
    return WASI_OK;
}

/* Zig's libc imports `fd_close` under a name of its own, so its caller is what is replaced. */
int close(int fd) { (void)fd; return 0; }

int32_t PREVIEW1(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t out)
{
    (void)fd; (void)offset; (void)whence; (void)out;
    return WASI_BADF;
}

int32_t PREVIEW1(fd_read)(int32_t fd, int32_t vectors, int32_t count, int32_t out)
{
    (void)fd; (void)vectors; (void)count; (void)out;
    return WASI_BADF;
}

int32_t PREVIEW1(fd_fdstat_get)(int32_t fd, int32_t out) { (void)fd; (void)out; return WASI_BADF; }

int32_t PREVIEW1(environ_sizes_get)(int32_t count, int32_t size)
{
    memset((void *)(uintptr_t)count, 0, 4);
    memset((void *)(uintptr_t)size, 0, 4);
    return WASI_OK;
}

int32_t PREVIEW1(environ_get)(int32_t environment, int32_t buffer)
{
    (void)environment; (void)buffer;
    return WASI_OK;
}

int32_t PREVIEW1(sched_yield)(void) { return WASI_OK; }

_Noreturn void PREVIEW1(proc_exit)(int32_t code) { (void)code; __builtin_trap(); }
