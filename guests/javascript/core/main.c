/* The exports: `initialize`, called once when the component is built and not part of it afterwards,
   and `run`. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum {
    /* Of the 8 MiB that the linker sets aside for C's stack. What the WebAssembly engine keeps of it on
       its own stack is less than twice as much. */
    STACK_BYTES_MAX = 7 * 1024 * 1024,
    /* Given up when a failure is to be reported, so that lack of memory can be. */
    RESERVE_BYTES = 512 * 1024,
    /* Memory that a small run needs is there from the start, and the collector stays away from it. */
    HEADROOM_BYTES = 1024 * 1024,
    GC_BYTES_MIN = 4 * 1024 * 1024,
    MESSAGE_BYTES_MAX = 8 * 1024,
    TRACE_BYTES_MAX = 64 * 1024,
};

bool oacp_initialized;

static JSRuntime *runtime;
static JSContext *context;
static void *reserve;

/* Functions that boot/main.js exports. */
static struct {
    JSValue begin, track, watch, turn, value, entry, invoke, encode, output, report, stuck;
} hooks;

static abi_string source_entry;
/* The function that was chosen; undefined for a plain script. */
static JSValue agent_entry;
/* Of each file that was an entry, by its path, the function: it is evaluated once, and keeps its state. */
static JSValue entries;
static bool has_run, is_script;
static abi_outcome outcome;

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    void *block;
    (void)old_size;
    if (size == 0)
        return (void *)align;
    block = realloc(old, size);
    if (!block)
        __builtin_trap();
    return block;
}

/* Calls a hook. Frees the arguments. */
static JSValue call(JSValue hook, int argc, JSValue *argv)
{
    JSValue result = JS_Call(context, hook, JS_UNDEFINED, argc, (JSValueConst *)argv);
    for (int i = 0; i < argc; i++)
        JS_FreeValue(context, argv[i]);
    return result;
}

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled, void *opaque)
{
    JSValue arguments[] = { JS_DupValue(ctx, promise), JS_DupValue(ctx, reason), JS_NewBool(ctx, handled) };
    (void)opaque;
    JS_FreeValue(ctx, call(hooks.track, 3, arguments));
}

static bool drain(void)
{
    JSContext *of;
    int status;
    while ((status = JS_ExecutePendingJob(runtime, &of)) > 0) {
    }
    return status == 0;
}

/* The event loop: runs until what is watched has settled (true) or something threw (false). Where
   nothing is left that could settle it, `*idle` is set, or, without `idle`, that is what is thrown. */
static bool loop(bool *idle)
{
    for (;;) {
        int32_t status;
        JSValue result;
        if (!drain())
            return false;
        result = call(hooks.turn, 0, NULL);
        if (JS_IsException(result) || JS_ToInt32(context, &status, result))
            return false;
        if (status == 1)
            return true;
        if (status == 2) {
            if (idle) {
                *idle = true;
                return true;
            }
            call(hooks.stuck, 0, NULL);
            return false;
        }
    }
}

/* Where in the entry a SyntaxError is; false for any other error, and for one of another file. */
static bool place_of(JSValue error, const abi_file *file, int *line, int *column)
{
    JSValue name = JS_GetPropertyStr(context, error, "name"), stack = JS_GetPropertyStr(context, error, "stack");
    const char *kind = JS_ToCString(context, name), *text = JS_ToCString(context, stack), *at;
    bool found = false;

    if (kind && text && strcmp(kind, "SyntaxError") == 0) {
        at = strstr(text, "at ");
        if (at && strncmp(at + 3, file->path.data, file->path.len) == 0 && at[3 + file->path.len] == ':') {
            *line = atoi(at + 4 + file->path.len);
            at = strchr(at + 4 + file->path.len, ':');
            *column = at ? atoi(at + 1) : 0;
            found = true;
        }
    }
    JS_FreeCString(context, kind);
    JS_FreeCString(context, text);
    JS_FreeValue(context, name);
    JS_FreeValue(context, stack);
    return found;
}

/* Compiles the entry: a module where it can only be one, else a script. Where it is neither, the
   error is that of the attempt which came further. */
