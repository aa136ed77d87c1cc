/* QuickJS-ng as one translation unit, unchanged but for the pads of pad.py.

   Under `__wasi__` the engine turns its check of the stack's depth off, and endless recursion would
   end the whole instance instead of throwing. The macro is therefore undefined once the headers
   that need it are in. */
#include <alloca.h>
#include <assert.h>
#include <errno.h>
#include <fenv.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cutils.h"

#undef __wasi__
#define __STDC_NO_ATOMICS__ 1 /* no threads: `Atomics` stays out, as it does under `__wasi__` */

/* The functions that check the depth get room in linear memory too; see pad.py. */
#define __builtin_frame_address(level) ({ volatile char pad[384]; pad[0] = 0; (uintptr_t)pad; })

#include "padded/quickjs.c"

/* Drops the source text and the line tables of every function there is. */
void engine_strip(JSRuntime *runtime)
{
    struct list_head *at;
    list_for_each(at, &runtime->gc_obj_list) {
        JSGCObjectHeader *header = list_entry(at, JSGCObjectHeader, link);
        if (JS_GC_TYPE(header) == JS_GC_OBJ_TYPE_FUNCTION_BYTECODE) {
            JSFunctionBytecode *b = (JSFunctionBytecode *)header;
            js_free_rt(runtime, b->source);
            js_free_rt(runtime, b->pc2line_buf);
            b->source = NULL;
            b->pc2line_buf = NULL;
            b->source_len = b->pc2line_len = 0;
        }
    }
}
