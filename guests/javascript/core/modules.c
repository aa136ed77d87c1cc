/* How an agent's `import`s are found: in its own source, by relative path, and nowhere else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

source_files oacp_source;

bool path_ends_with(const char *path, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);
    return len >= n && memcmp(path + len - n, suffix, n) == 0;
}

const abi_file *source_find(const char *path, size_t len)
{
    size_t low = 0, high = oacp_source.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const abi_string *at = &oacp_source.files[middle].path;
        int order = memcmp(at->data, path, at->len < len ? at->len : len);
        if (order == 0 && at->len == len)
            return &oacp_source.files[middle];
        if (order < 0 || (order == 0 && at->len < len))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Throws, with the importing line as the error's stack. */
static void throw_import(JSContext *context, const char *base, const char *name, const char *message)
{
    const abi_file *file = source_find(base, strlen(base));
    size_t n = strlen(name);
    char place[1200];
    JSValue error;

    JS_ThrowReferenceError(context, "%s", message);
    error = JS_GetException(context);
    if (file && JS_IsError(error)) {
        const char *text = file->content.data, *end = text + file->content.len;
        unsigned line = 1;
        for (const char *at = text; at < end; at++) {
            if (*at == '\n')
                line++;
            if ((*at == '"' || *at == '\'') && (size_t)(end - at) > n + 1 && at[n + 1] == *at && memcmp(at + 1, name, n) == 0) {
                snprintf(place, sizeof place, "    at %s:%u:1\n", base, line);
                JS_DefinePropertyValueStr(context, error, "stack", JS_NewString(context, place), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
                break;
            }
        }
    }
    JS_Throw(context, error);
}

static const struct {
    const char *name, *instead;
} node_modules[] = {
    { "assert", "throw an Error" },
    { "async_hooks", NULL },
    { "buffer", "use Uint8Array, TextEncoder, atob and btoa" },
    { "child_process", "a tool of the host can do it: `tools.call`" },
    { "crypto", "use the global `crypto`" },
    { "dns", "a tool of the host can do it: `tools.call`" },
    { "events", "use EventTarget" },
    { "fs", "use `import { files } from \"oacp\"`" },
    { "fs/promises", "use `import { files } from \"oacp\"`" },
    { "http", "use `fetch`" },
    { "https", "use `fetch`" },
    { "module", NULL },
    { "net", "a tool of the host can do it: `tools.call`" },
    { "os", NULL },
    { "path", "use string methods or URL" },
    { "perf_hooks", "use the global `performance`" },
    { "process", "the input is what `run(input)` is given, and the environment is `import { env } from \"oacp\"`" },
    { "querystring", "use URLSearchParams" },
    { "readline", "the input is what `run(input)` is given" },
    { "stream", NULL },
    { "timers", "use the global `setTimeout`" },
    { "timers/promises", "use `new Promise(resolve => setTimeout(resolve, ms))`" },
    { "tty", NULL },
    { "url", "use the globals URL and URLSearchParams" },
    { "util", "use `structuredClone`, `TextEncoder`, and `console` to format values" },
    { "vm", NULL },
    { "worker_threads", NULL },
    { "zlib", NULL },
};

static void throw_bare(JSContext *context, const char *base, const char *name)
{
    const char *bare = strncmp(name, "node:", 5) == 0 ? name + 5 : name;
    char message[1600];

    for (size_t i = 0; i < sizeof node_modules / sizeof *node_modules; i++) {
        if (strcmp(node_modules[i].name, bare) != 0)
            continue;
        snprintf(message, sizeof message, "there is no module `%.200s` here: this is not Node.js%s%s", name,
                 node_modules[i].instead ? "; " : "", node_modules[i].instead ? node_modules[i].instead : "");
        throw_import(context, base, name, message);
        return;
    }
    if (strncmp(name, "node:", 5) == 0)
        snprintf(message, sizeof message, "there is no module `%.200s` here: this is not Node.js", name);
    else if (strstr(name, "://"))
        snprintf(message, sizeof message,
                 "cannot import `%.400s`: modules are not fetched; put the file into the agent's source", name);
    else
        snprintf(message, sizeof message,
                 "cannot find the package `%.200s`: packages are not installed; put its file into the agent's source "
                 "and import it by a relative path (`./%.200s.js`)",
                 name, name);
    throw_import(context, base, name, message);
}

/* Levenshtein's distance, for paths of up to 63 bytes. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    uint8_t row[64];
    if (n > 63 || m > 63)
        return 255;
    for (size_t j = 0; j <= m; j++)
        row[j] = (uint8_t)j;
    for (size_t i = 1; i <= n; i++) {
        uint8_t corner = row[0];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= m; j++) {
            uint8_t best = (uint8_t)(corner + (a[i - 1] != b[j - 1]));
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

static void throw_missing(JSContext *context, const char *base, const char *name, const char *path)
{
    static const char *const endings[] = { "", ".js", ".mjs" };
    const abi_string *nearest = NULL;
    size_t best = 4, len = strlen(path);
    char message[2400];

    for (size_t i = 0; i < oacp_source.count; i++) {
        const abi_string *at = &oacp_source.files[i].path;
        for (size_t k = 0; k < 3; k++) {
            char tried[64];
            int n = snprintf(tried, sizeof tried, "%s%s", path, endings[k]);
            size_t d = n < (int)sizeof tried ? distance(tried, (size_t)n, at->data, at->len) : 255;
            if (d < best) {
                best = d;
                nearest = at;
            }
        }
    }
    if (len == 0)
        path = ".";
    if (nearest)
        snprintf(message, sizeof message, "cannot find `%.400s`: the source has no file `%.400s`; did you mean `%.*s`?",
                 name, path, (int)nearest->len, nearest->data);
    else
        snprintf(message, sizeof message, "cannot find `%.400s`: the source has no file `%.400s`", name, path);
    throw_import(context, base, name, message);
}

/* Joins `name` to the directory of `base`. False where it leaves the source. */
static bool join(char *out, const char *base, const char *name)
{
    size_t len = 0;
    const char *slash = strrchr(base, '/');

    if (name[0] != '/' && slash) {
        len = (size_t)(slash - base);
        memcpy(out, base, len);
    }
    while (*name) {
        size_t n = strcspn(name, "/");
        if (n == 2 && memcmp(name, "..", 2) == 0) {
            if (len == 0)
                return false;
            while (len > 0 && out[len - 1] != '/')
                len--;
            if (len > 0)
                len--;
        } else if (n > 0 && !(n == 1 && *name == '.')) {
            if (len > 0)
                out[len++] = '/';
            memcpy(out + len, name, n);
            len += n;
        }
        name += n;
        while (*name == '/')
            name++;
    }
    out[len] = '\0';
    return true;
}

static char *normalize(JSContext *context, const char *base, const char *name, void *opaque)
{
    static const char *const endings[] = { "", ".js", ".mjs", ".json", "/index.js", "/index.mjs" };
    bool in_boot = strncmp(base, BOOT_PREFIX, strlen(BOOT_PREFIX)) == 0;
    size_t len;
    char *path;
    (void)opaque;

    if (strcmp(name, "oacp") == 0)
        return js_strdup(context, BOOT_PREFIX "oacp.js");
    if (in_boot && strcmp(name, "oacp:native") == 0)
        return js_strdup(context, name);
    if (name[0] != '/' && strncmp(name, "./", 2) != 0 && strncmp(name, "../", 3) != 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        throw_bare(context, base, name);
        return NULL;
    }
    path = js_malloc(context, strlen(base) + strlen(name) + 16);
    if (!path)
        return NULL;
    if (!join(path, base, name)) {
        char message[600];
        snprintf(message, sizeof message, "cannot import `%.400s`: it leads out of the agent's source", name);
        throw_import(context, base, name, message);
        js_free(context, path);
        return NULL;
    }
    len = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        strcpy(path + len, endings[i] + (len == 0 && endings[i][0] == '/'));
        if (source_find(path, strlen(path)))
            return path;
    }
    path[len] = '\0';
    throw_missing(context, base, name, path);
    js_free(context, path);
    return NULL;
}

