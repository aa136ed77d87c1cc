// The part of Markdown that reports use, as HTML: headings, paragraphs, lists, tables, fenced code, emphasis, code, links.

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]);

// One alternative for each construct. What none of them matches is text; so is HTML, which is shown and never passed on.
const SPAN = /`(?<code>[^`]+)`|\*\*(?<strong>.+?)\*\*|\*(?<em>[^*]+)\*|\[(?<label>[^\]]+)\]\((?<url>[^()\s]+)\)/g;

function span(text) {
  let html = "";
  let end = 0;
  for (const { 0: whole, index, groups } of text.matchAll(SPAN)) {
    html += escaped(text.slice(end, index));
    end = index + whole.length;
    if (groups.code) html += `<code>${escaped(groups.code)}</code>`;
    else if (groups.strong) html += `<strong>${span(groups.strong)}</strong>`;
    else if (groups.em) html += `<em>${span(groups.em)}</em>`;
    else html += link(groups.label, groups.url);
  }
  return html + escaped(text.slice(end));
}

// An address with another scheme, as `javascript:`, is left out, and its label stays.
function link(label, url) {
  const isSafe = /^(https?|mailto):/i.test(url) || !url.includes(":");
  return isSafe ? `<a href="${escaped(url)}">${span(label)}</a>` : span(label);
}

const cells = (row) => row.replace(/^\s*\||\|\s*$/g, "").split("|").map((cell) => cell.trim());
const element = (name, content) => `<${name}>${content}</${name}>`;
const items = (lines) => lines.map((line) => element("li", span(line.replace(/^\S+ +/, "")))).join("");
const row = (name, line) => element("tr", cells(line).map((cell) => element(name, span(cell))).join(""));

// Each kind of block: how its first line looks, how those after it look, and its HTML.
const BLOCKS = [
  { first: /^```/, next: /^(?!```)/, isClosed: true, html: ([, ...lines]) => element("pre", element("code", escaped(lines.join("\n")))) },
  { first: /^#{1,6} /, next: /(?!)/, html: ([line]) => element(`h${line.indexOf(" ")}`, span(line.replace(/^#+ +/, ""))) },
  { first: /^\|/, next: /^\|/, html: ([head, , ...rows]) => element("table", [row("th", head), ...rows.map((line) => row("td", line))].join("")) },
  { first: /^[-*] /, next: /^[-*] /, html: (lines) => element("ul", items(lines)) },
  { first: /^\d+\. /, next: /^\d+\. /, html: (lines) => element("ol", items(lines)) },
  { first: /\S/, next: /^(?!```|#{1,6} |\||[-*] |\d+\. )(?=.*\S)/, html: (lines) => element("p", span(lines.join("\n"))) },
];

/**
 * Turns Markdown into HTML: headings, paragraphs, lists of one level, tables, fenced code, emphasis, code and links. HTML in it is shown as text.
 *
 * @param {string} text - the Markdown
 * @returns {string} HTML, an element for each block
 */
export function markdown(text) {
  const lines = text.split(/\r?\n/);
  const html = [];
  while (lines.length > 0) {
    const block = BLOCKS.find(({ first }) => first.test(lines[0]));
    if (!block) {
      lines.shift(); // a blank line
      continue;
    }
    const own = [lines.shift()];
    while (lines.length > 0 && block.next.test(lines[0])) own.push(lines.shift());
    if (block.isClosed) lines.shift();
    html.push(block.html(own));
  }
  return html.join("\n");
}
