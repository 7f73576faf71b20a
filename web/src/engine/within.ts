// Ways through a value: what of it has a text, and where it stands.

import type { Shown, ShownContent } from "./generated";

/** What of a value has a text in a name or in what it says, in whichever case; none when nothing has. */
export function within(content: ShownContent, text: string): ShownContent | null {
  const wanted = text.toLowerCase();
  const has = (said: string) => said.toLowerCase().includes(wanted);
  const pruned = (content: ShownContent): ShownContent | null => {
    switch (content.type) {
      case "text":
        return has(content.value) ? content : null;
      case "table": {
        const rows = content.value.rows.filter((row) => row.some(has));
        return rows.length > 0 ? { type: "table", value: { columns: content.value.columns, rows } } : null;
      }
      case "parts": {
        const parts = content.value.flatMap((part): Shown[] => {
          if (part.type !== "more" && has(part.name)) return [part];
          const left = pruned(part);
          return left ? [{ ...left, name: part.name }] : [];
        });
        return parts.length > 0 ? { type: "parts", value: parts } : null;
      }
      case "more":
        return null;
    }
  };
  return pruned(content);
}

/** The path of what stands under a name, as jq takes it: `.schema.fields[0].name`. */
export function pathTo(path: string, name: string): string {
  if (/^\d+$/.test(name)) return `${path || "."}[${name}]`;
  if (/^[A-Za-z_]\w*$/.test(name)) return `${path}.${name}`;
  return `${path || "."}[${JSON.stringify(name)}]`;
}
