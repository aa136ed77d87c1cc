/* The tool `@NAME@`: a component of the world `tool` of wit/, which says of itself what it takes and gives. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char description[] = "The mean of some numbers.";

/* JSON Schema 2020-12. Arguments and result are judged by these before and after each call. */
static const char input_schema[] =
    "{\"type\": \"object\", \"required\": [\"numbers\"], \"additionalProperties\": false, \"properties\":"
    " {\"numbers\": {\"type\": \"array\", \"items\": {\"type\": \"number\"}}}}";
static const char output_schema[] = "{\"type\": \"number\"}";

void exports_tool_definitions(tool_list_definition_t *ret) {
  tool_definition_t *definition = malloc(sizeof *definition);

  tool_string_dup(&definition->name, "@NAME@");
  tool_string_dup(&definition->description, description);
  tool_string_dup(&definition->input_schema, input_schema);
  definition->output_schema.is_some = true;
  tool_string_dup(&definition->output_schema.val, output_schema);
  ret->ptr = definition;
  ret->len = 1;
}

/* A call that gives no result, and why. */
static bool fail(tool_run_error_t *err, const char *message) {
  memset(err, 0, sizeof *err);
  tool_string_dup(&err->message, message);
  return false;
}

bool exports_tool_call(tool_string_t *name, tool_string_t *arguments, tool_string_t *ret, tool_run_error_t *err) {
  /* The arguments fit the schema: one list of numbers is all there is to read. For more than that take a JSON library. */
  char *text = strndup((const char *)arguments->ptr, arguments->len), *at = strchr(text, '['), *end, mean[32];
  double sum = 0;
  size_t count = 0;

  for (at++;; at = end + strspn(end, ", \t\r\n")) {
    double number = strtod(at, &end);
    if (end == at) break;
    sum += number;
    count++;
  }
  free(text);
  tool_string_free(name);
  tool_string_free(arguments);
  if (count == 0) return fail(err, "there are no numbers");
  snprintf(mean, sizeof mean, "%.17g", sum / count);
  tool_string_dup(ret, mean);
  return true;
}
