"""Sets a text in columns of a given width, with a template and unicode-aware counts."""

import string
import textwrap
import unicodedata

FRAME = string.Template("$title\n$line\n$body")


def run(input):
    body = textwrap.fill(textwrap.dedent(input["text"]).strip(), width=input["width"], initial_indent="  ")
    title = input["title"].center(input["width"]).rstrip()
    letters = [character for character in input["text"] if unicodedata.category(character).startswith("L")]
    plain = unicodedata.normalize("NFKD", input["title"]).encode("ascii", "ignore").decode()
    return {
        "page": FRAME.substitute(title=title, line="=" * input["width"], body=body).splitlines(),
        "short": textwrap.shorten(input["text"], 40, placeholder=" …"),
        "letters": len(letters),
        "title_in_ascii": plain,
    }
