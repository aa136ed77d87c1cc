import re


def run(input):
    line = '10.0.0.1 - - [22/Nov/2026:20:14:05 +0000] "GET /a/b?c=1 HTTP/1.1" 200 512\n'
    pattern = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "(\w+) ([^ "]+) [^"]*" (\d{3}) (\d+)$', re.M)
    return len(pattern.findall(line * 4000))
