"""pad.py SOURCE.c OUTPUT.c: a file of QuickJS-ng with its recursive parsers given larger stack frames.

A WebAssembly engine keeps most of a call's frame on a stack that the program cannot measure. QuickJS-ng
judges its depth by the part in linear memory, which is next to nothing in these functions: deeply nested
source text or JSON would overflow the stack before the check fires, and end the instance instead of
throwing a RangeError. The bytes here make the part that is measured about as large as the part that is not.
"""

import os
import re
import sys

PADS = {
    "quickjs.c": {
        "internalize_json_property": 384,
        "js_create_function": 512,
        "js_json_to_str": 768,
        "js_parse_assign_expr2": 1024,
        "js_parse_destructuring_element": 1024,
        "js_parse_expr_binary": 512,
        "js_parse_function_decl2": 2048,
        "js_parse_postfix_expr": 2048,
        "js_parse_statement_or_decl": 2048,
        "js_parse_unary": 1024,
        "json_parse_value": 384,
    },
    "libregexp.c": {
        "re_parse_disjunction": 1024,
        "re_parse_nested_class": 1024,
        "re_parse_term": 1024,
    },
}

source, output = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = file.read()
for name, size in PADS[os.path.basename(source)].items():
    definition = re.compile(rf"^static [^;{{}}]*?\b{name}\([^;{{}}]*?\)\n\{{\n", re.M)
    text, count = definition.subn(lambda found: found[0] + f"    char oacp_pad[{size}];\n    __asm__ volatile(\"\" : : \"r\"(oacp_pad));\n", text)
    if count != 1:
        sys.exit(f"{source}: {count} definitions of {name}, expected one")
with open(output, "w", encoding="utf-8") as file:
    file.write(text)
