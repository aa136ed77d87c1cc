"""Reads a web page: its headings, its links and its text, without scripts and styles."""

from html.parser import HTMLParser


class Outline(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.headings, self.links, self.words, self.open = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "a":
            self.links.append(dict(attributes).get("href"))
        if tag in ("h1", "h2", "h3"):
            self.headings.append({"level": int(tag[1]), "text": ""})

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if {"script", "style"} & set(self.open):
            return
        self.words.extend(data.split())
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1]["text"] += data.strip()


def run(input):
    outline = Outline()
    outline.feed(input["html"])
    return {"headings": outline.headings, "links": outline.links, "text": " ".join(outline.words)}
