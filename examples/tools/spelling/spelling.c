/* Finds the words that somebody may have meant, by the fewest edits that lead there. */
#include "spelling.h"

#include <stdlib.h>
#include <string.h>

#define WORDS(name) exports_example_spelling_words_##name

enum { CHARACTERS_MAX = 64, MOST = 3 };

typedef struct {
  uint32_t characters[CHARACTERS_MAX];
  unsigned length;
} word_t;

/* False if the word is too long. What a component is handed is valid UTF-8: the first byte of a character tells how many follow. */
static bool decode(const spelling_string_t *text, word_t *word, WORDS(problem_t) *problem) {
  word->length = 0;
  for (size_t at = 0; at < text->len; word->length++) {
    if (word->length == CHARACTERS_MAX) {
      problem->tag = EXPORTS_EXAMPLE_SPELLING_WORDS_PROBLEM_TOO_LONG;
      problem->val.too_long = text->len;
      return false;
    }
    uint32_t first = text->ptr[at++];
    unsigned following = first < 0xC0 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t character = following ? first & (0x3F >> following) : first;
    while (following--) character = character << 6 | (text->ptr[at++] & 0x3F);
    word->characters[word->length] = character;
  }
  return true;
}

static unsigned lesser(unsigned a, unsigned b) { return a < b ? a : b; }

/* Row by row: how many edits turn the first `i` characters of one word into the first `j` of the other. No row needs more than two above. */
static unsigned edits(const word_t *one, const word_t *other) {
  unsigned rows[3][CHARACTERS_MAX + 1];
  const uint32_t *a = one->characters, *b = other->characters;

  for (unsigned j = 0; j <= other->length; j++) rows[0][j] = j;
  for (unsigned i = 1; i <= one->length; i++) {
    unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
    row[0] = i;
    for (unsigned j = 1; j <= other->length; j++) {
      row[j] = lesser(above[j - 1] + (a[i - 1] != b[j - 1]), lesser(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = lesser(row[j], before[j - 2] + 1);
    }
  }
  return rows[one->length % 3][other->length];
}

bool WORDS(distance)(spelling_string_t *one, spelling_string_t *other, uint32_t *ret, WORDS(problem_t) *problem) {
  word_t from, to;
  bool is_short = decode(one, &from, problem) && decode(other, &to, problem);

  if (is_short) *ret = edits(&from, &to);
  spelling_string_free(one);
  spelling_string_free(other);
  return is_short;
}

/* Puts a word where it belongs among the nearest `*length`, of which there are at most `most`. */
static void insert(WORDS(suggestion_t) *nearest, size_t *length, size_t most, const spelling_string_t *word, uint32_t distance) {
  size_t at = *length;

  while (at > 0 && nearest[at - 1].distance > distance) at--;
  if (at == most) return;
  if (*length == most) spelling_string_free(&nearest[most - 1].word);
  else ++*length;
  memmove(nearest + at + 1, nearest + at, (*length - at - 1) * sizeof *nearest);
  nearest[at].distance = distance;
  spelling_string_dup_n(&nearest[at].word, (const char *)word->ptr, word->len);
}

bool WORDS(suggest)(spelling_string_t *word, spelling_list_string_t *dictionary, uint32_t *most, WORDS(list_suggestion_t) *ret, WORDS(problem_t) *problem) {
  size_t room = lesser(most ? *most : MOST, dictionary->len);
  word_t meant, known;
  bool is_short = decode(word, &meant, problem);

  ret->len = 0;
  ret->ptr = calloc(room + 1, sizeof *ret->ptr);
  if (!ret->ptr) abort();
  for (size_t i = 0; is_short && i < dictionary->len; i++) {
    is_short = decode(&dictionary->ptr[i], &known, problem);
    if (is_short && room > 0) insert(ret->ptr, &ret->len, room, &dictionary->ptr[i], edits(&meant, &known));
  }
  if (!is_short) {
    for (size_t i = 0; i < ret->len; i++) spelling_string_free(&ret->ptr[i].word);
    free(ret->ptr);
  }
  spelling_string_free(word);
  spelling_list_string_free(dictionary);
  return is_short;
}
