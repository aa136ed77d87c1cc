// Resolves the links of a page against its address, and cleans their queries.
const TRACKING = /^(utm_|fbclid$|gclid$)/;

export function run({ page, links }) {
  const seen = new Set();
  const broken = [];
  for (const link of links) {
    if (!URL.canParse(link, page)) {
      broken.push(link);
      continue;
    }
    const url = new URL(link, page);
    for (const name of [...url.searchParams.keys()]) if (TRACKING.test(name)) url.searchParams.delete(name);
    url.searchParams.sort();
    url.hash = "";
    seen.add(url.href);
  }
  const hosts = Object.groupBy(seen, (href) => new URL(href).host);
  return { hosts, broken };
}
