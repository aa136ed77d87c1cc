"""A plain script: what it prints is the result, and its input is on stdin."""

import json
import sys
from collections import Counter

text = json.load(sys.stdin)["text"]
words = Counter(word.strip(".,;:!?").lower() for word in text.split())
for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0])):
    print(f"{count:3} {word}")
print(len(words), "words counted", file=sys.stderr)
