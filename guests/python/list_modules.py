"""Writes the list of the standard library's modules that work into the documentation: list_modules.py COMPONENT DOCUMENT"""

import json
import pathlib
import sys
import textwrap

import host

BEGIN, END = "<!-- modules: written by guests/python/list_modules.py -->\n", "<!-- end of modules -->\n"
AGENT = b"import _oacp.run\ndef run(input):\n    return _oacp.run.modules\n"


def public(name):
    return not any(part.startswith("_") for part in name.split("."))


def text(modules):
    modules = [name for name in modules if public(name)]
    codecs = sorted(name.removeprefix("encodings.") for name in modules if name.startswith("encodings."))
    codecs = [name for name in codecs if name != "aliases"]
    plain = [name for name in modules if not name.startswith("encodings.")]
    lines = [f"{len(plain)} modules:", ""]
    lines += textwrap.wrap(", ".join(f"`{name}`" for name in plain), 110, break_on_hyphens=False)
    lines += ["", f"Text encodings ({len(codecs)}):", ""]
    lines += textwrap.wrap(", ".join(f"`{name}`" for name in codecs), 110, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def main():
    engine, component = host.load(sys.argv[1])
    run = host.Run(engine, component).run({"agent.py": AGENT}, "agent.py")
    if run.error is not None:
        sys.exit(run.error.message)
    path = pathlib.Path(sys.argv[2])
    document = path.read_text(encoding="utf-8")
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(before + BEGIN + "\n" + text(json.loads(run.result)) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
