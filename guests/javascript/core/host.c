/* Module `oacp:native`: what the boot modules cannot do in JavaScript. */
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

/* wait(calls, deadline?) -> undefined | [call, value] | [call, undefined, code, message, detail?] */
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
        JS_DefinePropertyValueUint32(context, array, 1, take_string(context, &completion.value), JS_PROP_C_W_E);
    }
    return array;
}

/* log(level, message) -> undefined | [code, message] */
static JSValue native_log(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    abi_logged logged;
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
