/* Module `oacp:native`: what the boot modules cannot do in JavaScript. */
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

const char *well_formed(JSContext *context, JSValueConst value, size_t *len)
{
    const char *text = JS_ToCStringLen(context, len, value);
    /* Only a copy that the engine made for this call holds bytes that are replaced: text that is
       all ASCII, which it may share with the string, has none. */
    if (text)
        utf8_replace_surrogates((char *)text, *len);
    return text;
}

/* start(name, arguments) -> call id */
static JSValue native_start(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t name_len, arguments_len;
    const char *name, *arguments;
    uint64_t call;
    (void)this; (void)argc;

    name = well_formed(context, argv[0], &name_len);
    if (!name)
        return JS_EXCEPTION;
    arguments = well_formed(context, argv[1], &arguments_len);
    if (!arguments) {
        JS_FreeCString(context, name);
        return JS_EXCEPTION;
    }
    call = host_start(name, name_len, arguments, arguments_len);
    JS_FreeCString(context, name);
    JS_FreeCString(context, arguments);
    return JS_NewInt64(context, (int64_t)call);
}

static JSValue take_string(JSContext *context, abi_string *text)
{
    JSValue value = JS_NewStringLen(context, text->data, text->len);
    free(text->len ? text->data : NULL);
    return value;
}

static void take_failure(JSContext *context, JSValue array, uint32_t at, abi_failure *failure)
{
    JS_DefinePropertyValueUint32(context, array, at, take_string(context, &failure->code), JS_PROP_C_W_E);
    JS_DefinePropertyValueUint32(context, array, at + 1, take_string(context, &failure->message), JS_PROP_C_W_E);
    if (failure->has_detail)
        JS_DefinePropertyValueUint32(context, array, at + 2, take_string(context, &failure->detail), JS_PROP_C_W_E);
}

