export function run() {
  const line = '10.0.0.1 - - [22/Nov/2026:20:14:05 +0000] "GET /a/b?c=1 HTTP/1.1" 200 512\n';
  const pattern = /^(\S+) \S+ \S+ \[([^\]]+)\] "(\w+) ([^ "]+) [^"]*" (\d{3}) (\d+)$/gm;
  return [...line.repeat(4000).matchAll(pattern)].length;
}
