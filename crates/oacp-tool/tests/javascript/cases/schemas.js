export const schemas = {
  translate: {
    description: "Translates " + "a text.",
    input: {
      type: "object",
      properties: {
        text: { type: "string", maxLength: 10_000 },
        to: { enum: ["de", "fr"], default: "de" },
      },
      required: ["text"],
      additionalProperties: false,
    },
    output: { type: "string" },
  },
  detect: {
    input: { properties: { text: { type: "string" } }, required: ["text"] },
  },
  length: { description: "How long a text is." },
};

export function translate(text, to = "de") {
  return text;
}

/** Which language a text is in. */
export function detect({ text }) {
  return "de";
}

/**
 * @param {string} text
 * @returns {integer}
 */
export function length(text) {
  return text.length;
}