static JSValue compile_entry(const abi_file *file, bool *is_module)
{
    JSValue compiled, as_script, as_module, chosen;
    int line1, line2, column1, column2;

    *is_module = path_ends_with(file->path.data, file->path.len, ".mjs");
    if (*is_module)
        return source_compile(context, file, JS_EVAL_TYPE_MODULE);
    compiled = source_compile(context, file, JS_EVAL_TYPE_GLOBAL);
    if (!JS_IsException(compiled))
        return compiled;
    as_script = JS_GetException(context);
    *is_module = true;
    compiled = source_compile(context, file, JS_EVAL_TYPE_MODULE);
    if (!JS_IsException(compiled)) {
        JS_FreeValue(context, as_script);
        return compiled;
    }
    as_module = JS_GetException(context);
    chosen = as_module;
    if (place_of(as_module, file, &line2, &column2) && place_of(as_script, file, &line1, &column1) &&
        (line1 > line2 || (line1 == line2 && column1 > column2)))
        chosen = as_script;
    JS_FreeValue(context, JS_VALUE_GET_PTR(chosen) == JS_VALUE_GET_PTR(as_script) ? as_module : as_script);
    return JS_Throw(context, chosen);
}

/* `run` or `main` as scripts see them: `const run = …` is no property of the global object. */
static JSValue global_entry(void)
{
    static const char text[] = "typeof run==='function'?run:typeof main==='function'?main:undefined";
    return JS_Eval(context, text, sizeof text - 1, BOOT_PREFIX "entry.js", JS_EVAL_TYPE_GLOBAL);
}

static JSValue load_agent(abi_string input)
{
    const abi_file *file = source_find(source_entry.data, source_entry.len);
    bool is_module;
    JSValue compiled, names, result;
    JSValue begin[] = {
        JS_NewStringLen(context, input.data, input.len),
        JS_NewStringLen(context, source_entry.data, source_entry.len),
    };

    result = call(hooks.begin, 2, begin);
    if (JS_IsException(result))
        return result;
    JS_FreeValue(context, result);
    compiled = compile_entry(file, &is_module);
    if (JS_IsException(compiled))
        return compiled;
    if (!is_module) {
        result = JS_EvalFunction(context, compiled);
        if (JS_IsException(result))
            return result;
        JS_FreeValue(context, result);
        names = JS_UNDEFINED;
    } else {
        JSModuleDef *module = JS_VALUE_GET_PTR(compiled);
        JSValue watched;
        if (!module_describe(context, module, file))
            return JS_EXCEPTION;
        watched = JS_EvalFunction(context, compiled);
        if (JS_IsException(watched))
            return watched;
        result = call(hooks.watch, 1, &watched);
        if (JS_IsException(result) || !loop(NULL))
            return JS_EXCEPTION;
        result = call(hooks.value, 0, NULL);
        if (JS_IsException(result))
            return result;
        JS_FreeValue(context, result);
        names = JS_GetModuleNamespace(context, module);
    }
    {
        JSValue global = global_entry();
        JSValue arguments[] = { names, global };
        if (JS_IsException(names) || JS_IsException(global))
            return JS_EXCEPTION;
        return call(hooks.entry, 2, arguments);
    }
}

/* The result's JSON text, or an exception. */
static JSValue run_agent(abi_string input)
{
    JSValue result;

    agent_entry = load_agent(input);
    if (JS_IsException(agent_entry))
        return agent_entry;
    if (JS_IsUndefined(agent_entry)) {
        bool idle = false;
        is_script = true;
        if (!loop(&idle))
            return JS_EXCEPTION;
        return call(hooks.output, 0, NULL);
    }
    {
        JSAtom path = JS_NewAtomLen(context, source_entry.data, source_entry.len);
        int kept = JS_SetProperty(context, entries, path, JS_DupValue(context, agent_entry));
        JS_FreeAtom(context, path);
        if (kept < 0)
            return JS_EXCEPTION;
    }
    result = call(hooks.invoke, 1, (JSValue[]){ JS_DupValue(context, agent_entry) });
    if (JS_IsException(result) || !loop(NULL))
        return JS_EXCEPTION;
    return call(hooks.encode, 0, NULL);
}

/* A further run of an entry in the same instance: it is there already, with the state it left. */
static JSValue run_again(abi_string input)
{
    JSValue begin[] = { JS_NewStringLen(context, input.data, input.len) };
    JSValue result = call(hooks.begin, 1, begin);
    if (JS_IsException(result))
        return result;
    result = call(hooks.invoke, 1, (JSValue[]){ JS_DupValue(context, agent_entry) });
    if (JS_IsException(result) || !loop(NULL))
        return JS_EXCEPTION;
    return call(hooks.encode, 0, NULL);
}

