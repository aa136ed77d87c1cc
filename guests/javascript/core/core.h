/* What the files of the core share. */
#ifndef OACP_CORE_H
#define OACP_CORE_H

#include <stdbool.h>

#include "abi.h"
#include "quickjs.h"

/* main.c */
extern bool oacp_initialized; /* false while the image is made, at build time */

/* engine.c */
void engine_strip(JSRuntime *runtime);

/* modules.c: the source that is being run, and how its modules are found. */
#define BOOT_PREFIX "oacp:boot/"
#define BOOT_MAIN BOOT_PREFIX "main.js"

typedef struct {
    const abi_file *files; /* sorted by path */
    size_t count;
} source_files;

extern source_files oacp_source;
const abi_file *source_find(const char *path, size_t len);
/* Compiles a file; `flags` say as what. The file must be UTF-8, or a SyntaxError is thrown. */
JSValue source_compile(JSContext *context, const abi_file *file, int flags);
/* Sets the `import.meta` of a file's module. */
bool module_describe(JSContext *context, JSModuleDef *module, const abi_file *file);
bool path_ends_with(const char *path, size_t len, const char *suffix);
void modules_install(JSRuntime *runtime);

/* host.c: the functions that the boot modules are written over. */
int host_module_install(JSContext *context);
/* A string's UTF-8, well-formed even where the string is not. NULL after an exception. */
const char *well_formed(JSContext *context, JSValueConst value, size_t *len);

/* text.c */
bool utf8_valid(const uint8_t *in, size_t len);
size_t utf8_repair(const uint8_t *in, size_t len, char *out);
void utf8_replace_surrogates(char *text, size_t len);
void sha256(const uint8_t *data, size_t len, uint8_t out[32]);

#endif
