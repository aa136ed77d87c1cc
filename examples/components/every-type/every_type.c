#include "everything.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHAPES(name) exports_example_every_type_shapes_##name

/* What was passed in is not freed: an instance lives for one call. */
static void *room(size_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (!memory) abort();
  return memory;
}

static void say(everything_string_t *into, const char *format, int length, const void *text) {
  char *line = room(length + strlen(format), 1);
  into->ptr = (uint8_t *)line;
  into->len = sprintf(line, format, length, text);
}

void exports_everything_shout(everything_string_t *text, everything_string_t *ret) {
  *ret = *text;
  for (size_t i = 0; i < ret->len; i++) ret->ptr[i] = toupper(ret->ptr[i]);
}

void exports_everything_trap(void) { __builtin_trap(); }

void inline_greet(everything_string_t *name, everything_string_t *ret) { say(ret, "Hello, %.*s!", name->len, name->ptr); }

void SHAPES(echo_integers)(SHAPES(integers_t) *all, SHAPES(integers_t) *ret) { *ret = *all; }

void SHAPES(halve)(float one, double two, everything_tuple2_f32_f64_t *ret) {
  ret->f0 = one / 2;
  ret->f1 = two / 2;
}

uint32_t SHAPES(following)(uint32_t letter) { return letter == 0xD7FF ? 0xE000 : letter == 0x10FFFF ? 0 : letter + 1; }

void SHAPES(reverse)(everything_list_u8_t *data, everything_list_u8_t *ret) {
  ret->len = data->len;
  ret->ptr = room(data->len, 1);
  for (size_t i = 0; i < data->len; i++) ret->ptr[i] = data->ptr[data->len - 1 - i];
}

int64_t SHAPES(sum)(everything_list_s32_t *numbers) {
  int64_t sum = 0;
  for (size_t i = 0; i < numbers->len; i++) sum += numbers->ptr[i];
  return sum;
}

void SHAPES(lengths)(everything_list_list_string_t *table, everything_list_list_u32_t *ret) {
  ret->len = table->len;
  ret->ptr = room(table->len, sizeof *ret->ptr);
  for (size_t row = 0; row < table->len; row++) {
    everything_list_string_t *from = &table->ptr[row];
    everything_list_u32_t *to = &ret->ptr[row];
    to->len = from->len;
    to->ptr = room(from->len, sizeof *to->ptr);
    for (size_t i = 0; i < from->len; i++) to->ptr[i] = from->ptr[i].len;
  }
}

bool SHAPES(increment)(uint32_t *value, uint32_t *ret) {
  if (value) *ret = *value + 1;
  return value != NULL;
}

void SHAPES(describe_nested)(everything_option_string_t *value, everything_string_t *ret) {
  if (!value) say(ret, "absent%.*s", 0, "");
  else if (!value->is_some) say(ret, "present and empty%.*s", 0, "");
  else say(ret, "present: %.*s", value->val.len, value->val.ptr);
}

bool SHAPES(nest)(uint8_t depth, everything_option_string_t *ret) {
  ret->is_some = depth > 1;
  say(&ret->val, "deep%.*s", 0, "");
  return depth > 0;
}

void SHAPES(swap)(everything_tuple2_string_u8_t *pair, everything_tuple2_u8_string_t *ret) {
  ret->f0 = pair->f1;
  ret->f1 = pair->f0;
}

void SHAPES(birthday)(SHAPES(person_t) *who, SHAPES(person_t) *ret) {
  *ret = *who;
  ret->age.val++;
}

double SHAPES(area)(SHAPES(shape_t) *of) {
  switch (of->tag) {
    case EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_CIRCLE: return 3.141592653589793 * of->val.circle * of->val.circle;
    case EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_RECTANGLE: return of->val.rectangle.f0 * of->val.rectangle.f1;
    default: return 0;
  }
}

/* A point becomes a circle, a circle a rectangle, a rectangle a point. */
void SHAPES(widen)(SHAPES(shape_t) *of, SHAPES(shape_t) *ret) {
  if (of->tag == EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_POINT) {
    ret->tag = EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_CIRCLE;
    ret->val.circle = 1;
  } else if (of->tag == EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_CIRCLE) {
    ret->tag = EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_RECTANGLE;
    ret->val.rectangle = (everything_tuple2_f64_f64_t){of->val.circle, of->val.circle};
  } else {
    ret->tag = EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_SHAPE_POINT;
  }
}

SHAPES(colour_t) SHAPES(next_colour)(SHAPES(colour_t) after) { return (after + 1) % 3; }

SHAPES(permission_t) SHAPES(complement)(SHAPES(permission_t) of) { return ~of & 0x1FF; }

bool SHAPES(check)(everything_string_t *text, uint32_t *ret, SHAPES(problem_t) *err) {
  *ret = text->len;
  err->tag = text->len ? EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_PROBLEM_TOO_LONG : EXPORTS_EXAMPLE_EVERY_TYPE_SHAPES_PROBLEM_EMPTY;
  err->val.too_long = text->len;
  return 0 < text->len && text->len < 10;
}

bool SHAPES(succeed_or_not)(bool good, everything_string_t *ret) {
  say(ret, "good%.*s", 0, "");
  return good;
}

bool SHAPES(fail_or_not)(bool good, everything_string_t *err) {
  say(err, "not good%.*s", 0, "");
  return good;
}

bool SHAPES(either_way)(bool good) { return good; }

void SHAPES(flip)(SHAPES(list_result_u8_string_t) *values, SHAPES(list_result_string_u8_t) *ret) {
  ret->len = values->len;
  ret->ptr = room(values->len, sizeof *ret->ptr);
  for (size_t i = 0; i < values->len; i++) {
    ret->ptr[i].is_err = !values->ptr[i].is_err;
    if (values->ptr[i].is_err) ret->ptr[i].val.ok = values->ptr[i].val.err;
    else ret->ptr[i].val.err = values->ptr[i].val.ok;
  }
}

void SHAPES(nothing)(void) {}

struct exports_example_every_type_shapes_counter_t {
  uint32_t next;
};

SHAPES(own_counter_t) SHAPES(constructor_counter)(uint32_t start) {
  SHAPES(counter_t) *counter = room(1, sizeof *counter);
  counter->next = start;
  return SHAPES(counter_new)(counter);
}

void SHAPES(counter_destructor)(SHAPES(counter_t) *counter) { free(counter); }

uint32_t SHAPES(method_counter_next)(SHAPES(borrow_counter_t) self) { return self->next++; }

void SHAPES(static_counter_of)(everything_list_u32_t *starts, SHAPES(list_own_counter_t) *ret) {
  ret->len = starts->len;
  ret->ptr = room(starts->len, sizeof *ret->ptr);
  for (size_t i = 0; i < starts->len; i++) ret->ptr[i] = SHAPES(constructor_counter)(starts->ptr[i]);
}

SHAPES(own_counter_t) SHAPES(open)(uint32_t start) { return SHAPES(constructor_counter)(start); }

uint32_t SHAPES(peek)(SHAPES(borrow_counter_t) at) { return at->next; }
