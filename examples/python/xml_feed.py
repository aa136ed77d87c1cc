"""Reads a news feed in XML and writes a smaller one."""

import xml.etree.ElementTree as ET
from email.utils import parsedate_to_datetime


def run(input):
    items = []
    for item in ET.fromstring(input["feed"]).iterfind("./channel/item"):
        when = parsedate_to_datetime(item.findtext("pubDate"))
        items.append({"title": item.findtext("title"), "link": item.findtext("link"), "date": when.date().isoformat()})
    items.sort(key=lambda item: item["date"], reverse=True)
    root = ET.Element("news")
    for item in items:
        ET.SubElement(root, "item", date=item["date"], href=item["link"]).text = item["title"]
    ET.indent(root)
    return {"items": items, "xml": ET.tostring(root, encoding="unicode").splitlines()}