JSValue source_compile(JSContext *context, const abi_file *file, int flags)
{
    const char *data = file->content.data;
    size_t len = file->content.len;
    char *path, *text;
    JSValue compiled;

    path = js_malloc(context, file->path.len + 1);
    text = js_malloc(context, len + 1);
    if (!path || !text) {
        js_free(context, path);
        js_free(context, text);
        return JS_EXCEPTION;
    }
    memcpy(path, file->path.data, file->path.len);
    path[file->path.len] = '\0';
    if (len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
        data += 3;
        len -= 3;
    }
    memcpy(text, data, len);
    text[len] = '\0'; /* the engine's lexer stops there */
    if (utf8_valid((const uint8_t *)data, len))
        compiled = JS_Eval(context, text, len, path, flags | JS_EVAL_FLAG_COMPILE_ONLY);
    else
        compiled = JS_ThrowSyntaxError(context, "%s is not UTF-8", path);
    js_free(context, path);
    js_free(context, text);
    return compiled;
}

static int fill_default(JSContext *context, JSModuleDef *module)
{
    return JS_SetModuleExport(context, module, "default", JS_GetModulePrivateValue(context, module));
}

static JSModuleDef *value_module(JSContext *context, const char *name, JSValue value)
{
    JSModuleDef *module;
    if (JS_IsException(value))
        return NULL;
    module = JS_NewCModule(context, name, fill_default);
    if (!module || JS_AddModuleExport(context, module, "default") < 0) {
        JS_FreeValue(context, value);
        return NULL;
    }
    JS_SetModulePrivateValue(context, module, value);
    return module;
}