/* Copies a string out, cut at a character's border to at most `max` bytes. */
static abi_string take_text(JSValue value, size_t max)
{
    abi_string text = { NULL, 0 };
    size_t len;
    const char *from = JS_IsString(value) ? well_formed(context, value, &len) : NULL;
    if (from) {
        if (len > max) {
            len = max;
            while (len > 0 && ((uint8_t)from[len] & 0xC0) == 0x80)
                len--;
        }
        text.data = malloc(len + 1);
        if (text.data) {
            memcpy(text.data, from, len);
            text.len = len;
        }
        JS_FreeCString(context, from);
    } else {
        JS_FreeValue(context, JS_GetException(context));
    }
    JS_FreeValue(context, value);
    return text;
}

static abi_string constant_text(const char *text)
{
    abi_string copy = { malloc(strlen(text) + 1), strlen(text) };
    if (!copy.data)
        __builtin_trap();
    memcpy(copy.data, text, copy.len);
    return copy;
}

static void fail(void)
{
    JSValue thrown = JS_GetException(context), report;

    free(reserve);
    reserve = NULL;
    memset(&outcome, 0, sizeof outcome);
    outcome.is_error = 1;
    report = call(hooks.report, 1, &thrown);
    if (!JS_IsException(report)) {
        JSValue file = JS_GetPropertyUint32(context, report, 2), line = JS_GetPropertyUint32(context, report, 3);
        JSValue denied = JS_GetPropertyUint32(context, report, 4);
        int64_t number;
        outcome.error.message = take_text(JS_GetPropertyUint32(context, report, 0), MESSAGE_BYTES_MAX);
        outcome.error.trace = take_text(JS_GetPropertyUint32(context, report, 1), TRACE_BYTES_MAX);
        if (JS_IsString(file) && JS_ToInt64(context, &number, line) == 0) {
            outcome.error.file = take_text(file, 4096);
            outcome.error.line = (uint32_t)number;
            outcome.error.has_location = 1;
        }
        if (!JS_IsUndefined(denied) && JS_ToInt64(context, &number, denied) == 0) {
            outcome.error.has_denied = 1;
            outcome.error.denied = (uint64_t)number;
        }
        JS_FreeValue(context, report);
    } else {
        JS_FreeValue(context, JS_GetException(context));
    }
    if (outcome.error.message.len == 0)
        outcome.error.message = constant_text("the agent failed, and what it threw cannot be shown");
}