static void *resize_bytes(JSRuntime *runtime, void *opaque, void *block, size_t size)
{
    (void)runtime; (void)opaque;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

/* A Uint8Array over what the host allocated: bodies and files are not copied. The engine does not count them either, so the
   collector is called here, or large bodies that are part of cycles would stay. */
static JSValue take_bytes(JSContext *context, abi_string *bytes)
{
    enum { UNCOLLECTED_MAX = 8 * 1024 * 1024 };
    static size_t uncollected;

    if (bytes->len == 0)
        return JS_NewUint8ArrayCopy(context, NULL, 0);
    uncollected += malloc_usable_size(bytes->data);
    if (uncollected > UNCOLLECTED_MAX) {
        JS_RunGC(JS_GetRuntime(context));
        uncollected = 0;
    }
    return JS_NewUint8Array(context, (uint8_t *)bytes->data, bytes->len, resize_bytes, NULL, false);
}

/* wait(calls, deadline?) -> undefined | [call, bytes] | [call, undefined, code, message, detail?] */
static JSValue native_wait(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_completion completion;
    int64_t count, call;
    double deadline = 0;
    bool has_deadline = argc > 1 && !JS_IsUndefined(argv[1]);
    uint64_t *calls;
    JSValue array;
    (void)this;

    if (JS_GetLength(context, argv[0], &count) || (has_deadline && JS_ToFloat64(context, &deadline, argv[1])))
        return JS_EXCEPTION;
    calls = js_malloc(context, (count + 1) * sizeof *calls);
    if (!calls)
        return JS_EXCEPTION;
    for (int64_t i = 0; i < count; i++) {
        JSValue item = JS_GetPropertyInt64(context, argv[0], i);
        int failed = JS_ToInt64(context, &call, item);
        JS_FreeValue(context, item);
        if (failed) {
            js_free(context, calls);
            return JS_EXCEPTION;
        }
        calls[i] = (uint64_t)call;
    }
    if (!(deadline > 0))
        deadline = 0;
    host_wait(calls, (size_t)count, has_deadline, deadline < 0x1p63 ? (uint64_t)deadline : UINT64_MAX, &completion);
    js_free(context, calls);
    if (!completion.is_some)
        return JS_UNDEFINED;
    array = JS_NewArray(context);
    if (JS_IsException(array))
        return array;
    JS_DefinePropertyValueUint32(context, array, 0, JS_NewInt64(context, (int64_t)completion.call), JS_PROP_C_W_E);
    if (completion.is_failure) {
        JS_DefinePropertyValueUint32(context, array, 1, JS_UNDEFINED, JS_PROP_C_W_E);
        take_failure(context, array, 2, &completion.failure);
    } else {
        JS_DefinePropertyValueUint32(context, array, 1, take_bytes(context, &completion.value), JS_PROP_C_W_E);
    }
    return array;
}

/* httpStart(method, url, [name, value, …], uint8array) -> call id */
static JSValue native_http_start(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_string *texts;
    abi_pair *headers;
    int64_t count, taken = 0;
    size_t body_len;
    uint8_t *body = JS_GetUint8Array(context, &body_len, argv[3]);
    JSValue result = JS_EXCEPTION;
    (void)this; (void)argc;

    if (!body || JS_GetLength(context, argv[2], &count))
        return JS_EXCEPTION;
    count &= ~(int64_t)1;
    texts = js_malloc(context, (count + 2) * sizeof *texts);
    if (!texts)
        return JS_EXCEPTION;
    headers = (abi_pair *)texts + 1; /* before them the method and the URL */
    for (; taken < count + 2; taken++) {
        JSValue item = taken < 2 ? JS_DupValue(context, argv[taken]) : JS_GetPropertyInt64(context, argv[2], taken - 2);
        texts[taken].data = (char *)well_formed(context, item, &texts[taken].len);
        JS_FreeValue(context, item);
        if (!texts[taken].data)
            break;
    }
    if (taken == count + 2) {
        uint64_t call = host_http_start(texts[0].data, texts[0].len, texts[1].data, texts[1].len, headers, (size_t)count / 2, body, body_len);
        result = JS_NewInt64(context, (int64_t)call);
    }
    while (taken > 0)
        JS_FreeCString(context, texts[--taken].data);
    js_free(context, texts);
    return result;
}

/* Calls of files and of the environment give [value], or [undefined, code, message, detail?]. Both take `value`. */
static JSValue answer(JSContext *context, JSValue value)
{
    JSValue array = JS_IsException(value) ? JS_EXCEPTION : JS_NewArray(context);
    if (JS_IsException(array)) {
        JS_FreeValue(context, value);
        return array;
    }
    JS_DefinePropertyValueUint32(context, array, 0, value, JS_PROP_C_W_E);
    return array;
}

static JSValue answer_failure(JSContext *context, abi_failure *failure)
{
    JSValue array = answer(context, JS_UNDEFINED);
    if (!JS_IsException(array))
        take_failure(context, array, 1, failure);
    return array;
}

static JSValue answer_done(JSContext *context, abi_done *done)
{
    return done->is_failure ? answer_failure(context, &done->failure) : answer(context, JS_UNDEFINED);
}

static JSValue kind_name(JSContext *context, uint8_t kind)
{
    return JS_NewString(context, kind == 0 ? "file" : "directory");
}

/* workingDirectory() -> string */
static JSValue native_working_directory(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_string path;
    (void)this; (void)argc; (void)argv;
    host_working_directory(&path);
    return take_string(context, &path);
}

/* read(path) -> [uint8array] | failure */
static JSValue native_read(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_read read;
    size_t len;
    const char *path = well_formed(context, argv[0], &len);
    (void)this; (void)argc;

    if (!path)
        return JS_EXCEPTION;
    host_read(path, len, &read);
    JS_FreeCString(context, path);
    return read.is_failure ? answer_failure(context, &read.failure) : answer(context, take_bytes(context, &read.value));
}

/* write(path, uint8array, mode) -> [] | failure */
static JSValue native_write(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_done done;
    int32_t mode;
    size_t len, content_len;
    const char *path;
    uint8_t *content = JS_GetUint8Array(context, &content_len, argv[1]);
    (void)this; (void)argc;

    if (!content || JS_ToInt32(context, &mode, argv[2]))
        return JS_EXCEPTION;
    path = well_formed(context, argv[0], &len);
    if (!path)
        return JS_EXCEPTION;
    host_write(path, len, content, content_len, mode, &done);
    JS_FreeCString(context, path);
    return answer_done(context, &done);
}

/* list(path) -> [[{ name, kind }, …]] | failure */
static JSValue native_list(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_listed listed;
    size_t len;
    const char *path = well_formed(context, argv[0], &len);
    JSValue list;
    (void)this; (void)argc;

    if (!path)
        return JS_EXCEPTION;
    host_list(path, len, &listed);
    JS_FreeCString(context, path);
    if (listed.is_failure)
        return answer_failure(context, &listed.failure);
    list = JS_NewArray(context);
    for (size_t i = 0; i < listed.entries.len; i++) {
        JSValue entry = JS_NewObject(context), name = take_string(context, &listed.entries.data[i].name);
        JS_DefinePropertyValueStr(context, entry, "name", name, JS_PROP_C_W_E);
        JS_DefinePropertyValueStr(context, entry, "kind", kind_name(context, listed.entries.data[i].kind), JS_PROP_C_W_E);
        JS_DefinePropertyValueUint32(context, list, (uint32_t)i, entry, JS_PROP_C_W_E);
    }
    if (listed.entries.len)
        free(listed.entries.data);
    return answer(context, list);
}

/* status(path) -> [{ kind, size } or null] | failure */
static JSValue native_status(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_status status;
    size_t len;
    const char *path = well_formed(context, argv[0], &len);
    JSValue found;
    (void)this; (void)argc;

    if (!path)
        return JS_EXCEPTION;
    host_status(path, len, &status);
    JS_FreeCString(context, path);
    if (status.is_failure)
        return answer_failure(context, &status.failure);
    if (!status.found.is_some)
        return answer(context, JS_NULL);
    found = JS_NewObject(context);
    JS_DefinePropertyValueStr(context, found, "kind", kind_name(context, status.found.kind), JS_PROP_C_W_E);
    JS_DefinePropertyValueStr(context, found, "size", JS_NewInt64(context, (int64_t)status.found.size), JS_PROP_C_W_E);
    return answer(context, found);
}

enum { MAKE_DIRECTORY, REMOVE };

/* makeDirectory(path), remove(path) -> [] | failure */
static JSValue native_change(JSContext *context, JSValueConst this, int argc, JSValueConst *argv, int change)
{
    abi_done done;
    size_t len;
    const char *path = well_formed(context, argv[0], &len);
    (void)this; (void)argc;

    if (!path)
        return JS_EXCEPTION;
    if (change == REMOVE)
        host_remove(path, len, &done);
    else
        host_make_directory(path, len, &done);
    JS_FreeCString(context, path);
    return answer_done(context, &done);
}

/* rename(old, new) -> [] | failure */
static JSValue native_rename(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_done done;
    size_t old_len, new_len;
    const char *old = well_formed(context, argv[0], &old_len), *new;
    (void)this; (void)argc;

    if (!old)
        return JS_EXCEPTION;
    new = well_formed(context, argv[1], &new_len);
    if (new)
        host_rename(old, old_len, new, new_len, &done);
    JS_FreeCString(context, old);
    if (!new)
        return JS_EXCEPTION;
    JS_FreeCString(context, new);
    return answer_done(context, &done);
}

/* variables() -> [name, value, …] */
static JSValue native_variables(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_pairs pairs;
    JSValue list = JS_NewArray(context);
    (void)this; (void)argc; (void)argv;

    if (JS_IsException(list))
        return list;
    host_variables(&pairs);
    for (size_t i = 0; i < pairs.len; i++) {
        JS_DefinePropertyValueUint32(context, list, (uint32_t)(2 * i), take_string(context, &pairs.data[i].name), JS_PROP_C_W_E);
        JS_DefinePropertyValueUint32(context, list, (uint32_t)(2 * i + 1), take_string(context, &pairs.data[i].value), JS_PROP_C_W_E);
    }
    if (pairs.len)
        free(pairs.data);
    return list;
}

/* variable(name) -> [string or undefined] | failure */
static JSValue native_variable(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_variable variable;
    size_t len;
    const char *name = well_formed(context, argv[0], &len);
    (void)this; (void)argc;

    if (!name)
        return JS_EXCEPTION;
    host_variable(name, len, &variable);
    JS_FreeCString(context, name);
    if (variable.is_failure)
        return answer_failure(context, &variable.failure);
    return answer(context, variable.variable.is_some ? take_string(context, &variable.variable.value) : JS_UNDEFINED);
}

/* latestDenial() -> call id, or undefined */
static JSValue native_latest_denial(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_latest latest;
    (void)this; (void)argc; (void)argv;

    host_latest_denial(&latest);
    if (!latest.is_some)
        return JS_UNDEFINED;
    if (latest.denial.len)
        free(latest.denial.data);
    return JS_NewInt64(context, (int64_t)latest.call);
}

/* log(level, message) -> undefined | [code, message] */
static JSValue native_log(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_done logged;
    int32_t level;
    size_t len;
    const char *message;
    JSValue array;
    (void)this; (void)argc;

    if (JS_ToInt32(context, &level, argv[0]))
        return JS_EXCEPTION;
    message = well_formed(context, argv[1], &len);
    if (!message)
        return JS_EXCEPTION;
    host_log(level, message, len, &logged);
    JS_FreeCString(context, message);
    if (!logged.is_failure)
        return JS_UNDEFINED;
    array = JS_NewArray(context);
    if (!JS_IsException(array))
        take_failure(context, array, 0, &logged.failure);
    return array;
}

/* now() -> nanoseconds of the monotonic clock */
static JSValue native_now(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this; (void)argc; (void)argv;
    return JS_NewInt64(context, (int64_t)host_monotonic_now());
}

/* fill(uint8array): random bytes */
static JSValue native_fill(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t len;
    struct host_bytes random;
    uint8_t *data = JS_GetUint8Array(context, &len, argv[0]);
    (void)this; (void)argc;

    if (!data)
        return JS_EXCEPTION;
    if (len == 0)
        return JS_UNDEFINED;
    host_random_bytes(len, &random);
    memcpy(data, random.data, random.len < len ? random.len : len);
    free(random.data);
    return JS_UNDEFINED;
}

/* random() -> [0, 1): xoshiro256+, seeded from the host when it is first asked for. */
static JSValue native_random(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    static uint64_t s[4];
    uint64_t sum, shifted;
    (void)this; (void)argc; (void)argv;

    if ((s[0] | s[1] | s[2] | s[3]) == 0) {
        struct host_bytes seed;
        host_random_bytes(sizeof s, &seed);
        memcpy(s, seed.data, sizeof s);
        free(seed.data);
        s[3] |= 1;
    }
    sum = s[0] + s[3];
    shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return JS_NewFloat64(context, (double)(sum >> 11) * 0x1p-53);
}

/* encode(string) -> Uint8Array of its UTF-8 */
static JSValue native_encode(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t len;
    const char *text = well_formed(context, argv[0], &len);
    JSValue bytes;
    (void)this; (void)argc;

    if (!text)
        return JS_EXCEPTION;
    bytes = JS_NewUint8ArrayCopy(context, (const uint8_t *)text, len);
    JS_FreeCString(context, text);
    return bytes;
}

/* decode(uint8array, fatal) -> string, or undefined where `fatal` and it is not UTF-8 */
static JSValue native_decode(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t len;
    uint8_t *data = JS_GetUint8Array(context, &len, argv[0]);
    JSValue text;
    char *repaired;
    (void)this; (void)argc;

    if (!data)
        return JS_EXCEPTION;
    if (utf8_valid(data, len))
        return JS_NewStringLen(context, (const char *)data, len);
    if (JS_ToBool(context, argv[1]))
        return JS_UNDEFINED;
    repaired = js_malloc(context, 3 * len);
    if (!repaired)
        return JS_EXCEPTION;
    text = JS_NewStringLen(context, repaired, utf8_repair(data, len, repaired));
    js_free(context, repaired);
    return text;
}

/* sha256(uint8array) -> Uint8Array */
static JSValue native_sha256(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t len;
    uint8_t digest[32], *data = JS_GetUint8Array(context, &len, argv[0]);
    (void)this; (void)argc;

    if (!data)
        return JS_EXCEPTION;
    sha256(data, len, digest);
    return JS_NewUint8ArrayCopy(context, digest, sizeof digest);
}

/* proxyTarget(value) -> the target of a proxy, else undefined */
static JSValue native_proxy_target(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this; (void)argc;
    return JS_IsProxy(argv[0]) ? JS_GetProxyTarget(context, argv[0]) : JS_UNDEFINED;
}

/* promiseState(value) -> undefined, or "pending", or [state, result] */
static JSValue native_promise_state(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    JSPromiseStateEnum state = JS_PromiseState(context, argv[0]);
    JSValue array;
    (void)this; (void)argc;

    if ((int)state < 0)
        return JS_UNDEFINED;
    array = JS_NewArray(context);
    if (JS_IsException(array))
        return array;
    JS_DefinePropertyValueUint32(context, array, 0, JS_NewInt32(context, state), JS_PROP_C_W_E);
    if (state != JS_PROMISE_PENDING)
        JS_DefinePropertyValueUint32(context, array, 1, JS_PromiseResult(context, argv[0]), JS_PROP_C_W_E);
    return array;
}

/* isError(value): whether the engine made it as an Error, whatever its prototype */
static JSValue native_is_error(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this; (void)argc;
    return JS_NewBool(context, JS_IsError(argv[0]));
}

/* hasFile(path): whether the agent's source has it */
static JSValue native_has_file(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    size_t len;
    const char *path = JS_ToCStringLen(context, &len, argv[0]);
    bool found;
    (void)this; (void)argc;

    if (!path)
        return JS_EXCEPTION;
    found = source_find(path, len) != NULL;
    JS_FreeCString(context, path);
    return JS_NewBool(context, found);
}

/* lineStart(path, ...prefixes) -> which of the prefixes a line of the file begins with, or -1 */
static JSValue native_line_start(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    enum { PREFIXES_MAX = 8 };
    struct { const char *text; size_t len; } prefixes[PREFIXES_MAX + 1] = { { 0 } };
    const abi_file *file = NULL;
    int found = -1, count = argc <= PREFIXES_MAX + 1 ? argc : PREFIXES_MAX + 1;
    (void)this;

    for (int i = 0; i < count; i++)
        prefixes[i].text = JS_ToCStringLen(context, &prefixes[i].len, argv[i]);
    if (count > 0 && prefixes[0].text)
        file = source_find(prefixes[0].text, prefixes[0].len);
    if (file && file->content.len) {
        const char *at = file->content.data, *end = at + file->content.len;
        while (at && found < 0) {
            for (int i = 1; i < count && found < 0; i++)
                if (prefixes[i].text && (size_t)(end - at) >= prefixes[i].len && memcmp(at, prefixes[i].text, prefixes[i].len) == 0)
                    found = i - 1;
            at = memchr(at, '\n', (size_t)(end - at));
            if (at && ++at == end)
                at = NULL;
        }
    }
    for (int i = 0; i < count; i++)
        if (prefixes[i].text)
            JS_FreeCString(context, prefixes[i].text);
    return JS_NewInt32(context, found);
}

static const JSCFunctionListEntry natives[] = {
    JS_CFUNC_DEF("start", 2, native_start),
    JS_CFUNC_DEF("wait", 2, native_wait),
    JS_CFUNC_DEF("httpStart", 4, native_http_start),
    JS_CFUNC_DEF("workingDirectory", 0, native_working_directory),
    JS_CFUNC_DEF("read", 1, native_read),
    JS_CFUNC_DEF("write", 3, native_write),
    JS_CFUNC_DEF("list", 1, native_list),
    JS_CFUNC_DEF("status", 1, native_status),
    JS_CFUNC_MAGIC_DEF("makeDirectory", 1, native_change, MAKE_DIRECTORY),
    JS_CFUNC_MAGIC_DEF("remove", 1, native_change, REMOVE),
    JS_CFUNC_DEF("rename", 2, native_rename),
    JS_CFUNC_DEF("variables", 0, native_variables),
    JS_CFUNC_DEF("variable", 1, native_variable),
    JS_CFUNC_DEF("latestDenial", 0, native_latest_denial),
    JS_CFUNC_DEF("log", 2, native_log),
    JS_CFUNC_DEF("now", 0, native_now),
    JS_CFUNC_DEF("fill", 1, native_fill),
    JS_CFUNC_DEF("random", 0, native_random),
    JS_CFUNC_DEF("encode", 1, native_encode),
    JS_CFUNC_DEF("decode", 2, native_decode),
    JS_CFUNC_DEF("sha256", 1, native_sha256),
    JS_CFUNC_DEF("proxyTarget", 1, native_proxy_target),
    JS_CFUNC_DEF("promiseState", 1, native_promise_state),
    JS_CFUNC_DEF("isError", 1, native_is_error),
    JS_CFUNC_DEF("hasFile", 1, native_has_file),
    JS_CFUNC_DEF("lineStart", 1, native_line_start),
};

static int natives_fill(JSContext *context, JSModuleDef *module)
{
    return JS_SetModuleExportList(context, module, natives, sizeof natives / sizeof *natives);
}

int host_module_install(JSContext *context)
{
    JSModuleDef *module = JS_NewCModule(context, "oacp:native", natives_fill);
    return module ? JS_AddModuleExportList(context, module, natives, sizeof natives / sizeof *natives) : -1;
}
