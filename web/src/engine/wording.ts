// Objects in words.

import type { ObjectRow, Tenant } from "./generated";
import { count, plural } from "./format";

/** A kind as people write it: `masking policy`. */
export const kindOf = (kind: string): string => kind.replaceAll("_", " ");

/** A kind for more than one: `masking policies`. */
export function kindsOf(kind: string): string {
  const name = kindOf(kind);
  if (name === "unknown") return "an unknown form";
  if (name.endsWith("y")) return `${name.slice(0, -1)}ies`;
  return name.endsWith("x") ? `${name}es` : `${name}s`;
}

/** Kind and id of an object, to stand beside its name. */
export const naming = ({ object }: ObjectRow): string =>
  object.id === null ? kindOf(object.kind) : `${kindOf(object.kind)} ${object.id}`;

/** What a tenant has: `3 databases, 12 tables (2 dropped), 40 keys of tokens`. */
export const holdings = (tenant: Tenant): string =>
  Object.entries(tenant.kinds)
    .map(([kind, sum]) => {
      if (sum.count + sum.dropped === 0) return `${plural(sum.keys, "key")} of ${kindsOf(kind)}`;
      const dropped = sum.dropped > 0 ? ` (${count(sum.dropped)} dropped)` : "";
      return `${plural(sum.count, kindOf(kind), kindsOf(kind))}${dropped}`;
    })
    .join(", ");

/** The name of a tenant; a way to call what belongs to none. */
export const tenantName = (tenant: string | null): string => tenant ?? "(none)";