bool module_describe(JSContext *context, JSModuleDef *module, const abi_file *file)
{
    JSValue meta = JS_GetImportMeta(context, module);
    size_t n = file->path.len;
    char *url = js_malloc(context, n + 8);
    if (JS_IsException(meta) || !url)
        return false;
    memcpy(url, "file:///", 8);
    memcpy(url + 8, file->path.data, n);
    JS_DefinePropertyValueStr(context, meta, "url", JS_NewStringLen(context, url, n + 8), JS_PROP_C_W_E);
    js_free(context, url);
    JS_FreeValue(context, meta);
    return true;
}

static JSModuleDef *load(JSContext *context, const char *name, void *opaque, JSValueConst attributes)
{
    size_t len = strlen(name);
    const abi_file *file = source_find(name, len);
    bool json = path_ends_with(name, len, ".json"), text = false;
    JSValue compiled;
    JSModuleDef *module;
    (void)opaque;

    if (!file) {
        JS_ThrowReferenceError(context, "cannot find `%s`", name);
        return NULL;
    }
    if (JS_IsObject(attributes)) {
        JSValue value = JS_GetPropertyStr(context, attributes, "type");
        const char *type = JS_IsString(value) ? JS_ToCString(context, value) : NULL;
        if (type) {
            json = json || strcmp(type, "json") == 0;
            text = strcmp(type, "text") == 0;
            JS_FreeCString(context, type);
        }
        JS_FreeValue(context, value);
    }
    if (json || text) {
        if (!utf8_valid((const uint8_t *)file->content.data, file->content.len)) {
            JS_ThrowSyntaxError(context, "%s is not UTF-8", name);
            return NULL;
        }
        if (text)
            return value_module(context, name, JS_NewStringLen(context, file->content.data, file->content.len));
        char *copy = js_malloc(context, file->content.len + 1);
        if (!copy)
            return NULL;
        memcpy(copy, file->content.data, file->content.len);
        copy[file->content.len] = '\0';
        module = value_module(context, name, JS_ParseJSON(context, copy, file->content.len, name));
        js_free(context, copy);
        return module;
    }
    if (path_ends_with(name, len, ".ts") || path_ends_with(name, len, ".tsx") || path_ends_with(name, len, ".jsx")) {
        JS_ThrowSyntaxError(context, "%s is not JavaScript: compile it to JavaScript first", name);
        return NULL;
    }
    compiled = source_compile(context, file, JS_EVAL_TYPE_MODULE);
    if (JS_IsException(compiled))
        return NULL;
    module = JS_VALUE_GET_PTR(compiled);
    JS_FreeValue(context, compiled); /* the context keeps its modules */
    return module_describe(context, module, file) ? module : NULL;
}

static int check_attributes(JSContext *context, void *opaque, JSValueConst attributes)
{
    JSValue type = JS_GetPropertyStr(context, attributes, "type");
    const char *text = JS_IsString(type) ? JS_ToCString(context, type) : NULL;
    int known = text && (strcmp(text, "json") == 0 || strcmp(text, "text") == 0);
    (void)opaque;

    if (!known)
        JS_ThrowTypeError(context, "an import's `type` is \"json\" or \"text\"");
    if (text)
        JS_FreeCString(context, text);
    JS_FreeValue(context, type);
    return known ? 0 : -1;
}

void modules_install(JSRuntime *runtime)
{
    JS_SetModuleLoaderFunc2(runtime, normalize, load, check_attributes, NULL);
}