static bool same(abi_string a, abi_string b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static bool same_files(const abi_file *files, size_t count)
{
    if (count != oacp_source.count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same(files[i].path, oacp_source.files[i].path) || !same(files[i].content, oacp_source.files[i].content))
            return false;
    return true;
}

static void discard(abi_string text)
{
    if (text.len)
        free(text.data);
}

EXPORT("run")
abi_outcome *run(abi_file *files, size_t count, char *entry, size_t entry_len, char *input, size_t input_len)
{
    abi_string name = { entry, entry_len }, text = { input, input_len };
    JSValue json;

    JS_UpdateStackTop(runtime);
    if (!has_run) {
        has_run = true;
        oacp_source = (source_files){ files, count };
        source_entry = name;
        json = run_agent(text);
    } else if (same_files(files, count) && !is_script) {
        JSAtom path = JS_NewAtomLen(context, name.data, name.len);
        JSValue known = JS_GetProperty(context, entries, path);
        JS_FreeAtom(context, path);
        for (size_t i = 0; i < count; i++) {
            discard(files[i].path);
            discard(files[i].content);
        }
        if (count)
            free(files);
        JS_FreeValue(context, agent_entry);
        agent_entry = JS_UNDEFINED;
        if (!reserve)
            reserve = malloc(RESERVE_BYTES);
        if (JS_IsFunction(context, known)) {
            agent_entry = known;
            discard(name);
            json = run_again(text);
        } else {
            JS_FreeValue(context, known);
            discard(source_entry);
            source_entry = name;
            json = run_agent(text);
        }
    } else {
        json = JS_ThrowTypeError(context, "an instance runs one source, and a plain script only once");
    }
    discard(text);
    if (!JS_IsException(json)) {
        memset(&outcome, 0, sizeof outcome);
        outcome.result = take_text(json, SIZE_MAX);
        if (outcome.result.len)
            return &outcome;
        JS_ThrowOutOfMemory(context); /* a JSON text is never empty */
    }
    fail();
    return &outcome;
}

EXPORT("cabi_post_run")
void post_run(abi_outcome *of)
{
    if (of->is_error) {
        free(of->error.message.data);
        free(of->error.trace.data);
        free(of->error.file.data);
    } else {
        free(of->result.data);
    }
}

static JSValue take_hook(JSValueConst names, const char *name)
{
    JSValue hook = JS_GetPropertyStr(context, names, name);
    if (!JS_IsFunction(context, hook))
        __builtin_trap();
    return hook;
}

/* Clears memory that is about to be freed while the image is made, so that it takes no room in it. */
static void wipe(void *block, size_t size)
{
    if (oacp_initialized || !block)
        return;
    memset(block, 0, size);
    __asm__ volatile("" : : "r"(block) : "memory"); /* or the compiler would leave the clearing out */
}

static void *allocate_zeroed(void *opaque, size_t count, size_t size) { (void)opaque; return calloc(count, size); }
static void *allocate(void *opaque, size_t size) { (void)opaque; return malloc(size); }

static void release(void *opaque, void *block)
{
    (void)opaque;
    wipe(block, block ? malloc_usable_size(block) : 0);
    free(block);
}

static void *resize(void *opaque, void *block, size_t size)
{
    void *other;
    size_t held;
    if (oacp_initialized || !block)
        return realloc(block, size);
    held = malloc_usable_size(block);
    other = malloc(size);
    if (other) {
        memcpy(other, block, held < size ? held : size);
        release(opaque, block);
    }
    return other;
}

static size_t usable(const void *block) { return malloc_usable_size((void *)block); }

static const JSMallocFunctions allocator = { allocate_zeroed, allocate, release, resize, usable };

/* Makes the context and runs the boot modules, `files`. Returns what went wrong, or NULL. */
EXPORT("initialize")
const char *initialize(const abi_file *files, size_t count)
{
    JSValue main, names, promise;
    const abi_file *file;
    void *headroom;

    runtime = JS_NewRuntime2(&allocator, NULL);
    context = JS_NewContext(runtime);
    JS_SetMaxStackSize(runtime, STACK_BYTES_MAX);
    JS_UpdateStackTop(runtime);
    modules_install(runtime);
    oacp_source = (source_files){ files, count };
    if (host_module_install(context))
        return "module oacp:native";
    file = source_find(BOOT_MAIN, strlen(BOOT_MAIN));
    if (!file)
        return "no " BOOT_MAIN;
    main = source_compile(context, file, JS_EVAL_TYPE_MODULE);
    if (JS_IsException(main))
        goto failed;
    names = JS_UNDEFINED;
    {
        JSModuleDef *module = JS_VALUE_GET_PTR(main);
        promise = JS_EvalFunction(context, main);
        if (JS_IsException(promise))
            goto failed;
        if (!drain())
            goto failed;
        if (JS_PromiseState(context, promise) == JS_PROMISE_REJECTED) {
            JS_Throw(context, JS_PromiseResult(context, promise));
            goto failed;
        }
        names = JS_GetModuleNamespace(context, module);
    }
    JS_FreeValue(context, promise);
#define TAKE(name) hooks.name = take_hook(names, #name)
    TAKE(begin); TAKE(track); TAKE(watch); TAKE(turn); TAKE(value); TAKE(entry);
    TAKE(invoke); TAKE(encode); TAKE(output); TAKE(report); TAKE(stuck);
    JS_FreeValue(context, names);
    JS_SetHostPromiseRejectionTracker(runtime, track, NULL);
    JS_RunGC(runtime);
    engine_strip(runtime);
    JS_SetGCThreshold(runtime, GC_BYTES_MIN);
    oacp_source = (source_files){ NULL, 0 };
    agent_entry = JS_UNDEFINED;
    entries = JS_NewObjectProto(context, JS_NULL);
    /* The boot modules' text stays out of the image. */
    for (size_t i = 0; i < count; i++) {
        wipe(files[i].content.data, files[i].content.len);
        discard(files[i].content);
        discard(files[i].path);
    }
    free((void *)files);
    reserve = malloc(RESERVE_BYTES);
    headroom = malloc(HEADROOM_BYTES);
    free(headroom);
    oacp_initialized = true;
    return NULL;

failed:
    {
        JSValue error = JS_GetException(context), stack = JS_GetPropertyStr(context, error, "stack");
        const char *text = JS_ToCString(context, error), *trace = JS_ToCString(context, stack);
        size_t n = strlen(text), m = strlen(trace);
        char *both = malloc(n + m + 2);
        memcpy(both, text, n);
        both[n] = '\n';
        memcpy(both + n + 1, trace, m + 1);
        return both;
    }
}
