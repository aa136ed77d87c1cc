/* A plain C program: counts the lines, words and bytes of its standard input. It knows nothing of WebAssembly. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  unsigned long lines = 0, words = 0, bytes = 0;
  int in_word = 0;

  for (int c; (c = getchar()) != EOF; bytes++) {
    lines += c == '\n';
    words += !isspace(c) && !in_word;
    in_word = !isspace(c);
  }
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "-l")) printf("%lu\n", lines);
    else if (!strcmp(argv[i], "-w")) printf("%lu\n", words);
    else if (!strcmp(argv[i], "-c")) printf("%lu\n", bytes);
    else {
      fprintf(stderr, "word-count: unknown option `%s`\n", argv[i]);
      return 2;
    }
  }
  if (argc < 2) printf("%lu %lu %lu%s%s\n", lines, words, bytes, getenv("LABEL") ? " " : "", getenv("LABEL") ? getenv("LABEL") : "");
  return 0;
}
