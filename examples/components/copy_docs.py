"""Appends a WIT package's `package-docs` section to a component: copy_docs.py PACKAGE.wasm COMPONENT.wasm

Such a section is a custom section of the component's outermost level: a version byte, then JSON. `wasm-tools component wit`
writes it into packages, hosts such as Wassette read it from components, and nothing that makes components copies it.
"""
import sys


def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def docs(data):
    at = 8
    while at < len(data):
        start = at
        size, body = number(data, at + 1)
        at = body + size
        if data[start] == 0:
            length, name = number(data, body)
            if data[name:name + length] == b"package-docs":
                return data[start:at]
    sys.exit("the package has no documentation")


package, component = sys.argv[1:]
section = docs(open(package, "rb").read())
with open(component, "ab") as file:
    file.write(section)
